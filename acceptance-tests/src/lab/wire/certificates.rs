//! The lab's certificate authority and the TLS identity of each simulated host.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256, Sha384};

use crate::lab::wire::client_certificates::{ClientCertificates, Verifier};

/// What certificate a host shows on its HTTPS listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// For the host's name (and `localhost`, 127.0.0.1), from the lab's authority, signed with SHA-256.
    #[default]
    Trusted,
    /// The same, signed with SHA-384: the channel binding uses that hash then.
    TrustedSha384,
    /// As `winrm quickconfig` leaves many hosts: its own issuer.
    SelfSigned,
    /// From the lab's authority, for another name.
    OtherName(String),
    /// From the lab's authority, out of date since 2020.
    Expired,
    /// From the lab's authority, for a time that has not come.
    NotYetValid,
}

/// The lab's authorities: one per signature hash, both in [`Authority::pem`].
pub struct Authority {
    sha256: CertifiedIssuer<'static, KeyPair>,
    sha384: CertifiedIssuer<'static, KeyPair>,
}

/// What a host needs to speak TLS.
#[derive(Clone)]
pub struct Identity {
    pub configuration: Arc<ServerConfig>,
    /// `tls-server-end-point`: hash of the certificate with its signature's hash function.
    pub certificate_hash: Vec<u8>,
    /// SHA-1 and SHA-256 users may pin it by; here the DER itself.
    pub der: CertificateDer<'static>,
}

/// A certificate or TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("could not make a certificate")]
    Make(#[source] rcgen::Error),
    #[error("could not configure TLS")]
    Configure(#[source] rustls::Error),
}

impl Authority {
    pub fn new() -> Result<Self, CertificateError> {
        let issuer = |algorithm, name: &str| {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            CertifiedIssuer::self_signed(parameters, KeyPair::generate_for(algorithm)?)
        };
        Ok(Self {
            sha256: issuer(&PKCS_ECDSA_P256_SHA256, "Lab Root").map_err(CertificateError::Make)?,
            sha384: issuer(&PKCS_ECDSA_P384_SHA384, "Lab Root SHA-384").map_err(CertificateError::Make)?,
        })
    }

    /// The authorities' certificates, to be trusted by clients.
    pub fn pem(&self) -> String {
        self.sha256.pem() + &self.sha384.pem()
    }

    /// Makes the identity of a host, with other names that a certificate for its name is for as well.
    pub fn identity(
        &self,
        (host, others): (&str, &[String]),
        certificate: &Certificate,
        tls12: bool,
        clients: &ClientCertificates,
    ) -> Result<Identity, CertificateError> {
        let (key, der) = self.leaf((host, others), certificate).map_err(CertificateError::Make)?;
        let certificate_hash = match certificate {
            Certificate::TrustedSha384 => Sha384::digest(&der).to_vec(),
            _ => Sha256::digest(&der).to_vec(),
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let versions: &[_] =
            if tls12 { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13, &rustls::version::TLS12] };
        // Named, because another crate of a test binary may have made a different provider the default of the process.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = || Verifier { certificates: clients.clone(), provider: Arc::clone(&provider) };
        let configuration = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map(|builder| match clients.asked_for {
                true => builder.with_client_cert_verifier(Arc::new(verifier())),
                false => builder.with_no_client_auth(),
            })
            .and_then(|builder| builder.with_single_cert(vec![der.clone()], key.into()))
            .map_err(CertificateError::Configure)?;
        Ok(Identity { configuration: Arc::new(configuration), certificate_hash, der })
    }

    fn leaf(
        &self,
        (host, others): (&str, &[String]),
        certificate: &Certificate,
    ) -> Result<(KeyPair, CertificateDer<'static>), rcgen::Error> {
        let name = match certificate {
            Certificate::OtherName(name) => name,
            _ => host,
        };
        let mut names = vec![name.to_owned()];
        if !matches!(certificate, Certificate::OtherName(_)) {
            names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
            names.extend_from_slice(others);
        }
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        if *certificate == Certificate::Expired {
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
        if *certificate == Certificate::NotYetValid {
            parameters.not_before = date_time_ymd(2190, 1, 1);
        }
        let key = KeyPair::generate()?;
        let signed = match certificate {
            Certificate::SelfSigned => parameters.self_signed(&key)?,
            Certificate::TrustedSha384 => parameters.signed_by(&key, &self.sha384)?,
            _ => parameters.signed_by(&key, &self.sha256)?,
        };
        Ok((key, signed.der().clone()))
    }
}
