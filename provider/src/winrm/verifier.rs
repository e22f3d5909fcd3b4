//! Whether a host's certificate is to be believed.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::winrm::endpoint::TlsOptions;
use crate::winrm::error::Kind;

/// Judges certificates as the options say. In each case the host must hold the certificate's key,
/// so that the channel binding means the certificate that was seen.
#[derive(Debug)]
pub struct HostVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trust {
    /// `insecure_skip_verify`.
    Anyone,
    /// A chain to the roots, or one of the given certificates itself: WinRM listeners often have
    /// one that is its own authority, which chain building refuses as a host's certificate.
    Authorities { chain: Arc<WebPkiServerVerifier>, given: Vec<CertificateDer<'static>> },
}

impl HostVerifier {
    /// Reads the certificates that the options name.
    pub fn new(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Self, Kind> {
        let provider = Arc::clone(provider);
        if options.insecure_skip_verify {
            return Ok(Self { trust: Trust::Anyone, provider });
        }
        let given = options.ca_certificate.as_deref().map(certificates).transpose()?;
        let roots = match &given {
            Some(given) => store(given)?,
            None => system_roots()?,
        };
        let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| Kind::Setting(format!("the trusted certificates cannot be used: {error}")))?;
        Ok(Self { trust: Trust::Authorities { chain, given: given.unwrap_or_default() }, provider })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Kind> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| Kind::Setting(format!("the CA certificate is not valid PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(Kind::Setting("the CA certificate contains no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

fn store(certificates: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, Kind> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| Kind::Setting(format!("the CA certificate cannot be used: {error}")))?;
    }
    Ok(Arc::new(roots))
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

impl ServerCertVerifier for HostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Authorities { chain, given } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // That the certificate is an authority's is found out after its dates were checked and
            // before its name is.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if given.iter().any(|given| given == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use rustls::crypto::aws_lc_rs;

    use super::*;

    const NAME: &str = "mfa01.contoso.com";
    const YEAR: u64 = 365 * 24 * 60 * 60;

    fn certificate(is_ca: IsCa) -> (String, CertificateDer<'static>) {
        let mut parameters = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
        parameters.is_ca = is_ca;
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        (certificate.pem(), certificate.der().clone())
    }

    #[track_caller]
    fn check(given: &str, shown: &CertificateDer<'_>, name: &str, year: u64, accepted: bool) {
        let options = TlsOptions { ca_certificate: Some(given.to_owned()), ..TlsOptions::default() };
        let verifier = HostVerifier::new(&options, &Arc::new(aws_lc_rs::default_provider())).expect("usable");
        let name = ServerName::try_from(name).expect("a name");
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * YEAR + YEAR / 2));
        let verdict = verifier.verify_server_cert(shown, &[], &name, &[], now);
        assert_eq!(verdict.is_ok(), accepted, "{verdict:?}");
    }

    #[test]
    fn a_given_certificate_may_be_the_hosts_own() {
        for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let (pem, der) = certificate(is_ca);
            check(&pem, &der, NAME, 2026, true);
            check(&pem, &der, "mfa02.contoso.com", 2026, false);
            check(&pem, &der, NAME, 2025, false);
            check(&pem, &der, NAME, 2028, false);
            let (other, _) = certificate(is_ca);
            check(&other, &der, NAME, 2026, false);
            check(&format!("{other}{pem}"), &der, NAME, 2026, true);
        }
    }
}
