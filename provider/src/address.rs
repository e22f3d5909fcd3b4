//! A host as users name it: its name or address, and the port when that stands with it.
//!
//! The name alone is who the host is: states, observations, steps, patterns and messages go by it. The port only says
//! where it is reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A host, and perhaps its port: `mfa01.contoso.com`, `mfa01.contoso.com:5985`, `[fd00::7]` or `[fd00::7]:5985`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    name: String,
    port: Option<u16>,
}

/// Text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no host: {problem}. Accepted are {ACCEPTED}")]
pub struct InvalidAddress {
    /// Without what stands before an `@`, which may be a password.
    text: String,
    problem: Problem,
}

/// What is wrong, and what cures it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("there is nothing in it; name the host, or remove the entry")]
    Empty,
    #[error("it begins with a scheme; write what follows it alone")]
    Scheme,
    #[error("it holds an account; write what follows the \"@\" alone")]
    Account,
    #[error("it holds a path, or another character that ends a host's name; write the host alone")]
    Path,
    #[error("the port {0:?} is no whole number from 1 to 65535; correct it, or leave it and its colon out")]
    Port(String),
    #[error("no port stands after the colon; add it, or leave the colon out")]
    NoPort,
    #[error("an IPv6 address stands in brackets, or its end could be a port; write {0}")]
    Unbracketed(String),
    #[error("{0:?} is no IPv6 address, and nothing else stands in brackets; correct it, or remove the brackets")]
    Bracketed(String),
    #[error("the bracket is not closed right before the end or a port; write it such as [fd00::7]:5985")]
    Bracket,
    #[error("a name begins with a letter or digit and has at most 253 letters, digits, dots, hyphens and underscores")]
    Name,
}

const ACCEPTED: &str = "a name or an IPv4 address, or an IPv6 address in brackets, each with or without a port: \
                        mfa01.contoso.com, mfa01.contoso.com:5985, [fd00::7] or [fd00::7]:5985";

/// The longest name that DNS knows.
const LONGEST_NAME: usize = 253;

impl HostAddress {
    /// A host by its name alone, as states and steps know it. The name is not checked.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), port: None }
    }

    /// The name or address, an IPv6 address without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, when one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Whether two names mean the same host: the case of letters says nothing.
pub fn is_same_host(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// A name as the key under which things are kept for a host.
pub fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl FromStr for HostAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let shown = text.rsplit('@').next().unwrap_or_default();
        read(text).map_err(|problem| InvalidAddress { text: shown.to_owned(), problem })
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ipv6 = self.name.contains(':');
        let (open, close) = if is_ipv6 { ("[", "]") } else { ("", "") };
        write!(formatter, "{open}{}{close}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

fn read(text: &str) -> Result<HostAddress, Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.contains("://") {
        return Err(Problem::Scheme);
    }
    if text.contains('@') {
        return Err(Problem::Account);
    }
    if text.contains(['/', '?', '#', '\\']) {
        return Err(Problem::Path);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return read_bracketed(rest);
    }
    let (name, port) = match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => return Err(Problem::Unbracketed(with_brackets(text))),
        Some((name, port)) => (name, Some(read_port(port)?)),
        None => (text, None),
    };
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !begins_well || name.len() > LONGEST_NAME || !name.bytes().all(accepted) {
        return Err(Problem::Name);
    }
    Ok(HostAddress { name: name.to_owned(), port })
}

/// What follows an opening bracket. The name is the address as the standard writes it, so that two spellings of one
/// address are one host.
fn read_bracketed(rest: &str) -> Result<HostAddress, Problem> {
    let (address, rest) = rest.split_once(']').ok_or(Problem::Bracket)?;
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(read_port(port)?),
        None if rest.is_empty() => None,
        None => return Err(Problem::Bracket),
    };
    let parsed: Ipv6Addr = address.parse().map_err(|_| Problem::Bracketed(address.to_owned()))?;
    Ok(HostAddress { name: parsed.to_string(), port })
}

/// A port in the one form that is written for it: no sign, no zeros in front.
fn read_port(text: &str) -> Result<u16, Problem> {
    if text.is_empty() {
        return Err(Problem::NoPort);
    }
    let port = text.parse::<u16>().ok().filter(|port| *port > 0 && port.to_string() == text);
    port.ok_or_else(|| Problem::Port(text.to_owned()))
}

