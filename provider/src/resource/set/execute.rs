//! Performing steps: in their order, up to the first that only a person or another set can do.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::plan::safe_point;
use crate::resource::set::recover::{Recovery, close_gap, end_guard};
use crate::resource::set::{address_of, lease};
use crate::tf::diagnostic::Diagnostics;

/// Where a run broke off.
#[derive(Debug)]
pub struct Halt {
    /// Position of the step in the list, from 0. Everything before it was done, nothing after it was begun.
    pub index: usize,
    pub error: HostError,
    /// Whether the step was begun.
    pub begun: bool,
    /// Whether `timeouts.update` ended it.
    pub timed_out: bool,
    /// What was done about a gap in the second factor; none when there was none.
    pub recovery: Option<Recovery>,
}

/// Performs the steps, on hosts that are reached at `addresses`. After one failure the rest stays untouched. What a person
/// should know of the steps that were done is added as one warning.
pub async fn perform(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    addresses: &[HostAddress],
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
    let mut notes = Vec::new();
    let mut outcome = perform_in_order(provider, name, steps, addresses, &token, &mut notes).await;
    timer.abort();
    if let Err(halt) = &mut outcome {
        halt.timed_out = matches!(halt.error.cause, Cause::Stopped) && !stop.is_cancelled();
        halt.recovery = close_gap(provider, name, steps, addresses, halt.index).await;
        notes.extend(end_guard(provider, steps, addresses, halt.index, halt.recovery.as_ref()).await);
    }
    if !notes.is_empty() {
        diagnostics.warning(format!("{name}: notes of this run"), notes.join("\n"));
    }
    outcome
}

/// A run that breaks off before a step.
fn before(index: usize, error: HostError) -> Halt {
    Halt { index, error, begun: false, timed_out: false, recovery: None }
}

async fn perform_in_order(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    addresses: &[HostAddress],
    stop: &CancellationToken,
    notes: &mut Vec<String>,
) -> Result<(), Halt> {
    let unstoppable = CancellationToken::new();
    for (index, step) in steps.iter().enumerate() {
        if matches!(step.action, Action::ByHand { .. } | Action::Wait { .. }) {
            return Ok(());
        }
        if !step.action.is_performed() {
            continue;
        }
        let may_stop = safe_point::may_stop_before(steps, index);
        let stop = if may_stop { stop } else { &unstoppable };
        if stop.is_cancelled() {
            let operation = step.action.to_string();
            let error = HostError { host: step.host.clone(), operation, cause: Cause::Stopped };
            return Err(before(index, error));
        }
        // What completes a change is not left half done, whoever has the host.
        if may_stop && let Some(error) = lease::lost(provider, steps, addresses) {
            return Err(before(index, error));
        }
        let begun = Instant::now();
        let (number, of) = (index + 1, steps.len());
        tracing::info!(set = name, number, of, host = step.host, action = %step.action, "performing a step");
        let report = provider
            .backend()
            .perform(step, &address_of(addresses, &step.host), stop)
            .await
            .map_err(|error| Halt { index, error, begun: true, timed_out: false, recovery: None })?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(set = name, number, of, host = step.host, already = report.already, milliseconds, "step done");
        notes.extend(report.notes.iter().map(|note| format!("Step {number} on {}: {note}", step.host)));
    }
    Ok(())
}
