//! The connections to one host: a few, each used by one exchange at a time, unused ones kept.
//!
//! A command holds no connection between its exchanges. So one that waits for somebody else, such as for the reader of
//! what it sends, keeps nobody from a connection, and limits cannot make commands wait for each other in a circle. The
//! one exception has nothing to wait for: input that has been sealed before its turn and is sent at once, and that is done
//! only while nobody waits for a connection.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use roxmltree::Document;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::winrm::ahead::Next;
use crate::winrm::connection::{Connection, Reply};
use crate::winrm::endpoint::{Endpoint, Transport};
use crate::winrm::error::{Error, Kind, Operation, Started};
use crate::winrm::limits::Waiting;
use crate::winrm::logon::{Another, Logon};
use crate::winrm::tls::Tls;

/// All connections of a session.
pub struct Connections {
    endpoint: Arc<Endpoint>,
    tls: OnceCell<Tls>,
    /// Who may run a command.
    commands: Arc<Semaphore>,
    /// Who may use a connection.
    places: Arc<Semaphore>,
    /// How many wait for a place.
    waiting: AtomicUsize,
    /// Never more than there are places: an exchange takes from here before it opens a new one.
    idle: Mutex<Vec<Connection>>,
    /// The host has refused a message that came with a logon.
    logon_alone: AtomicBool,
    /// The shortest time between a message and its answer, in microseconds.
    quickest: AtomicU64,
}

/// The right to exchange messages, over whichever connection is free.
pub struct Lease {
    connections: Arc<Connections>,
    /// Absent for cleaning up.
    command: Option<OwnedSemaphorePermit>,
    /// With the connection on which the next message has been sealed already; nobody else can use that one.
    held: Option<Place>,
}

/// One exchange's connection, which is opened when none was kept.
struct Place {
    connections: Arc<Connections>,
    connection: Option<Connection>,
    /// Absent for cleaning up while all are taken.
    place: Option<OwnedSemaphorePermit>,
    /// Nothing is waited for longer than [`A_MOMENT`].
    at_once: bool,
}

/// How many commands run in a shell at once. Windows allows 25 processes (`MaxProcessesPerShell`).
const MAXIMUM_COMMANDS: usize = 12;

/// How long cleaning waits for others before it goes beyond the limits. A run's end has less than two seconds.
const A_MOMENT: Duration = Duration::from_millis(300);

async fn soon<T>(wanted: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(A_MOMENT, wanted).await.ok()
}

impl Connections {
    /// No connection yet.
    pub fn new(endpoint: Arc<Endpoint>) -> Arc<Self> {
        let connections = Arc::new(Self {
            commands: Arc::new(Semaphore::new(MAXIMUM_COMMANDS)),
            places: Arc::new(Semaphore::new(endpoint.limits.per_host.max(1))),
            waiting: AtomicUsize::new(0),
            tls: OnceCell::new(),
            idle: Mutex::default(),
            logon_alone: AtomicBool::new(false),
            quickest: AtomicU64::new(u64::MAX),
            endpoint,
        });
        connections.endpoint.limits.in_all.register(Arc::downgrade(&connections));
        connections
    }

    /// Waits until a command may run.
    pub async fn lease(self: &Arc<Self>) -> Lease {
        let command = Arc::clone(&self.commands).acquire_owned().await.expect("the semaphore is never closed");
        Lease { connections: Arc::clone(self), command: Some(command), held: None }
    }

    /// A lease for what cannot wait for long, beyond the limits if need be: commands that run for long must not keep others
    /// from being ended.
    pub fn lease_for_cleaning(self: &Arc<Self>) -> Lease {
        Lease { connections: Arc::clone(self), command: None, held: None }
    }

    /// Opens a connection and keeps it, unless one is kept. Nothing is sent over it.
    pub async fn connect(self: &Arc<Self>) -> Result<(), Error> {
        let mut place = self.place().await;
        if !place.connection.as_ref().is_some_and(Connection::is_usable) {
            place.connection = None;
            place.connection = Some(self.open(false).await?);
        }
        Ok(())
    }

    /// The shortest time that a message and its answer took, which is the round trip and a little of the host; none before
    /// the first.
    pub fn round_trip(&self) -> Option<Duration> {
        Some(self.quickest.load(Ordering::Relaxed)).filter(|&quickest| quickest < u64::MAX).map(Duration::from_micros)
    }

    /// Closes the unused connections.
    pub fn close_idle(&self) {
        // Closed outside of the lock.
        let closed = std::mem::take(&mut *self.idle());
        drop(closed);
    }

