//! What ends the process from outside: signals, and the death of the client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::rpc::life::{Connections, Ending, Life};

/// How the process was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By a client, which ends it.
    Plugin,
    /// By a person with a debugger, who ends it.
    Debug,
}

/// How often the parent is looked for. Nothing tells a process on every system that its parent died.
#[cfg(unix)]
const PARENT_INTERVAL: Duration = Duration::from_millis(500);

/// A client whose connection broke may connect again within this time.
const RECONNECT_GRACE: Duration = Duration::from_secs(3);

/// A client that has not connected by then died before it could.
const FIRST_CONNECTION: Duration = Duration::from_secs(120);

/// Starts watching. When this returns, SIGINT is harmless already.
pub fn start(life: &Arc<Life>, mode: Mode) -> io::Result<()> {
    signals(life, mode)?;
    if mode == Mode::Plugin {
        #[cfg(unix)]
        tokio::spawn(parent(Arc::clone(life)));
        tokio::spawn(connections(Arc::clone(life)));
    }
    Ok(())
}

/// A terminal sends SIGINT to the whole foreground group. The client knows how to end its plugins; a plugin that died
/// by itself would lose what it is doing.
#[cfg(unix)]
fn signals(life: &Arc<Life>, mode: Mode) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let life = Arc::clone(life);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => match mode {
                    Mode::Plugin => tracing::trace!("ignored SIGINT"),
                    Mode::Debug => life.end(Ending::Terminated),
                },
                _ = terminate.recv() => life.end(Ending::Terminated),
                _ = hang_up.recv() => life.end(Ending::Terminated),
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn signals(life: &Arc<Life>, mode: Mode) -> io::Result<()> {
    let life = Arc::clone(life);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            match mode {
                Mode::Plugin => tracing::trace!("ignored Ctrl-C"),
                Mode::Debug => life.end(Ending::Terminated),
            }
        }
    });
    Ok(())
}

/// Ends the process when its parent has changed: then the old one is dead. The number 1 alone says nothing, because
/// in a container the client itself can be process 1.
#[cfg(unix)]
async fn parent(life: Arc<Life>) {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(PARENT_INTERVAL).await;
    }
    tracing::warn!("the client died");
    life.end(Ending::Orphaned);
}

/// Ends the process when nobody is connected and nobody comes back.
async fn connections(life: Arc<Life>) {
    let mut connections = life.connections();
    loop {
        let now: Connections = *connections.borrow_and_update();
        let patience = match now {
            Connections { open: 0, total: 0 } => FIRST_CONNECTION,
            Connections { open: 0, .. } => RECONNECT_GRACE,
            _ => Duration::MAX,
        };
        tokio::select! {
            changed = connections.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(patience) => {
                tracing::warn!("no client is connected any more");
                return life.end(Ending::Orphaned);
            }
        }
    }
}
