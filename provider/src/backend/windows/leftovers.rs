//! What a transfer leaves on a host under the temporary name of its file. A script deletes that itself when it fails, but
//! not when its process is ended from outside: then no `finally` runs. What a run leaves that is killed before it can clean
//! up, the next transfer of the file takes up or overwrites.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::Cause;
use crate::backend::windows::attempts::Attempts;
use crate::backend::windows::clock::Clock;
use crate::backend::windows::runner::{self, Call, Runner};
use crate::backend::windows::scripts::REMOVE_WORK_FILE;

/// How long cleaning up waits: by then a command that was cut off has ended and closed the file.
const CLEANING: Duration = Duration::from_secs(60);

/// Whether a script that wrote a file may have been ended before it could clean up.
pub fn may_be_there(cause: &Cause) -> bool {
    matches!(cause, Cause::Lost { .. } | Cause::Stopped | Cause::Unintelligible(_) | Cause::NoReply { .. })
}

/// Deletes what may be left of the transfer of a file.
pub async fn remove(runner: &dyn Runner, clock: &dyn Clock, host: &HostAddress, target: &str) {
    let arguments = json!({"path": format!("{target}.partial")});
    // The run may have been asked to stop, which must not keep it from leaving the host as it was.
    let go_on = CancellationToken::new();
    let attempts = Attempts { clock, stop: &go_on, host: host.name(), target };
    let remove = || runner::call::<Value>(runner, host, Call::new(REMOVE_WORK_FILE, arguments.clone()));
    if let Err(cause) = attempts.persist(CLEANING, remove, || 0).await {
        tracing::warn!(host = host.name(), target, %cause, "what is left of the transfer stays until the next one");
    }
}
