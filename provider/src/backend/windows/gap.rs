//! How long the policy of an AD FS farm asked for no second factor, as far as this process saw it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::address;

/// Gaps that are open, by the host on which the policy was changed.
#[derive(Debug, Default)]
pub struct Gap(Mutex<HashMap<String, Open>>);

#[derive(Debug)]
struct Open {
    since: Duration,
    start_was_seen: bool,
}

/// A gap that has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub length: Duration,
    /// False when the policy had been changed before, so that the gap was longer.
    pub start_was_seen: bool,
}

impl Gap {
    /// A gap starts; one that is open already keeps its start.
    pub fn start(&self, host: &str, now: Duration, start_was_seen: bool) {
        let open = Open { since: now, start_was_seen };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(address::key(host)).or_insert(open);
    }

    /// A gap ends: how long it was, when it was seen open.
    pub fn end(&self, host: &str, now: Duration) -> Option<Ended> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&address::key(host))?;
        Some(Ended { length: now.saturating_sub(open.since), start_was_seen: open.start_was_seen })
    }
}