    /// Closes one of the unused connections; whether there was one.
    pub(crate) fn close_longest_idle(&self) -> bool {
        let closed = {
            let mut idle = self.idle();
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        closed.is_some()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    async fn place(self: &Arc<Self>) -> Place {
        let place = self.waited_for().await;
        Place { connections: Arc::clone(self), connection: self.idle().pop(), place: Some(place), at_once: false }
    }

    /// Waits a moment for a place, and does without when there is none.
    async fn place_soon(self: &Arc<Self>) -> Place {
        let place = soon(self.waited_for()).await;
        Place { connections: Arc::clone(self), connection: self.idle().pop(), place, at_once: true }
    }

    async fn waited_for(&self) -> OwnedSemaphorePermit {
        let _waiting = Waiting::new(&self.waiting);
        Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Whether somebody would get on if a connection were given back.
    fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0 || self.endpoint.limits.in_all.is_wanted()
    }

    /// Whether a refused logon is worth another one.
    fn is_worth_another(&self, connection: &Connection, error: &Error) -> bool {
        let Some(another) = connection.another() else { return false };
        match another {
            Another::LoggingOnAlone => {
                tracing::info!(host = %error.host, error = %error.kind, "logging on again, without a message");
                // From now on no message comes with a logon.
                self.logon_alone.store(true, Ordering::Relaxed);
            }
            Another::NewTicket => {
                tracing::info!(host = %error.host, error = %error.kind, "logging on again, with a new ticket");
            }
        }
        true
    }

    /// Opens a connection, once the budget has a share for it. Nothing is held that the others could wait for.
    async fn open(&self, at_once: bool) -> Result<Connection, Error> {
        let endpoint = &self.endpoint;
        let budget = &endpoint.limits.in_all;
        let share = if at_once { soon(budget.take()).await } else { Some(budget.take().await) };
        let tls = match &endpoint.transport {
            Transport::Http => None,
            Transport::Https(options) => {
                let tls = self
                    .tls
                    .get_or_try_init(async || Tls::new(&endpoint.host, options, endpoint.client_certificate()))
                    .await
                    .map_err(|kind| Error::before_start(&endpoint.host, Operation::Connect, kind))?;
                Some(tls)
            }
        };
        let logon = if self.logon_alone.load(Ordering::Relaxed) { Logon::Alone } else { Logon::WithMessage };
        Connection::open(endpoint, tls, share, logon).await
    }
}

impl Lease {
    /// Waits for a connection, sends a message, waits for the reply and reads what it says.
    pub async fn exchange<T>(
        &mut self,
        operation: Operation,
        message: String,
        read: impl FnOnce(&Document<'_>) -> Result<T, Kind>,
    ) -> Result<T, Error> {
        self.exchange_before(operation, Bytes::from(message), None, read).await
    }

    /// As [`Lease::exchange`]; meanwhile `next` makes the message after it, which should be sent at once.
    pub async fn exchange_before<T>(
        &mut self,
        operation: Operation,
        message: Bytes,
        next: Option<Next<'_>>,
        read: impl FnOnce(&Document<'_>) -> Result<T, Kind>,
    ) -> Result<T, Error> {
        let mut place = match (self.held.take(), &self.command) {
            (Some(held), _) => held,
            (None, Some(_)) => self.connections.place().await,
            (None, None) => self.connections.place_soon().await,
        };
        let next = next.filter(|_| !self.connections.are_wanted());
        let reply = place.exchange(operation, message, next).await?;
        // Others may have the connection while the reply is read.
        let held = Some(place).filter(Place::has_sealed_ahead);
        let read = reply.document().and_then(|document| read(&document));
        // After anything else the next message is another one.
        if matches!(read, Ok(_) | Err(Kind::TimedOut(_))) {
            self.held = held;
        }
        read.map_err(|kind| Error::new(&self.connections.endpoint.host, operation, kind))
    }
}

impl Place {
    fn has_sealed_ahead(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::has_sealed_ahead)
    }

    /// A connection that was kept and turns out dead is replaced, and the message sent again, only when it certainly did
    /// not reach the service.
    async fn exchange(&mut self, operation: Operation, message: Bytes, next: Option<Next<'_>>) -> Result<Reply, Error> {
        if let Some(kept) = self.connection.as_mut().filter(|kept| kept.is_usable_for(&message)) {
            let proven = kept.has_answered();
            match kept.exchange(operation, message.clone(), next).await {
                Err(error) if self.connections.is_worth_another(kept, &error) => {}
                Err(error) if is_stale(&error, proven) => {
                    tracing::info!(
                        host = %error.host, %operation, error = %error.kind, "sending it again over a new connection"
                    );
                }
                result => return result,
            }
        }
        self.connection = None;
        let connection = self.connection.insert(self.connections.open(self.at_once).await?);
        match connection.exchange(operation, message.clone(), None).await {
            Err(error) if self.connections.is_worth_another(connection, &error) => {}
            result => return result,
        }
        self.connection.insert(self.connections.open(self.at_once).await?).exchange(operation, message, None).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(quickest) = self.connection.as_ref().and_then(Connection::quickest) {
            self.connections.quickest.fetch_min(quickest.as_micros() as u64, Ordering::Relaxed);
        }
        let usable = self.connection.take().filter(|connection| connection.is_usable() && connection.is_counted());
        let (Some(connection), Some(_)) = (usable, &self.place) else { return };
        // Whether somebody wants the share is asked under the lock under which `close_longest_idle` looks: it either finds the
        // connection, or was waiting already.
        let mut idle = self.connections.idle();
        if !self.connections.endpoint.limits.in_all.is_wanted() {
            idle.push(connection);
        }
    }
}

/// Whether a kept connection failed because the host had forgotten it. A refusal says so only on a connection that was
/// logged on; on one that was merely opened it is about the credentials, which must not be tried twice.
fn is_stale(error: &Error, proven: bool) -> bool {
    error.started == Started::NotStarted
        && match error.kind {
            Kind::ConnectionLost(_) => true,
            Kind::Unauthorized { .. } => proven,
            _ => false,
        }
}
