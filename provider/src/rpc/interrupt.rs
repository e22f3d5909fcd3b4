//! Lets StopProvider cut what has no effects: reads, plans and imports. An apply listens to its token itself.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::tf::diagnostic::Diagnostics;

/// The result of `work`, or an error when `stop` comes first; then `work` is dropped.
pub async fn unless_stopped<T>(
    stop: CancellationToken,
    rpc: &str,
    type_name: &str,
    work: impl Future<Output = T>,
) -> Result<T, Diagnostics> {
    tokio::select! {
        biased;
        result = work => Ok(result),
        () = stop.cancelled() => {
            let mut diagnostics = Diagnostics::default();
            let detail = "The run was asked to stop before the answer was complete. Nothing was changed; run it again.";
            diagnostics.error(format!("{rpc} of {type_name} was interrupted"), detail);
            Err(diagnostics)
        }
    }
}
