//! Certificates by which clients log on: which the listener asks for, and whose they are.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

/// What `Authorization` carries for a client that is known by its certificate.
pub const MUTUAL: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual";

/// How a host takes client certificates. By default it does not, as Windows sets itself up.
#[derive(Clone, Debug, Default)]
pub struct ClientCertificates {
    /// The listener asks in the first handshake (`clientcertnegotiation=enable`). Without it Windows asks later, in ways
    /// that the lab's TLS does not have.
    pub asked_for: bool,
    /// The host trusts no other authority than that of the mapped ones, so others end the handshake.
    pub only_mapped: bool,
    /// A certificate in DER and the account it is mapped to. Windows maps by issuer and subject, which come to the same
    /// where authorities do as they should.
    pub mapped: Vec<(Vec<u8>, String)>,
}

impl ClientCertificates {
    /// Takes this certificate for this account.
    pub fn mapping(der: &[u8], account: &str) -> Self {
        Self { asked_for: true, only_mapped: false, mapped: vec![(der.to_vec(), account.to_owned())] }
    }

    /// The account a certificate belongs to.
    pub fn account(&self, der: &[u8]) -> Option<&str> {
        self.mapped.iter().find(|(mapped, _)| mapped == der).map(|(_, account)| account.as_str())
    }
}

/// Looks at a certificate in the handshake: the client must hold its key.
#[derive(Debug)]
pub struct Verifier {
    pub certificates: ClientCertificates,
    pub provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if self.certificates.only_mapped && self.certificates.account(end_entity).is_none() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
