//! The table of faults: what goes wrong on the wire, and what a person then reads. Each text names the host, what was
//! being done, what was found, and what to do about it. `docs/guides/faults.md` is written from the same runs, and
//! `docs/guides/winrm.md` may quote nothing else.

mod complete;
mod guide;
mod identity;
mod login;
mod network;
mod numbers;
pub mod page;
pub mod plan;
mod policy;
mod requirements;
mod work;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::host::error::LabError;
use acceptance_tests::lab::host::state::State;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Reachability, Settings};
use acceptance_tests::lab::wire::record::Kind;
use expect_test::Expect;
use regex::Regex;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::doctor::run::{Doctor, HOST};
use crate::kerberos;

/// What is wrong with the host or the way to it.
enum Wrong {
    /// With WinRM's settings on the host, for this connection.
    Setup(Settings, fn(Doctor) -> Doctor),
    /// With requests over this connection.
    Wire(Vec<Injection>, fn(Doctor) -> Doctor),
    /// With the network.
    Network(Reachability),
    /// With the proxy, which asks for this `user:password`.
    Login(&'static str, fn(Doctor) -> Doctor),
    /// With what this side was told.
    Told(fn(Doctor) -> Doctor),
    /// With the host itself, which takes logons and runs commands.
    Host(fn(&mut State)),
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
    /// What a run says of the one check that failed, warns or notes something.
    pub fn of(name: &str, doctor: Doctor) -> Self {
        let host = doctor.host.clone();
        let (code, report) = doctor.report();
        let checks = report["checks"].as_array().expect("checks");
        let worth = ["failed", "warning", "note"];
        let noticed: Vec<_> = checks.iter().filter(|check| worth.iter().any(|it| check["result"] == *it)).collect();
        let [noticed] = noticed.as_slice() else { panic!("{name}: not one finding: {report:#}") };
        assert_eq!(code == 1, noticed["result"] == "failed", "{name}");
        assert_eq!(report["host"], host.as_str(), "{name}");
        let text = |part: &str| noticed[part].as_str().unwrap_or_else(|| panic!("{name}: no {part}")).to_owned();
        Self { check: text("check"), finding: text("finding"), cure: text("cure") }
    }

    /// What was found, after operation and host.
    pub fn cause(&self) -> &str {
        let place = Regex::new(r"^[a-zA-Z ]+ (?:on|to) [^ ]+: ").expect("a pattern");
        place.find(&self.finding).map_or(&self.finding, |place| &self.finding[place.end()..])
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
        ("On the way to a host", on_the_way),
        ("Logging in", logging_in),
        ("Working on a host", work::rows()),
        ("The host itself", policy::rows()),
    ];
    let rows: Vec<&Row> = groups.iter().flat_map(|(_, rows)| rows).collect();
    let mut said = for_all(&rows, |(name, _, wrong, _)| said(name, wrong)).into_iter();
    let found = groups.map(|(title, rows)| {
        let lines = rows.iter().zip(&mut said).map(|((_, means, _, expected), said)| {
            said.check(expected);
            page::Line { means, said }
        });
        page::Group::of(title, lines.collect())
    });
    let mut found = Vec::from(found);
    found.insert(2, page::Group { title: "Logging in by Kerberos", lines: kerberos::faults::lines() });
    complete::check(&found);
    numbers::check(&found);
    guide::check(&found);
    page::check(&found);
}

/// Does the work for all, some at once, also when it fails for one of them.
fn for_all<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        while let Some((place, one)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, all.get(at)?)))
        {
            // What it panicked with was printed.
            done.push((place, catch_unwind(AssertUnwindSafe(|| work(one))).ok()));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(take)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics were caught")).collect::<Vec<_>>()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect::<Option<_>>().expect("some rows failed, see above")
}

/// The one check that failed or warns, as text. A plan that meets the same says the same.
fn said(name: &str, wrong: &Wrong) -> Said {
    let lab = lab(wrong);
    let doctor = match wrong {
        Wrong::Setup(_, told) | Wrong::Login(_, told) | Wrong::Told(told) | Wrong::Wire(_, told) => {
            told(Doctor::of(&lab))
        }
        _ => Doctor::of(&lab),
    };
    let neutral = |text: &str| neutral(text, &lab, &doctor);
    inject(&lab, wrong);
    let mut said = Said::of(name, doctor.clone());
    said.finding = neutral(&said.finding);
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    assert!(said.finding.contains(&format!(" {HOST}: ")), "{name} does not name the host: {}", said.finding);
    // What `doctor` alone looks at keeps no plan from reading the host.
    if !matches!(wrong, Wrong::Host(_)) || said.check == "powershell" {
        inject(&lab, wrong);
        let planned = neutral(&plan::says(&doctor));
        let is_same = match wrong {
            Wrong::Host(_) => plan::tells(&planned, said.cause(), &said.cure),
            _ => plan::names(&planned, said.cause(), &said.cure),
        };
        assert!(is_same, "{name}: {said:?}, and a plan: {planned}");
        assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name}: a plan left a shell behind");
    }
    said
}

