//! The ready token of a set as it will be after a run.

use crate::plan::checks::upstream;
use crate::plan::token::Token;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Views};
use crate::resource::set::{HostSet, address_of};
use crate::tf::value::Value;

/// What the set will tell those that come after it. A host that was added counts as upgraded: were it not, the run
/// would have failed.
pub fn after_run(set: &dyn HostSet, own: &Value, desired: &Desired, views: &Views, decision: &Decision) -> Token {
    let pin = &desired.pin;
    let mut lowest = Vec::new();
    let mut at_pin = Vec::new();
    let addresses = set.addresses(own).unwrap_or_default();
    for host in &desired.hosts {
        let adopted = decision.adopts(host);
        let old = desired.last_versions.get(host);
        let (version, component) = if adopted || decision.finished.contains(host) {
            (Some(pin.clone()), Some(pin.clone()))
        } else {
            let found = decision.versions.get(host).cloned().flatten().or_else(|| old.cloned());
            (found.clone(), set.lowest(own, host, views).or(found))
        };
        if version.as_ref() == Some(pin) {
            at_pin.push(address_of(&addresses, host));
        }
        lowest.extend(component);
    }
    Token {
        kind: set.kind(),
        name: desired.name.clone(),
        pin: pin.clone(),
        lowest: respell(lowest.into_iter().min(), pin),
        wave: upstream::wave(&desired.after),
        whole: decision.whole,
        at_pin,
    }
}

/// The lowest version as tokens write it: equal ones in the pin's spelling, so that a token does not change with where
/// its version was read.
pub fn respell(lowest: Option<Version>, pin: &Version) -> Version {
    lowest.filter(|lowest| lowest != pin).unwrap_or_else(|| pin.clone())
}
