//! Traffic in a run: which hosts are taken out of a balancer, when they are put back, and which are still out after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::backend::step::{Action, Step};
use crate::plan::Desired;

/// The end-state fact that does not hold while a host has to be put back.
pub const NOT_BACK: &str = "it has not been put back into its balancer since it was taken out";

/// The balancer of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    pub balancer: String,
    /// How long connections may run out. None while the settings are not known; only the text of a step shows it.
    pub wait: Option<Duration>,
}

/// Hosts and the balancers they were taken out of.
pub type Out = BTreeMap<String, BTreeSet<String>>;

/// The steps of one host with what they need around them: out of the balancer before the first one when it is changed,
/// and back after the last one. Without a balancer a person is told before something is installed.
pub fn around(desired: &Desired, host: &str, mut steps: Vec<Step>) -> Vec<Step> {
    let any = |test: fn(&Action) -> bool| steps.iter().any(|step| test(&step.action));
    let is_changed = any(Action::may_disturb);
    let is_out = if desired.drain.is_some() { is_changed } else { any(Action::installs) };
    if is_out {
        steps.insert(0, take_out(desired, host, false));
    }
    steps.extend(put_back(desired, host, is_changed));
    steps
}

/// The step before a host is changed. `in_gap` while users are not asked for the second factor: nobody waits then.
pub fn take_out(desired: &Desired, host: &str, in_gap: bool) -> Step {
    let action = match &desired.drain {
        Some(Drain { balancer, wait }) => {
            Action::TakeOut { balancer: balancer.clone(), wait: wait.filter(|_| !in_gap), in_gap }
        }
        None => Action::TrafficNotManaged,
    };
    Step { host: host.to_owned(), action }
}

/// The wait for the connections of all hosts that were taken out in the gap.
pub fn await_connections(drain: &Drain, host: &str) -> Step {
    let Drain { balancer, wait } = drain;
    Step { host: host.to_owned(), action: Action::AwaitConnections { balancer: balancer.clone(), wait: *wait } }
}

/// The step that puts a host into the balancer of its set.
pub fn put_back_into(drain: &Drain, host: &str, in_gap: bool) -> Step {
    Step { host: host.to_owned(), action: Action::PutBack { balancer: drain.balancer.clone(), in_gap } }
}

/// The steps after a host is whole again: into the balancer that this run takes it out of, and into those that earlier
/// runs did. None when no balancer is declared.
pub fn put_back(desired: &Desired, host: &str, is_taken_out: bool) -> Vec<Step> {
    let Some(drain) = &desired.drain else { return Vec::new() };
    let mut balancers = desired.out.get(host).cloned().unwrap_or_default();
    if is_taken_out {
        balancers.insert(drain.balancer.clone());
    }
    let step = |balancer| Step { host: host.to_owned(), action: Action::PutBack { balancer, in_gap: false } };
    balancers.into_iter().map(step).collect()
}

/// How much of its effect a step has had that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Absent,
    Possible,
    There,
}

/// The steps of a run that have had an effect, in order. `failed` is the step at which it broke off.
pub fn performed(steps: &[Step], failed: Option<(usize, Effect)>) -> impl Iterator<Item = (&Step, Effect)> {
    let last = failed.map_or(steps.len(), |(failed, _)| failed + 1);
    steps[..last].iter().enumerate().map(move |(index, step)| match failed {
        Some((failed, effect)) if index == failed => (step, effect),
        _ => (step, Effect::There),
    })
}

