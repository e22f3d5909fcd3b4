//! The guide for administrators quotes what `doctor` says when something is missing. Each quotation is the text of a run.

use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::page::{Group, shortened};

pub(super) const GUIDE: &str = "docs/guides/winrm.md";

/// The column of quotations, each after its check.
const COLUMN: &str = "what `doctor` says";
/// A column in which all are of one check.
const AUTHENTICATION: &str = "what `doctor` says under authentication";

/// What the guide calls by names and times of its own where the runs have others.
const EXAMPLES: [&str; 6] = [
    "/etc/azuremfa/mfa-upgrade.keytab",
    "/run/user/1000/krb5cc",
    "dc01.contoso.com:88",
    "contoso.com:88",
    "mfa-upgrade",
    "600 s",
];

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
    let can_all = groups.iter().all(|group| group.lines.is_some());
    let quotations = quotations(&guide, can_all);
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

/// Whether a column with this head quotes `doctor`.
pub(super) fn is_column(head: &str) -> bool {
    [COLUMN, AUTHENTICATION].contains(&head)
}

/// Those of Kerberos as well, where this machine can run it.
fn quotations(guide: &str, with_kerberos: bool) -> Vec<Quotation> {
    let quoted = Regex::new(r"(?:([A-Za-z-]+(?: hop)?): )?(?:``(.+?)``|`([^`]+)`)").expect("a pattern");
    let mut found = Vec::new();
    let mut column = None;
    for line in guide.lines() {
        let row: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match row.as_slice() {
            [_, head] if *head == COLUMN => column = Some(""),
            [_, head] if *head == AUTHENTICATION => column = with_kerberos.then_some("authentication"),
            [_, says] if column.is_some() && line.starts_with('|') => {
                let before = found.len();
                found.extend(quoted.captures_iter(says).filter_map(|quotation| {
                    let check = quotation.get(1).map(|check| check.as_str()).or(column.filter(|it| !it.is_empty()))?;
                    let text = quotation.get(2).or(quotation.get(3))?.as_str().trim().to_owned();
                    Some(Quotation { check: check.to_owned(), text })
                }));
                assert!(found.len() > before, "nothing is quoted: {line}");
            }
            _ if line.starts_with("|---") => {}
            _ => column = None,
        }
    }
    found
}

fn pattern(quotation: &str) -> Regex {
    let text = EXAMPLES.iter().fold(quotation.to_owned(), |text, example| text.replace(example, "…"));
    let parts: Vec<String> = text.split('…').map(regex::escape).collect();
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
