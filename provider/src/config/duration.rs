//! Durations as Terraform's users write them: `30s`, `5m`, `1h30m`.

use std::time::Duration;

/// Text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration; accepted are whole numbers with a unit, largest first, such as 30s, 5m or 1h30m")]
pub struct InvalidDuration {
    text: String,
}

const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// Reads a duration longer than zero.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    seconds(text)
        .filter(|&seconds| seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| InvalidDuration { text: text.to_owned() })
}

fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, length) in UNITS {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(unit) {
            let number: u64 = rest[..digits].parse().ok()?;
            total = total.checked_add(number.checked_mul(length)?)?;
            rest = &rest[digits + 1..];
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_users_write() {
        for (text, expected) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h0m5s", 3605)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(expected)), "{text}");
        }
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "0s", "5", "m", "5x", "5s5m", "-5s", "1.5h", "5 m", "99999999999999999999h", "5m5m"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
