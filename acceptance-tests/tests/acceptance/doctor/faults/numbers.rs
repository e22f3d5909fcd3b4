//! Windows has several numbers for some causes. Each is injected, and read as the one that has a row.

use std::collections::BTreeSet;
use std::mem::discriminant;

use acceptance_tests::lab::wire::faults::Effect;
use acceptance_tests::lab::wire::record::Kind;
use azuremfa::winrm::soap::fault::{Fault, known_codes};
use regex::Regex;

use super::page::Group;
use super::{Said, for_all, on, said};

/// The number in a finding.
pub(super) fn number(finding: &str) -> Option<u32> {
    let number = Regex::new(r"fault (\d+)").expect("a pattern");
    number.captures(finding)?[1].parse().ok()
}

/// The numbers without a row whose cause has one, by the place of the first such row.
pub(super) fn others(groups: &[Group]) -> Vec<(&Said, Vec<u32>)> {
    let rows = || groups.iter().flat_map(|group| group.lines.iter().map(|line| &line.said));
    let with_row: BTreeSet<u32> = rows().filter_map(|said| number(&said.finding)).collect();
    let mut found: Vec<(&Said, Vec<u32>)> = Vec::new();
    for code in known_codes().filter(|code| !with_row.contains(code)) {
        let row = rows().find(|said| number(&said.finding).is_some_and(|row| means(row) == means(code)));
        let row = row.unwrap_or_else(|| panic!("no row has the cause of fault {code}"));
        match found.iter_mut().find(|(said, _)| std::ptr::eq(*said, row)) {
            Some((_, codes)) => codes.push(code),
            None => found.push((row, vec![code])),
        }
    }
    found
}

fn means(code: u32) -> std::mem::Discriminant<azuremfa::winrm::error::Kind> {
    discriminant(&Fault { status: 500, code: Some(code), subcode: None, text: String::new() }.into_kind())
}

/// Another number changes nothing of what is said but the number.
pub(super) fn check(groups: &[Group]) {
    let others = others(groups);
    let all: Vec<(&Said, u32)> =
        others.iter().flat_map(|(row, codes)| codes.iter().map(|code| (*row, *code))).collect();
    assert!(all.len() > 8, "{}", all.len());
    for_all(&all, |(row, code)| check_one(row, *code));
}

fn check_one(row: &Said, code: u32) {
    let kind = if row.finding.starts_with("opening") { Kind::Create } else { Kind::Command };
    let fault = acceptance_tests::lab::wire::fault::Fault::receiver(code, "w:InternalError", "words of Windows");
    let found = said(&format!("fault {code}"), &on(kind, Effect::Fault(fault)));
    let words = Regex::new(r"fault \d+ \(.*\)").expect("a pattern");
    assert_eq!(found.finding, words.replace(&row.finding, format!("fault {code} (words of Windows)")));
    assert_eq!((found.check, found.cure), (row.check.clone(), row.cure.clone()));
}
