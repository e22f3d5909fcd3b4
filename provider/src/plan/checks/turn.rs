//! What a set that waits would be refused for at its turn, so that it can be put right meanwhile.

use crate::address::HostAddress;
use crate::plan::checks::{Standing, Survey};
use crate::plan::{Decision, Desired};
use crate::tf::diagnostic::Severity;

/// Warns once of everything that stands against the run that comes when the wait is over. `decide` makes the decision of
/// that run.
pub fn foretell<'a>(mut survey: Survey<'a>, decide: impl FnOnce(&Desired) -> Decision) -> Survey<'a> {
    if !matches!(survey.standing, Standing::Waiting(_)) || survey.diagnostics.has_errors() {
        return survey;
    }
    let name = &survey.desired.name;
    let decision = decide(&at_its_turn(survey.desired));
    let is_news = |summary: &str| !survey.diagnostics.iter().any(|known| known.summary == summary);
    let found = decision.diagnostics.iter();
    let found = found.filter(|found| found.severity == Severity::Error && is_news(&found.summary));
    let reasons: Vec<String> = found
        .map(|found| {
            let summary = found.summary.strip_prefix(&format!("{name}: ")).unwrap_or(&found.summary);
            format!("- {summary}: {}", found.detail)
        })
        .collect();
    let many = match reasons.len() {
        0 => return survey,
        1 => "one reason".to_owned(),
        many => format!("{many} reasons"),
    };
    survey.diagnostics.warning(
        format!("{name}: its turn will be refused for {many}"),
        format!("As things are now, the plan after the wait is an error. Put it right before:\n{}", reasons.join("\n")),
    );
    survey
}

/// The same set when all that comes before it runs its pin, whole.
fn at_its_turn(desired: &Desired) -> Desired {
    let mut turn = desired.clone();
    turn.rehearsal = true;
    for token in &mut turn.after {
        token.lowest = token.pin.clone();
        token.whole = true;
        if token.at_pin.is_empty() {
            // Any of its hosts: nothing is brought from it here.
            token.at_pin.push(HostAddress::named(&token.name));
        }
    }
    turn
}
