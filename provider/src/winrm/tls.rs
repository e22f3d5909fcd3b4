//! TLS to a host: whom to trust, and what to do when nobody is to be verified.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::winrm::endpoint::TlsOptions;
use crate::winrm::error::Kind;

/// What is needed to open a TLS connection to one host.
#[derive(Clone)]
pub struct Tls {
    /// Opens the connection.
    pub connector: TlsConnector,
    /// The name that is asked for and that the certificate must carry.
    pub name: ServerName<'static>,
}

impl Tls {
    /// Reads certificates and names; makes no connection.
    pub fn new(host: &str, options: &TlsOptions) -> Result<Self, Kind> {
        // The provider is named: another crate of this process brings a second one, and the
        // process-wide default then depends on who comes first.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Kind::Setting(format!("TLS cannot be set up: {error}")))?;
        let config = if options.insecure_skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
                .with_no_client_auth()
        } else {
            builder.with_root_certificates(roots(options.ca_certificate.as_deref())?).with_no_client_auth()
        };
        let name = options.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Kind::Setting(format!("`{name}` is neither a DNS name nor an IP address")))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

/// The system's roots, read once per process: there are hundreds, and sessions by the dozen.
static SYSTEM_ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();

fn system_roots() -> Result<Arc<RootCertStore>, Kind> {
    if let Some(roots) = SYSTEM_ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Kind::Setting("no trusted root certificates were found on this machine".to_owned()));
    }
    Ok(Arc::clone(SYSTEM_ROOTS.get_or_init(|| Arc::new(roots))))
}

fn roots(ca_certificate: Option<&str>) -> Result<Arc<RootCertStore>, Kind> {
    let Some(pem) = ca_certificate else {
        return system_roots();
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate =
            certificate.map_err(|error| Kind::Setting(format!("the CA certificate is not valid PEM: {error}")))?;
        roots.add(certificate).map_err(|error| Kind::Setting(format!("the CA certificate cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(Kind::Setting("the CA certificate contains no PEM certificate".to_owned()));
    }
    Ok(Arc::new(roots))
}

/// Accepts any certificate, but still checks that the peer holds its key, so that the channel
/// binding means the certificate that was seen.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: &TlsOptions, message: &str) {
        let error = Tls::new("mfa01.contoso.com", options).err().expect("refused");
        assert!(error.to_string().contains(message), "{error}");
    }

    #[test]
    fn refuses_settings_it_cannot_use() {
        let with_ca = |text: &str| TlsOptions { ca_certificate: Some(text.to_owned()), ..TlsOptions::default() };
        check(&with_ca(""), "contains no PEM certificate");
        check(&with_ca("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be used");
        let unnamed =
            TlsOptions { server_name: Some("a b".to_owned()), insecure_skip_verify: true, ..TlsOptions::default() };
        check(&unnamed, "`a b` is neither a DNS name nor an IP address");
    }
}
