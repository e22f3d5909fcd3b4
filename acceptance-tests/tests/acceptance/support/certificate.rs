//! A client certificate that OpenSSL made: in PEM and as PKCS#12, and hosts that map it to an account.

use std::path::PathBuf;

use acceptance_tests::lab::wire::client_certificates::ClientCertificates;
use acceptance_tests::lab::wire::host::Settings;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub const CERTIFICATE: &str = include_str!("../../../../provider/tests/client_certificate/certificate.pem");
pub const KEY: &str = include_str!("../../../../provider/tests/client_certificate/key.pem");
/// Another one's.
pub const OTHER_CERTIFICATE: &str = include_str!("../../../../provider/tests/client_certificate/rsa-certificate.pem");
pub const OTHER_KEY: &str = include_str!("../../../../provider/tests/client_certificate/rsa-key-pkcs1.pem");
pub const PKCS12_PASSWORD: &str = "M4rk3r-pkcs12-passw0rd";

/// Where one of the files lies.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../provider/tests/client_certificate").join(name)
}

/// A part of the key that stands nowhere else.
pub fn marker() -> &'static str {
    KEY.lines().nth(1).expect("the key's first line")
}

/// The PKCS#12 file in base64.
pub fn pkcs12() -> String {
    BASE64_STANDARD.encode(include_bytes!("../../../../provider/tests/client_certificate/modern.p12"))
}

/// A host that maps the certificate to an account.
pub fn mapped(account: &str) -> Settings {
    let der = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    Settings { client_certificates: ClientCertificates::mapping(&der, account), ..Settings::default() }
}
