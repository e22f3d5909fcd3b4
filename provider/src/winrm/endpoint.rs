//! Where a host's WS-Management service is, and how to log in there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;
use crate::winrm::auth::kerberos::tickets::Tickets;
use crate::winrm::client_certificate::ClientCertificate;
use crate::winrm::limits::Limits;
use crate::winrm::proxy::Proxy;

/// A WS-Management service and the way in.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The host's name or address, as certificates and messages name it; an IPv6 address without brackets.
    pub host: String,
    /// The TCP port: 5985 for HTTP and 5986 for HTTPS unless the listener was moved.
    pub port: u16,
    /// HTTP or HTTPS.
    pub transport: Transport,
    /// The URL path of the service, usually [`DEFAULT_PATH`].
    pub path: String,
    /// An HTTP proxy that is asked to CONNECT, for both transports.
    pub proxy: Option<Proxy>,
    /// The account and the scheme.
    pub authentication: Authentication,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How many connections may be open.
    pub limits: Limits,
}

/// The URL path at which Windows serves WS-Management.
pub const DEFAULT_PATH: &str = "/wsman";

/// What carries the HTTP messages.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Plain TCP. Messages are sealed by the authentication, so it must be one that can seal.
    Http,
    /// TLS 1.2 or 1.3.
    Https(TlsOptions),
}

/// How the host's certificate is judged.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificates in PEM that are trusted instead of the system's roots.
    pub ca_certificate: Option<String>,
    /// Accept any certificate. The connection is then open to whoever can stand in between.
    pub insecure_skip_verify: bool,
    /// The name the certificate must carry, when it is not the host's.
    pub server_name: Option<String>,
}

/// The account, and the scheme by which it proves itself.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// HTTP Basic: the password itself is sent, so only over HTTPS.
    Basic {
        /// A local account of the host.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// NTLMv2, with channel binding over HTTPS and message encryption over HTTP.
    Ntlm {
        /// `DOMAIN\name`, `name@realm` or a local `name`.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// A certificate that the host maps to an account; only over HTTPS.
    Certificate(ClientCertificate),
    /// Kerberos, with channel binding over HTTPS and message encryption over HTTP.
    Kerberos(KerberosLogin),
}

/// A login by Kerberos.
#[derive(Clone, Debug)]
pub struct KerberosLogin {
    /// The account, and by what it proves itself.
    pub credentials: KerberosCredentials,
    /// The account's realm, when its name does not tell.
    pub realm: Option<String>,
    /// The KDC as `host` or `host:port`; without it the files tell, else DNS.
    pub kdc: Option<String>,
    /// Files in the format of `krb5.conf`.
    pub krb5_conf: Vec<PathBuf>,
    /// What carries the tokens.
    pub scheme: HttpScheme,
    /// The tickets that it shares with other logins.
    pub tickets: Tickets,
}

/// By what an account proves itself to a KDC.
#[derive(Clone, Debug)]
pub enum KerberosCredentials {
    /// A password, from which keys are made.
    Password {
        /// `name@realm`, `DOMAIN\name` or `name`.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// A key in a keytab.
    Keytab {
        /// The keytab.
        file: PathBuf,
        /// The account; the keytab's first one when it is absent.
        username: Option<String>,
    },
    /// The ticket-granting ticket in a credential cache.
    Cache {
        /// The cache.
        file: PathBuf,
    },
}

/// The HTTP authentication scheme that carries tokens. Hosts can allow one and not the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpScheme {
    /// Tokens of NTLM or Kerberos.
    Negotiate,
    /// Tokens of Kerberos alone.
    Kerberos,
}

impl HttpScheme {
    /// As headers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Kerberos => "Kerberos",
        }
    }
}

impl Authentication {
    /// Who logs in, for a person: the account, or the file that tells it.
    pub fn account(&self) -> String {
        match self {
            Self::Basic { username, .. } | Self::Ntlm { username, .. } => username.clone(),
            Self::Certificate(_) => "the account of the client certificate".to_owned(),
            Self::Kerberos(login) => match &login.credentials {
                KerberosCredentials::Password { username, .. }
                | KerberosCredentials::Keytab { username: Some(username), .. } => username.clone(),
                KerberosCredentials::Keytab { file, username: None } => format!("the keytab {}", file.display()),
                KerberosCredentials::Cache { file } => format!("the ticket in {}", file.display()),
            },
        }
    }

    /// The HTTP scheme that it needs to be offered; none for a certificate, which is asked for with TLS.
    pub fn scheme(&self) -> Option<&'static str> {
        match self {
            Self::Basic { .. } => Some("Basic"),
            Self::Ntlm { .. } => Some(HttpScheme::Negotiate.name()),
            Self::Kerberos(login) => Some(login.scheme.name()),
            Self::Certificate(_) => None,
        }
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For name, TCP, proxy and TLS together.
    pub connect: Duration,
    /// For one request, until the whole reply is there. Then the connection counts as dead.
    pub operation: Duration,
    /// The part of `operation` that is left for the way: so much earlier the host answers "not yet".
    pub margin: Duration,
}

/// What the way of a request and its reply may take at most, when a host has nothing to say yet.
const LARGEST_MARGIN: Duration = Duration::from_secs(20);

impl Timeouts {
    /// Leaves a third of the operation timeout for the way, and [`LARGEST_MARGIN`] at most.
    pub fn new(connect: Duration, operation: Duration) -> Self {
        Self { connect, operation, margin: LARGEST_MARGIN.min(operation / 3) }
    }

    /// How long the host may hold a request before it answers "not yet".
    pub fn held(&self) -> Duration {
        self.operation.saturating_sub(self.margin)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::new(Duration::from_secs(15), Duration::from_secs(60))
    }
}

impl Endpoint {
    /// `host:port`, with an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }

    /// The certificate to log in with, when that is how.
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        match &self.authentication {
            Authentication::Certificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// The service's URL, as the `To` header of each message carries it.
    pub fn url(&self) -> String {
        let scheme = match self.transport {
            Transport::Http => "http",
            Transport::Https(_) => "https",
        };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url())
    }
}

/// `host:port`, with an IPv6 address in brackets.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_answers_before_its_connection_counts_as_dead() {
        for (operation, held) in [(60, 40), (600, 580), (30, 20), (3, 2)] {
            let timeouts = Timeouts::new(Duration::from_secs(15), Duration::from_secs(operation));
            assert_eq!(timeouts.held(), Duration::from_secs(held), "{operation} s");
        }
    }

    #[test]
    fn brackets_ipv6_addresses_only() {
        assert_eq!(authority("mfa01.contoso.com", 5985), "mfa01.contoso.com:5985");
        assert_eq!(authority("10.0.0.7", 5986), "10.0.0.7:5986");
        assert_eq!(authority("fd00::7", 5986), "[fd00::7]:5986");
        assert_eq!(authority("[fd00::7]", 5986), "[fd00::7]:5986");
    }
}
