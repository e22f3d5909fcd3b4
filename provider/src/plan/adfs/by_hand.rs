//! What only a person can do before a farm can be worked on.

use crate::backend::step::{Action, Step};
use crate::plan::adfs::SERVICE;
use crate::plan::adfs::exchange::Exchange;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::adfs::findings;
use crate::plan::checks::{self, Member, Survey};
use crate::plan::{Decision, Desired};

/// The run of a farm whose registration nobody can see: its primary was not reached, does not run, or was just added.
/// `closing` is what closes a gap in the second factor all the same.
pub fn decide(desired: &Desired, closing: Vec<Step>, farm: &Farm<'_>, survey: Survey<'_>) -> Decision {
    let stopped = farm.seen().find(|(_, adfs)| !farm::is_running(adfs)).map(|(host, _)| start(host));
    let instruction = stopped.or_else(|| unreachable(&survey).map(reach));
    if let Some(step) = instruction {
        return end(desired, farm, survey, closing.into_iter().chain([step]).collect());
    }
    let adopted = survey.members.iter().filter_map(|member| match member {
        Member::Unread(host) => Some(checks::adopt(host, &desired.pin)),
        _ => None,
    });
    let steps = closing.into_iter().chain(adopted).collect();
    survey.run(steps, &[])
}

/// What has to be done first, although the primary answers: an exchange of the registration concerns every host.
pub fn before(exchange: &Exchange<'_>, survey: &Survey<'_>) -> Option<Step> {
    unreachable(survey).filter(|_| exchange.changes_registration()).map(reach)
}

/// A run that ends with the one thing that a person has to do, the last of its steps. Before it stands at most what closes
/// a gap in the second factor.
pub fn end(desired: &Desired, farm: &Farm<'_>, mut survey: Survey<'_>, steps: Vec<Step>) -> Decision {
    findings::check_traffic(desired, farm, &steps, &mut survey.diagnostics);
    let what = steps.last().map(|step| step.action.to_string()).unwrap_or_default();
    survey.diagnostics.warning(
        format!("{} waits, {what}", desired.name),
        format!(
            "Nothing else is done with the farm before, because its registration and policy concern all of its hosts. The plan \
             after that goes on to {}.",
            desired.pin
        ),
    );
    survey.run(steps, &[])
}

/// To start AD FS on a host.
pub fn start(host: &str) -> Step {
    by_hand(host, format!("start the service {SERVICE} on {host}"))
}

fn reach(host: &str) -> Step {
    by_hand(host, format!("make {host} reachable"))
}

fn unreachable<'a>(survey: &Survey<'a>) -> Option<&'a str> {
    survey.members.iter().find_map(|member| match member {
        Member::Unreachable(host) => Some(*host),
        _ => None,
    })
}

fn by_hand(host: &str, instruction: String) -> Step {
    Step { host: host.to_owned(), action: Action::ByHand { instruction } }
}
