//! After a failure while users were not asked for the second factor: the way out of that, at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::plan::adfs::recovery::{self, Direction, Way};
use crate::resource::set::address_of;
use crate::resource::set::observe::sentence;

/// How long is waited before a step of the way out is tried again on a host that was not reached. A host that is restarted
/// takes longer, but the report must not be kept from a person for that.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// How long taking a guard away that does no harm may keep the report from a person.
const GUARD_LIMIT: Duration = Duration::from_secs(45);

/// What was tried to close the gap.
#[derive(Debug)]
pub struct Recovery {
    tried: Vec<(Way, Option<HostError>)>,
    /// The host that goes on trying when nobody else does.
    guarded_by: Option<String>,
}

/// Closes the gap that a failed step may have left open. None when there is none. It cannot be stopped: it is short, and
/// worse undone than late.
pub async fn close_gap(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    addresses: &[HostAddress],
    failed: usize,
) -> Option<Recovery> {
    if !recovery::may_be_open(steps, failed) {
        return None;
    }
    let mut tried = Vec::new();
    for way in recovery::ways(steps, failed) {
        tracing::warn!(set = name, direction = ?way.direction, "closing the gap in the second factor");
        let error = walk(provider, name, &way.steps, addresses).await.err();
        let is_closed = error.is_none();
        tried.push((way, error));
        if is_closed {
            break;
        }
    }
    Some(Recovery { tried, guarded_by: recovery::guarded_by(&steps[..failed]).map(str::to_owned) })
}

/// Takes the guard away that a run may have set up and will not come to take away, and says what it did. Not while the gap may
/// be open, nor when another run has the host. One that stays behind does no harm: it goes by itself.
pub async fn end_guard(
    provider: &ProviderConfig,
    steps: &[Step],
    addresses: &[HostAddress],
    failed: usize,
    recovery: Option<&Recovery>,
) -> Vec<String> {
    // Whether a step that has failed has done its work all the same cannot be known.
    let host = recovery::guarded_by(&steps[..=failed]).filter(|_| recovery.is_none_or(Recovery::is_closed));
    let Some(at) = host.map(|host| address_of(addresses, host)) else { return Vec::new() };
    if provider.backend().lost_lease(&at).is_some() {
        return Vec::new();
    }
    let step = Step { host: at.name().to_owned(), action: Action::DisableGuard };
    let unstoppable = CancellationToken::new();
    match tokio::time::timeout(GUARD_LIMIT, provider.backend().perform(&step, &at, &unstoppable)).await {
        Ok(Ok(report)) => report.notes,
        outcome => {
            tracing::warn!(host = step.host, ?outcome, "the guard stays behind; it goes by itself");
            Vec::new()
        }
    }
}

async fn walk(
    provider: &ProviderConfig,
    name: &str,
    steps: &[Step],
    addresses: &[HostAddress],
) -> Result<(), HostError> {
    let unstoppable = CancellationToken::new();
    for step in steps {
        tracing::info!(set = name, host = step.host, action = %step.action, "performing a step of the way out");
        let (at, mut pauses) = (address_of(addresses, &step.host), PAUSES.iter());
        while let Err(error) = provider.backend().perform(step, &at, &unstoppable).await {
            let passes = matches!(error.cause, Cause::Lost { .. } | Cause::Unreachable { .. });
            let Some(pause) = pauses.next().filter(|_| passes) else { return Err(error) };
            tracing::warn!(set = name, host = step.host, error = %error, "trying the step of the way out again");
            tokio::time::sleep(*pause).await;
        }
    }
    Ok(())
}

impl Recovery {
    /// Whether users are asked for the second factor again.
    pub fn is_closed(&self) -> bool {
        self.tried.last().is_some_and(|(_, error)| error.is_none())
    }

    /// What a person reads of it.
    pub fn report(&self) -> String {
        let mut parts = Vec::new();
        for (way, error) in &self.tried {
            let direction = match way.direction {
                Direction::Back => "The way back",
                Direction::Forward => "The way forward",
            };
            let steps = way.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            parts.push(match error {
                None => format!("{direction} was taken at once: {steps}. Users are asked for the second factor again."),
                Some(error) => format!("{direction} was tried ({steps}) and failed: {}.", sentence(error)),
            });
        }
        if !self.is_closed() {
            parts.extend(self.guarded_by.as_ref().map(|host| {
                format!("The guard on {host} goes on trying by itself, every minute, as soon as it hears nothing of this run.")
            }));
            parts.push(
                "USERS MAY NOT BE ASKED FOR THE SECOND FACTOR NOW. Look at the global authentication policy of the farm \
                 (Get-AdfsGlobalAuthenticationPolicy) and put the registered MFA Server provider back into it by hand, or \
                 apply again as soon as the cause is removed."
                    .to_owned(),
            );
        }
        parts.join(" ")
    }
}
