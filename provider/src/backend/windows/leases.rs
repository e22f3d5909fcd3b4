//! The leases that this run has on hosts: taken when none is held, renewed beside whatever runs there, given back by the
//! last set that needs one.
//!
//! A run that is killed cannot give its leases back, so one that is not renewed ends by itself. Whether a run is alive shows
//! in whether it renews.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::address::{self, HostAddress};
use crate::backend::error::Cause;
use crate::backend::windows::clock::Clock;
use crate::backend::windows::leftovers;
use crate::backend::windows::renewal::{Asking, Renewal};
use crate::backend::windows::runner::Runner;

/// How long giving back takes at most, while a host is silent.
const GIVING_BACK: Duration = Duration::from_secs(30);

/// The same after a failure to take it, when it may have been taken all the same.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The same when the process has to end: closing shells needs what is left of its time.
const AT_THE_END: Duration = Duration::from_millis(300);

/// The leases of one run.
pub struct Leases {
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    run: Uuid,
    owner: String,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Default)]
struct Host {
    /// Locked while the lease is taken or given back.
    held: tokio::sync::Mutex<Option<Held>>,
    /// Why it is not this run's any more.
    lost: Arc<Mutex<Option<Cause>>>,
}

/// A lease that this run has taken.
struct Held {
    /// The sets that need it; the first is named on the host.
    sets: Vec<String>,
    renewal: Renewal,
}

impl Leases {
    /// No lease yet. `owner` tells people on other machines whose run this is.
    pub fn new(runner: Arc<dyn Runner>, clock: Arc<dyn Clock>, owner: String) -> Self {
        Self { runner, clock, run: Uuid::new_v4(), owner, hosts: Mutex::default() }
    }

    /// The run, as its leases name it.
    pub fn run(&self) -> Uuid {
        self.run
    }

    /// The same for another owner.
    #[must_use]
    pub fn of(self, owner: String) -> Self {
        Self { owner, ..self }
    }

    /// Takes the lease on a host for a set, or shares the one that is held.
    pub async fn take(&self, at: &HostAddress, set: &str, stop: &CancellationToken) -> Result<(), Cause> {
        let host = self.host(at);
        let mut held = tokio::select! {
            biased;
            held = host.held.lock() => held,
            () = stop.cancelled() => return Err(Cause::Stopped),
        };
        if let Some(held) = held.as_mut() {
            if let Some(lost) = host.lost() {
                return Err(lost);
            }
            held.sets.push(set.to_owned());
            return Ok(());
        }
        let asking = Asking {
            runner: Arc::clone(&self.runner),
            clock: Arc::clone(&self.clock),
            at: at.clone(),
            run: self.run,
            owner: self.owner.clone(),
            set: set.to_owned(),
        };
        let taken = match asking.take(stop).await {
            Ok(taken) => taken,
            Err(cause) => {
                if leftovers::may_be_there(&cause) {
                    asking.release(AFTER_FAILURE).await;
                }
                return Err(cause);
            }
        };
        tracing::info!(host = at.name(), set, "the lease on the host is taken");
        let renewal = Renewal::start(asking, taken, Arc::clone(&host.lost));
        *held = Some(Held { sets: vec![set.to_owned()], renewal });
        Ok(())
    }

    /// Why a lease that was taken is not this run's any more.
    pub fn lost(&self, at: &HostAddress) -> Option<Cause> {
        self.host(at).lost()
    }

    /// Gives a set's share back, and with the last one the lease.
    pub async fn give_back(&self, at: &HostAddress, set: &str) {
        let host = self.host(at);
        let mut place = host.held.lock().await;
        let Some(held) = place.as_mut() else { return };
        if let Some(index) = held.sets.iter().position(|known| known == set) {
            held.sets.remove(index);
        }
        if held.sets.is_empty()
            && let Some(held) = place.take()
        {
            host.release(held, GIVING_BACK).await;
            tracing::info!(host = at.name(), set, "the lease on the host is given back");
        }
    }

    /// Gives back whatever is held, as far as there is time.
    pub async fn end(&self) {
        let hosts: Vec<Arc<Host>> = self.hosts().values().cloned().collect();
        let end = hosts.iter().filter_map(|host| {
            let held = host.held.try_lock().ok()?.take()?;
            Some(host.release(held, AT_THE_END))
        });
        // What is left ends by itself.
        let _ = tokio::time::timeout(AT_THE_END, join_all(end)).await;
    }

    fn host(&self, at: &HostAddress) -> Arc<Host> {
        Arc::clone(self.hosts().entry(address::key(at.name())).or_default())
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Host>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn lost(&self) -> Option<Cause> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn release(&self, held: Held, limit: Duration) {
        let asking = held.renewal.end().await;
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
        asking.release(limit).await;
    }
}
