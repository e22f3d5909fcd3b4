//! How long the policy of an AD FS farm asked for no second factor, as far as this process saw it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Gaps that are open, by the host on which the policy was changed.
#[derive(Debug, Default)]
pub struct Gap(Mutex<HashMap<String, Duration>>);

impl Gap {
    /// A gap starts; one that is open already keeps its start.
    pub fn start(&self, host: &str, now: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(host.to_ascii_lowercase()).or_insert(now);
    }

    /// A gap ends: how long it was, when its start was seen.
    pub fn end(&self, host: &str, now: Duration) -> Option<Duration> {
        let started = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&host.to_ascii_lowercase());
        started.map(|started| now.saturating_sub(started))
    }
}
