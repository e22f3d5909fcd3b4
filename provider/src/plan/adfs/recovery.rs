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

/// The host with a guard of the gap after these steps. None where none was set up, or it was taken away.
pub fn guarded_by(steps: &[Step]) -> Option<&str> {
    let begun = steps.iter().rposition(|step| matches!(step.action, Action::EnableGuard { .. }))?;
    let is_gone = steps[begun..].iter().any(|step| matches!(step.action, Action::DisableGuard));
    (!is_gone).then(|| steps[begun].host.as_str())
}

/// The ways out after a step has failed, the best first: the next one is for when that fails. Whether the failed step has
/// done its work all the same cannot be known. Empty when the gap is not open, or closes by nothing in this run.
pub fn ways(steps: &[Step], failed: usize) -> Vec<Way> {
    if !may_be_open(steps, failed) {
        return Vec::new();
    }
    let back = back(steps, failed);
    let forward = forward(steps, failed);
    let mut ways = match (phase(steps, failed), &steps[failed].action) {
        (Phase::Unregistered, _) => vec![prepared(steps, failed, &forward), forward],
        // It may have been done before the connection was lost.
        (_, Action::UnregisterAdapter { .. }) => vec![back, forward],
        _ => vec![back],
    };
    ways.retain(|way| !way.steps.is_empty());
    ways.dedup();
    ways
}

