//! Diagnostics on the wire, and the words for what only the protocol layer can find.

use crate::rpc::decode::DecodeError;
use crate::rpc::generated::tfplugin6::attribute_path::Step as WireStep;
use crate::rpc::generated::tfplugin6::attribute_path::step::Selector;
use crate::rpc::generated::tfplugin6::diagnostic::Severity as WireSeverity;
use crate::rpc::generated::tfplugin6::{AttributePath, Diagnostic as WireDiagnostic};
use crate::tf::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::tf::path::{Path, Step};

/// What to do about an error that no user can have caused.
pub const REPORT: &str = "This should not happen; please report it to the maintainers of this provider, with the \
    configuration that led here and the log that TF_LOG_PROVIDER=TRACE gives.";

/// Longest text of ours that quotes what a client sent.
const MAXIMUM_QUOTE: usize = 200;

/// The diagnostics as the client expects them, in their order.
pub fn to_wire(diagnostics: Diagnostics) -> Vec<WireDiagnostic> {
    diagnostics.into_iter().map(one).collect()
}

/// A path as text, where the root has a name too.
pub fn place(path: &Path) -> String {
    if path.steps().is_empty() { "The value as a whole".to_owned() } else { format!("The attribute {path}") }
}

/// Text from outside, cut to a length that fits a message.
pub fn quote(text: &str) -> String {
    let cut: String = text.chars().take(MAXIMUM_QUOTE).collect();
    if cut.len() < text.len() { format!("{cut:?}...") } else { format!("{cut:?}") }
}

/// A value of the client cannot be read. `what` is its name in the request, such as `prior state`.
pub fn undecodable(rpc: &str, what: &str, error: &DecodeError) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let summary = format!("{rpc} was given a {what} that does not fit the schema");
    let detail = format!("{}: {}. {REPORT}", place(&error.path), error.problem);
    diagnostics.error_at(error.path.clone(), summary, detail);
    diagnostics
}

/// A panic was caught while answering.
pub fn panicked(rpc: &str, message: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let detail = format!("An internal check failed: {message}. Nothing else in this run is affected. {REPORT}");
    diagnostics.error(format!("{rpc} failed inside the provider"), detail);
    diagnostics
}

/// The client asks for something this provider has none of.
pub fn absent(what: &str, name: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let detail =
        format!("The azuremfa provider has no {what} called {}. Its documentation lists what it has.", quote(name));
    diagnostics.error(format!("No such {what}"), detail);
    diagnostics
}

fn one(diagnostic: Diagnostic) -> WireDiagnostic {
    let severity = match diagnostic.severity {
        Severity::Error => WireSeverity::Error,
        Severity::Warning => WireSeverity::Warning,
    };
    let path = diagnostic.path.filter(|path| !path.steps().is_empty());
    let shown = path.as_ref().map(shown_steps);
    let is_cut = path.as_ref().zip(shown).is_some_and(|(path, shown)| shown.len() < path.steps().len());
    let detail = match &path {
        Some(path) if is_cut => format!("At {path}: {}", diagnostic.detail),
        _ => diagnostic.detail,
    };
    let attribute = shown.map(attribute_path);
    WireDiagnostic { severity: severity.into(), summary: diagnostic.summary, detail, attribute }
}

/// The part of a path whose line the core can find: a root attribute, and one element directly in it. With a longer
/// path it shows the first line of the whole block instead.
fn shown_steps(path: &Path) -> &[Step] {
    match path.steps() {
        [root, Step::Key(_) | Step::Index(_), ..] => {
            debug_assert!(matches!(root, Step::Attribute(_)), "a path begins with an attribute");
            &path.steps()[..2]
        }
        steps => &steps[..1],
    }
}

fn attribute_path(steps: &[Step]) -> AttributePath {
    let step = |step: &Step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX)),
        };
        WireStep { selector: Some(selector) }
    };
    AttributePath { steps: steps.iter().map(step).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_severities_reach_the_wire() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.error_at(Path::of("a").key("k").index(2), "s", "d");
        diagnostics.error_at(Path::of("a").attribute("b"), "s", "d");
        diagnostics.error_at(Path::of("a").index(2), "s", "d");
        diagnostics.warning("w", "");
        diagnostics.warning_at(Path::root(), "r", "");
        let wire = to_wire(diagnostics);
        let steps = |index: usize| -> Vec<Selector> {
            let path = wire[index].attribute.as_ref().expect("a path");
            path.steps.iter().map(|step| step.selector.clone().expect("a step")).collect()
        };
        let root = Selector::AttributeName("a".to_owned());
        assert_eq!(steps(0), [root.clone(), Selector::ElementKeyString("k".to_owned())]);
        assert_eq!(wire[0].detail, "At a[\"k\"][2]: d", "what the path cannot show is said");
        assert_eq!((steps(1), wire[1].detail.as_str()), (vec![root.clone()], "At a.b: d"));
        assert_eq!((steps(2), wire[2].detail.as_str()), (vec![root, Selector::ElementKeyInt(2)], "d"));
        assert_eq!(wire[0].severity(), WireSeverity::Error);
        assert_eq!((wire[3].severity(), &wire[3].attribute), (WireSeverity::Warning, &None));
        assert_eq!(wire[4].attribute, None);
    }

    #[test]
    fn quotes_are_cut() {
        assert_eq!(quote("short"), "\"short\"");
        assert!(quote(&"x".repeat(100_000)).len() < 300);
    }
}
