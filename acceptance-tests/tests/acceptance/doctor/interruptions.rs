//! Ctrl-C while a check runs on a host: what was opened there is closed first.

use std::process::Command;
use std::time::{Duration, Instant};

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;

use super::run::{Doctor, HOST};

/// Interrupts a run whose command on the host does not end.
fn check(signal: &str) {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let host = lab.host(HOST);
    host.inject(Injection::on(Kind::Receive, Effect::Hang).times(9));
    let doctor = Doctor::of(&lab);
    let file = doctor.connection_file();
    let process = doctor.start(&file);
    let begin = Instant::now();
    while host.record().count(Kind::Send) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "no command was started");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(host.open_shells().len(), 1, "there is nothing to close");
    let sent = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status().expect("kill starts");
    assert!(sent.success());
    let begin = Instant::now();
    let run = doctor.ended(process);
    assert!(begin.elapsed() < Duration::from_secs(10), "{signal}: it took {:?}", begin.elapsed());
    assert_eq!(run.code, 130, "{signal}: {}{}", run.stdout, run.stderr);
    assert!(run.stdout.is_empty() && run.stderr.contains("asked to end"), "{signal}: {}{}", run.stdout, run.stderr);
    assert_eq!(host.open_shells(), Vec::<String>::new(), "{signal}");
}

#[test]
fn an_interrupted_check_leaves_no_shell() {
    for signal in ["INT", "TERM"] {
        check(signal);
    }
}
