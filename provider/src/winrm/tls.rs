//! The TLS settings for one host.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::winrm::client_certificate::ClientCertificate;
use crate::winrm::endpoint::TlsOptions;
use crate::winrm::error::Kind;
use crate::winrm::verifier::HostVerifier;

/// What is needed to open a TLS connection to one host.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    certificate: Option<ClientCertificate>,
    /// The name that is asked for and that the certificate must carry.
    name: ServerName<'static>,
}

/// An open TLS connection.
pub struct Secured<S> {
    /// The bytes.
    pub stream: TlsStream<S>,
    /// The host asked for a client certificate, and got it.
    pub showed_certificate: bool,
}

impl Tls {
    /// Reads certificates and names; makes no connection.
    pub fn new(host: &str, options: &TlsOptions, certificate: Option<&ClientCertificate>) -> Result<Self, Kind> {
        let config = client_config(options)?;
        let name = options.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Kind::Setting(format!("`{name}` is neither a DNS name nor an IP address")))?;
        Ok(Self { config: Arc::new(config), certificate: certificate.cloned(), name })
    }

    /// Makes the handshake.
    pub async fn connect<S>(&self, stream: S) -> io::Result<Secured<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(certificate) = &self.certificate else {
            let stream = TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await?;
            return Ok(Secured { stream, showed_certificate: false });
        };
        let shown = Arc::new(Shown { certificate: certificate.clone(), asked: AtomicBool::new(false) });
        let mut config = (*self.config).clone();
        config.client_auth_cert_resolver = Arc::clone(&shown) as Arc<dyn ResolvesClientCert>;
        // A resumed session shows no certificate again, and it is the server's choice whether it remembers the one before.
        config.resumption = Resumption::disabled();
        let stream = TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream).await?;
        Ok(Secured { stream, showed_certificate: shown.asked.load(Ordering::Relaxed) })
    }
}

/// TLS as a client that trusts whom the options say and shows no certificate.
pub fn client_config(options: &TlsOptions) -> Result<ClientConfig, Kind> {
    // The provider is named: another crate of this process brings a second one, and the
    // process-wide default then depends on who comes first.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = HostVerifier::new(options, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| Kind::Setting(format!("TLS cannot be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Gives the certificate away to one handshake, and notes that it was asked for.
#[derive(Debug)]
struct Shown {
    certificate: ClientCertificate,
    asked: AtomicBool,
}

impl ResolvesClientCert for Shown {
    /// The authorities that the host names are not looked at: WinRM finds the account by its own mapping, and hosts
    /// name no or too many authorities.
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(self.certificate.certified()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: &TlsOptions, message: &str) {
        let error = Tls::new("mfa01.contoso.com", options, None).err().expect("refused");
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
