//! Mutual TLS with certificates made for one run: ours goes out with the handshake, the client's came in the
//! environment, and nobody else gets in.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as RustlsError, ServerConfig, SignatureScheme,
};

/// How TLS is spoken, and the certificate that the handshake line carries.
pub struct ServerTls {
    pub config: Arc<ServerConfig>,
    pub certificate: CertificateDer<'static>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM")]
    ClientCertificate(#[source] rustls::pki_types::pem::Error),
    #[error("no certificate could be made")]
    Certificate(#[source] rcgen::Error),
    #[error("TLS could not be set up")]
    Config(#[source] RustlsError),
}

/// TLS that lets in exactly the holder of `client_certificate` (PEM).
pub fn server_tls(client_certificate: &str) -> Result<ServerTls, TlsError> {
    let client = CertificateDer::from_pem_slice(client_certificate.as_bytes()).map_err(TlsError::ClientCertificate)?;
    let key = KeyPair::generate().map_err(TlsError::Certificate)?;
    // The client checks for this name, whatever it dials.
    let parameters = CertificateParams::new(["localhost".to_owned()]).map_err(TlsError::Certificate)?;
    let certificate = parameters.self_signed(&key).map_err(TlsError::Certificate)?.der().clone();
    // aws-lc-rs by name: the client's key is P-521, which ring cannot verify, and the process-wide default may be
    // ring, because another crate brings it.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = PinnedClient { certificate: client, provider: Arc::clone(&provider) };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![certificate.clone()], key)
        .map_err(TlsError::Config)?;
    // Newer clients refuse a connection on which h2 was not agreed; older ones do not care.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(ServerTls { config: Arc::new(config), certificate })
}

/// Accepts one certificate, compared byte by byte. The usual verifier cannot accept it: it is self-signed and says
/// that it is a CA, which an end entity must not be.
#[derive(Debug)]
struct PinnedClient {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, RustlsError> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(RustlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
