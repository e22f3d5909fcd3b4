//! Ways to a host that are not a password straight over the network: client certificates and proxies.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Builder, Lab, Mode};
use acceptance_tests::lab::wire::host::Settings;
use serde_json::{Value, json};

use super::run::{Doctor, HOST};
use crate::support::certificate;

const ACCOUNT: &str = "Administrator";
const PROXY_PASSWORD: &str = "M4rk3r-proxy@passw0rd";

fn lab(change: impl FnOnce(Builder) -> Builder) -> Lab {
    let estate = demo::temporary().expect("the estate");
    change(Lab::builder(&estate).mode(Mode::Native)).start_in_background().expect("the lab")
}

/// With a certificate, and without the account of the lab.
fn certified(lab: &Lab, attributes: &[(&str, &str)]) -> Doctor {
    let mut doctor = Doctor::of(lab).with("auth", json!("certificate"));
    (doctor.username, doctor.password) = (String::new(), String::new());
    for (name, text) in attributes {
        doctor = doctor.with(name, json!(text));
    }
    doctor.environment.push(("TF_LOG_PROVIDER".to_owned(), "TRACE".to_owned()));
    doctor
}

/// Every check passes, and no secret is shown on the way.
#[track_caller]
fn passes(lab: &Lab, doctor: &Doctor) -> String {
    let run = doctor.run();
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let shown = format!("{}{}", run.stdout, run.stderr);
    for secret in [certificate::marker(), certificate::PKCS12_PASSWORD, PROXY_PASSWORD, &certificate::pkcs12()[..60]] {
        assert!(!shown.contains(secret), "a secret was shown");
    }
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new());
    shown
}

#[test]
fn a_certificate_logs_in_over_both_versions_of_tls() {
    for tls12 in [false, true] {
        let lab = lab(|builder| builder.winrm(HOST, Settings { tls12, ..certificate::mapped(ACCOUNT) }));
        let pem = [("client_certificate", certificate::CERTIFICATE), ("client_key", certificate::KEY)];
        let shown = passes(&lab, &certified(&lab, &pem));
        assert!(shown.contains("the client certificate is accepted"), "{shown}");
        assert!(shown.contains(if tls12 { "TLS 1.2;" } else { "TLS 1.3;" }), "{shown}");
        let file = certificate::pkcs12();
        let pkcs12 = [("client_pkcs12", file.as_str()), ("client_pkcs12_password", certificate::PKCS12_PASSWORD)];
        passes(&lab, &certified(&lab, &pkcs12));
        let record = lab.host(HOST).record();
        assert!(record.requests.iter().any(|request| request.user.as_deref() == Some(ACCOUNT)), "{record:?}");
        assert_eq!(record.refusals, Vec::<String>::new());
    }
}

#[test]
fn a_certificate_comes_from_the_environment_of_its_connection() {
    let lab = lab(|builder| builder.winrm(HOST, certificate::mapped(ACCOUNT)));
    let variable = |name: &str, text: &str| (format!("AZUREMFA_{name}"), text.to_owned());
    let mut doctor = certified(&lab, &[]);
    doctor.environment.push(variable("CLIENT_CERTIFICATE", certificate::CERTIFICATE));
    doctor.environment.push(variable("CLIENT_KEY", certificate::KEY));
    passes(&lab, &doctor);
    let mut doctor = certified(&lab, &[]);
    doctor.arguments = vec!["--connection".into(), "dmz-east".into()];
    doctor.environment.push(variable("DMZ_EAST_CLIENT_PKCS12", &certificate::pkcs12()));
    doctor.environment.push(variable("DMZ_EAST_CLIENT_PKCS12_PASSWORD", certificate::PKCS12_PASSWORD));
    passes(&lab, &doctor);
}

/// The settings are refused with this sentence, and nothing is sent.
#[track_caller]
fn refused(attributes: &[(&str, &str)], sentence: &str) {
    let lab = lab(|builder| builder);
    let run = certified(&lab, attributes).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains(sentence), "{sentence:?} is not in: {}", run.stderr);
    assert_eq!(lab.host(HOST).record().connections, 0, "something was sent");
}

#[test]
fn certificates_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let own = ("client_certificate", certificate::CERTIFICATE);
    refused(&[], "AZUREMFA_CLIENT_CERTIFICATE and AZUREMFA_CLIENT_KEY (PEM)");
    refused(&[own], "without its key");
    refused(&[own, ("client_key", certificate::OTHER_KEY)], "not the key of the client certificate");
    refused(&[own, ("client_key", "client.key")], "no private key in PEM");
    let file = certificate::pkcs12();
    refused(&[("client_pkcs12", &file), ("client_pkcs12_password", "x")], "client_pkcs12_password: Client certificate");
    refused(&[("client_pkcs12", &file)], "password does not open the PKCS#12");
    refused(&[own, ("client_pkcs12", &file)], "Two client certificates");
}

