//! Host patterns as in an ssh configuration: `*` for any text, `?` for one character, letters of either case.

use std::fmt;
use std::str::FromStr;

/// A host name or a pattern of host names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a host pattern; accepted are letters, digits, '.', '-', '_', ':', and the wildcards '*' and '?'"
)]
pub struct InvalidPattern {
    text: String,
}

impl Pattern {
    /// Whether a host is meant.
    pub fn matches(&self, host: &str) -> bool {
        matches(self.0.as_bytes(), host.to_ascii_lowercase().as_bytes())
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
        let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:*?".contains(&byte);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(accepted) {
            return Err(InvalidPattern { text: text.to_owned() });
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
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
        check("?", "", false);
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "a b", "http://x", "a,b", "[a]", "ä"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_exact_name_weighs_more_than_any_wildcard() {
        let weight = |text: &str| text.parse::<Pattern>().expect("a pattern").weight();
        assert!(weight("a") > weight("*.a.very.long.pattern"));
        assert!(weight("*.dmz.contoso.com") > weight("*.contoso.com"));
    }
}
