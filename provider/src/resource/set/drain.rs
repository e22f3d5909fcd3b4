//! `drain`: the balancer that a host is taken out of while it is changed.

use std::collections::BTreeSet;

use crate::backend::balancer::Declared;
use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::backend::web_address;
use crate::config::{ProviderConfig, checks};
use crate::plan::Desired;
use crate::plan::traffic::{self, Drain, Effect, Out};
use crate::resource::set::execute::Halt;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

/// The attribute's name.
pub const NAME: &str = "drain";

/// The attribute.
pub fn attribute() -> Attribute {
    Attribute::optional(NAME, Kind::String, DESCRIPTION).check(checks::not_empty)
}

const DESCRIPTION: &str = "The name of one of the provider's `balancers`. Each host is taken out of it before it is \
    changed, and put back after that and after its health check (the first batch of an AD FS farm before it). A host whose \
    run breaks off stays out, and the next run that finishes it puts it back. Without `drain` the plan says when to take a \
    host out yourself. See the guide `traffic`.";

/// The balancer that a set names. How long connections may run out is the provider's to say.
pub fn decode(own: &Value) -> Option<Drain> {
    own.attribute(NAME).as_str().map(|balancer| Drain { balancer: balancer.to_owned(), wait: None })
}

/// Adds what the provider's settings say of it.
pub fn complete(provider: Option<&ProviderConfig>, desired: &mut Desired) {
    let Some(drain) = &mut desired.drain else { return };
    let declared = provider.and_then(|provider| provider.balancers().find(&drain.balancer));
    drain.wait = match declared {
        Some(Declared::Ready(balancer)) => Some(balancer.drain_wait),
        _ => None,
    };
}

/// Whether a step's text cannot be said yet.
pub fn is_blurred(action: &Action) -> bool {
    matches!(action, Action::TakeOut { wait: None, in_gap: false, .. } | Action::AwaitConnections { wait: None, .. })
}

/// What a plan has to say about a balancer: whether it is declared and can be asked for every host, and which hosts nobody
/// puts back any more. What only the orders themselves take is held against a plan whose `steps` give some.
pub fn look(provider: Option<&ProviderConfig>, desired: &Desired, steps: &[Step], diagnostics: &mut Diagnostics) {
    let Some(drain) = &desired.drain else {
        if !desired.out.is_empty() {
            warn_of_forgotten(desired, diagnostics);
        }
        return;
    };
    let Some(provider) = provider else { return };
    let earlier = desired.out.values().flatten().filter(|balancer| **balancer != drain.balancer);
    for balancer in BTreeSet::from_iter(earlier.chain([&drain.balancer])) {
        check(provider, desired, balancer, steps, diagnostics);
    }
    if !diagnostics.has_errors() {
        warn_of_left(desired, steps, diagnostics);
    }
}

/// Whether a balancer can be asked for the hosts of a set.
fn check(provider: &ProviderConfig, desired: &Desired, name: &str, steps: &[Step], diagnostics: &mut Diagnostics) {
    let set = &desired.name;
    let asks = |step: &Step| match &step.action {
        Action::TakeOut { balancer, .. } | Action::PutBack { balancer, .. } => balancer == name,
        // What a host that was added takes is not known before it is read.
        Action::Adopt { .. } => true,
        _ => false,
    };
    let balancer = match provider.balancers().find(name) {
        Some(Declared::Ready(balancer)) => balancer,
        Some(Declared::NotKnown) => return,
        Some(Declared::Unusable(reason)) => {
            if steps.iter().any(asks) {
                diagnostics.error_at(Path::of(NAME), format!("{set}: balancer {name} cannot be used"), reason.clone());
            }
            return;
        }
        None => {
            let tell = if steps.iter().any(asks) { Diagnostics::error_at } else { Diagnostics::warning_at };
            let summary = format!("{set}: balancer {name} is not declared");
            tell(diagnostics, Path::of(NAME), summary, undeclared(provider, desired, name));
            return;
        }
    };
    let urls = desired.hosts.iter().flat_map(|host| balancer.orders().map(|order| order.url_for(host)));
    for asked in urls.filter_map(Result::ok).map(|url| web_address::host(&url)) {
        if let Err(reason) = provider.check_allowed(&asked) {
            diagnostics.error_at(
                Path::of(NAME),
                format!("{set}: balancer {name} may not be asked at {asked}"),
                format!("{reason} The variable counts for balancers as it does for hosts."),
            );
            return;
        }
    }
}

