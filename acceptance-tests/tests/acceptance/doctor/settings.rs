//! Command lines and settings that cannot be used: exit status 2, the reason on standard error, nothing sent.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use serde_json::{Value, json};

use super::run::{Doctor, HOST};

#[track_caller]
fn check(change: impl FnOnce(&mut Doctor), sentence: &str) {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let mut doctor = Doctor::of(&lab);
    change(&mut doctor);
    let run = doctor.run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains(sentence), "{sentence:?} is not in: {}", run.stderr);
    // A password that was given to an option that does not exist is not repeated.
    assert!(!run.stderr.contains("M4rk3r"), "{}", run.stderr);
    assert_eq!(lab.host(HOST).record().connections, 0, "something was sent");
}

#[test]
fn unusable_settings_are_named_before_anything_is_sent() {
    let set = |attribute: &'static str, value: Value| move |doctor: &mut Doctor| doctor.connection[attribute] = value;
    check(|doctor| doctor.connection = json!([]), "does not hold a JSON object");
    check(set("prot", json!(5985)), "no attribute \"prot\"; it can have hosts, username");
    check(set("timeouts", json!({ "conect": "1s" })), "no attribute \"conect\"");
    check(set("port", json!("a")), "expected a number, found a string");
    check(set("port", json!(70000)), "A port is a whole number from 1 to 65535");
    check(set("auth", json!("credssp")), "\"credssp\" is not supported");
    check(set("ca_certificate", json!("ca.pem")), "not the name of a file");
    check(set("hosts", json!(["*.dmz.contoso.com"])), "do not match mfa01.contoso.com");
    check(
        |doctor| doctor.host.push_str(":0"),
        "the value of --host cannot be used: \"mfa01.contoso.com:0\" is no host",
    );
    check(|doctor| doctor.password.clear(), "AZUREMFA_PASSWORD");
    check(|doctor| doctor.arguments = vec!["--connection".into(), "dmz".into()], "AZUREMFA_DMZ_USERNAME");
    for line in [&["--password", "M4rk3r"][..], &["--password=M4rk3r"], &["--username", "M4rk3r"], &["M4rk3r"]] {
        check(
            |doctor| doctor.arguments = line.iter().map(|word| (*word).to_owned()).collect(),
            "argument 5 is not known",
        );
    }
    let allowed = ("AZUREMFA_ALLOWED_HOSTS".to_owned(), "*.dmz.contoso.com".to_owned());
    check(|doctor| doctor.environment.push(allowed), "allows only *.dmz.contoso.com");
    let allowed = ("AZUREMFA_ALLOWED_HOSTS".to_owned(), HOST.to_owned());
    check(|doctor| doctor.environment.push(allowed), "because of its `proxy`: 127.0.0.1 may not be reached");
    check(
        |doctor| doctor.connection = json!({ "use_https": false, "auth": "basic" }),
        "\"basic\" sends the password itself",
    );
}

#[test]
fn a_named_connection_reads_its_own_variables() {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let mut doctor = Doctor::of(&lab);
    doctor.arguments = vec!["--connection".into(), "dmz-east".into()];
    let (username, password) = (std::mem::take(&mut doctor.username), doctor.password.clone());
    doctor.environment = vec![("AZUREMFA_DMZ_EAST_USERNAME".into(), username)];
    doctor.environment.push(("AZUREMFA_DMZ_EAST_PASSWORD".into(), password));
    let run = doctor.run();
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// The port goes before the connection's; patterns and the variable that limits hosts know the name alone.
#[test]
fn a_host_is_checked_at_its_own_port() {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    lab.host(HOST).set_https_ports(&[6001]);
    let mut doctor = Doctor::of(&lab).with("port", json!(5986)).with("hosts", json!([HOST]));
    doctor.environment.push(("AZUREMFA_ALLOWED_HOSTS".into(), format!("{HOST},127.0.0.1")));
    assert_eq!(doctor.run().code, 1, "nothing listens at the connection's port");
    doctor.host.push_str(":6001");
    let (code, report) = doctor.report();
    assert_eq!((code, &report["host"]), (0, &json!(HOST)), "{report}");
    assert_eq!(report["url"], "https://mfa01.contoso.com:6001/wsman");
}

#[test]
fn help_is_an_answer() {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let run = Doctor::of(&lab).run_with(&["--help".to_owned()]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("doctor --host HOST") && run.stdout.contains("never from the command line"));
    let run = Doctor::of(&lab).run_with(&[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("the option --host is missing"), "{}", run.stderr);
}
