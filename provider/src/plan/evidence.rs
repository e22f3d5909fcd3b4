//! What proves that a host runs a version, and what is still missing when it does.

use crate::plan::version::Version;

/// What was found of a component on a host. Two independent pieces must agree before a version counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The lower of the pieces; the only one when the other is missing.
    pub lowest: Version,
    /// Whether both pieces are there and equal.
    pub agrees: bool,
    /// Both pieces in words, such as `uninstall entry 7.0.0.9, service file 6.3.1.1`.
    pub detail: String,
}

/// An end-state fact that does not hold on a host that runs its pin: at the pin is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub host: String,
    /// What is missing, in words that complete "on HOST: …", such as `web.config still holds the shipped SDK address`.
    pub what: String,
}

/// One piece of evidence: what it is called, and the version text found, when there is one.
pub type Piece<'a> = (&'a str, Option<&'a str>);

impl Evidence {
    /// Weighs two pieces. None when neither is there: the component is not installed.
    pub fn of(first: Piece<'_>, second: Piece<'_>) -> Option<Self> {
        let parsed = [first, second].map(|(_, text)| text.and_then(|text| text.trim().parse::<Version>().ok()));
        let detail = [first, second].map(|(name, text)| format!("{name} {}", text.unwrap_or("missing"))).join(", ");
        let agrees = matches!(&parsed, [Some(first), Some(second)] if first == second);
        let lowest = parsed.into_iter().flatten().min()?;
        Some(Self { lowest, agrees, detail })
    }
}

impl Gap {
    /// A gap on a host.
    pub fn new(host: &str, what: impl Into<String>) -> Self {
        Self { host: host.to_owned(), what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: Option<&str>, second: Option<&str>, expected: Option<(&str, bool)>) {
        let evidence = Evidence::of(("uninstall entry", first), ("service file", second));
        let found = evidence.as_ref().map(|evidence| (evidence.lowest.as_str(), evidence.agrees));
        assert_eq!(found, expected);
    }

    #[test]
    fn two_equal_pieces_agree() {
        check(Some("7.0.0.9"), Some("7.0.0.9"), Some(("7.0.0.9", true)));
        check(Some("6.3"), Some("6.3.0.0"), Some(("6.3", true)));
    }

    #[test]
    fn the_lower_piece_counts() {
        check(Some("7.0.0.9"), Some("6.3.1.1"), Some(("6.3.1.1", false)));
        check(Some("6.3.1.1"), Some("7.0.0.9"), Some(("6.3.1.1", false)));
    }

    #[test]
    fn one_piece_is_not_enough() {
        check(None, Some("6.3.1.1"), Some(("6.3.1.1", false)));
        check(Some("7.0.0.9"), Some("not a version"), Some(("7.0.0.9", false)));
        check(None, None, None);
    }
}
