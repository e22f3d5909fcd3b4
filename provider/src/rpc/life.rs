//! The life of the process: what runs, who is connected, what asks it to stop, and when it may end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why the process ends, in rising order of hurry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The client is gone: its process died or its last connection closed.
    Orphaned,
    /// A signal asked for the end.
    Terminated,
    /// The client sent Shutdown and kills what still lives two seconds later.
    Shutdown,
}

impl Ending {
    /// How long operations that run may take to come to a safe point.
    fn grace(self) -> Duration {
        match self {
            Self::Orphaned | Self::Terminated => Duration::from_secs(600),
            Self::Shutdown => Duration::from_millis(1200),
        }
    }

    /// How long what is open on hosts may take to be closed once nothing runs, `waited` after the end was asked for.
    fn time_to_close(self, waited: Duration) -> Duration {
        match self {
            Self::Orphaned | Self::Terminated => Duration::from_secs(30),
            Self::Shutdown => Duration::from_millis(1700).saturating_sub(waited),
        }
    }
}

/// Shared by all services of the process.
#[derive(Debug)]
pub struct Life {
    /// Parent of all stop tokens; cancelled once, at the end.
    everything: CancellationToken,
    /// What operations that start now listen to.
    current: Mutex<CancellationToken>,
    operations: watch::Sender<usize>,
    connections: watch::Sender<Connections>,
    ending: watch::Sender<Option<(Ending, Instant)>>,
}

/// Connections, now and ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    pub open: usize,
    pub total: usize,
}

impl Default for Life {
    fn default() -> Self {
        let everything = CancellationToken::new();
        Self {
            current: Mutex::new(everything.child_token()),
            everything,
            operations: watch::Sender::new(0),
            connections: watch::Sender::new(Connections::default()),
            ending: watch::Sender::new(None),
        }
    }
}

impl Life {
    /// The token that an operation starting now must listen to.
    pub fn stop_token(&self) -> CancellationToken {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks all running operations to stop; those that start later are not concerned.
    pub fn stop_running(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, self.everything.child_token()).cancel();
    }

    /// Asks everything to stop, for good, and the process to end when it has. The greatest hurry wins.
    pub fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|current| {
            let hurries = current.is_none_or(|(current, _)| current < ending);
            if hurries {
                *current = Some((ending, Instant::now()));
            }
            hurries
        });
        self.everything.cancel();
    }

    /// Counts an operation until the mark is dropped.
    pub fn operation(self: &Arc<Self>) -> Mark {
        self.operations.send_modify(|running| *running += 1);
        Mark(Arc::clone(self), |life| life.operations.send_modify(|running| *running -= 1))
    }

    /// Counts a connection until the mark is dropped.
    pub fn connection(self: &Arc<Self>) -> Mark {
        self.connections.send_modify(|connections| {
            connections.open += 1;
            connections.total += 1;
        });
        Mark(Arc::clone(self), |life| life.connections.send_modify(|connections| connections.open -= 1))
    }

    /// Changes of the connections.
    pub fn connections(&self) -> watch::Receiver<Connections> {
        self.connections.subscribe()
    }

    /// Waits until the end has been asked for.
    pub async fn ending(&self) {
        let mut ending = self.ending.subscribe();
        ending.wait_for(Option::is_some).await.expect("the sender lives as long as self");
    }

    /// Waits until the process may end: an end was asked for, and nothing runs or its time is over.
    pub async fn may_end(&self) {
        self.ending().await;
        let mut ending = self.ending.subscribe();
        loop {
            let Some((reason, since)) = *ending.borrow_and_update() else { return };
            tokio::select! {
                () = self.idle() => return,
                () = tokio::time::sleep_until(since + reason.grace()) => return,
                _ = ending.changed() => {}
            }
        }
    }

    /// How long what is open on hosts may take to be closed now.
    pub fn time_to_close(&self) -> Duration {
        self.ending.borrow().map_or(Duration::ZERO, |(reason, since)| reason.time_to_close(since.elapsed()))
    }

    async fn idle(&self) {
        let mut operations = self.operations.subscribe();
        operations.wait_for(|running| *running == 0).await.expect("the sender lives as long as self");
    }
}

/// Something that counts while it exists.
#[derive(Debug)]
pub struct Mark(Arc<Life>, fn(&Life));

impl Drop for Mark {
    fn drop(&mut self) {
        (self.1)(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_concerns_only_what_runs() {
        let life = Life::default();
        let before = life.stop_token();
        life.stop_running();
        let after = life.stop_token();
        assert!(before.is_cancelled() && !after.is_cancelled());
        life.end(Ending::Terminated);
        assert!(after.is_cancelled() && life.stop_token().is_cancelled());
    }

    #[tokio::test]
    async fn the_end_waits_for_operations_as_long_as_its_reason_allows() {
        let life = Arc::new(Life::default());
        let operation = life.operation();
        life.end(Ending::Terminated);
        let long = tokio::time::timeout(Duration::from_millis(50), life.may_end()).await;
        assert!(long.is_err(), "an operation runs");
        life.end(Ending::Shutdown);
        // A lesser reason does not take the hurry away.
        life.end(Ending::Orphaned);
        let start = Instant::now();
        life.may_end().await;
        assert!(start.elapsed() < Duration::from_secs(2));
        drop(operation);
        let start = Instant::now();
        life.may_end().await;
        assert!(start.elapsed() < Duration::from_millis(500));
    }
}