/// The hosts that are out after steps were performed: those of before that were not put back, and those that were taken
/// out. Who may be out counts as out, and is among the second ones too.
pub fn still_out<'s>(before: &Out, performed: impl Iterator<Item = (&'s Step, Effect)>) -> (Out, Out) {
    let mut out = before.clone();
    let mut in_doubt = Out::new();
    let remove = |from: &mut Out, step: &Step, balancer: &String| {
        if let Some(balancers) = from.get_mut(&step.host) {
            balancers.remove(balancer);
        }
    };
    for (step, effect) in performed {
        let host = || step.host.clone();
        match (&step.action, effect) {
            (Action::TakeOut { balancer, .. }, Effect::There | Effect::Possible) => {
                let is_new = out.entry(host()).or_default().insert(balancer.clone());
                if effect == Effect::There {
                    remove(&mut in_doubt, step, balancer);
                } else if is_new {
                    in_doubt.entry(host()).or_default().insert(balancer.clone());
                }
            }
            (Action::PutBack { balancer, .. }, Effect::There) => {
                remove(&mut out, step, balancer);
                remove(&mut in_doubt, step, balancer);
            }
            (Action::PutBack { balancer, .. }, Effect::Possible) => {
                out.entry(host()).or_default().insert(balancer.clone());
                in_doubt.entry(host()).or_default().insert(balancer.clone());
            }
            _ => {}
        }
    }
    out.retain(|_, balancers| !balancers.is_empty());
    in_doubt.retain(|_, balancers| !balancers.is_empty());
    (out, in_doubt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{desired, drained};

    const HOST: &str = "mfa02.contoso.com";

    fn on_host(action: Action) -> Step {
        Step { host: HOST.to_owned(), action }
    }

    fn fetch() -> Step {
        on_host(Action::FetchServerSetup { version: "7.0.0.9".to_owned() })
    }

    fn setup() -> Step {
        on_host(Action::RunServerSetup { version: "7.0.0.9".to_owned() })
    }

    fn out(balancers: &[&str]) -> Out {
        let balancers: BTreeSet<String> = balancers.iter().map(|name| (*name).to_owned()).collect();
        if balancers.is_empty() { Out::new() } else { Out::from([(HOST.to_owned(), balancers)]) }
    }

    /// The steps around others of a set whose host is out of balancers, as texts.
    #[track_caller]
    fn check(is_drained: bool, before: &[&str], steps: Vec<Step>, expected: &[&str]) {
        let mut desired = desired("mfa-eu", "7.0.0.9", &[HOST]);
        if is_drained {
            desired = drained(desired);
        }
        desired.out = out(before);
        let found: Vec<String> = around(&desired, HOST, steps).iter().map(|step| step.action.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_host_is_out_while_it_is_changed() {
        let by_hand = Action::TrafficNotManaged.to_string();
        let (fetched, installed) =
            ("fetch the server setup 7.0.0.9 and check its hash", "run the server setup 7.0.0.9 in place");
        let (taken, back) = ("take it out of balancer lb, and wait 30 s", "put it back into balancer lb");
        let pool = "set application pool MfaSdk to CLR v4.0";
        let set_pool = || on_host(Action::SetApplicationPool { application_pool: "MfaSdk".to_owned() });
        check(true, &[], vec![fetch(), setup()], &[taken, fetched, installed, back]);
        check(true, &[], vec![set_pool()], &[taken, pool, back]);
        check(true, &[], vec![fetch()], &[fetched]);
        check(true, &["lb"], vec![fetch()], &[fetched, back]);
        check(true, &["lb"], vec![setup()], &[taken, installed, back]);
        check(true, &["old"], vec![setup()], &[taken, installed, back, "put it back into balancer old"]);
        check(false, &["lb"], vec![fetch(), setup()], &[by_hand.as_str(), fetched, installed]);
        check(false, &[], vec![set_pool()], &[pool]);
    }

    #[test]
    fn a_host_is_out_from_the_moment_it_may_be_until_it_is_back() {
        let steps = around(&drained(desired("mfa-eu", "7.0.0.9", &[HOST])), HOST, vec![fetch(), setup()]);
        let check = |before: &[&str], failed, expected: &[&str], in_doubt: &[&str]| {
            let found = still_out(&out(before), performed(&steps, failed));
            assert_eq!(found, (out(expected), out(in_doubt)), "{before:?} {failed:?}");
        };
        check(&[], Some((0, Effect::Absent)), &[], &[]);
        check(&[], Some((0, Effect::Possible)), &["lb"], &["lb"]);
        check(&[], Some((0, Effect::There)), &["lb"], &[]);
        check(&["lb"], Some((0, Effect::Absent)), &["lb"], &[]);
        check(&["lb"], Some((0, Effect::Possible)), &["lb"], &[]);
        check(&[], Some((1, Effect::Absent)), &["lb"], &[]);
        check(&[], Some((1, Effect::Possible)), &["lb"], &[]);
        check(&[], Some((3, Effect::Absent)), &["lb"], &[]);
        check(&[], Some((3, Effect::Possible)), &["lb"], &["lb"]);
        check(&[], None, &[], &[]);
        check(&["lb"], None, &[], &[]);
        check(&["old"], Some((1, Effect::Possible)), &["lb", "old"], &[]);
        check(&["old"], None, &["old"], &[]);
        assert_eq!(still_out(&out(&["lb"]), performed(&[fetch()], None)), (out(&["lb"]), out(&[])));
    }
}