fn undeclared(provider: &ProviderConfig, desired: &Desired, name: &str) -> String {
    let names: Vec<String> = provider.balancers().names().map(|name| format!("{name:?}")).collect();
    let accepted = match names.as_slice() {
        [] => "The provider's settings have no balancers".to_owned(),
        names => format!("The provider's balancers are {}", names.join(", ")),
    };
    if desired.drain.as_ref().is_some_and(|drain| drain.balancer == name) {
        return format!("Found {name:?}. {accepted}. Correct the name, or declare it in the provider's `balancers`.");
    }
    format!(
        "An earlier run has taken {} out of it, and the run that finishes it puts it back. {accepted}. Declare {name:?} until that is \
         done. Or put the host back yourself and leave `drain` out for one apply, which forgets it.",
        hosts_out_of(&desired.out, name)
    )
}

fn hosts_out_of(out: &Out, name: &str) -> String {
    let hosts = out.iter().filter(|(_, balancers)| balancers.contains(name)).map(|(host, _)| host.as_str());
    hosts.collect::<Vec<_>>().join(", ")
}

fn warn_of_forgotten(desired: &Desired, diagnostics: &mut Diagnostics) {
    diagnostics.warning_at(
        Path::of(NAME),
        format!("{}: out of a balancer, and no run puts it back: {}", desired.name, listed(&desired.out)),
        "An earlier run has taken it out, and `drain` is not set any more. Put it back yourself, or set `drain` again. After \
         the next apply nothing is known of it any more.",
    );
}

/// A run may have no business with a host that is out (the set is held or waits, or the host is away or ahead), and one that
/// only closes a gap in a farm leaves out who cannot serve.
fn warn_of_left(desired: &Desired, steps: &[Step], diagnostics: &mut Diagnostics) {
    let (left, _) = traffic::still_out(&desired.out, traffic::performed(steps, None));
    if !left.is_empty() {
        diagnostics.warning_at(
            Path::of(NAME),
            format!("{}: out of a balancer, and not put back by this run: {}", desired.name, listed(&left)),
            "It was taken out by an earlier run that was not finished, or is by this one, which does not finish it. Put it back \
             yourself if it serves; the run that finishes it does it once more.",
        );
    }
}

/// Hosts, each with the balancers it is out of.
pub fn listed(out: &Out) -> String {
    let one = |(host, balancers): (&String, &BTreeSet<String>)| {
        format!("{host} ({})", balancers.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    out.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How much of its effect the step has had at which a run broke off.
pub fn effect(halt: &Halt) -> Effect {
    if halt.begun { effect_of(&halt.error) } else { Effect::Absent }
}

/// How much of its effect an order has had that failed.
pub fn effect_of(error: &HostError) -> Effect {
    match &error.cause {
        Cause::Balancer { may_be_done: false, .. } | Cause::Settings(_) | Cause::Local(_) => Effect::Absent,
        // It was the wait for connections that was cut.
        Cause::Stopped => Effect::There,
        _ => Effect::Possible,
    }
}

/// Where the hosts stand in the traffic after a run that broke off. Of those `in_doubt` nobody knows whether they are out.
pub fn report(own: &Value, out: &Out, in_doubt: &Out) -> String {
    if own.attribute(NAME).as_str().is_none() {
        return "Traffic is not managed by this run: a host you took out of the balancer is still out.".to_owned();
    }
    if out.is_empty() {
        return "No host is out of its balancer.".to_owned();
    }
    let is_doubtful = |host: &str, name: &String| in_doubt.get(host).is_some_and(|doubtful| doubtful.contains(name));
    let mut certain = out.clone();
    for (host, balancers) in &mut certain {
        balancers.retain(|name| !is_doubtful(host, name));
    }
    certain.retain(|_, balancers| !balancers.is_empty());
    let said = [("Out", &certain), ("May be out", in_doubt)].into_iter().filter(|(_, hosts)| !hosts.is_empty());
    let said: String = said.map(|(what, hosts)| format!("{what} of its balancer: {}. ", listed(hosts))).collect();
    format!("{said}The run that finishes a host puts it back.")
}