/// What a text with several colons may have meant.
fn with_brackets(text: &str) -> String {
    let whole = text.parse::<Ipv6Addr>().ok().map(|_| format!("[{text}]"));
    let parts = text.rsplit_once(':').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    let with_port =
        parts.filter(|(_, port)| read_port(port).is_ok()).map(|(address, port)| format!("[{address}]:{port}"));
    let readings: Vec<String> = whole.into_iter().chain(with_port).collect();
    if readings.is_empty() { "it such as [fd00::7]:5985".to_owned() } else { readings.join(" or ") }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, port: Option<u16>) {
        let address: HostAddress = text.parse().expect("a host");
        assert_eq!((address.name(), address.port()), (name, port));
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn reads_names_and_addresses_with_and_without_a_port() {
        check("mfa01.contoso.com", "mfa01.contoso.com", None);
        check("MFA01:5985", "MFA01", Some(5985));
        check("portal_1:1", "portal_1", Some(1));
        check("10.0.0.7:65535", "10.0.0.7", Some(65535));
        check("[fd00::7]", "fd00::7", None);
        check("[fd00::7]:5986", "fd00::7", Some(5986));
        check("[::ffff:10.0.0.7]:5986", "::ffff:10.0.0.7", Some(5986));
    }

    #[test]
    fn spellings_of_one_address_are_one_host() {
        let name = |text: &str| text.parse::<HostAddress>().expect("a host").name().to_owned();
        assert_eq!(name("[FD00:0:0::7]:1"), name("[fd00::7]"));
        assert!(is_same_host("MFA01.contoso.com", "mfa01.CONTOSO.com"));
        assert_eq!(key("MFA01"), key("mfa01"));
    }

    /// `found` is what the message says is wrong, or what cures it.
    #[track_caller]
    fn refuses(text: &str, found: &str) {
        let message = text.parse::<HostAddress>().expect_err("no host").to_string();
        assert!(message.contains(found) && message.contains("[fd00::7]:5985"), "{message}");
    }

    #[test]
    fn refuses_everything_else_and_says_what_to_write() {
        refuses("", "nothing in it");
        refuses("https://mfa01.contoso.com", "begins with a scheme");
        refuses("mfa01/wsman", "holds a path");
        refuses("mfa01:5985/wsman", "holds a path");
        refuses("CONTOSO\\mfa01", "holds a path");
        refuses("mfa01:", "no port stands after the colon");
        refuses("[fd00::7]:", "no port stands after the colon");
        for port in ["0", "65536", "99999999999", "-1", "+1", "05985", "5985x", " 5985", "*"] {
            refuses(&format!("mfa01:{port}"), &format!("the port {port:?}"));
            refuses(&format!("[fd00::7]:{port}"), &format!("the port {port:?}"));
        }
        refuses("fd00::7", "write [fd00::7].");
        refuses("fd00::7:5986", "write [fd00::7:5986] or [fd00::7]:5986.");
        refuses("fd00:1:2:3:4:5:6:7:5986", "write [fd00:1:2:3:4:5:6:7]:5986.");
        refuses("mfa01:5985:5986", "write it such as [fd00::7]:5985.");
        refuses("[mfa01]:5985", "\"mfa01\" is no IPv6 address");
        refuses("[fe80::1%eth0]", "is no IPv6 address");
        refuses("[]", "is no IPv6 address");
        refuses("[fd00::7", "the bracket");
        refuses("[fd00::7]5986", "the bracket");
        refuses(":5985", "a name begins");
        refuses(" mfa01", "a name begins");
        refuses("-mfa01", "a name begins");
        refuses("mfa01,mfa02", "a name begins");
        refuses("m\u{fc}nchen", "a name begins");
        refuses(&"a".repeat(254), "at most 253");
    }

    #[test]
    fn does_not_repeat_what_may_be_a_password() {
        let message = "admin:marker-secret@mfa01".parse::<HostAddress>().expect_err("no host").to_string();
        assert!(message.contains("\"mfa01\"") && message.contains("holds an account"), "{message}");
        assert!(!message.contains("marker-secret"), "{message}");
        let message = "https://admin:marker-secret@mfa01/".parse::<HostAddress>().expect_err("no host").to_string();
        assert!(!message.contains("marker-secret"), "{message}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Any text, and text that is nearly a host, is read or refused; what is read is written the one way that reads
        /// as the same.
        #[test]
        fn whatever_is_read_is_read_again_as_the_same(
            text in prop_oneof!["\\PC*", "[a-f0-9:.\\[\\]%@/]{0,40}", "[a-z0-9.-]{1,12}:[0-9]{0,6}"]
        ) {
            if let Ok(address) = text.parse::<HostAddress>() {
                let written = address.to_string();
                prop_assert_eq!(written.parse::<HostAddress>(), Ok(address));
                prop_assert!(!written.contains([',', ';', '=', '@', ' ']), "{}", written);
            }
        }

        #[test]
        fn whatever_can_be_written_is_read(
            name in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,40}",
            bits in any::<u128>(),
            is_ipv6 in any::<bool>(),
            port in option::of(1..=u16::MAX)
        ) {
            let name = if is_ipv6 { Ipv6Addr::from_bits(bits).to_string() } else { name };
            let address = HostAddress { name, port };
            prop_assert_eq!(address.to_string().parse::<HostAddress>(), Ok(address));
        }
    }
}
