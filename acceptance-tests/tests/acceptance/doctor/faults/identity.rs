//! Faults of logging in with a certificate, and at a proxy.

use acceptance_tests::lab::wire::host::Settings;
use expect_test::expect;
use serde_json::json;

use super::{Row, Wrong};
use crate::doctor::run::Doctor;
use crate::support::certificate;

pub(super) fn certificates() -> Vec<Row> {
    vec![
        (
            "never asked for",
            "WinRM takes no certificates, or asks for them too late for TLS 1.3.",
            Wrong::Told(by_certificate),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the host did not ask for the client certificate when the TLS connection was set up
            Allow client certificates on the host (`winrm set winrm/config/service/auth @{Certificate="true"}`), and let it ask for them in the first handshake: `netsh http show sslcert` shows `Negotiate Client Certificate` of port 5986, `netsh http update sslcert ipport=0.0.0.0:5986 certhash=... appid={...} clientcertnegotiation=enable` with the hash and the application of that listing enables it.
        "#]],
        ),
        (
            "not mapped",
            "No account of the host belongs to the certificate.",
            Wrong::Setup(certificate::mapped("Administrator"), by_another_certificate),
            expect![[r#"
            authentication: opening a shell on mfa01.contoso.com: HTTP 401, the client certificate was not accepted (the server offers Negotiate, Basic)
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
        (
            "not trusted, TLS 1.2",
            "The host does not trust the certificate's authority.",
            Wrong::Setup(distrustful(true), by_another_certificate),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: received fatal alert: UnknownCA
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
        (
            "not trusted, TLS 1.3",
            "The host does not trust the certificate's authority; with TLS 1.3 that is said one step later.",
            Wrong::Setup(distrustful(false), by_another_certificate),
            expect![[r#"
            http: connecting to mfa01.contoso.com: the TLS connection could not be set up: received fatal alert: UnknownCA
            Check that the client certificate is in date and meant for client authentication, that the host trusts its authority (`Cert:\LocalMachine\Root`, a self-signed one also in `Cert:\LocalMachine\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\localhost\ClientCertificate` adds a mapping, which must be made again when the account's password has changed.
        "#]],
        ),
    ]
}

pub(super) fn proxies() -> Vec<Row> {
    vec![
        (
            "unknown to the proxy",
            "The proxy lets only those through that it knows.",
            Wrong::Login("runner:secret", |doctor| doctor),
            expect![[r#"
            tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 asks for a user name and a password (HTTP 407)
            Write the proxy as `http://user:password@host:port`, in the setting `proxy` or in the environment variable that names it; `@`, `:` and `/` in a password are written `%40`, `%3A` and `%2F`. Only Basic is spoken to proxies.
        "#]],
        ),
        (
            "refused by the proxy",
            "The proxy does not take the user name and the password that it was given.",
            Wrong::Login("runner:secret", |doctor| {
                let proxy = doctor.connection["proxy"].as_str().expect("a proxy").replace("//", "//runner:wrong@");
                doctor.with("proxy", json!(proxy))
            }),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 asks for a user name and a password (HTTP 407, not those it was given)
                Correct the user name and the password of the proxy (`@`, `:` and `/` in them are written `%40`, `%3A` and `%2F`), and check that the proxy takes Basic: nothing else is spoken to proxies.
            "#]],
        ),
    ]
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
