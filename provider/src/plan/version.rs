//! Versions of the vendor's products: dotted numbers, compared by segment and tolerant of length.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version such as `7.0.0.9`. The text is kept as written; `6.3` equals `6.3.0.0`.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    segments: Vec<u32>,
}

/// Text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version; accepted are two to four numbers with dots between them, such as 8.0.1.1")]
pub struct InvalidVersion {
    text: String,
}

impl Version {
    /// The first segment.
    pub fn major(&self) -> u32 {
        self.segments[0]
    }

    /// As the user or the host wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Segment `index`; missing ones are zero.
    fn segment(&self, index: usize) -> u32 {
        self.segments.get(index).copied().unwrap_or(0)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion { text: text.to_owned() };
        let segments = text
            .split('.')
            .map(|segment| {
                // `parse` alone would take a plus sign.
                let digits = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| segment.parse().ok()).flatten()
            })
            .collect::<Option<Vec<u32>>>()
            .ok_or_else(invalid)?;
        if !(2..=4).contains(&segments.len()) {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.segments.len().max(other.segments.len());
        (0..length)
            .map(|index| self.segment(index).cmp(&other.segment(index)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, order: Ordering) {
        let left: Version = left.parse().expect("left is a version");
        let right: Version = right.parse().expect("right is a version");
        assert_eq!(left.cmp(&right), order);
    }

    #[test]
    fn compares_by_segment() {
        check("6.3", "6.3.0.0", Ordering::Equal);
        check("10.0", "9.9.9.9", Ordering::Greater);
        check("6.3.1.1", "7.0.0.9", Ordering::Less);
        check("8.0.1", "8.0.1.1", Ordering::Less);
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "8", "8.", ".8", "8.0.x", "v8.0", "8.0.1.1.1", "+8.0", "8 .0", "8.0 ", "99999999999.0", "８.0"]
        {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
