//! The guide to the faults, as the runs of the table say it.

use std::fmt::Write as _;
use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::Said;
use super::numbers::{self, Others};

/// A part of the page.
pub struct Group {
    pub title: &'static str,
    /// `None` when this machine cannot make them: the page keeps those that it has.
    pub lines: Option<Vec<Line>>,
}

impl Group {
    pub fn of(title: &'static str, lines: Vec<Line>) -> Self {
        Self { title, lines: Some(lines) }
    }
}

/// A fault on the page.
#[derive(Clone)]
pub struct Line {
    pub means: &'static str,
    pub said: Said,
}

const PAGE: &str = "docs/guides/faults.md";

const HEAD: &str = "\
---
page_title: \"WinRM errors and their cures\"
subcategory: \"\"
description: |-
  What the provider and doctor say when a host cannot be reached or used over WinRM, what it means, and what to do.
---

# WinRM errors and their cures

Every error of the connection to a host names the host, what was being done there, what was found, and what to do. The tables list
what can be found, in the order in which a connection comes to it; `mfa01.contoso.com` stands for the host, `…` for what differs
from case to case. What Windows itself says follows its number in parentheses and is left out here.

`terraform-provider-azuremfa doctor --host mfa01.contoso.com` goes through all of it, from the network inwards, and changes nothing.

A request is repeated only where the answer proves that nothing was started by it, at most as often as the tables say, after a pause
of varying length, and with a line in the log (`TF_LOG=INFO`). Where a command may have been started, the error says so, and the
next plan finds out what it has done.

The `winrm` commands are for an elevated `cmd.exe` on the host; in PowerShell put their last argument in single quotes. Where a
group policy sets a value, change it there.

Codes are HTTP statuses, numbers of Windows, which other tools show in hexadecimal, or names of Kerberos.
";

/// Writes the page anew when it is not what was said, and fails once.
pub fn check(groups: &[Group]) {
    let path = paths::root().join(PAGE);
    let found = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let text = page(groups, &found);
    if found == text {
        return;
    }
    fs::write(&path, text).expect("the page can be written");
    panic!("written anew, look at it and commit it: {PAGE}");
}

fn page(groups: &[Group], found: &str) -> String {
    let others = numbers::others(groups);
    let parts = groups.iter().map(|group| match &group.lines {
        Some(lines) => part(group.title, lines, &others),
        None => kept(group.title, found).to_owned(),
    });
    [HEAD.to_owned()].into_iter().chain(parts).collect()
}

fn heading(title: &str) -> String {
    format!("\n## {title}\n")
}

fn part(title: &str, lines: &[Line], others: &[Others<'_>]) -> String {
    let mut text = heading(title);
    text.push_str("\n| what is seen | code | what it means | what to do |\n|---|---|---|---|\n");
    for Line { means, said } in lines {
        let seen = shortened(&said.finding);
        let further = others.iter().filter(|others| std::ptr::eq(others.row, said)).flat_map(|others| &others.codes);
        let codes: Vec<String> = std::iter::once(code(&said.finding)).chain(further.map(windows)).collect();
        let row = [&seen, &codes.join(", "), *means, &said.cure].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// The part as it stands on the page; empty when it does not.
fn kept<'a>(title: &str, found: &'a str) -> &'a str {
    let heading = heading(title);
    let Some(begin) = found.find(&heading) else { return "" };
    let length = found[begin + heading.len()..].find("\n## ").map(|end| heading.len() + end);
    &found[begin..length.map_or(found.len(), |length| begin + length)]
}

/// Without the host's own words.
pub fn shortened(finding: &str) -> String {
    Regex::new(r"(fault \d+) \(.*\)").expect("a pattern").replace(finding, "$1").into_owned()
}

/// The number or name that tells it apart.
fn code(finding: &str) -> String {
    if let Some(code) = numbers::number(finding) {
        return windows(&code);
    }
    let code = Regex::new(r"(HTTP|HTTP/1\.1|os error) (\d+)|\((K[A-Z]+_[A-Z_]+)\)").expect("a pattern");
    let Some(found) = code.captures(finding) else { return "-".to_owned() };
    match found.get(3) {
        Some(name) => name.as_str().to_owned(),
        None if &found[1] == "os error" => format!("errno {}", &found[2]),
        None => format!("HTTP {}", &found[2]),
    }
}

/// A number of Windows, also as other tools show it.
fn windows(code: &u32) -> String {
    if *code > 0xffff { format!("{code} (0x{code:08X})") } else { code.to_string() }
}

/// What cannot be made here stays as it is, while the rest is written anew.
#[test]
fn a_part_that_cannot_be_made_is_kept() {
    let line = |finding: &str| {
        let said = Said { check: String::new(), finding: finding.to_owned(), cure: String::new() };
        vec![Line { means: "", said }]
    };
    let groups = |first: &str, second: Option<&str>, third: &str| {
        let second = Group { title: "Second", lines: second.map(line) };
        [Group::of("First", line(first)), second, Group::of("Third", line(third))]
    };
    let whole = page(&groups("a", Some("b"), "c"), "");
    assert_eq!(page(&groups("a", None, "c"), &whole), whole);
    assert_eq!(page(&groups("x", None, "y"), &whole), page(&groups("x", Some("b"), "y"), ""));
    assert_eq!(kept("Third", &whole), part("Third", &line("c"), &[]));
    assert_eq!(kept("Fourth", &whole), "");
}
