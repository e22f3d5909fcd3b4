//! Logins by Kerberos that fail, and what is said of them. The table of faults runs these rows with its own and writes
//! them on its page; a machine without MIT Kerberos can run none of them.

mod accounts;
mod services;

use std::panic::resume_unwind;

use acceptance_tests::lab::server::Lab;
use expect_test::Expect;
use regex::Regex;

use super::domain::{Domain, Setup, programs};
use crate::doctor::faults::Said;
use crate::doctor::faults::page::Line;
use crate::doctor::faults::plan;
use crate::doctor::run::{Doctor, HOST};

/// What a fault means, the run that meets it, and what is said.
type Row = (&'static str, Doctor, Expect);

/// Rows that share a domain.
type Part = fn() -> Option<Vec<Line>>;

/// Every row, in the order of the page. `None`, said and counted, when MIT Kerberos cannot be had here.
pub fn lines() -> Option<Vec<Line>> {
    programs()?;
    let parts: [Part; 9] = [
        accounts::refused,
        accounts::keytabs,
        accounts::tickets,
        services::kdcs,
        services::clocks,
        services::kdc_clocks,
        services::hosts,
        services::other_realms,
        services::strangers,
    ];
    let lines = std::thread::scope(|scope| {
        let runs = parts.map(|part| scope.spawn(part));
        runs.map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    lines.into_iter().collect::<Option<Vec<_>>>().map(|parts| parts.concat())
}

/// Runs rows against hosts of a lab.
fn run(lab: &Lab, rows: Vec<Row>) -> Vec<Line> {
    let line = |(means, doctor, expected): Row| {
        let said = said(lab, means, doctor);
        said.check(&expected);
        Line { means, said }
    };
    rows.into_iter().map(line).collect()
}

/// What is said of a run, without what differs between runs: ports, folders and times; a clock that was read a second later.
/// A plan says the same.
fn said(lab: &Lab, name: &str, doctor: Doctor) -> Said {
    let differs = Regex::new(r"127\.0\.0\.1:\d+|/[^ :]*/|\d{4}-\d\d-\d\dT[^ ]+Z|\b(?:59\d|60\d) s").expect("a pattern");
    let mut said = Said::of(name, doctor.clone());
    said.finding = differs.replace_all(&said.finding, "…").into_owned();
    // What changes the process itself, such as its clock, cannot be had in this one.
    let is_read_alone = |variable: &str| ["KRB5CCNAME", "KRB5_CONFIG"].contains(&variable);
    if doctor.environment.iter().all(|(variable, _)| is_read_alone(variable)) {
        let planned = plan::says(&doctor);
        let (planned, cure) = (differs.replace_all(&planned, "…"), differs.replace_all(&said.cure, "…"));
        assert!(plan::names(&planned, said.cause(), &cure), "{name}: a plan says something else: {planned}");
    }
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    said
}

/// With another account of the realm, whose password is the lab's.
fn account(domain: &Domain, name: &str) -> Doctor {
    Doctor { username: name.to_owned(), ..domain.doctor() }
}
