//! Where a run may be stopped: never between a change and what makes it whole.

use crate::backend::step::{Action, Step};
use crate::plan::adfs::recovery;

/// Whether a run that was asked to stop may end before a step.
pub fn may_stop_before(steps: &[Step], index: usize) -> bool {
    let completes = matches!(
        steps[index].action,
        // A package has just run: until these are done the component does not work.
        Action::MergeWebConfig { .. } | Action::RestoreCohostedWebConfig { .. } | Action::SetApplicationPool { .. }
        // A component that is whole needs no further run, and its backup, left open, would be taken for the next upgrade's.
        | Action::VerifyServer { .. } | Action::VerifyWeb { .. } | Action::CloseBackup { .. }
        // A host that is whole serves again.
        | Action::PutBack { .. }
        // Nobody else takes it away before its time.
        | Action::DisableGuard
    );
    !completes && !recovery::is_held_open(steps, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_change_whole_is_not_cut_off() {
        let step = |action| Step { host: "mfa01".to_owned(), action };
        let steps = [
            step(Action::FetchServerSetup { version: "7.0.0.9".to_owned() }),
            step(Action::SetApplicationPool { application_pool: "MfaSdk".to_owned() }),
            step(Action::DisableProvider { provider_name: "old".to_owned() }),
            step(Action::RestartAdfs),
            step(Action::EnableProvider { provider_name: "new".to_owned() }),
            step(Action::DisableGuard),
            step(Action::RestartAdfs),
            step(Action::VerifyServer { version: "7.0.0.9".to_owned(), sdk: true }),
            step(Action::CloseBackup { backup_id: "x".to_owned() }),
            step(Action::PutBack { balancer: "lb".to_owned(), in_gap: false }),
            step(Action::TakeOut { balancer: "lb".to_owned(), wait: None, in_gap: false }),
        ];
        let may: Vec<bool> = (0..steps.len()).map(|index| may_stop_before(&steps, index)).collect();
        assert_eq!(may, [true, false, true, false, false, false, true, false, false, false, true]);
    }
}
