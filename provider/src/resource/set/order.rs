//! The warnings that show a run's place in the order, and what is known of hosts that were added.

use crate::plan::checks::upstream;
use crate::plan::names::short;
use crate::plan::{Decision, Desired, Views};
use crate::resource::set::HostSet;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

/// Adds one warning for a set that this run works on, such as
/// `Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa02, mfa03; then promote one of them by hand`.
pub fn warn(
    set: &dyn HostSet,
    own: &Value,
    desired: &Desired,
    views: &Views,
    decision: &Decision,
    diagnostics: &mut Diagnostics,
) {
    let hosts: Vec<&str> = desired
        .hosts
        .iter()
        .map(String::as_str)
        .filter(|host| decision.finished.contains(*host) || decision.adopts(host))
        .collect();
    if hosts.is_empty() {
        return;
    }
    let lowest = hosts.iter().filter_map(|host| set.lowest(own, host, views)).min();
    let pin = &desired.pin;
    let change = match lowest {
        Some(lowest) if lowest < *pin => format!("{lowest} -> {pin}"),
        Some(_) => format!("made whole at {pin}"),
        None => format!("adopted at {pin}"),
    };
    let then = decision.then.as_ref().map(|then| format!("; then {then}")).unwrap_or_default();
    diagnostics.warning(
        format!(
            "Order {}: {} {change} on {}{then}",
            upstream::wave(&desired.after),
            desired.name,
            short(&hosts).join(", ")
        ),
        format!(
            "This run performs {} of the {} lines in steps, in their order. The number counts the sets before this one by \
             after; sets that do not name each other there may run at the same time.",
            decision.steps.iter().filter(|step| step.action.is_performed()).count(),
            decision.steps.len()
        ),
    );
}

/// A name as a Terraform label.
pub fn label(name: &str) -> String {
    let label: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if label.starts_with(|first: char| first.is_ascii_digit()) { format!("_{label}") } else { label }
}
