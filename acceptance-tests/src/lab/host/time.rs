//! Times as the lab's files and the scripts write them: UTC, to the second.

use std::time::SystemTime;

use jiff::Timestamp;

/// The time now, such as `2026-11-01T02:00:00Z`.
pub fn now() -> String {
    format(Timestamp::now())
}

/// A time of a file.
pub fn of(time: SystemTime) -> String {
    Timestamp::try_from(time).map(format).unwrap_or_default()
}

/// The time now as names of folders have it, such as `20261101T020000Z`, some seconds later.
pub fn stamp(seconds_later: u32) -> String {
    let time = Timestamp::now() + jiff::SignedDuration::from_secs(seconds_later.into());
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The last whole multiple of a period since 1970.
pub fn last_multiple(period_seconds: i64) -> String {
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now - now.rem_euclid(period_seconds.max(1))).map(format).unwrap_or_default()
}

/// Some seconds after now, or before it when negative.
pub fn ahead(seconds: i64) -> String {
    format(Timestamp::now() + jiff::SignedDuration::from_secs(seconds))
}

/// The seconds since 1970 of a time that is written so; none of any other text.
pub fn seconds(text: &str) -> Option<i64> {
    let time = text.parse::<Timestamp>().ok().filter(|time| format(*time) == text)?;
    Some(time.as_second())
}

/// Some seconds before now.
pub fn ago(seconds: u32) -> String {
    format(Timestamp::now() - jiff::SignedDuration::from_secs(seconds.into()))
}

fn format(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
