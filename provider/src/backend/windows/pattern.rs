//! Host patterns as in an ssh configuration: `*` for any text, `?` for one character, letters of either case.
//!
//! A pattern is about the name of a host. Where it is reached, its port, is no part of that.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::address;

/// A host name or a pattern of host names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error(
        "{0:?} is not a host pattern; accepted are letters, digits, '.', '-', '_', ':', and the wildcards '*' and '?'"
    )]
    Text(String),
    #[error("{0:?} ends with a port, and a pattern is matched with the names of hosts alone; leave the port out")]
    Port(String),
}

impl Pattern {
    /// Whether a host is meant.
    pub fn matches(&self, host: &str) -> bool {
        matches(self.0.as_bytes(), address::key(host).as_bytes())
    }

    /// Whether this is one host's name and no wildcard.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// How much the pattern says: an exact name more than any wildcard, then the longer text.
    pub fn weight(&self) -> (bool, usize) {
        (self.is_exact(), self.0.len())
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if has_port(text) {
            return Err(InvalidPattern::Port(text.to_owned()));
        }
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = unbracketed.parse::<Ipv6Addr>() {
            // As hosts are named by it, whichever way it was written.
            return Ok(Self(address.to_string()));
        }
        let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:*?".contains(&byte);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(accepted) {
            return Err(InvalidPattern::Text(text.to_owned()));
        }
        Ok(Self(address::key(text)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a text ends with a port, as a host's own text may. A colon inside of an IPv6 address begins none.
fn has_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(name, port)| {
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_number && (name.ends_with(']') || !name.contains(':'))
    })
}

/// Matches from left to right; after a mismatch only the last `*` can take one more character, so the time is at most
/// the product of the two lengths.
fn matches(pattern: &[u8], host: &[u8]) -> bool {
    let (mut at_pattern, mut at_host) = (0, 0);
    let mut last_star = None;
    while at_host < host.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_host));
                at_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == host[at_host] => {
                at_pattern += 1;
                at_host += 1;
            }
            _ => match last_star {
                Some((star, taken)) => {
                    last_star = Some((star, taken + 1));
                    at_pattern = star + 1;
                    at_host = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, host: &str, expected: bool) {
        let pattern: Pattern = pattern.parse().expect("a pattern");
        assert_eq!(pattern.matches(host), expected);
    }

    #[test]
    fn matches_names() {
        check("mfa01.contoso.com", "MFA01.contoso.com", true);
        check("mfa01", "mfa01.contoso.com", false);
        check("*.dmz.contoso.com", "portal01.dmz.contoso.com", true);
        check("*.dmz.contoso.com", "dmz.contoso.com", false);
        check("mfa0?.contoso.com", "mfa01.contoso.com", true);
        check("mfa0?.contoso.com", "mfa0.contoso.com", false);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b", "abab", true);
        check("*", "anything", true);
        check("[fd00::7]", "fd00::7", true);
        check("FD00:0::7", "fd00::7", true);
        check("fd00:*", "fd00::7", true);
        check("fd00::*", "fd01::7", false);
        check("?", "", false);
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "a b", "http://x", "a,b", "[a]", "[*]", "[fd00::7", "ä"] {
            assert_eq!(text.parse::<Pattern>(), Err(InvalidPattern::Text(text.to_owned())));
        }
        for text in ["mfa01:5985", "*.contoso.com:5985", "*:5985", "[fd00::7]:5985"] {
            assert_eq!(text.parse::<Pattern>(), Err(InvalidPattern::Port(text.to_owned())));
        }
    }

    #[test]
    fn an_exact_name_weighs_more_than_any_wildcard() {
        let weight = |text: &str| text.parse::<Pattern>().expect("a pattern").weight();
        assert!(weight("a") > weight("*.a.very.long.pattern"));
        assert!(weight("*.dmz.contoso.com") > weight("*.contoso.com"));
    }
}