/// The orders to a balancer that a run still owed its farm when a step failed in the gap: to be given once that is closed.
/// None where more than orders was due before it could be closed: hosts that have not loaded the new provider gain nothing
/// by a change of places.
pub fn owed_orders(steps: &[Step], failed: usize) -> &[Step] {
    let is_order = |step: &Step| matches!(step.action, Action::TakeOut { .. } | Action::PutBack { .. });
    let due = &steps[failed..];
    let end = due.iter().position(|step| matches!(step.action, Action::EnableProvider { .. })).unwrap_or_default();
    if due[..end].iter().all(is_order) { &due[..end] } else { &[] }
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
        Some(Action::EnableProvider { .. }) => Phase::Disabled,
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

/// The way forward with what the registration takes and the run had not come to: the package, its files and the carried
/// configuration on the host that registers. None of it was due before in a run that found the gap open.
fn prepared(steps: &[Step], failed: usize, forward: &Way) -> Way {
    let position = steps.iter().position(|step| matches!(step.action, Action::RegisterAdapter { .. }));
    let due = position.filter(|position| *position > failed).map_or(&[][..], |position| &steps[failed..position]);
    let is_needed = |step: &&Step| {
        forward.steps.first().is_some_and(|register| register.host == step.host)
            && matches!(
                step.action,
                Action::BringFiles { .. } | Action::RunAdapterPackage { .. } | Action::MergeAdapterConfiguration { .. }
            )
    };
    let steps = due.iter().filter(is_needed).chain(&forward.steps).cloned().collect();
    Way { direction: Direction::Forward, steps }
}

fn enable(step: &Step, provider_name: &str) -> Step {
    Step { host: step.host.clone(), action: Action::EnableProvider { provider_name: provider_name.to_owned() } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::adfs::{NEW_NAME, OLD_NAME};

    /// A list of steps on one host, by their first letters.
    fn steps(letters: &str) -> Vec<Step> {
        let name = |name: &str| name.to_owned();
        let source = || crate::backend::step::PackageSource::InstallFolder;
        letters
            .chars()
            .map(|letter| match letter {
                'm' => Action::MergeAdapterConfiguration { source: source() },
                'g' => Action::EnableGuard { back: Vec::new(), forward: name(NEW_NAME), source: None },
                'h' => Action::DisableGuard,
                'i' => Action::RunAdapterPackage { version: name("7.0.0.9"), source: source() },
                'd' => Action::DisableProvider { provider_name: name(OLD_NAME) },
                'u' => Action::UnregisterAdapter { provider_name: name(OLD_NAME) },
                'r' => Action::RegisterAdapter { provider_name: name(NEW_NAME), source: source() },
                's' => Action::RestartAdfs,
                'p' => Action::PutBack { balancer: name("lb"), in_gap: true },
                'o' => Action::TakeOut { balancer: name("lb"), wait: None, in_gap: true },
                'b' => Action::EnableProvider { provider_name: name(OLD_NAME) },
                'e' => Action::EnableProvider { provider_name: name(NEW_NAME) },
                _ => Action::RemoveExport,
            })
            .map(|action| Step { host: name("adfs01"), action })
            .collect()
    }

    /// For each position the ways out, as letters: `<` leads back, `>` forward; `.` where nothing is open.
    #[track_caller]
    fn check(letters: &str, expected: &[&str]) {
        let steps = steps(letters);
        let told: Vec<String> = (0..steps.len())
            .map(|failed| {
                let ways = ways(&steps, failed);
                let texts = ways.iter().map(|way| {
                    let sign = if way.direction == Direction::Back { "<" } else { ">" };
                    format!("{sign}{}", way.steps.iter().map(letter).collect::<String>())
                });
                let text = texts.collect::<Vec<_>>().join(" ");
                if may_be_open(&steps, failed) { text } else { format!(".{text}") }
            })
            .collect();
        assert_eq!(told, expected);
    }

    fn letter(step: &Step) -> char {
        match &step.action {
            Action::RunAdapterPackage { .. } => 'i',
            Action::MergeAdapterConfiguration { .. } => 'm',
            Action::RegisterAdapter { .. } => 'r',
            Action::EnableProvider { provider_name } if provider_name == OLD_NAME => 'b',
            Action::EnableProvider { .. } => 'e',
            _ => '?',
        }
    }

    #[test]
    fn the_way_is_back_before_unregistering_and_forward_after() {
        check("idursesx", &[".", "<b", "<b >re", ">re", ">re", ">re", ".", "."]);
    }

    #[test]
    fn a_gap_that_was_open_before_counts() {
        check("imrsesx", &[">imre >re", ">mre >re", ">re", ">re", ">re", ".", "."]);
        check("sex", &["<e", "<e", "."]);
        check("bidurse", &["<b", ".", "<b", "<b >re", ">re", ">re", ">re"]);
    }

    #[test]
    fn what_opens_no_gap_needs_no_way_out() {
        check("isx", &[".", ".", "."]);
        check("dusx", &[".", ".", ".", "."]);
        check("edusx", &["<e", ".", ".", ".", "."]);
    }

    /// A balancer that refuses changes nothing of the way out, and is asked again only where all else was done.
    #[test]
    fn what_is_owed_to_a_balancer_is_given_once_hosts_have_loaded_the_provider() {
        check("pidurspoex", &[".", ".", "<b", "<b >re", ">re", ">re", ">re", ">re", ">re", "."]);
        check("pomrspoe", &[">mre >re", ">mre >re", ">mre >re", ">re", ">re", ">re", ">re", ">re"]);
        check("poe", &["<e", "<e", "<e"]);
        let owed = |letters: &str, failed| owed_orders(&steps(letters), failed).len();
        assert_eq!([5, 6, 7, 8].map(|failed| owed("pidurspoe", failed)), [0, 2, 1, 0]);
        assert_eq!([0, 1, 4].map(|failed| owed("pomrspoe", failed)), [0, 0, 0]);
        assert_eq!([0, 1, 2].map(|failed| owed("poe", failed)), [2, 1, 0]);
    }

    #[test]
    fn a_guard_changes_no_way_and_is_known_while_it_is_there() {
        check("igdursehx", &[".", ".", "<b", "<b >re", ">re", ">re", ">re", ".", "."]);
        let steps = steps("igdursehx");
        let guarded: Vec<bool> = (0..=steps.len()).map(|done| guarded_by(&steps[..done]).is_some()).collect();
        assert_eq!(guarded, [false, false, true, true, true, true, true, true, false, false]);
    }

    #[test]
    fn a_run_is_not_stopped_between() {
        let steps = steps("idursesx");
        let held: Vec<bool> = (0..steps.len()).map(|index| is_held_open(&steps, index)).collect();
        assert_eq!(held, [false, false, true, true, true, true, false, false]);
        assert!(opens_gap(&steps));
        assert!(!opens_gap(&self::steps("edusx")));
    }
}
