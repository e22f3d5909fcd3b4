//! The sessions that are open, by host and port, and the workers that wait in them.
//!
//! A session is a way to one listener. Were it kept by the host alone, then of two sets that name a host with different
//! ports the one read first would decide where both go, and a wrong port would show in some runs only. What belongs to
//! the host itself is kept by its name elsewhere: answers, changes, and refusals of credentials. A limit on connections
//! to a host counts for each of its ports; Windows allows far more than both take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;

use crate::address;
use crate::backend::windows::worker::Worker;
use crate::winrm::endpoint::Endpoint;
use crate::winrm::session::Session;

/// Open sessions. One that nobody visits for a while is closed.
pub struct Hosts {
    idle_after: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<Place, Open>,
    /// Counts visits, so that a session knows whether it was visited since.
    visits: u64,
}

/// A host's name, as a key, and a port.
type Place = (String, u16);

struct Open {
    session: Session,
    /// The last one back serves first: it has what was used last.
    waiting: Vec<Worker>,
    /// How often what workers have read was made stale.
    changes: u64,
    visitors: usize,
    last_visit: u64,
}

/// The use of a host's session; while one lives, the session is not idle.
pub struct Visit {
    hosts: Arc<Hosts>,
    place: Place,
    pub session: Session,
    changes: u64,
}

/// How many workers of a host may wait: a step's, and one for the renewals of the lease beside it.
const WAITING_WORKERS: usize = 2;

impl Hosts {
    /// No session yet.
    pub fn new(idle_after: Duration) -> Arc<Self> {
        Arc::new(Self { idle_after, state: Mutex::default() })
    }

    /// Visits a host; its session is made when there is none, and only then `endpoint` is asked. Nothing is connected.
    pub fn enter<E>(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        endpoint: impl FnOnce() -> Result<Endpoint, E>,
    ) -> Result<Visit, E> {
        let place = (address::key(host), port);
        let mut state = self.state();
        state.visits += 1;
        let visit = state.visits;
        let open = match state.open.entry(place.clone()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => {
                let session = Session::new(endpoint()?);
                vacant.insert(Open { session, waiting: Vec::new(), changes: 0, visitors: 0, last_visit: 0 })
            }
        };
        open.visitors += 1;
        open.last_visit = visit;
        let changes = open.changes;
        Ok(Visit { hosts: Arc::clone(self), session: open.session.clone(), place, changes })
    }

    /// The round trip to a host, as its session has seen it.
    pub fn round_trip(&self, host: &str, port: u16) -> Option<Duration> {
        self.state().open.get(&(address::key(host), port)).and_then(|open| open.session.round_trip())
    }

    /// Closes every session, with whatever runs in it.
    pub async fn close(&self) {
        let open: Vec<Open> = self.state().open.drain().map(|(_, open)| open).collect();
        join_all(open.into_iter().map(Open::close)).await;
    }

