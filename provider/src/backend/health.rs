//! Health checks: an address that has to answer as it should before a run goes on.

use std::time::Duration;

use reqwest::Url;

use crate::address::HostAddress;
use crate::backend::web_address::{self, InvalidAddress};

/// What stands for a host's name in an address.
pub const HOST: &str = "{host}";

/// What is asked, and what is taken for healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// May hold [`HOST`]. None while it is not known.
    pub url: Option<String>,
    pub status: u16,
    /// What the answer's body has to hold.
    pub contains: Option<String>,
    /// How long all tries together may take.
    pub timeout: Duration,
    /// The pause between two tries.
    pub interval: Duration,
    /// Certificates in PEM that are trusted instead of the system's roots.
    pub ca_certificate: Option<String>,
    pub insecure_skip_verify: bool,
}

/// What counts when nothing else is said.
const STATUS: u16 = 200;
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
const INTERVAL: Duration = Duration::from_secs(5);

impl HealthCheck {
    /// A check with everything else at its default.
    pub fn new(url: Option<String>) -> Self {
        Self {
            url,
            status: STATUS,
            contains: None,
            timeout: TIMEOUT,
            interval: INTERVAL,
            ca_certificate: None,
            insecure_skip_verify: false,
        }
    }

    /// The check of one host, by its name or address.
    #[must_use]
    pub fn on(&self, host: &str) -> Self {
        let host = &HostAddress::named(host).to_string();
        Self { url: self.url.as_ref().map(|url| url.replace(HOST, host)), ..self.clone() }
    }

    /// What a reviewer reads: the address without what may be secret in it, and what it has to answer.
    pub fn wanted(&self) -> String {
        let Some(url) = &self.url else { return "its health check passes".to_owned() };
        let shown = parse(url).map_or_else(|_| "its address".to_owned(), |url| web_address::shown(&url));
        let contains = self.contains.as_ref().map(|text| format!(" with {text:?} in its body")).unwrap_or_default();
        format!("{shown} answers {}{contains}", self.status)
    }
}

/// Reads the address of one host's check.
pub fn parse(text: &str) -> Result<Url, InvalidAddress> {
    web_address::parse(text, "{host} is the only placeholder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_a_host_says_what_it_wants_without_the_query() {
        let url = Some("https://{host}:8443/health/{host}?token=marker".to_owned());
        let check = HealthCheck { status: 204, contains: Some("OK".to_owned()), ..HealthCheck::new(url) };
        let wanted = check.on("mfa01").wanted();
        assert_eq!(wanted, "https://mfa01:8443/health/mfa01 answers 204 with \"OK\" in its body");
        let of_address = check.on("fd00::7");
        assert!(of_address.wanted().starts_with("https://[fd00::7]:8443/health/"));
        let url = parse(of_address.url.as_deref().expect("an address"));
        assert_eq!(web_address::host(&url.expect("an address")), "fd00::7");
        assert_eq!(HealthCheck { url: None, ..check }.on("mfa01").wanted(), "its health check passes");
    }
}
