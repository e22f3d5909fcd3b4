//! The table of faults: what goes wrong on the wire, and what a person then reads. Each text names the host, what was
//! being done, what was found, and what to do about it.

use std::net::TcpListener;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Builder, Lab, Mode};
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::fault::{Fault, OPERATION_ABORTED, Shape};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Reachability, Settings};
use acceptance_tests::lab::wire::record::Kind;
use expect_test::{Expect, expect};
use serde_json::json;

use super::run::{Doctor, HOST};

/// What is wrong with the host or the way to it.
enum Wrong {
    /// With WinRM's settings on the host, for this connection.
    Setup(Settings, fn(Doctor) -> Doctor),
    /// With requests.
    Wire(Vec<Injection>),
    /// With the network.
    Network(Reachability),
    /// With what this side was told.
    Told(fn(Doctor) -> Doctor),
}

/// One fault: its name, what is wrong, and what is said.
type Row = (&'static str, Wrong, Expect);

#[track_caller]
fn check(rows: Vec<Row>) {
    // The rows wait more than they work.
    let found: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = rows.iter().map(|(name, wrong, _)| scope.spawn(move || said(name, wrong))).collect();
        runs.into_iter().map(|run| run.join().expect("a row")).collect()
    });
    for ((_, _, expected), found) in rows.iter().zip(&found) {
        expected.assert_eq(found);
    }
}

/// The one check that failed, as text.
fn said(name: &str, wrong: &Wrong) -> String {
    let estate = demo::temporary().expect("the estate");
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let start = |builder: Builder| builder.start_in_background().expect("the lab");
    let lab = match wrong {
        Wrong::Setup(settings, _) => start(builder.winrm(HOST, settings.clone())),
        _ => start(builder),
    };
    let mut doctor = Doctor::of(&lab);
    match wrong {
        Wrong::Wire(injections) => injections.iter().cloned().for_each(|injection| lab.host(HOST).inject(injection)),
        Wrong::Network(reachability) => lab.set_reachability(HOST, *reachability),
        Wrong::Setup(_, told) | Wrong::Told(told) => doctor = told(doctor),
    }
    let host = doctor.host.clone();
    let port = doctor.connection["port"].as_u64();
    let (code, report) = doctor.report();
    let checks = report["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
    let [failed] = failed.as_slice() else { panic!("{name}: not one failure: {report:#}") };
    assert_eq!(code, 1, "{name}");
    let text = |part: &str| failed[part].as_str().unwrap_or_else(|| panic!("{name}: no {part}")).to_owned();
    assert!(text("finding").contains(&host), "{name} does not name the host: {failed}");
    let finding = text("finding").replace(lab.proxy_url.trim_start_matches("http://"), "proxy:3128");
    let finding = port.map_or(finding.clone(), |port| finding.replace(&port.to_string(), "PORT"));
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    format!("{}: {finding}\n{}\n", text("check"), text("cure"))
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

#[test]
fn the_way_to_a_host() {
    check(vec![
        ("name", Wrong::Told(|doctor| direct(doctor, "mfa01..contoso.com")), expect![[""]]),
        ("refused", Wrong::Told(to_closed_port), expect![[""]]),
        ("unreachable", Wrong::Told(|doctor| direct(doctor, "255.255.255.255")), expect![[""]]),
        ("no answer", Wrong::Network(Reachability::Silent), expect![[""]]),
        ("proxy", Wrong::Network(Reachability::Unreachable), expect![[""]]),
        ("expired", certificate(Certificate::Expired), expect![[""]]),
        ("other name", certificate(Certificate::OtherName("mfa09.contoso.com".to_owned())), expect![[""]]),
        ("self-signed", certificate(Certificate::SelfSigned), expect![[""]]),
        ("setting", Wrong::Told(|doctor| doctor.with("server_name", json!("a b"))), expect![[""]]),
        ("another service", on(Kind::Authenticate, http(200, "text/html")), expect![[""]]),
        ("no such path", on(Kind::Authenticate, http(404, "text/html")), expect![[""]]),
        ("service ill", on(Kind::Authenticate, http(503, "text/html")), expect![[""]]),
        ("forbidden", on(Kind::Authenticate, http(403, "text/html")), expect![[""]]),
        ("dropped", on(Kind::Authenticate, Effect::DropBefore), expect![[""]]),
    ]);
}

#[test]
fn logging_in() {
    let second = |effect| Wrong::Wire(vec![Injection::on(Kind::Authenticate, effect).at(2)]);
    let no_basic = Settings { no_basic: true, ..Settings::default() };
    check(vec![
        ("not offered", Wrong::Setup(no_basic, |doctor| doctor.with("auth", json!("basic"))), expect![[""]]),
        ("broken off", second(http(401, "text/html")), expect![[""]]),
        ("rejected", Wrong::Told(wrong_password), expect![[""]]),
        ("unknown form", Wrong::Told(|doctor| Doctor { username: "a\\b\\c".to_owned(), ..doctor }), expect![[""]]),
        ("rejected (basic)", Wrong::Told(|doctor| wrong_password(doctor).with("auth", json!("basic"))), expect![[""]]),
    ]);
}

#[test]
fn working_on_a_host() {
    let fault = |kind, fault| on(kind, Effect::Fault(fault));
    check(vec![
        ("access denied", fault(Kind::Create, Fault::access_denied()), expect![[""]]),
        ("quota of shells", fault(Kind::Create, Fault::too_many_shells(30)), expect![[""]]),
        (
            "any fault",
            fault(Kind::Create, Fault::receiver(OPERATION_ABORTED, "w:InternalError", "Aborted.")),
            expect![[""]],
        ),
        ("timed out", fault(Kind::Create, Fault::timed_out()), expect![[""]]),
        ("too large", on(Kind::Create, http(413, "text/html")), expect![[""]]),
        ("no reply", on(Kind::Create, Effect::Hang), expect![[""]]),
        ("not XML", on(Kind::Create, http(200, "application/soap+xml")), expect![[""]]),
        ("lost at start", on(Kind::Create, Effect::DropBefore), expect![[""]]),
        ("quota of operations", fault(Kind::Command, Fault::too_many_operations(1500, Shape::WmiError)), expect![[""]]),
        ("shell gone", fault(Kind::Command, Fault::shell_not_found("1")), expect![[""]]),
        ("lost under way", on(Kind::Command, Effect::DropAfter), expect![[""]]),
        ("busy", fault(Kind::Send, Fault::busy()), expect![[""]]),
        ("shell lost", on(Kind::Receive, Effect::LoseShell), expect![[""]]),
    ]);
}
