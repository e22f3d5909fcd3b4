//! After a failure while users were not asked for the second factor: the way out of that, at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::plan::adfs::recovery::{self, Direction, Way};
use crate::plan::traffic::Effect;
use crate::resource::set::observe::sentence;
use crate::resource::set::{address_of, drain};

/// How long is waited before a step of the way out is tried again on a host that was not reached. A host that is restarted
/// takes longer, but the report must not be kept from a person for that.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// How long taking a guard away that does no harm may keep the report from a person.
const GUARD_LIMIT: Duration = Duration::from_secs(45);

/// What was tried to close the gap.
#[derive(Debug)]
pub struct Recovery {
    tried: Vec<(Way, Option<HostError>)>,
    /// The orders to a balancer that were given after it was closed, and where that ended.
    orders: Vec<(Step, Option<HostError>)>,
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
    let guarded_by = recovery::guarded_by(&steps[..failed]).map(str::to_owned);
    let mut recovery = Recovery { tried, orders: Vec::new(), guarded_by };
    if recovery.is_closed() {
        recovery.orders = give(provider, name, recovery::owed_orders(steps, failed), addresses).await;
    }
    Some(recovery)
}

/// Gives orders up to the first that is refused: who cannot be put back keeps the others in.
async fn give(
    provider: &ProviderConfig,
    name: &str,
    orders: &[Step],
    addresses: &[HostAddress],
) -> Vec<(Step, Option<HostError>)> {
    let mut given = Vec::new();
    for step in orders {
        let error = walk(provider, name, std::slice::from_ref(step), addresses).await.err();
        let is_refused = error.is_some();
        given.push((step.clone(), error));
        if is_refused {
            break;
        }
    }
    given
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

    /// The orders to a balancer that were given afterwards, with their effects.
    pub fn orders(&self) -> impl Iterator<Item = (&Step, Effect)> {
        self.orders.iter().map(|(step, error)| (step, error.as_ref().map_or(Effect::There, drain::effect_of)))
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
        for (step, error) in &self.orders {
            parts.push(match error {
                None => format!("Then the balancer did it: {step}."),
                Some(error) => format!("Then the balancer was asked once more ({step}), in vain: {}.", sentence(error)),
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
