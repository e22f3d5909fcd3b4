//! Client certificates in settings and environment.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::config::{connections, schema};
use crate::tf::validation;

const CERTIFICATE_PEM: &str = include_str!("../../../tests/client_certificate/certificate.pem");
const KEY_PEM: &str = include_str!("../../../tests/client_certificate/key.pem");
const ENCRYPTED_PEM: &str = include_str!("../../../tests/client_certificate/key-encrypted.pem");
const OTHER_PEM: &str = include_str!("../../../tests/client_certificate/rsa-key-pkcs1.pem");
const FILE: &[u8] = include_bytes!("../../../tests/client_certificate/modern.p12");
const PASSWORD: &str = "M4rk3r-pkcs12-passw0rd";

fn file() -> String {
    STANDARD.encode(FILE)
}

fn settings(entries: &[(&str, Value)]) -> Value {
    Value::object(entries.iter().cloned())
}

fn certificate(entries: &[(&str, &str)]) -> Value {
    let auth = ("auth", Value::from("certificate"));
    let others = entries.iter().map(|(name, text)| (*name, Value::from(*text)));
    Value::object(std::iter::once(auth).chain(others))
}

/// Path and summary of each diagnostic of validation.
#[track_caller]
fn check(settings: &Value, expected: &[(&str, &str)]) {
    let config = Value::object([("connections", Value::object([("default", settings.clone())]))]);
    let mut diagnostics = Diagnostics::default();
    validation::validate(schema(), &config, &mut diagnostics);
    connections::validate(config.attribute("connections"), &mut diagnostics);
    let found: Vec<_> = diagnostics
        .iter()
        .map(|it| {
            let path = it.path.as_ref().map(ToString::to_string).unwrap_or_default();
            (path.trim_start_matches("connections[\"default\"].").to_owned(), it.summary.clone())
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|(path, summary)| ((*path).to_owned(), (*summary).to_owned())).collect();
    assert_eq!(found, expected);
    let shown = format!("{diagnostics:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("MIGHAgEAMBMG"), "{shown}");
}

const UNUSABLE: &str = "Client certificate that cannot be used";
const UNUSED: &str = "Client certificate that is never used";
const TWO: &str = "Two client certificates";

#[test]
fn whole_certificates_are_accepted() {
    check(&certificate(&[]), &[]);
    check(&certificate(&[("client_certificate", CERTIFICATE_PEM), ("client_key", KEY_PEM)]), &[]);
    check(&certificate(&[("client_certificate", CERTIFICATE_PEM)]), &[]);
    check(&certificate(&[("client_pkcs12", &file()), ("client_pkcs12_password", PASSWORD)]), &[]);
    check(&certificate(&[("client_pkcs12", &file())]), &[]);
    check(&certificate(&[("client_pkcs12_password", PASSWORD)]), &[]);
}

#[test]
fn texts_that_cannot_be_used_are_refused_at_their_attribute() {
    let pem = |key: &str| certificate(&[("client_certificate", CERTIFICATE_PEM), ("client_key", key)]);
    check(&pem("client.key"), &[("client_key", UNUSABLE)]);
    check(&pem(ENCRYPTED_PEM), &[("client_key", UNUSABLE)]);
    check(&pem(OTHER_PEM), &[("client_key", UNUSABLE)]);
    check(&certificate(&[("client_key", ENCRYPTED_PEM)]), &[("client_key", UNUSABLE)]);
    let swapped = certificate(&[("client_certificate", KEY_PEM), ("client_key", KEY_PEM)]);
    check(&swapped, &[("client_certificate", "Invalid certificate")]);
    let pkcs12 =
        |file: &str, password: &str| certificate(&[("client_pkcs12", file), ("client_pkcs12_password", password)]);
    check(&pkcs12("client.pfx", PASSWORD), &[("client_pkcs12", UNUSABLE)]);
    check(&pkcs12(&STANDARD.encode("client.pfx"), PASSWORD), &[("client_pkcs12", UNUSABLE)]);
    check(&pkcs12(&file(), "another"), &[("client_pkcs12_password", UNUSABLE)]);
}

#[test]
fn contradictions_are_refused_at_their_attribute() {
    let both = certificate(&[
        ("client_certificate", CERTIFICATE_PEM),
        ("client_key", KEY_PEM),
        ("client_pkcs12", &file()),
        ("client_pkcs12_password", PASSWORD),
    ]);
    check(&both, &[("client_pkcs12", TWO), ("client_pkcs12_password", TWO)]);
    let plain = settings(&[("auth", Value::from("certificate")), ("use_https", Value::Bool(false))]);
    check(&plain, &[("auth", "Certificate authentication without HTTPS")]);
    let account = certificate(&[("username", "u"), ("password", "p")]);
    check(&account, &[("username", "Account that is never used"), ("password", "Account that is never used")]);
    for name in ["client_certificate", "client_key", "client_pkcs12", "client_pkcs12_password"] {
        let text = if name == "client_certificate" { CERTIFICATE_PEM } else { KEY_PEM };
        let text = if name == "client_pkcs12" { &file() } else { text };
        check(&settings(&[(name, Value::from(text))]), &[(name, UNUSED)]);
        check(&settings(&[(name, Value::from(text)), ("auth", Value::from("ntlm"))]), &[(name, UNUSED)]);
        check(&settings(&[(name, Value::Unknown), ("auth", Value::Unknown)]), &[]);
        check(&settings(&[(name, Value::Unknown), ("auth", Value::from("certificate"))]), &[]);
    }
}

/// What is read for the connection `dmz-east`.
#[track_caller]
fn check_read(settings: &[(&str, &str)], variables: &[(&str, &str)], expected: Result<(), &str>) {
    let environment: BTreeMap<String, String> =
        variables.iter().map(|(name, text)| (format!("AZUREMFA_DMZ_EAST_CLIENT_{name}"), (*text).to_owned())).collect();
    match (read("dmz-east", &certificate(settings), &environment).map(drop), expected) {
        (Ok(()), Ok(())) => {}
        (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

#[test]
fn settings_win_over_variables_part_by_part() {
    let pem = [("CERTIFICATE", CERTIFICATE_PEM), ("KEY", KEY_PEM)];
    let file = file();
    let pkcs12 = [("PKCS12", file.as_str()), ("PKCS12_PASSWORD", PASSWORD)];
    check_read(&[], &pem, Ok(()));
    check_read(&[], &pkcs12, Ok(()));
    check_read(&[("client_certificate", CERTIFICATE_PEM)], &[("KEY", KEY_PEM)], Ok(()));
    check_read(&[("client_key", KEY_PEM)], &[("CERTIFICATE", CERTIFICATE_PEM), ("KEY", OTHER_PEM)], Ok(()));
    check_read(&[("client_pkcs12", &file)], &[("PKCS12_PASSWORD", PASSWORD), pem[0], pem[1]], Ok(()));
    check_read(&[("client_certificate", CERTIFICATE_PEM)], &[pkcs12[0], pkcs12[1], pem[1]], Ok(()));
    let one_line = KEY_PEM.replace('\n', "\\n");
    check_read(&[], &[pem[0], ("KEY", &one_line)], Ok(()));
}

#[test]
fn what_is_missing_is_named_with_its_variable() {
    let file = file();
    check_read(&[], &[], Err("AZUREMFA_DMZ_EAST_CLIENT_PKCS12 (PKCS#12 in base64)"));
    check_read(&[], &[("CERTIFICATE", "")], Err("It has no client certificate."));
    check_read(&[], &[("CERTIFICATE", CERTIFICATE_PEM)], Err("AZUREMFA_DMZ_EAST_CLIENT_KEY, or `client_key`"));
    check_read(&[("client_key", KEY_PEM)], &[], Err("AZUREMFA_DMZ_EAST_CLIENT_CERTIFICATE, or"));
    check_read(&[], &[("CERTIFICATE", CERTIFICATE_PEM), ("PKCS12", &file)], Err("two client certificates"));
    check_read(&[], &[("PKCS12", &file)], Err("password does not open"));
    check_read(&[], &[("CERTIFICATE", CERTIFICATE_PEM), ("KEY", ENCRYPTED_PEM)], Err("key is encrypted. Keys in PEM"));
}
