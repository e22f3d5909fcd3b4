//! Addresses of web servers: which ones may be stated, and how messages show them.

use reqwest::Url;

use crate::address::HostAddress;

/// Text that is no address to ask. Never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("it is no address of a web server, which begins with https:// or http:// and a host")]
    NoAddress,
    #[error("only http and https can be asked")]
    OtherScheme,
    #[error("it holds a user name or a password, and nobody logs on by an address")]
    UserInfo,
    #[error("it has a part after #, which is never sent")]
    Fragment,
    /// With the sentence that says which placeholders there are.
    #[error("{0}, and other braces are written %7B and %7D")]
    Placeholder(&'static str),
}

/// Reads an address whose placeholders have been filled in; `placeholders` says which ones there are.
pub fn parse(text: &str, placeholders: &'static str) -> Result<Url, InvalidAddress> {
    if text.contains(['{', '}']) {
        return Err(InvalidAddress::Placeholder(placeholders));
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

/// The host of an address by the name that patterns know, an IPv6 address without its brackets.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.parse::<HostAddress>().map_or_else(|_| host.to_owned(), |address| address.name().to_owned())
}

/// An address without what may be secret in it: user, password, query and fragment.
pub fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_web_servers_and_hold_no_secret() {
        for accepted in
            ["https://mfa01.contoso.com/", "http://10.0.0.7:8080/a?token=x", "https://[fd00::7]/", "https://a_b"]
        {
            parse(accepted, "none").unwrap_or_else(|error| panic!("{accepted}: {error}"));
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
            ("https://{hostname}/", InvalidAddress::Placeholder("none")),
        ] {
            assert_eq!(parse(refused, "none"), Err(error), "{refused}");
        }
    }
}
