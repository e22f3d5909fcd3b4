//! Logins that succeed.

use std::net::TcpListener;
use std::path::Path;

use acceptance_tests::lab::kerberos::realm::REALM;
use acceptance_tests::lab::wire::record::{Kind, Record};
use serde_json::json;

use super::domain::{Domain, Setup, over_http};
use super::trust::knowing;
use crate::doctor::run::{Doctor, HOST};

/// `doctor` finds nothing wrong, and the wire saw these logons and sealing.
#[track_caller]
fn check(domain: &Domain, doctor: Doctor, account: &str, sealed: bool) -> Record {
    let before = domain.lab.host(HOST).record().requests.len();
    let run = doctor.run();
    let mut record = domain.lab.host(HOST).record();
    record.requests.drain(..before);
    assert_eq!(run.code, 0, "{}{}\n{:?}", run.stdout, run.stderr, record.refusals);
    let how = if sealed { "Kerberos, with encrypted messages" } else { "Kerberos, bound to the TLS channel" };
    let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("authentication {account} is accepted ({how})")), "{}", run.stdout);
    assert_eq!(domain.lab.host(HOST).open_shells(), Vec::<String>::new());
    for request in record.requests.iter().filter(|request| request.kind != Kind::Authenticate) {
        assert_eq!(request.sealed, sealed, "{request:?}");
        assert_eq!(request.user.as_deref(), Some("Administrator"));
    }
    record
}

#[test]
fn a_password_logs_in_over_http_and_https() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let requests = |record: &Record| record.requests.iter().map(|request| request.kind).collect::<Vec<_>>();
    let record = check(&domain, domain.doctor(), "Administrator", false);
    // The first answer is to the question that `doctor` asks without an account; the ticket came with the message.
    let https = [Kind::Authenticate, Kind::Create, Kind::Command, Kind::Send, Kind::Receive];
    assert_eq!(requests(&record)[..5], https, "{record:?}");
    let record = check(&domain, over_http(domain.doctor()), "Administrator", true);
    let http = [Kind::Authenticate, Kind::Authenticate, Kind::Create, Kind::Command, Kind::Send, Kind::Receive];
    assert_eq!(requests(&record)[..6], http, "{record:?}");
}

#[test]
fn a_realm_is_found_in_the_user_name() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let account = "Administrator@contoso.com";
    let doctor = Doctor { username: account.to_owned(), ..domain.doctor() };
    check(&domain, doctor.with("realm", json!(null)), account, false);
    let account = "CONTOSO\\Administrator";
    check(&domain, Doctor { username: account.to_owned(), ..domain.doctor() }, account, false);
}

/// The KDC answers at once, as a domain controller does for accounts with "Do not require Kerberos preauthentication".
#[test]
fn an_account_without_preauthentication_logs_in() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    // MIT's KDC otherwise gives its tickets to nobody who came without.
    let service = format!("modprinc -requires_preauth WSMAN/{HOST}");
    domain.realm.administer(&["modprinc -requires_preauth Administrator", &service]);
    check(&domain, domain.doctor(), "Administrator", false);
    let keytab = domain.realm.keytab("account.keytab", &["Administrator"]);
    let doctor = over_http(domain.doctor_without_password().with("keytab", json!(keytab)));
    check(&domain, doctor, &format!("the keytab {}", keytab.display()), true);
    let (code, report) = Doctor { password: "not-the-password".to_owned(), ..domain.doctor() }.report();
    assert!(code == 1 && report.to_string().contains("the password of Administrator is wrong"), "{report:#}");
}

/// As other Kerberos programs find them; the first KDC is down.
#[test]
fn realm_and_kdc_are_found_in_the_configuration_of_the_machine() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let down = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let kdcs = format!("[realms]\n{REALM} = {{\n  kdc = {down}\n  kdc = {}\n}}\n", domain.realm.kdc());
    let configuration = domain.realm.write("client.conf", &format!("[libdefaults]\ndefault_realm = {REALM}\n{kdcs}"));
    let doctor = || domain.doctor().with("realm", json!(null)).with("kdc", json!(null));
    check(&domain, knowing(doctor(), &configuration), "Administrator", false);
    check(&domain, over_http(knowing(doctor(), &configuration)), "Administrator", true);
}

#[test]
fn a_keytab_takes_the_place_of_a_password() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let keytab = domain.realm.keytab("account.keytab", &["Administrator"]);
    let with = || domain.doctor_without_password().with("keytab", json!(keytab)).with("realm", json!(null));
    let shown = format!("the keytab {}", keytab.display());
    check(&domain, with(), &shown, false);
    check(&domain, over_http(with()), &shown, true);
    let named = Doctor { username: "administrator".to_owned(), ..with() };
    check(&domain, named, "administrator", false);
}

/// As `kinit` leaves it, named by the configuration or by the environment.
#[test]
fn a_ticket_takes_the_place_of_a_password() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &[]);
    let named = || domain.doctor_without_password().with("credential_cache", json!(cache)).with("realm", json!(null));
    let shown = format!("the ticket in {}", cache.display());
    check(&domain, named(), &shown, false);
    check(&domain, over_http(named()), &shown, true);
    check(&domain, ambient(domain.doctor_without_password(), &cache), &shown, false);
}

fn ambient(mut doctor: Doctor, cache: &Path) -> Doctor {
    doctor.environment.push(("KRB5CCNAME".to_owned(), format!("FILE:{}", cache.display())));
    doctor
}

#[test]
fn the_second_name_of_a_host_is_tried() {
    let services = vec![format!("HTTP/{HOST}")];
    let Some(domain) = Domain::start(&Setup { services, ..Setup::default() }) else { return };
    check(&domain, domain.doctor(), "Administrator", false);
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &[]);
    let shown = format!("the ticket in {}", cache.display());
    check(&domain, over_http(ambient(domain.doctor_without_password(), &cache)), &shown, true);
}

/// Both are ten minutes ahead of this machine, and agree.
#[test]
fn the_time_of_the_domain_is_learned() {
    let clock = Some("+10m");
    let Some(domain) = Domain::start(&Setup { kdc_clock: clock, host_clock: clock, ..Setup::default() }) else {
        return;
    };
    check(&domain, domain.doctor(), "Administrator", false);
}

#[test]
fn negotiate_takes_kerberos_when_it_can_be_had() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &[]);
    let negotiate = |doctor: Doctor| doctor.with("auth", json!("negotiate"));
    let shown = format!("the ticket in {}", cache.display());
    check(&domain, negotiate(domain.doctor()), "Administrator", false);
    check(&domain, over_http(negotiate(domain.doctor())), "Administrator", true);
    let no_realm = || negotiate(domain.doctor_without_password()).with("realm", json!(null));
    check(&domain, ambient(no_realm(), &cache), &shown, false);
    check(&domain, over_http(ambient(no_realm(), &cache)), &shown, true);
    // A password alone is one for NTLM, whatever ticket lies about.
    let run = ambient(negotiate(domain.doctor()).with("realm", json!(null)), &cache).run();
    assert!(run.code == 0 && run.stdout.contains("(NTLM, bound to the TLS channel)"), "{}{}", run.stdout, run.stderr);
}
