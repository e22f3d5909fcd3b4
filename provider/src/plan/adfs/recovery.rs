//! The ways out of a run that broke off while users were not asked for the second factor.
//!
//! Everything follows from the list of steps and the position that was reached, so that it holds for a runner that has
//! lost sight of the farm. Before the old provider is unregistered the way is back: its name goes into the policy again.
//! After that nothing can be put back, and the way is forward: the new one is registered, then its name goes in.

use crate::backend::step::{Action, Step};

/// One way out: its steps, to be performed in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub direction: Direction,
    pub steps: Vec<Step>,
}

/// Where a way leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Back,
    Forward,
}

/// How far the exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Users are asked.
    Closed,
    /// They are not; the provider is still registered.
    Disabled,
    /// They are not, and there is nothing to put back.
    Unregistered,
}

/// Whether a run opens the gap: it takes a provider out of the policy before it puts one in.
pub fn opens_gap(steps: &[Step]) -> bool {
    (0..steps.len()).any(|index| is_opening(steps, index))
}

/// Whether a run must not be stopped before a step: the steps before it have opened the gap and not closed it.
pub fn is_held_open(steps: &[Step], index: usize) -> bool {
    let begun = steps[..index].iter().any(|step| changes_phase(&step.action));
    begun && phase(steps, index) != Phase::Closed
}

/// Whether users may not be asked for the second factor after a step has failed.
pub fn may_be_open(steps: &[Step], failed: usize) -> bool {
    phase(steps, failed) != Phase::Closed || is_opening(steps, failed)
}

/// The ways out after a step has failed, the best first: the next one is for when that fails. Whether the failed step has
/// done its work all the same cannot be known. Empty when the gap is not open, or closes by nothing in this run.
pub fn ways(steps: &[Step], failed: usize) -> Vec<Way> {
    if !may_be_open(steps, failed) {
        return Vec::new();
    }
    let back = back(steps, failed);
    let forward = forward(steps, failed);
    let ways = match (phase(steps, failed), &steps[failed].action) {
        (Phase::Unregistered, _) => vec![forward],
        // It may have been done before the connection was lost.
        (_, Action::UnregisterAdapter { .. }) => vec![back, forward],
        _ => vec![back],
    };
    ways.into_iter().filter(|way| !way.steps.is_empty()).collect()
}

/// The phase before a step.
fn phase(steps: &[Step], index: usize) -> Phase {
    (0..index).fold(first_phase(steps), |phase, index| match steps[index].action {
        Action::DisableProvider { .. } if is_opening(steps, index) => Phase::Disabled,
        Action::UnregisterAdapter { .. } if phase == Phase::Disabled => Phase::Unregistered,
        Action::EnableProvider { .. } => Phase::Closed,
        _ => phase,
    })
}

/// Whether a step takes a provider out of the policy before another one goes in.
fn is_opening(steps: &[Step], index: usize) -> bool {
    let enables = |step: &Step| matches!(step.action, Action::EnableProvider { .. });
    matches!(steps[index].action, Action::DisableProvider { .. }) && steps[index..].iter().any(enables)
}

/// The phase in which a run begins: an earlier one may have left the gap open, and this one shows it by what it does
/// first.
fn first_phase(steps: &[Step]) -> Phase {
    match steps.iter().map(|step| &step.action).find(|action| changes_phase(action)) {
        Some(Action::EnableProvider { .. } | Action::UnregisterAdapter { .. }) => Phase::Disabled,
        Some(Action::RegisterAdapter { .. }) => Phase::Unregistered,
        _ => Phase::Closed,
    }
}

fn changes_phase(action: &Action) -> bool {
    matches!(
        action,
        Action::DisableProvider { .. }
            | Action::UnregisterAdapter { .. }
            | Action::RegisterAdapter { .. }
            | Action::EnableProvider { .. }
    )
}

/// Puts back what was taken out of the policy; without that, repeats what should have closed the gap.
fn back(steps: &[Step], failed: usize) -> Way {
    let mut back: Vec<Step> = steps[..=failed]
        .iter()
        .filter_map(|step| match &step.action {
            Action::DisableProvider { provider_name } => Some(enable(step, provider_name)),
            _ => None,
        })
        .collect();
    if back.is_empty() {
        back.extend(steps[failed..].iter().find(|step| matches!(step.action, Action::EnableProvider { .. })).cloned());
    }
    Way { direction: Direction::Back, steps: back }
}

/// Registers the new one and puts it into the policy, once more or for the first time. Both look first whether that is
/// done.
fn forward(steps: &[Step], failed: usize) -> Way {
    let position = steps.iter().position(|step| matches!(step.action, Action::RegisterAdapter { .. }));
    let registers = position.map(|position| steps[position].clone());
    let from = position.unwrap_or(failed);
    let enables = steps[from..].iter().find(|step| matches!(step.action, Action::EnableProvider { .. })).cloned();
    let steps = match enables {
        Some(enables) => registers.into_iter().chain([enables]).collect(),
        None => Vec::new(),
    };
    Way { direction: Direction::Forward, steps }
}

fn enable(step: &Step, provider_name: &str) -> Step {
    Step { host: step.host.clone(), action: Action::EnableProvider { provider_name: provider_name.to_owned() } }
}
