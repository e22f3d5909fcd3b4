//! Health checks: an address that has to answer as it should before a run goes on.

use std::time::Duration;

use reqwest::Url;

use crate::address::HostAddress;
use crate::backend::web_address;

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

/// Text that is no address to check. Never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("it is no address of a web server, such as https://{{host}}/MultiFactorAuth/")]
    NoAddress,
    #[error("only http and https can be asked")]
    OtherScheme,
    #[error("it holds a user name or a password, and a health check logs on nowhere")]
    UserInfo,
    #[error("it has a part after #, which is never sent")]
    Fragment,
    #[error("{{host}} is the only placeholder, and other braces are written %7B and %7D")]
    Placeholder,
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
    if text.contains(['{', '}']) {
        return Err(InvalidAddress::Placeholder);
    }
    // The parser would leave some of them out without a word.
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(InvalidAddress::NoAddress);
    }
    let url = Url::parse(text).map_err(|_| InvalidAddress::NoAddress)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidAddress::OtherScheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidAddress::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(InvalidAddress::Fragment);
    }
    url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidAddress::NoAddress)?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_web_servers_and_hold_no_secret() {
        for accepted in
            ["https://mfa01.contoso.com/", "http://10.0.0.7:8080/a?token=x", "https://[fd00::7]/", "https://a_b"]
        {
            parse(accepted).unwrap_or_else(|error| panic!("{accepted}: {error}"));
        }
        for (refused, error) in [
            ("mfa01.contoso.com/health", InvalidAddress::NoAddress),
            ("https://", InvalidAddress::NoAddress),
            ("https://mfa01 .contoso.com/", InvalidAddress::NoAddress),
            ("https://mfa01/\n", InvalidAddress::NoAddress),
            ("ftp://mfa01/", InvalidAddress::OtherScheme),
            ("mfa01:443", InvalidAddress::OtherScheme),
            ("https://user@mfa01/", InvalidAddress::UserInfo),
            ("https://:marker@mfa01/", InvalidAddress::UserInfo),
            ("https://mfa01/#top", InvalidAddress::Fragment),
            ("https://{hostname}/", InvalidAddress::Placeholder),
        ] {
            assert_eq!(parse(refused), Err(error), "{refused}");
        }
    }

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
