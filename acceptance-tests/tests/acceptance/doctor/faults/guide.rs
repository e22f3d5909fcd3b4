//! The guide for administrators quotes what `doctor` says when something is missing. Each quotation is the text of a run.

use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::page::{Group, shortened};

const GUIDE: &str = "docs/guides/winrm.md";

/// The column of quotations.
const COLUMN: &str = "what `doctor` says";

/// A quotation and where it stands.
#[derive(Debug)]
struct Quotation {
    /// The check as the report of `doctor` names it.
    check: String,
    /// `…` stands for what differs.
    text: String,
}

/// Every quotation of the guide is what a run said, from its first letter to its last.
pub(super) fn check(groups: &[Group]) {
    let guide = fs::read_to_string(paths::root().join(GUIDE)).expect("the guide");
    let quotations = quotations(&guide);
    assert!(quotations.len() > 30, "{} quotations", quotations.len());
    let said: Vec<(&str, String)> = groups
        .iter()
        .flat_map(|group| group.lines.iter().flatten())
        .flat_map(|line| {
            let cause = shortened(line.said.cause());
            [(line.said.check.as_str(), cause), ("cure", line.said.cure.clone())]
        })
        .collect();
    let made_up: Vec<_> = quotations
        .iter()
        .filter(|quotation| {
            let pattern = pattern(&quotation.text);
            !said.iter().any(|(check, cause)| label(check) == quotation.check && pattern.is_match(cause))
        })
        .collect();
    assert!(made_up.is_empty(), "{GUIDE} quotes what no run says: {made_up:#?}\nthe runs said: {said:#?}");
}

fn quotations(guide: &str) -> Vec<Quotation> {
    let quoted = Regex::new(r"([A-Za-z-]+(?: hop)?): (?:``(.+?)``|`([^`]+)`)").expect("a pattern");
    let mut found = Vec::new();
    let mut in_table = false;
    for line in guide.lines() {
        let row: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        in_table = line.starts_with('|') && (in_table || row.last() == Some(&COLUMN));
        let ([_missing, says], true) = (row.as_slice(), in_table) else { continue };
        if *says == COLUMN {
            continue;
        }
        let before = found.len();
        found.extend(quoted.captures_iter(says).map(|quotation| Quotation {
            check: quotation[1].to_owned(),
            text: quotation.get(2).or(quotation.get(3)).map_or("", |text| text.as_str()).trim().to_owned(),
        }));
        assert!(found.len() > before, "nothing is quoted: {line}");
    }
    found
}

fn pattern(quotation: &str) -> Regex {
    let parts: Vec<String> = quotation.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).expect("a pattern")
}

fn label(check: &str) -> &str {
    match check {
        "tcp" => "TCP",
        "tls" => "TLS",
        "http" => "WS-Management",
        "powershell" => "PowerShell",
        "double_hop" => "double hop",
        other => other,
    }
}