    /// Closes the session after a while, unless somebody came since.
    fn close_when_idle(self: &Arc<Self>, place: Place, last_visit: u64) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (hosts, idle_after) = (Arc::downgrade(self), self.idle_after);
        runtime.spawn(async move {
            tokio::time::sleep(idle_after).await;
            let idle = Weak::upgrade(&hosts).and_then(|hosts| hosts.take_idle(&place, last_visit));
            if let Some(open) = idle {
                tracing::debug!(host = place.0, port = place.1, "closing an idle session");
                open.close().await;
            }
        });
    }

    fn take_idle(&self, place: &Place, last_visit: u64) -> Option<Open> {
        let mut state = self.state();
        let idle = state.open.get(place).is_some_and(|open| open.visitors == 0 && open.last_visit == last_visit);
        if idle { state.open.remove(place) } else { None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    async fn close(self) {
        self.session.close().await;
        self.waiting.into_iter().for_each(Worker::leave);
    }
}

impl Visit {
    /// A worker that waits, fit to serve.
    pub fn worker(&self) -> Option<Worker> {
        let mut unfit = Vec::new();
        let mut state = self.hosts.state();
        let waiting = &mut self.open(&mut state)?.waiting;
        let found = loop {
            match waiting.pop() {
                Some(worker) if !worker.is_fit() => unfit.push(worker),
                found => break found,
            }
        };
        // What is dropped ends on the host, which must not happen under the lock.
        drop(state);
        found
    }

    /// Ends all workers that wait, and lets none wait that may have been started before: they have read what is now changed.
    pub fn end_workers(&self) {
        let mut state = self.hosts.state();
        let Some(open) = self.open(&mut state) else { return };
        open.changes += 1;
        let ended = std::mem::take(&mut open.waiting);
        drop(state);
        drop(ended);
    }

    /// Lets a worker wait for the next call; one too many, or one that is not fit any more, ends.
    pub fn keep(&self, worker: Worker) {
        let mut state = self.hosts.state();
        match self.open(&mut state) {
            Some(open) if worker.is_fit() && open.changes == self.changes && open.waiting.len() < WAITING_WORKERS => {
                open.waiting.push(worker);
            }
            _ => {
                drop(state);
                drop(worker);
            }
        }
    }
}

impl Visit {
    /// None once all sessions were closed, or when another one was opened since.
    fn open<'s>(&self, state: &'s mut State) -> Option<&'s mut Open> {
        state.open.get_mut(&self.place).filter(|open| open.session.is(&self.session))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.hosts.state();
        let Some(open) = self.open(&mut state) else { return };
        open.visitors -= 1;
        let (visitors, last_visit) = (open.visitors, open.last_visit);
        drop(state);
        if visitors == 0 {
            self.hosts.close_when_idle(self.place.clone(), last_visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::winrm::endpoint::{Authentication, DEFAULT_PATH, Timeouts, Transport};
    use crate::winrm::limits::Limits;

    const HOST: &str = "mfa01.contoso.com";

    fn enter(hosts: &Arc<Hosts>) -> Visit {
        enter_at(hosts, HOST, 5985)
    }

    fn enter_at(hosts: &Arc<Hosts>, host: &str, port: u16) -> Visit {
        let endpoint = Endpoint {
            host: host.to_owned(),
            port,
            transport: Transport::Http,
            path: DEFAULT_PATH.to_owned(),
            proxy: None,
            authentication: Authentication::Ntlm { username: "admin".to_owned(), password: Secret::new("x") },
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        };
        hosts.enter(host, port, || Ok::<_, ()>(endpoint)).expect("an endpoint")
    }

    async fn is_open_after(hosts: &Hosts, milliseconds: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        !hosts.state().open.is_empty()
    }

    #[tokio::test]
    async fn closes_what_nobody_visits() {
        let hosts = Hosts::new(Duration::from_millis(40));
        let (first, second) = (enter(&hosts), enter(&hosts));
        assert!(first.session.is(&second.session));
        drop(first);
        assert!(is_open_after(&hosts, 120).await, "there is a visitor");
        drop(second);
        assert!(is_open_after(&hosts, 5).await, "it waits a while");
        drop(enter(&hosts));
        assert!(!is_open_after(&hosts, 400).await);
    }

    #[tokio::test]
    async fn a_host_has_one_session_for_each_port() {
        let hosts = Hosts::new(Duration::from_secs(60));
        let first = enter_at(&hosts, HOST, 5985);
        assert!(first.session.is(&enter_at(&hosts, "MFA01.contoso.com", 5985).session));
        assert!(!first.session.is(&enter_at(&hosts, HOST, 5986).session));
    }

    #[tokio::test]
    async fn a_visit_of_a_closed_session_leaves_the_next_one_alone() {
        let hosts = Hosts::new(Duration::from_millis(40));
        let old = enter(&hosts);
        hosts.close().await;
        let new = enter(&hosts);
        assert!(!old.session.is(&new.session));
        drop(old);
        assert!(is_open_after(&hosts, 200).await, "the new one has a visitor");
    }
}
