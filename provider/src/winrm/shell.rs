//! The shell on a host in which a session's commands run: opened when needed, replaced when lost,
//! closed when nobody uses it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::winrm::connections::{Connections, Lease};
use crate::winrm::endpoint::Endpoint;
use crate::winrm::error::{Error, Kind, Operation, Started};
use crate::winrm::pause::give_or_take_a_fifth;
use crate::winrm::soap::reply;
use crate::winrm::soap::request::{Sender, upper};

/// A session's side of one host.
pub(crate) struct Host {
    /// The name, for errors and logs.
    pub(crate) name: String,
    /// The connections to it.
    pub(crate) connections: Arc<Connections>,
    /// Writes its requests.
    pub(crate) sender: Sender,
    /// The largest piece of standard input that it has not refused, in bytes.
    pub(crate) piece: AtomicUsize,
    current: Mutex<Option<Arc<Shell>>>,
    /// It has refused an identifier for a shell that is not its own.
    names_shells_itself: AtomicBool,
    /// The ends of commands and shells that nobody waits for.
    cleaning: TaskTracker,
}

/// A shell that was opened. Each command holds it, so that the last one can close it.
pub(crate) struct Shell {
    /// The host's name for it.
    pub(crate) id: String,
    gone: AtomicBool,
}

/// A raw piece of this length becomes a message of 504,000 bytes with what sealing adds. Hosts take
/// 512,000 unless they are told otherwise, but 508,000 have been refused in the field; a host that
/// refuses gets smaller ones.
pub(crate) const LARGEST_PIECE: usize = 368 * 1024;

/// How long a host keeps a shell that nobody uses. It bounds what a killed process leaves behind.
const SHELL_IDLE_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long the end of a session may wait for a host.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often opening a shell is tried while the host has no room for it: others may be closing theirs.
const SHELL_ATTEMPTS: u32 = 3;

/// How often closing a shell is tried.
const DELETE_ATTEMPTS: u32 = 3;

impl Host {
    pub(crate) fn new(endpoint: Endpoint) -> Arc<Self> {
        Arc::new(Self {
            name: endpoint.host.clone(),
            sender: Sender {
                url: endpoint.url(),
                session: Uuid::new_v4(),
                operation_timeout: endpoint.timeouts.held(),
                idle_timeout: SHELL_IDLE_TIMEOUT,
            },
            connections: Connections::new(Arc::new(endpoint)),
            piece: AtomicUsize::new(LARGEST_PIECE),
            current: Mutex::new(None),
            names_shells_itself: AtomicBool::new(false),
            cleaning: TaskTracker::new(),
        })
    }

    /// The open shell, or a new one. None is opened for a caller that has gone away: after it the session itself may
    /// have been closed, and nobody would close the shell.
    pub(crate) async fn shell(
        self: &Arc<Self>,
        lease: &mut Lease,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Arc<Shell>, Error> {
        let mut current = self.current.lock().await;
        if !is_wanted() {
            return Err(Error::before_start(&self.name, Operation::CreateShell, Kind::ConnectionLost(None)));
        }
        if let Some(shell) = current.as_ref().filter(|shell| !shell.is_gone()) {
            return Ok(Arc::clone(shell));
        }
        let mut attempt = 1;
        let shell = loop {
            match self.create(lease).await {
                Err(error) if is_passing(&error.kind) && attempt < SHELL_ATTEMPTS => {
                    tracing::info!(host = %self.name, attempt, error = %error.kind, "waiting for a free shell");
                    self.pause(attempt).await;
                    attempt += 1;
                }
                result => break Arc::new(result?),
            }
        };
        Ok(Arc::clone(current.insert(shell)))
    }

    /// Opens a shell under an identifier of our own: then one whose answer was lost can be closed all the same. Windows
    /// takes them for PowerShell's shells (answers to pypsrp are on record), which are opened by the same request; for
    /// this kind that was not tried, so a host that refuses is asked without.
    async fn create(self: &Arc<Self>, lease: &mut Lease) -> Result<Shell, Error> {
        let chosen = (!self.names_shells_itself.load(Ordering::Relaxed)).then(Uuid::new_v4);
        let mut result = self.request_shell(lease, chosen).await;
        if let (Err(Error { kind: kind @ Kind::Fault(_), .. }), Some(_)) = (&result, chosen) {
            tracing::info!(host = %self.name, error = %kind, "opening a shell under the host's own identifier");
            result = self.request_shell(lease, None).await;
            self.names_shells_itself.store(result.is_ok(), Ordering::Relaxed);
        }
        result.map_err(|error| {
            if let (Started::Unknown, Some(id)) = (error.started, chosen) {
                self.release(Arc::new(Shell::new(upper(id))));
            }
            // Whatever went wrong, no command was sent.
            Error { started: Started::NotStarted, ..error }
        })
    }

    async fn request_shell(&self, lease: &mut Lease, id: Option<Uuid>) -> Result<Shell, Error> {
        let id = lease.exchange(Operation::CreateShell, self.sender.create_shell(id), reply::shell_id).await?;
        tracing::debug!(host = %self.name, shell = %id, "opened a shell");
        Ok(Shell::new(id))
    }

    /// Takes a shell out of use for new commands. The last command in it closes it.
    pub(crate) async fn retire(&self, shell: &Arc<Shell>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|known| Arc::ptr_eq(known, shell)) {
            *current = None;
        }
    }

