//! Health checks in a run: where they stand, and which hosts have still to pass theirs after it.

use std::collections::BTreeSet;

use crate::backend::step::{Action, Step};
use crate::plan::Desired;

/// The end-state fact that does not hold while a host has to pass its check.
pub const NOT_PASSED: &str = "its health check has not passed since it was changed";

/// The step that waits for a host to be healthy; none when no check is declared.
pub fn step(desired: &Desired, host: &str) -> Option<Step> {
    let check = Box::new(desired.health_check.as_ref()?.on(host));
    Some(Step { host: host.to_owned(), action: Action::AwaitHealth { check } })
}

/// The hosts that have still to pass their check after a run: those of `before` that did not, and those that it changed
/// before it broke off. `failed` is the position of the step at which that was.
pub fn still_to_pass(before: &BTreeSet<String>, steps: &[Step], failed: Option<usize>) -> BTreeSet<String> {
    let mut waiting = before.clone();
    for (index, step) in steps.iter().enumerate() {
        let is_done = failed.is_none_or(|failed| index < failed);
        if matches!(step.action, Action::AwaitHealth { .. }) {
            if is_done {
                waiting.remove(&step.host);
            }
        } else if (is_done || failed == Some(index)) && step.action.may_disturb() && is_checked_after(steps, index) {
            waiting.insert(step.host.clone());
        }
    }
    waiting
}

fn is_checked_after(steps: &[Step], index: usize) -> bool {
    let is_check = |step: &Step| matches!(step.action, Action::AwaitHealth { .. }) && step.host == steps[index].host;
    steps[index..].iter().any(is_check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::health::HealthCheck;

    /// A run over two hosts: fetch, setup, check on each.
    fn steps() -> Vec<Step> {
        let actions = || {
            [
                Action::FetchServerSetup { version: "7.0.0.9".to_owned() },
                Action::RunServerSetup { version: "7.0.0.9".to_owned() },
                Action::AwaitHealth { check: Box::new(HealthCheck::new(None)) },
            ]
        };
        let on = |host: &'static str| actions().map(|action| Step { host: host.to_owned(), action });
        on("mfa02").into_iter().chain(on("mfa03")).collect()
    }

    #[track_caller]
    fn check(before: &[&str], failed: Option<usize>, expected: &[&str]) {
        let before = before.iter().map(|host| (*host).to_owned()).collect();
        let waiting: Vec<String> = still_to_pass(&before, &steps(), failed).into_iter().collect();
        assert_eq!(waiting, expected);
    }

    #[test]
    fn a_host_waits_from_its_first_change_to_its_check() {
        check(&[], None, &[]);
        check(&[], Some(0), &[]);
        check(&[], Some(1), &["mfa02"]);
        check(&[], Some(2), &["mfa02"]);
        check(&[], Some(3), &[]);
        check(&[], Some(5), &["mfa03"]);
        check(&["mfa01", "mfa02", "mfa03"], Some(3), &["mfa01", "mfa03"]);
        check(&["mfa02"], Some(0), &["mfa02"]);
    }

    #[test]
    fn without_a_check_nobody_waits() {
        let steps: Vec<Step> =
            steps().into_iter().filter(|step| !matches!(step.action, Action::AwaitHealth { .. })).collect();
        assert!(still_to_pass(&BTreeSet::new(), &steps, Some(1)).is_empty());
    }
}
