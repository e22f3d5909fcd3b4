//! Apply of an existing set: the plan's own decision, made again over fresh eyes, then performed.

use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::step::Step;
use crate::config::ProviderConfig;
use crate::plan::traffic::Out;
use crate::plan::{Decision, Desired, Status, View, Views, health, traffic};
use crate::resource::set::actual::{Actual, actual};
use crate::resource::set::desired::wanted;
use crate::resource::set::execute::{Halt, perform};
use crate::resource::set::lease::Leases;
use crate::resource::set::plan::policy;
use crate::resource::set::private::Memory;
use crate::resource::set::recover::Recovery;
use crate::resource::set::{HostSet, changes, drain, failure, observe, private, timeouts};
use crate::resource::{ApplyRequest, Outcome};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

/// Carries a planned change out.
pub async fn update(
    set: &dyn HostSet,
    provider: &ProviderConfig,
    request: &ApplyRequest<'_>,
    stop: &CancellationToken,
    now: jiff::Timestamp,
) -> Outcome {
    let own = known(request.planned);
    // A plan that ends before the pin keeps the old version; what was asked for is in the configuration.
    let mut asked = own.clone();
    asked.set("version", request.config.attribute("version").clone());
    let mut diagnostics = Diagnostics::default();
    let mut desired = wanted(set, &asked, request.prior, now).desired;
    let views = desired.as_mut().and_then(|desired| {
        drain::complete(Some(provider), desired);
        private::recall(desired, request.private)
    });
    let Some((desired, views)) = desired.zip(views) else {
        diagnostics.error("Nothing to go by", "The plan holds no observation of the hosts. Plan again, with refresh.");
        return refused(request, diagnostics);
    };
    let run = Run { set, provider, request, desired: &desired, own: &own, asked: &asked };
    let planned = set.decide(&desired, &asked, &views, &policy(Some(provider), &desired.pin));
    let acts = planned.steps.iter().any(|step| step.action.is_performed());
    if !acts && desired.hosts.iter().all(|host| views.contains_key(host)) {
        instruct(&desired, &planned, &mut diagnostics);
        let private = private::encode(memory(views, &desired, &[], None).0);
        return Outcome { state: own.clone(), private, diagnostics };
    }
    run.go(views, planned, stop, diagnostics).await
}

/// A value without unknowns: null where there was one.
pub fn known(value: &Value) -> Value {
    match value {
        Value::Unknown => Value::Null,
        Value::List(items) => Value::List(items.iter().map(known).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(key, value)| (key.clone(), known(value))).collect()),
        other => other.clone(),
    }
}

/// Tells what a person has to do before the next run.
fn instruct(desired: &Desired, planned: &Decision, diagnostics: &mut Diagnostics) {
    if let Some(instruction) = planned.instruction() {
        diagnostics.warning(
            format!("{}, by hand: {instruction}", desired.name),
            "This run ends here, as planned. When that is done, the next plan goes on from there.",
        );
    }
}

/// Whether what is not done yet is only what the run left to a person or another set.
fn is_left(decision: &Decision, found: &Actual) -> bool {
    match found.status {
        Status::Behind => true,
        Status::Incomplete => !found.findings.iter().any(|finding| decision.finished.contains(&finding.host)),
        _ => false,
    }
}

/// What is kept after a run: who has still to pass a health check, and who is still out of a balancer. Nobody where none is
/// declared any more. Then those of the hosts that are kept as out of which nobody knows whether they are.
fn memory(views: Views, desired: &Desired, steps: &[Step], halt: Option<&Halt>) -> (Memory, Out) {
    let failed = halt.map(|halt| halt.index);
    let to_pass = desired.health_check.as_ref().map(|_| health::still_to_pass(&desired.to_pass, steps, failed));
    let failed = halt.map(|halt| (halt.index, drain::effect(halt)));
    let afterwards = halt.and_then(|halt| halt.recovery.as_ref()).into_iter().flat_map(Recovery::orders);
    let performed = traffic::performed(steps, failed).chain(afterwards);
    let out = desired.drain.as_ref().map(|_| traffic::still_out(&desired.out, performed));
    let (out, in_doubt) = out.unwrap_or_default();
    (Memory { views, to_pass: to_pass.unwrap_or_default(), out }, in_doubt)
}