/// A lab whose host, or the way to it, is wrong from the beginning.
fn lab(wrong: &Wrong) -> Lab {
    let estate = demo::temporary().expect("the estate");
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let builder = match wrong {
        Wrong::Setup(settings, _) => builder.winrm(HOST, settings.clone()),
        Wrong::Login(login, _) => builder.proxy_login(login),
        _ => builder,
    };
    let lab = builder.start_in_background().expect("the lab");
    match wrong {
        Wrong::Network(reachability) => lab.set_reachability(HOST, *reachability),
        Wrong::Host(change) => {
            let change = |state: &mut State| -> Result<(), LabError> {
                change(state);
                Ok(())
            };
            lab.estate().host(HOST).and_then(|host| host.update(change)).expect("the state");
        }
        _ => {}
    }
    lab
}

/// Lets happen what happens to requests; nothing is left of the last time.
fn inject(lab: &Lab, wrong: &Wrong) {
    let Wrong::Wire(injections, _) = wrong else { return };
    lab.host(HOST).clear_injections();
    injections.iter().cloned().for_each(|injection| lab.host(HOST).inject(injection));
}

/// Without what differs between runs: ports, times, names, and how a closed connection is noticed. A host that is
/// addressed in another way, so that it is not there, has the usual name.
fn neutral(text: &str, lab: &Lab, doctor: &Doctor) -> String {
    let told = doctor.connection["proxy"].as_str().unwrap_or(&lab.proxy_url);
    let mut text = text.replace(&doctor.host, HOST);
    for proxy in [told, &lab.proxy_url] {
        text = text.replace(proxy.trim_start_matches("http://"), "proxy:3128");
    }
    if let Some(port) = doctor.connection["port"].as_u64() {
        text = text.replace(&format!("{HOST}:{port}"), &format!("{HOST}:5986"));
    }
    let differs = r"(?:time|after|before|\() ?\d{9,}|ShellId [0-9A-F-]{36}";
    let text = Regex::new(differs).expect("a pattern").replace_all(&text, "…").into_owned();
    // How the system tells it depends on whether it has a DNS at all.
    let unknown = Regex::new(r"failed to lookup address information: [A-Za-z ]+").expect("a pattern");
    let text = unknown.replace_all(&text, "…").into_owned();
    let closed = Regex::new(r"(connection was lost): .*?(\. Check whether |$)").expect("a pattern");
    let text = closed.replace_all(&text, "$1: …$2").into_owned();
    // A second may pass between the two readings of a clock.
    Regex::new(r"is (?:89|9[0-2]) s").expect("a pattern").replace_all(&text, "is 90 s").into_owned()
}

fn on(kind: Kind, effect: Effect) -> Wrong {
    on_way(kind, effect, |doctor| doctor)
}

fn on_way(kind: Kind, effect: Effect, told: fn(Doctor) -> Doctor) -> Wrong {
    Wrong::Wire(vec![Injection::on(kind, effect).times(4)], told)
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

/// To a port of this machine where a TLS client gets this answer and the end of the connection.
fn to_port_that_says(doctor: Doctor, answer: &'static [u8]) -> Doctor {
    direct(doctor, "127.0.0.1").with("port", json!(port_that_says(answer)))
}

/// A port of this machine where whoever has said something gets this answer and the end of the connection.
pub fn port_that_says(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // Ends with the process of the tests.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let _ = stream.read(&mut [0; 2048]).and_then(|_| stream.write_all(answer));
        }
    });
    port
}

/// To a port of this machine that takes connections and says nothing.
fn to_silent_port(doctor: Doctor) -> Doctor {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // The system itself takes the connections, as long as the tests run.
    std::mem::forget(listener);
    direct(doctor, "127.0.0.1").with("port", json!(port))
}

fn to_full_port(doctor: Doctor) -> Doctor {
    direct(doctor, "127.0.0.1").with("port", json!(full_port()))
}

/// A port of this machine that drops what knocks, as a firewall does: as many connections wait there as may.
fn full_port() -> u16 {
    let listener = Runtime::new().expect("a runtime").block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        socket.listen(1).and_then(tokio::net::TcpListener::into_std).expect("a listener")
    });
    let address = listener.local_addr().expect("an address");
    let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let waiting: Vec<_> = std::iter::from_fn(knock).take(8).collect();
    assert!(waiting.len() < 8, "the port takes everybody");
    // As long as the tests run.
    std::mem::forget((listener, waiting));
    address.port()
}

fn wrong_password(doctor: Doctor) -> Doctor {
    Doctor { password: "not-the-password".to_owned(), ..doctor }
}
