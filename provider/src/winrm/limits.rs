//! How many connections may be open: to one host, and by all sessions that share a budget.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::winrm::connections::Connections;

/// The limits of one session.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections to the host.
    pub per_host: usize,
    /// Connections to all hosts.
    pub in_all: Budget,
}

/// Connections to one host unless it is said otherwise. Windows allows 300 in all (`MaxConnections`); other clients want
/// some too.
pub const DEFAULT_PER_HOST: usize = 4;

/// Connections to all hosts unless it is said otherwise. Most programs may have 1,024 files open. With fewer than one for
/// each host of a refresh, hosts take connections from each other, and every one that is opened again costs a logon.
pub const DEFAULT_IN_ALL: usize = 256;

impl Default for Limits {
    fn default() -> Self {
        Self { per_host: DEFAULT_PER_HOST, in_all: Budget::new(DEFAULT_IN_ALL) }
    }
}

/// The right to have one connection open.
pub type Share = OwnedSemaphorePermit;

/// A number of connections that clones share. An open connection counts, whether it is in use or kept.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    size: usize,
    permits: Arc<Semaphore>,
    /// How many wait for a share. While somebody does, nothing is kept.
    waiting: AtomicUsize,
    /// Who may keep unused connections.
    keepers: Mutex<Vec<Weak<Connections>>>,
}

impl Budget {
    /// This many connections, at least one.
    pub fn new(size: usize) -> Self {
        let size = size.max(1);
        let permits = Arc::new(Semaphore::new(size));
        Self(Arc::new(Shared { size, permits, waiting: AtomicUsize::new(0), keepers: Mutex::default() }))
    }

    /// Waits until one more connection may be open. One that is kept unused is closed for it.
    ///
    /// Who holds a share waits for nothing but its host's answer, so every wait ends.
    pub(crate) async fn take(&self) -> Share {
        if let Some(permit) = self.try_take() {
            return permit;
        }
        let _waiting = Waiting::new(&self.0.waiting);
        // After the count was raised: a connection that is given back from now on is not kept. Each that waits closes one
        // at most, so no more logons are lost than have to be.
        let _ = self.keepers().iter().filter_map(Weak::upgrade).any(|keeper| keeper.close_longest_idle());
        Arc::clone(&self.0.permits).acquire_owned().await.expect("the semaphore is never closed")
    }

    pub(crate) fn try_take(&self) -> Option<Share> {
        Arc::clone(&self.0.permits).try_acquire_owned().ok()
    }

    /// Whether somebody waits, so that nothing may be kept.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.waiting.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn register(&self, keeper: Weak<Connections>) {
        let mut keepers = self.keepers();
        keepers.retain(|keeper| keeper.strong_count() > 0);
        keepers.push(keeper);
    }

    fn keepers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Connections>>> {
        self.0.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Budget({})", self.0.size)
    }
}

/// Counts one that waits, also when it gives up.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(crate) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
