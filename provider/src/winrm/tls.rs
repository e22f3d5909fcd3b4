//! The TLS settings for one host.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::winrm::endpoint::TlsOptions;
use crate::winrm::error::Kind;
use crate::winrm::verifier::HostVerifier;

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
        let verifier = HostVerifier::new(options, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Kind::Setting(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let name = options.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Kind::Setting(format!("`{name}` is neither a DNS name nor an IP address")))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
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
