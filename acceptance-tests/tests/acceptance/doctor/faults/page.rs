//! The guide to the faults, as the runs of the table say it.

use std::fmt::Write as _;
use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::{Said, numbers};

/// A part of the page.
pub(super) struct Group {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

/// A fault on the page.
pub(super) struct Line {
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

Codes are HTTP statuses or numbers of Windows, which other tools show in hexadecimal.
";

/// Writes the page anew when it is not what was said, and fails once.
pub(super) fn check(groups: &[Group]) {
    let mut text = HEAD.to_owned();
    let others = numbers::others(groups);
    for group in groups {
        let _ = write!(
            text,
            "\n## {}\n\n| what is seen | code | what it means | what to do |\n|---|---|---|---|\n",
            group.title
        );
        for Line { means, said } in group.lines.iter() {
            let seen = shortened(&said.finding);
            let further = others.iter().filter(|(row, _)| std::ptr::eq(*row, said)).flat_map(|(_, codes)| codes);
            let codes: Vec<String> = std::iter::once(code(&said.finding)).chain(further.map(windows)).collect();
            let row = [&seen, &codes.join(", "), *means, &said.cure].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
    let path = paths::root().join(PAGE);
    if fs::read_to_string(&path).is_ok_and(|found| found.replace("\r\n", "\n") == text) {
        return;
    }
    fs::write(&path, text).expect("the page can be written");
    panic!("written anew, look at it and commit it: {PAGE}");
}

/// Without the host's own words.
pub(super) fn shortened(finding: &str) -> String {
    Regex::new(r"(fault \d+) \(.*\)").expect("a pattern").replace(finding, "$1").into_owned()
}

/// The number that tells it apart.
fn code(finding: &str) -> String {
    if let Some(code) = numbers::number(finding) {
        return windows(&code);
    }
    let number = Regex::new(r"(HTTP|HTTP/1\.1|os error) (\d+)").expect("a pattern");
    let Some(found) = number.captures(finding) else { return "-".to_owned() };
    let kind = if &found[1] == "os error" { "errno" } else { "HTTP" };
    format!("{kind} {}", &found[2])
}

/// A number of Windows, also as other tools show it.
fn windows(code: &u32) -> String {
    if *code > 0xffff { format!("{code} (0x{code:08X})") } else { code.to_string() }
}
