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
pub fn number(finding: &str) -> Option<u32> {
    let number = Regex::new(r"fault (\d+)").expect("a pattern");
    number.captures(finding)?[1].parse().ok()
}

/// Numbers without a row, and the first row that has their cause.
pub struct Others<'a> {
    pub row: &'a Said,
    pub codes: Vec<u32>,
}

/// What the client knows beside the numbers that have a row.
pub fn others(groups: &[Group]) -> Vec<Others<'_>> {
    let rows = || groups.iter().flat_map(|group| group.lines.iter().flatten()).map(|line| &line.said);
    let with_row: BTreeSet<u32> = rows().filter_map(|said| number(&said.finding)).collect();
    let mut found: Vec<Others<'_>> = Vec::new();
    for code in known_codes().filter(|code| !with_row.contains(code)) {
        let same = |said: &&Said| number(&said.finding).is_some_and(|row| means(row) == means(code));
        let Some(row) = rows().find(same) else { continue };
        match found.iter_mut().find(|others| std::ptr::eq(others.row, row)) {
            Some(others) => others.codes.push(code),
            None => found.push(Others { row, codes: vec![code] }),
        }
    }
    found
}

fn means(code: u32) -> std::mem::Discriminant<azuremfa::winrm::error::Kind> {
    discriminant(&Fault { status: 500, code: Some(code), subcode: None, text: String::new() }.into_kind())
}

/// Another number changes nothing of what is said but the number, and each has its place.
pub fn check(groups: &[Group]) {
    let all: Vec<(&Said, u32)> =
        others(groups).iter().flat_map(|others| others.codes.iter().map(|code| (others.row, *code))).collect();
    let rows = groups.iter().flat_map(|group| group.lines.iter().flatten());
    let mut placed: BTreeSet<u32> = rows.filter_map(|line| number(&line.said.finding)).collect();
    placed.extend(all.iter().map(|(_, code)| *code));
    let unplaced: Vec<u32> = known_codes().filter(|code| !placed.contains(code)).collect();
    assert!(unplaced.is_empty(), "no row has the cause of {unplaced:?}");
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