    /// As [`Host::release`], but a shell that nobody uses any more is closed at once.
    pub(crate) async fn release_at_once(&self, shell: Arc<Shell>, lease: &mut Lease) {
        if let Some(shell) = Arc::into_inner(shell) {
            self.delete(&shell, lease).await;
        }
    }

    /// Gives a shell back after a command; the last user of a retired one closes it.
    pub(crate) fn release(self: &Arc<Self>, shell: Arc<Shell>) {
        let Some(shell) = Arc::into_inner(shell).filter(|shell| !shell.is_gone()) else {
            return;
        };
        let host = Arc::clone(self);
        self.clean_up(async move {
            let mut lease = host.connections.lease_for_cleaning();
            host.delete(&shell, &mut lease).await;
        });
    }

    /// Runs work that must not wait for its caller, but whose end [`Host::close`] waits for.
    pub(crate) fn clean_up(&self, work: impl Future<Output = ()> + Send + 'static) {
        spawn(self.cleaning.track_future(work));
    }

    /// Closes the shell, with whatever runs in it, and the unused connections. Shells that commands have given back
    /// before are closed as well when this returns.
    pub(crate) async fn close(&self) {
        let closing = async {
            if let Some(shell) = self.current.lock().await.take() {
                let mut lease = self.connections.lease_for_cleaning();
                self.delete(&shell, &mut lease).await;
            }
            self.cleaning.close();
            self.cleaning.wait().await;
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!(host = %self.name, "the host does not answer; it closes idle shells");
        }
        self.cleaning.reopen();
        self.connections.close_idle();
    }

    async fn delete(&self, shell: &Shell, lease: &mut Lease) {
        if shell.gone.swap(true, Ordering::Relaxed) {
            return;
        }
        let operation = Operation::DeleteShell;
        let mut attempt = 1;
        loop {
            let message = self.sender.delete_shell(&shell.id);
            match lease.exchange(operation, message, |reply| reply::confirmed(reply, "DeleteResponse")).await {
                Ok(()) => tracing::debug!(host = %self.name, shell = %shell.id, "closed the shell"),
                Err(Error { kind: Kind::ShellGone(_), .. }) => {
                    tracing::debug!(host = %self.name, shell = %shell.id, "the shell was gone");
                }
                // Closing what is closed does no harm, so this is tried again whatever became of the request. A host
                // that cannot be reached is not, and one that refuses the login is once: accounts are locked.
                Err(error) if attempt < delete_attempts(&error) => {
                    tracing::info!(
                        host = %self.name, shell = %shell.id, attempt, error = %error.kind, "closing the shell again"
                    );
                    self.pause(1).await;
                    attempt += 1;
                    continue;
                }
                Err(error) => tracing::warn!(
                    host = %self.name, shell = %shell.id, error = %error.kind,
                    "the shell could not be closed; the host closes it when it has been idle"
                ),
            }
            return;
        }
    }

    /// Waits before something is tried again: 5 s times `factor` by default, give or take a fifth,
    /// so that several sessions do not come back together.
    pub(crate) async fn pause(&self, factor: u32) {
        tokio::time::sleep(give_or_take_a_fifth(self.sender.operation_timeout / 8 * factor)).await;
    }
}

impl Shell {
    fn new(id: String) -> Self {
        Self { id, gone: AtomicBool::new(false) }
    }

    /// Notes that the host does not know it any more.
    pub(crate) fn mark_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// How often closing a shell is tried at most, when it comes to this. A refused logon may be told in answer to the request
/// itself, on a connection that had logged on.
fn delete_attempts(error: &Error) -> u32 {
    match error.operation {
        _ if matches!(error.kind, Kind::Unauthorized { .. }) => 2,
        Operation::Authenticate => 2,
        Operation::DeleteShell => DELETE_ATTEMPTS,
        _ => 1,
    }
}

/// Whether others may give back what was wanting.
fn is_passing(kind: &Kind) -> bool {
    matches!(kind, Kind::QuotaShells(_) | Kind::QuotaUsers(_) | Kind::QuotaRequests(_))
}

/// Runs clean-up work that must not wait for its caller. Without a runtime there is nothing to do:
/// the host closes idle shells.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}
