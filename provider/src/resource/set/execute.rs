//! Performing steps: in their order, up to the first that only a person or another set can do.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::tf::diagnostic::Diagnostics;

/// Where a run broke off.
#[derive(Debug)]
pub struct Halt {
    /// Position of the step in the list, from 0. Everything before it was done, nothing after it was begun.
    pub index: usize,
    pub error: HostError,
    /// Whether `timeouts.update` ended it.
    pub timed_out: bool,
}

/// Performs the steps. After one failure the rest stays untouched. What a person should know of the steps that were
/// done is added as warnings.
pub async fn perform(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    stop: &CancellationToken,
    limit: Duration,
    diagnostics: &mut Diagnostics,
) -> Result<(), Halt> {
    let token = stop.child_token();
    let timer = token.clone();
    let timer = tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        timer.cancel();
    });
    let outcome = perform_in_order(provider, name, steps, &token, diagnostics).await;
    timer.abort();
    outcome.map_err(|(index, error)| {
        let timed_out = matches!(error.cause, Cause::Stopped) && !stop.is_cancelled();
        Halt { index, error, timed_out }
    })
}

async fn perform_in_order(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    stop: &CancellationToken,
    diagnostics: &mut Diagnostics,
) -> Result<(), (usize, HostError)> {
    for (index, step) in steps.iter().enumerate() {
        if matches!(step.action, Action::ByHand { .. } | Action::Wait { .. }) {
            return Ok(());
        }
        if !step.action.is_performed() {
            continue;
        }
        // A backup left open would be taken for the next upgrade's, and closing it takes no time.
        let is_closing = matches!(step.action, Action::CloseBackup { .. });
        if stop.is_cancelled() && !is_closing {
            let operation = step.action.to_string();
            return Err((index, HostError { host: step.host.clone(), operation, cause: Cause::Stopped }));
        }
        let begun = Instant::now();
        let (number, of) = (index + 1, steps.len());
        tracing::info!(set = name, number, of, host = step.host, action = %step.action, "performing a step");
        let unstoppable = CancellationToken::new();
        let token = if is_closing { &unstoppable } else { stop };
        let report = provider.backend().perform(step, token).await.map_err(|error| (index, error))?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(set = name, number, of, host = step.host, already = report.already, milliseconds, "step done");
        if !report.notes.is_empty() {
            diagnostics.warning(
                format!("{name}: after step {number} on {}", step.host),
                format!("Step {number}, {}: {}", step.action, report.notes.join(" ")),
            );
        }
    }
    Ok(())
}