/// Nothing was done: state stays as it was.
fn refused(request: &ApplyRequest<'_>, diagnostics: Diagnostics) -> Outcome {
    Outcome { state: request.prior.clone(), private: request.private.to_vec(), diagnostics }
}

struct Run<'a> {
    set: &'a dyn HostSet,
    provider: &'a ProviderConfig,
    request: &'a ApplyRequest<'a>,
    desired: &'a Desired,
    /// What was planned.
    own: &'a Value,
    /// The same with the version that was asked for.
    asked: &'a Value,
}

impl Run<'_> {
    async fn go(
        &self,
        views: Views,
        planned: Decision,
        stop: &CancellationToken,
        mut diagnostics: Diagnostics,
    ) -> Outcome {
        let mut leases = Leases::none(self.provider, &self.desired.name);
        let ready = self.prepare(&mut leases, &views, &planned, stop, &mut diagnostics).await;
        let outcome = match ready {
            Some((fresh, decision)) => self.perform(fresh, &planned, decision, stop, diagnostics).await,
            None => refused(self.request, diagnostics),
        };
        leases.give_back().await;
        outcome
    }

    /// Leases the hosts that are to be changed, and only then looks at them and decides again: another run may have been at
    /// work there a moment ago. What a host that was added needs shows in that look, and then its lease comes first as well.
    async fn prepare(
        &self,
        leases: &mut Leases<'_>,
        views: &Views,
        planned: &Decision,
        stop: &CancellationToken,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Views, Decision)> {
        let (mut steps, addresses) = (planned.steps.clone(), self.addresses());
        loop {
            if !leases.take(&steps, &addresses, stop, diagnostics).await {
                return None;
            }
            let fresh = self.look(views, diagnostics).await?;
            let decision = self.decide_again(views, planned, &fresh, diagnostics)?;
            if leases.cover(&decision.steps, &addresses) {
                return Some((fresh, decision));
            }
            steps = decision.steps;
        }
    }

    async fn perform(
        &self,
        fresh: Views,
        planned: &Decision,
        decision: Decision,
        stop: &CancellationToken,
        mut diagnostics: Diagnostics,
    ) -> Outcome {
        let (name, limit) = (&self.desired.name, timeouts::of(self.own, "update"));
        let (steps, addresses) = (&decision.steps, self.addresses());
        let halt = perform(self.provider, name, steps, &addresses, stop, limit, &mut diagnostics).await.err();
        self.conclude(fresh, planned, &decision, halt, diagnostics).await
    }

    /// Where the hosts are reached, as it was planned.
    fn addresses(&self) -> Vec<HostAddress> {
        self.set.addresses(self.own).unwrap_or_default()
    }

    /// Looks at all hosts anew, but for those that the plan did without.
    async fn look(&self, views: &Views, diagnostics: &mut Diagnostics) -> Option<Views> {
        let mut asked = self.addresses();
        asked.retain(|host| !matches!(views.get(host.name()), Some(View::Unreachable { .. })));
        let limit = timeouts::of(self.own, "read");
        let Some(answers) = observe::ask(self.provider, &asked, true, limit).await else {
            diagnostics.error(
                format!("{}: the hosts did not answer within {} seconds", self.desired.name, limit.as_secs()),
                "Nothing was changed. Look for the host that does not answer, or raise timeouts.read.",
            );
            return None;
        };
        let mut fresh: Views = views
            .iter()
            .filter(|(host, _)| !asked.iter().any(|asked| asked.name() == *host))
            .map(|(host, view)| (host.clone(), view.clone()))
            .collect();
        for (host, answer) in answers {
            match answer {
                Ok(facts) => {
                    fresh.insert(host.name().to_owned(), View::Seen(Box::new(facts)));
                }
                Err(error) => diagnostics.error(
                    format!("{}: {} could not be read before the run", self.desired.name, host.name()),
                    format!("{}. Nothing was changed.", observe::sentence(&error)),
                ),
            }
        }
        (!diagnostics.has_errors()).then_some(fresh)
    }

    /// Makes the decision of the plan again over what is there now, and refuses when it is another one. What is
    /// performed also knows the hosts that were added.
    fn decide_again(
        &self,
        views: &Views,
        planned: &Decision,
        fresh: &Views,
        diagnostics: &mut Diagnostics,
    ) -> Option<Decision> {
        let policy = policy(Some(self.provider), &self.desired.pin);
        let known: Views = fresh
            .iter()
            .filter(|(host, _)| views.contains_key(*host))
            .map(|(host, view)| (host.clone(), view.clone()))
            .collect();
        let again = self.set.decide(self.desired, self.asked, &known, &policy);
        let is_planned = again.steps.len() == planned.steps.len()
            && again.steps.iter().zip(&planned.steps).all(|(again, planned)| again.is_same(planned));
        if !is_planned || again.diagnostics.has_errors() {
            changes::refuse(self.set, self.own, self.desired, (views, &known), &again, diagnostics);
            return None;
        }
        let whole = self.set.decide(self.desired, self.asked, fresh, &policy);
        diagnostics.append(whole.diagnostics.clone().errors());
        (!diagnostics.has_errors()).then_some(whole)
    }

    /// Looks once more and tells the truth.
    async fn conclude(
        &self,
        before: Views,
        planned: &Decision,
        decision: &Decision,
        halt: Option<Halt>,
        mut diagnostics: Diagnostics,
    ) -> Outcome {
        let views = self.look_after(&before, &mut diagnostics).await;
        let (memory, in_doubt) = memory(views, self.desired, &decision.steps, halt.as_ref());
        let found = actual(self.set, self.own, self.request.prior, &memory);
        let mut state = self.own.clone();
        found.write(self.set, &mut state, &memory.views);
        if let Some(halt) = &halt {
            let after = failure::After { memory: &memory, actual: &found, in_doubt: &in_doubt };
            failure::report(self.set, &self.desired.name, self.own, &decision.steps, halt, after, &mut diagnostics);
        } else {
            if planned.status == Status::Waiting && is_left(decision, &found) {
                state.set("version_status", Value::from(Status::Waiting.as_str()));
            }
            if !planned.reaches_pin {
                // The version of a set that does not arrive stays as it was, also beside a host that was just added.
                state.set("version", self.own.attribute("version").clone());
            }
            // A host that could not be read afterwards is an error already, and nothing can be held against the plan.
            if !diagnostics.has_errors() {
                self.check(&state, &found, &mut diagnostics);
            }
        }
        if diagnostics.has_errors() {
            if found.version.is_none() {
                // Nothing runs anywhere any more, and what was planned does not either.
                state.set("version", self.request.prior.attribute("version").clone());
            }
            state.set("steps", Value::List(Vec::new()));
        } else {
            instruct(self.desired, planned, &mut diagnostics);
        }
        Outcome { state, private: private::encode(memory), diagnostics }
    }

    /// A host that does not answer after the run keeps what was seen of it before, and is an error.
    async fn look_after(&self, before: &Views, diagnostics: &mut Diagnostics) -> Views {
        let mut views = before.clone();
        let mut asked = self.addresses();
        asked.retain(|host| matches!(before.get(host.name()), Some(View::Seen(_))));
        let limit = timeouts::of(self.own, "read");
        let answers = observe::ask(self.provider, &asked, true, limit).await.unwrap_or_default();
        for host in asked.iter().filter(|host| !answers.iter().any(|(answered, _)| answered == *host)) {
            diagnostics.error(
                format!("{}: {} did not answer after the run", self.desired.name, host.name()),
                "State holds what was seen of it before. Plan again to see what it runs.",
            );
        }
        for (host, answer) in answers {
            match answer {
                Ok(facts) => {
                    views.insert(host.name().to_owned(), View::Seen(Box::new(facts)));
                }
                Err(error) => {
                    diagnostics.error(
                        format!("{}: {} could not be read after the run", self.desired.name, host.name()),
                        format!(
                            "{}. State holds what was seen of it before. Plan again to see what it runs.",
                            observe::sentence(&error)
                        ),
                    );
                }
            }
        }
        views
    }

    /// Proves that the run brought about what was planned.
    fn check(&self, state: &Value, found: &Actual, diagnostics: &mut Diagnostics) {
        let differences = changes::differences(self.request.planned, state);
        if !differences.is_empty() {
            diagnostics.error(
                format!("{} did not end as planned", self.desired.name),
                format!(
                    "Every step reported success, and yet: {}. {} State says what is really there. Plan again.",
                    differences.join("; "),
                    found.report()
                ),
            );
        }
    }
}
