//! Ways that hosts and proxies do not take, and what a person then reads: host, operation, cause and cure.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Builder, Lab, Mode};
use acceptance_tests::lab::wire::host::Settings;
use expect_test::{Expect, expect};
use serde_json::json;

use super::run::{Doctor, HOST};
use crate::support::certificate;

/// A lab in which it goes wrong, and the run that meets it.
type Wrong = (Box<dyn Fn(Builder) -> Builder + Sync>, fn(Doctor) -> Doctor);

fn told(change: fn(Doctor) -> Doctor) -> Wrong {
    (Box::new(|builder| builder), change)
}

/// With WinRM's settings on the host.
fn setup(settings: Settings, change: fn(Doctor) -> Doctor) -> Wrong {
    (Box::new(move |builder| builder.winrm(HOST, settings.clone())), change)
}

/// With a proxy that asks for this `user:password`.
fn login(login: &'static str, change: fn(Doctor) -> Doctor) -> Wrong {
    (Box::new(move |builder| builder.proxy_login(login)), change)
}

/// The one check that failed, as text.
fn said(name: &str, (build, told): &Wrong) -> String {
    let estate = demo::temporary().expect("the estate");
    let lab = build(Lab::builder(&estate).mode(Mode::Native)).start_in_background().expect("the lab");
    let (code, report) = told(Doctor::of(&lab)).report();
    assert_eq!(code, 1, "{name}: {report:#}");
    let checks = report["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
    let [failed] = failed.as_slice() else { panic!("{name}: not one failure: {report:#}") };
    let text = |part: &str| failed[part].as_str().unwrap_or_else(|| panic!("{name}: no {part}")).to_owned();
    let finding = text("finding").replace(lab.proxy_url.trim_start_matches("http://"), "proxy:3128");
    assert!(finding.contains(HOST), "{name} does not name the host: {finding}");
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    format!("{}: {finding}\n{}\n", text("check"), text("cure"))
}

#[track_caller]
fn check(rows: Vec<(&str, Wrong, Expect)>) {
    // The rows wait more than they work.
    let found: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = rows.iter().map(|(name, wrong, _)| scope.spawn(|| said(name, wrong))).collect();
        runs.into_iter().map(|run| run.join().expect("a row")).collect()
    });
    for ((_, _, expected), found) in rows.iter().zip(&found) {
        expected.assert_eq(found);
    }
}

/// With a certificate instead of an account.
fn certified(doctor: Doctor, certificate: &str, key: &str) -> Doctor {
    let doctor = doctor.with("auth", json!("certificate"));
    doctor.with("client_certificate", json!(certificate)).with("client_key", json!(key))
}

fn by_certificate(doctor: Doctor) -> Doctor {
    certified(doctor, certificate::CERTIFICATE, certificate::KEY)
}

fn by_another_certificate(doctor: Doctor) -> Doctor {
    certified(doctor, certificate::OTHER_CERTIFICATE, certificate::OTHER_KEY)
}

/// A host that trusts the authority of the mapped certificate alone.
fn distrustful(tls12: bool) -> Settings {
    let mut settings = Settings { tls12, ..certificate::mapped("Administrator") };
    settings.client_certificates.only_mapped = true;
    settings
}

#[test]
fn paths_certificates_and_proxies_that_are_not_taken() {
    check(vec![
        (
            "another path",
            told(|doctor| doctor.with("path", json!("/other"))),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 404
            Check the path (`/wsman` on Windows) and the port.
        "#]],
        ),
        (
            "never asked for",
            told(by_certificate),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the host did not ask for the client certificate when the TLS connection was set up
            Allow client certificates on the host (`winrm set winrm/config/service/auth @{Certificate="true"}`), and let it ask for them in the first handshake: `netsh http show sslcert` shows `Negotiate Client Certificate` of port 5986, `netsh http update sslcert ipport=0.0.0.0:5986 certhash=... appid={...} clientcertnegotiation=enable` with the hash and the application of that listing enables it.
        "#]],
        ),
        (
            "not mapped",
            setup(certificate::mapped("Administrator"), by_another_certificate),
            expect![[r#"
            authentication: opening a shell on mfa01.contoso.com: HTTP 401, the client certificate was not accepted (the server offers Negotiate, Basic)
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
        (
            "not trusted, TLS 1.2",
            setup(distrustful(true), by_another_certificate),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: received fatal alert: UnknownCA
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
        (
            "not trusted, TLS 1.3",
            setup(distrustful(false), by_another_certificate),
            expect![[r#"
            http: connecting to mfa01.contoso.com: the TLS connection could not be set up: received fatal alert: UnknownCA
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
        (
            "unknown to the proxy",
            login("runner:secret", |doctor| doctor),
            expect![[r#"
            tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 asks for a user name and a password (HTTP 407)
            Write the proxy as `http://user:password@host:port`, in the setting `proxy` or in the environment variable that names it; `@`, `:` and `/` in a password are written `%40`, `%3A` and `%2F`. Only Basic is spoken to proxies.
        "#]],
        ),
        (
            "refused by the proxy",
            login("runner:secret", |doctor| {
                let proxy = doctor.connection["proxy"].as_str().expect("a proxy").replace("//", "//runner:wrong@");
                doctor.with("proxy", json!(proxy))
            }),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 asks for a user name and a password (HTTP 407, not those it was given)
                Correct the user name and the password of the proxy (`@`, `:` and `/` in them are written `%40`, `%3A` and `%2F`), and check that the proxy takes Basic: nothing else is spoken to proxies.
            "#]],
        ),
    ]);
}
