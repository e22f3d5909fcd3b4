//! The connections to one host: a few, each leased to one task at a time, unused ones kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::winrm::connection::{Connection, Logon, Reply};
use crate::winrm::endpoint::{Endpoint, Transport};
use crate::winrm::error::{Error, Kind, Operation, Started};
use crate::winrm::tls::Tls;

/// All connections of a session.
pub struct Connections {
    endpoint: Arc<Endpoint>,
    tls: OnceCell<Tls>,
    permits: Arc<Semaphore>,
    /// Never more than there are permits: a lease takes from here before it opens a new one.
    idle: Mutex<Vec<Connection>>,
    /// The host has refused a message that came with a logon.
    logon_alone: AtomicBool,
}

/// The right to use one connection, which is opened with the first request.
pub struct Lease {
    connections: Arc<Connections>,
    connection: Option<Connection>,
    /// Absent for cleaning up while all permits are taken.
    permit: Option<OwnedSemaphorePermit>,
}

/// Windows allows 300 connections in all (`MaxConnections`); other clients want some too.
const MAXIMUM_CONNECTIONS: usize = 4;

impl Connections {
    /// No connection yet.
    pub fn new(endpoint: Arc<Endpoint>) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            tls: OnceCell::new(),
            permits: Arc::new(Semaphore::new(MAXIMUM_CONNECTIONS)),
            idle: Mutex::default(),
            logon_alone: AtomicBool::new(false),
        })
    }

    /// Waits until one of the connections is free.
    pub async fn lease(self: &Arc<Self>) -> Lease {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        self.lease_with(Some(permit))
    }

    /// A lease at once, beyond the limit if need be: commands that run for long must not keep
    /// others from being ended.
    pub fn lease_for_cleaning(self: &Arc<Self>) -> Lease {
        self.lease_with(Arc::clone(&self.permits).try_acquire_owned().ok())
    }

    fn lease_with(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Lease {
        let connection = self.idle().pop();
        Lease { connections: Arc::clone(self), connection, permit }
    }

    /// Closes the unused connections.
    pub fn close_idle(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Connection, Error> {
        let tls = match &self.endpoint.transport {
            Transport::Http => None,
            Transport::Https(options) => {
                let tls = self
                    .tls
                    .get_or_try_init(async || Tls::new(&self.endpoint.host, options))
                    .await
                    .map_err(|kind| Error::before_start(&self.endpoint.host, Operation::Connect, kind))?;
                Some(tls)
            }
        };
        let logon = if self.logon_alone.load(Ordering::Relaxed) { Logon::Alone } else { Logon::WithMessage };
        Connection::open(&self.endpoint, tls, logon).await
    }
}

impl Lease {
    /// Sends a message and waits for the reply.
    ///
    /// A connection that was kept and turns out dead is replaced, and the message sent again, only
    /// when it certainly did not reach the service.
    pub async fn exchange(&mut self, operation: Operation, message: String) -> Result<Reply, Error> {
        let message = Bytes::from(message);
        if let Some(kept) = self.connection.as_mut().filter(|kept| kept.is_usable()) {
            match kept.exchange(operation, message.clone()).await {
                Err(error) if is_stale(&error) => {
                    tracing::debug!(host = %error.host, %operation, "replacing a stale connection");
                }
                result => return result,
            }
        }
        self.connection = None;
        let connection = self.connection.insert(self.connections.open().await?);
        match connection.exchange(operation, message.clone()).await {
            Err(error) if connection.wants_logon_alone() => {
                tracing::debug!(host = %error.host, error = %error.kind, "logging on again, without a message");
                self.connections.logon_alone.store(true, Ordering::Relaxed);
            }
            result => return result,
        }
        self.connection.insert(self.connections.open().await?).exchange(operation, message).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.is_usable()
            && self.permit.is_some()
        {
            self.connections.idle().push(connection);
        }
    }
}

/// Whether a kept connection failed because the host had forgotten it.
fn is_stale(error: &Error) -> bool {
    error.started == Started::NotStarted && matches!(error.kind, Kind::ConnectionLost(_) | Kind::Unauthorized { .. })
}
