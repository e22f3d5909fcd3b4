//! Answers about hosts, used again for a while.
//!
//! The core reads the resources of a host one after the other, and one query reads everything, so an answer serves
//! again until this process changes something on the host or the answer is a minute old. Calls in flight are merged: a
//! caller who waited while a query ran takes its outcome, a failure too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::address;
use crate::backend::error::HostError;
use crate::backend::facts::HostFacts;
use crate::backend::windows::clock::Clock;

/// How long an answer serves.
const LIFETIME: Duration = Duration::from_secs(60);

/// What was answered, by host.
pub struct Observations {
    clock: Arc<dyn Clock>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    /// Orders calls and queries; a clock could show the same time twice.
    moments: AtomicU64,
}

#[derive(Default)]
struct Host {
    /// Counts the changes made by this process.
    changes: AtomicU64,
    /// Held while a query runs.
    last: tokio::sync::Mutex<Option<Query>>,
}

struct Query {
    began: u64,
    ended: u64,
    /// The clock's time when it began: what it says is at least that old.
    at: Duration,
    changes: u64,
    outcome: Result<HostFacts, HostError>,
}

impl Observations {
    /// No answers yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, hosts: Mutex::default(), moments: AtomicU64::new(0) }
    }

    /// The last answer about a host if it still serves, else a new one by `read`. With `fresh` only a query that began
    /// after this call serves.
    pub async fn observe<F>(&self, host: &str, fresh: bool, read: impl FnOnce() -> F) -> Result<HostFacts, HostError>
    where
        F: Future<Output = Result<HostFacts, HostError>>,
    {
        let entry = self.entry(host);
        let asked = self.moment();
        let mut last = entry.last.lock().await;
        let changes = entry.changes.load(Ordering::SeqCst);
        if let Some(query) = &*last
            && query.changes == changes
            && self.serves(query, asked, fresh)
        {
            return query.outcome.clone();
        }
        let (began, at) = (self.moment(), self.clock.now());
        let outcome = read().await;
        *last = Some(Query { began, ended: self.moment(), at, changes, outcome: outcome.clone() });
        outcome
    }

    /// What was last read of a host in this process, however old: for what no step changes, as the work folder.
    pub async fn last_known(&self, host: &str) -> Option<HostFacts> {
        let last = self.entry(host);
        let last = last.last.lock().await;
        last.as_ref()?.outcome.as_ref().ok().cloned()
    }

    /// Says that something is, or may have been, changed on a host: no earlier answer serves any more.
    pub fn changed(&self, host: &str) {
        self.entry(host).changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Says that something was changed which other hosts see, as the configuration of a farm.
    pub fn changed_everywhere(&self) {
        for host in self.hosts.lock().unwrap_or_else(PoisonError::into_inner).values() {
            host.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn serves(&self, query: &Query, asked: u64, fresh: bool) -> bool {
        if fresh {
            return query.began > asked;
        }
        let was_in_flight = query.ended > asked;
        let is_young = self.clock.now().saturating_sub(query.at) < LIFETIME;
        was_in_flight || (query.outcome.is_ok() && is_young)
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    fn entry(&self, host: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(address::key(host)).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::error::Cause;
    use crate::backend::windows::tests::{ManualClock, facts};

    struct Fixture {
        clock: Arc<ManualClock>,
        observations: Observations,
        queries: AtomicU64,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::default());
            Self { observations: Observations::new(clock.clone()), clock, queries: AtomicU64::new(0) }
        }

        async fn ask(&self, host: &str, fresh: bool, succeed: bool) {
            let outcome = self.observations.observe(host, fresh, || async {
                self.queries.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                if succeed { Ok(facts()) } else { Err(failure()) }
            });
            assert_eq!(outcome.await.is_ok(), succeed);
        }

        #[track_caller]
        fn queries(&self, expected: u64) {
            assert_eq!(self.queries.load(Ordering::SeqCst), expected);
        }
    }

    fn failure() -> HostError {
        HostError { host: "mfa01".to_owned(), operation: "read the host".to_owned(), cause: Cause::Stopped }
    }

    #[tokio::test]
    async fn an_answer_serves_for_a_minute() {
        let fixture = Fixture::new();
        fixture.ask("mfa01", false, true).await;
        fixture.clock.advance(Duration::from_secs(59));
        fixture.ask("MFA01", false, true).await;
        fixture.queries(1);
        fixture.clock.advance(Duration::from_secs(1));
        fixture.ask("mfa01", false, true).await;
        fixture.queries(2);
    }

    #[tokio::test]
    async fn a_change_ends_it_on_that_host_only() {
        let fixture = Fixture::new();
        fixture.ask("mfa01", false, true).await;
        fixture.ask("mfa02", false, true).await;
        fixture.observations.changed("mfa01");
        fixture.ask("mfa02", false, true).await;
        fixture.queries(2);
        fixture.ask("mfa01", false, true).await;
        fixture.queries(3);
        fixture.observations.changed_everywhere();
        fixture.ask("mfa02", false, true).await;
        fixture.queries(4);
    }

    #[tokio::test]
    async fn a_fresh_call_asks_again() {
        let fixture = Fixture::new();
        fixture.ask("mfa01", false, true).await;
        fixture.ask("mfa01", true, true).await;
        fixture.queries(2);
    }

    #[tokio::test]
    async fn calls_in_flight_are_merged() {
        let fixture = Fixture::new();
        tokio::join!(
            fixture.ask("mfa01", false, true),
            fixture.ask("mfa01", false, true),
            fixture.ask("m2", false, true)
        );
        fixture.queries(2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_in_flight_and_not_kept() {
        let fixture = Fixture::new();
        tokio::join!(fixture.ask("mfa01", false, false), fixture.ask("mfa01", false, false));
        fixture.queries(1);
        fixture.ask("mfa01", false, true).await;
        fixture.queries(2);
    }

    #[tokio::test]
    async fn fresh_calls_share_only_what_began_later() {
        let fixture = Fixture::new();
        tokio::join!(fixture.ask("m", true, true), fixture.ask("m", true, true), fixture.ask("m", true, true));
        fixture.queries(2);
    }
}