/// A run with these variables and no `proxy` in its settings.
fn by_environment(lab: &Lab, variables: &[(&str, &str)]) -> Doctor {
    let mut doctor = Doctor::of(lab).with("proxy", Value::Null);
    doctor.environment.extend(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    doctor
}

#[test]
fn a_proxy_of_the_environment_leads_to_the_host() {
    let lab = lab(|builder| builder);
    let proxy = lab.proxy_url.clone();
    for variable in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let shown =
            passes(&lab, &by_environment(&lab, &[(variable, &proxy), ("NO_PROXY", "10.0.0.0/8,.dmz.contoso.com")]));
        assert!(shown.contains(&format!("through the proxy {proxy} (the environment variable {variable} names it)")));
    }
    let plain = |variables: &[(&str, &str)]| {
        by_environment(&lab, variables).with("use_https", json!(false)).with("ca_certificate", Value::Null)
    };
    passes(&lab, &plain(&[("http_proxy", proxy.trim_start_matches("http://")), ("https_proxy", "http://127.0.0.1:1")]));
}

/// The name of a simulated host leads nowhere without the proxy.
#[test]
fn no_proxy_is_used_where_the_environment_or_the_setting_says_so() {
    let lab = lab(|builder| builder);
    let proxy = lab.proxy_url.clone();
    let report = |doctor: Doctor| {
        let (code, report) = doctor.with("timeouts", json!({ "connect": "2s" })).report();
        assert_eq!((code, &report["proxy"]), (1, &Value::Null), "{report:#}");
        assert_eq!(report["checks"][0]["result"], "failed", "{report:#}");
        report["proxy_reason"].as_str().unwrap_or_default().to_owned()
    };
    for (entry, used) in [("contoso.com", "contoso.com"), ("a.example, *", "*"), ("mfa01.contoso.com:5986", "mfa01")] {
        let reason = report(by_environment(&lab, &[("HTTPS_PROXY", &proxy), ("NO_PROXY", entry)]));
        assert!(reason.starts_with("the environment variable NO_PROXY holds \"") && reason.contains(used), "{reason}");
    }
    let none = by_environment(&lab, &[("HTTPS_PROXY", &proxy)]).with("proxy", json!(""));
    assert_eq!(report(none), "the setting `proxy` is empty");
    assert_eq!(lab.host(HOST).record().connections, 0);
}

#[test]
fn a_proxy_is_logged_in_to() {
    let lab = lab(|builder| builder.proxy_login(&format!("runner:{PROXY_PASSWORD}")));
    let place = lab.proxy_url.trim_start_matches("http://").to_owned();
    let url = format!("http://runner:{}@{place}", PROXY_PASSWORD.replace('@', "%40"));
    passes(&lab, &Doctor::of(&lab).with("proxy", json!(url)));
    passes(&lab, &by_environment(&lab, &[("HTTPS_PROXY", &url)]));
}

#[test]
fn a_variable_that_names_no_usable_proxy_is_named() {
    let lab = lab(|builder| builder);
    let run = by_environment(&lab, &[("ALL_PROXY", "socks5://u:M4rk3r@proxy:1080")]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("The environment variable ALL_PROXY names no proxy"), "{}", run.stderr);
    assert!(!run.stderr.contains("M4rk3r"), "{}", run.stderr);
}

#[test]
fn a_host_that_is_not_allowed_is_not_asked_for_at_the_proxy_either() {
    let lab = lab(|builder| builder);
    let proxy = lab.proxy_url.clone();
    let run = by_environment(&lab, &[("HTTPS_PROXY", &proxy), ("AZUREMFA_ALLOWED_HOSTS", "*.dmz.contoso.com")]).run();
    assert_eq!((run.code, lab.wire().most_open()), (2, 0), "{}", run.stderr);
    assert!(run.stderr.contains("AZUREMFA_ALLOWED_HOSTS allows only"), "{}", run.stderr);
    // A proxy of the environment is this machine's own.
    passes(&lab, &by_environment(&lab, &[("HTTPS_PROXY", &proxy), ("AZUREMFA_ALLOWED_HOSTS", HOST)]));
}

/// A host serves WS-Management below `/wsman` alone; a gateway may have another path for it.
#[test]
fn the_path_of_a_connection_is_asked_for() {
    let lab = lab(|builder| builder);
    passes(&lab, &Doctor::of(&lab).with("path", json!("/wsman/further")));
    let (code, report) = Doctor::of(&lab).with("path", json!("/elsewhere")).report();
    assert_eq!((code, &report["url"]), (1, &json!("https://mfa01.contoso.com:5986/elsewhere")));
    assert_eq!(report["checks"][3]["finding"], "connecting to mfa01.contoso.com: HTTP 404");
}
