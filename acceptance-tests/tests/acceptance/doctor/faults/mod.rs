//! The table of faults: what goes wrong on the wire, and what a person then reads. Each text names the host, what was
//! being done, what was found, and what to do about it. `docs/guides/faults.md` is written from the same runs.
//!
//! Four of the client's errors are none of the wire's and not here: a command line that is too long, a control
//! character, and input that cannot be read are never met by `doctor`; basic authentication without HTTPS is refused
//! with the settings.

mod identity;
mod login;
mod network;
pub mod page;
mod work;

use std::net::TcpListener;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Builder, Lab, Mode};
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Reachability, Settings};
use acceptance_tests::lab::wire::record::Kind;
use expect_test::Expect;
use regex::Regex;
use serde_json::json;

use crate::doctor::run::{Doctor, HOST};
use crate::kerberos;

/// What is wrong with the host or the way to it.
enum Wrong {
    /// With WinRM's settings on the host, for this connection.
    Setup(Settings, fn(Doctor) -> Doctor),
    /// With requests.
    Wire(Vec<Injection>),
    /// With the network.
    Network(Reachability),
    /// With the proxy, which asks for this `user:password`.
    Login(&'static str, fn(Doctor) -> Doctor),
    /// With what this side was told.
    Told(fn(Doctor) -> Doctor),
}

/// One fault: its name, what it means, what is wrong, and what is said.
type Row = (&'static str, &'static str, Wrong, Expect);

/// What a person reads of one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub check: String,
    pub finding: String,
    pub cure: String,
}

impl Said {
    /// What a run says of the one check that failed.
    pub fn of(name: &str, doctor: Doctor) -> Self {
        let host = doctor.host.clone();
        let (code, report) = doctor.report();
        let checks = report["checks"].as_array().expect("checks");
        let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
        let [failed] = failed.as_slice() else { panic!("{name}: not one failure: {report:#}") };
        assert_eq!(code, 1, "{name}");
        let text = |part: &str| failed[part].as_str().unwrap_or_else(|| panic!("{name}: no {part}")).to_owned();
        assert!(text("finding").contains(&host), "{name} does not name the host: {failed}");
        Self { check: text("check"), finding: text("finding"), cure: text("cure") }
    }

    #[track_caller]
    pub fn check(&self, expected: &Expect) {
        expected.assert_eq(&format!("{}: {}\n{}\n", self.check, self.finding, self.cure));
    }
}

/// How many rows run at once. They wait more than they work.
const AT_ONCE: usize = 12;

#[test]
fn every_fault_names_host_operation_cause_and_cure() {
    let on_the_way = [network::rows(), identity::proxies()].into_iter().flatten().collect();
    let logging_in = [login::rows(), identity::certificates()].into_iter().flatten().collect();
    let groups = [
        page::Group::of("On the way to a host", lines(on_the_way)),
        page::Group::of("Logging in", lines(logging_in)),
        page::Group { title: "Logging in by Kerberos", lines: kerberos::faults::lines() },
        page::Group::of("Working on a host", lines(work::rows())),
    ];
    page::check(&groups);
}

fn lines(rows: Vec<Row>) -> Vec<page::Line> {
    let said = run(&rows);
    let line = |((_, means, _, expected), said): (Row, Said)| {
        said.check(&expected);
        page::Line { means, said }
    };
    rows.into_iter().zip(said).map(line).collect()
}

fn run(rows: &[Row]) -> Vec<Said> {
    rows.chunks(AT_ONCE)
        .flat_map(|rows| {
            std::thread::scope(|scope| {
                let runs: Vec<_> = rows.iter().map(|(name, _, wrong, _)| scope.spawn(|| said(name, wrong))).collect();
                runs.into_iter().map(|run| run.join().expect("a row")).collect::<Vec<_>>()
            })
        })
        .collect()
}

/// The one check that failed, as text.
fn said(name: &str, wrong: &Wrong) -> Said {
    let estate = demo::temporary().expect("the estate");
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let start = |builder: Builder| builder.start_in_background().expect("the lab");
    let lab = match wrong {
        Wrong::Setup(settings, _) => start(builder.winrm(HOST, settings.clone())),
        Wrong::Login(login, _) => start(builder.proxy_login(login)),
        _ => start(builder),
    };
    let mut doctor = Doctor::of(&lab);
    match wrong {
        Wrong::Wire(injections) => injections.iter().cloned().for_each(|injection| lab.host(HOST).inject(injection)),
        Wrong::Network(reachability) => lab.set_reachability(HOST, *reachability),
        Wrong::Setup(_, told) | Wrong::Login(_, told) | Wrong::Told(told) => doctor = told(doctor),
    }
    let port = doctor.connection["port"].as_u64();
    let Said { check, finding, cure } = Said::of(name, doctor);
    let finding = finding.replace(lab.proxy_url.trim_start_matches("http://"), "proxy:3128");
    let finding = port.map_or(finding.clone(), |port| finding.replace(&port.to_string(), "PORT"));
    // Times and names differ between runs, and so does how a closed connection is noticed.
    let differs = r"(?:time|after|before|\() ?\d{9,}|ShellId [0-9A-F-]{36}|connection error: .*";
    let finding = Regex::new(differs).expect("a pattern").replace_all(&finding, "…").into_owned();
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    Said { check, finding, cure }
}

fn on(kind: Kind, effect: Effect) -> Wrong {
    Wrong::Wire(vec![Injection::on(kind, effect).times(4)])
}

fn http(status: u16, content_type: &'static str) -> Effect {
    Effect::Http { status, content_type, body: "<html>no</html>" }
}

fn certificate(certificate: Certificate) -> Wrong {
    Wrong::Setup(Settings { certificate, ..Settings::default() }, |doctor| doctor)
}

/// Straight to this address, past the lab's proxy.
fn direct(doctor: Doctor, host: &str) -> Doctor {
    let doctor = doctor.with("proxy", json!(null));
    Doctor { host: host.to_owned(), ..doctor }
}

fn to_closed_port(doctor: Doctor) -> Doctor {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    direct(doctor, "127.0.0.1").with("port", json!(port))
}

fn wrong_password(doctor: Doctor) -> Doctor {
    Doctor { password: "not-the-password".to_owned(), ..doctor }
}
