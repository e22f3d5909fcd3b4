//! What a person reads when a run broke off: which step, why, what was left in which condition, what to do.

use crate::backend::error::Cause;
use crate::backend::step::Step;
use crate::plan::View;
use crate::plan::traffic::Out;
use crate::resource::set::actual::Actual;
use crate::resource::set::execute::Halt;
use crate::resource::set::private::Memory;
use crate::resource::set::recover::Recovery;
use crate::resource::set::{HostSet, drain};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

/// How things stand after a run that broke off.
#[derive(Clone, Copy)]
pub struct After<'a> {
    pub memory: &'a Memory,
    pub actual: &'a Actual,
    /// Those of the hosts that count as out of a balancer of which nobody knows whether they are.
    pub in_doubt: &'a Out,
}

/// Reports a run that broke off.
pub fn report(
    set: &dyn HostSet,
    name: &str,
    own: &Value,
    steps: &[Step],
    halt: &Halt,
    after: After<'_>,
    diagnostics: &mut Diagnostics,
) {
    let number = halt.index + 1;
    let step = &steps[halt.index];
    let what = if matches!(halt.error.cause, Cause::Stopped | Cause::Leased { .. }) {
        "was stopped before"
    } else {
        "failed at"
    };
    let reason = if halt.timed_out { "The time in timeouts.update was over".to_owned() } else { why(halt, &step.host) };
    diagnostics.error(
        format!("{name} {what} step {number} of {} on {}", steps.len(), step.host),
        format!(
            "{}Step {number}: {step}.\n{reason}.\n\n{}\n{}\n{}\n\n{}",
            halt.recovery.as_ref().map(|recovery| format!("{}\n\n", recovery.report())).unwrap_or_default(),
            done(steps, halt.index),
            left(set, own, steps, halt.index, after),
            untouched(steps, halt),
            advice(&halt.error.cause)
        ),
    );
}

/// The cause as a sentence, without the last dot; the host only when it is another one than the step's.
fn why(halt: &Halt, host: &str) -> String {
    let cause = halt.error.cause.to_string();
    let cause = cause.trim_end_matches('.');
    let mut letters = cause.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    if halt.error.host == host {
        format!("{first}{}", letters.as_str())
    } else {
        format!("On {}: {cause}", halt.error.host)
    }
}

fn done(steps: &[Step], index: usize) -> String {
    let done = steps[..index].iter().filter(|step| step.action.is_performed()).count();
    match done {
        0 => "Nothing was done before it.".to_owned(),
        1 => "One step was done before it.".to_owned(),
        done => format!("{done} steps were done before it."),
    }
}

/// The condition of every host that the run had begun with.
fn left(set: &dyn HostSet, own: &Value, steps: &[Step], index: usize, after: After<'_>) -> String {
    let After { memory, actual, in_doubt } = after;
    let views = &memory.views;
    let mut hosts: Vec<&str> = Vec::new();
    for step in steps[..=index].iter().filter(|step| step.action.is_performed()) {
        if !hosts.contains(&step.host.as_str()) {
            hosts.push(&step.host);
        }
    }
    let condition = |host: &&str| {
        let runs = match (set.evidence(own, host, views), views.get(*host)) {
            (Some(evidence), _) if evidence.agrees => format!("runs {}", evidence.lowest),
            (Some(_), _) => "is half done".to_owned(),
            (None, Some(View::Seen(_))) => "has nothing installed any more".to_owned(),
            (None, _) => "could not be read afterwards".to_owned(),
        };
        let findings: Vec<&str> = actual
            .findings
            .iter()
            .filter(|finding| finding.host == **host)
            .map(|finding| finding.text.as_str())
            .collect();
        format!("{host} {runs}. {}", findings.join(" ")).trim_end().to_owned()
    };
    let conditions: Vec<String> = hosts.iter().map(condition).collect();
    let further = drain::decode(own).and_then(|_| {
        let hosts = set.hosts(own).unwrap_or_default();
        set.traffic_report(&hosts, views, &memory.out)
    });
    let further = further.map(|text| format!(" {text}")).unwrap_or_default();
    format!("Now {} {}{further}", conditions.join(" "), drain::report(own, &memory.out, in_doubt))
}

fn untouched(steps: &[Step], halt: &Halt) -> String {
    let index = halt.index;
    let ordered = halt.recovery.iter().flat_map(Recovery::orders).map(|(step, _)| step);
    let begun: Vec<&str> = steps[..=index].iter().chain(ordered).map(|step| step.host.as_str()).collect();
    let mut untouched: Vec<&str> = Vec::new();
    for step in steps[index + 1..].iter().filter(|step| step.action.is_performed()) {
        if !begun.contains(&step.host.as_str()) && !untouched.contains(&step.host.as_str()) {
            untouched.push(&step.host);
        }
    }
    let rest = steps.len() - index - 1;
    match (rest, untouched.is_empty()) {
        (0, _) => "It was the last step.".to_owned(),
        (_, true) => {
            "The steps after it were not begun, because after one failure the rest stays untouched.".to_owned()
        }
        (_, false) => format!(
            "The steps after it were not begun, because after one failure the rest stays untouched: nothing was changed on \
             {}.",
            untouched.join(", ")
        ),
    }
}

fn advice(cause: &Cause) -> &'static str {
    match cause {
        Cause::Stopped => "Apply again to go on: steps that are done are recognised.",
        Cause::Lost { .. } => {
            "What ran on the host goes on there without the connection. Plan and apply again: a finished installer is \
             recognised, a running one is waited for, and none is started twice."
        }
        Cause::Unreachable { .. } | Cause::Denied { .. } | Cause::NoConnection(_) => {
            "Make the host reachable again, then plan and apply again: steps that are done are recognised."
        }
        Cause::Unhealthy(_) => {
            "The host runs what was planned and does not answer as it should. Open the address from this machine, look at \
             the application pool, the service and the event log of the host, or correct health_check (address, status, \
             timeout). Then plan and apply again: the check is repeated, and the run goes on after it."
        }
        Cause::Balancer { .. } => {
            "Nothing was changed on the host by this step. Ask the balancer from this machine, look at its own log, or correct \
             the provider's balancers (address, method, body, headers, expected_status). Then plan and apply again: to take a \
             host out or put it back once more does no harm."
        }
        Cause::Leased { .. } => {
            "What this run has done is done; the other run decided by what it found on the host. Steps that are done are \
             recognised."
        }
        Cause::Settings(_) => "Complete the provider's settings, then plan and apply again.",
        _ => {
            "State says what really runs now. Remove the cause, then plan and apply again: steps that are done are \
             recognised, and the first backup is kept."
        }
    }
}
