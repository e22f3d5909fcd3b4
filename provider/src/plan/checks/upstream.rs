//! What comes before a set: whether it may go, waits, or was declared wrong.

use crate::plan::Desired;
use crate::plan::token::{SetKind, Token};
use crate::plan::version::Version;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// The wave of a set: one after the highest among what comes before it.
pub fn wave(after: &[Token]) -> u32 {
    after.iter().map(|token| token.wave).max().unwrap_or(0).saturating_add(1)
}

/// Checks the tokens of a set with work to do. Gives the reason to wait, when there is one.
pub fn check(kind: SetKind, desired: &Desired, diagnostics: &mut Diagnostics) -> Option<String> {
    let pin = &desired.pin;
    if kind != SetKind::ServerGroup && !desired.after.iter().any(|token| token.kind == SetKind::ServerGroup) {
        diagnostics.error_at(
            Path::of("after"),
            format!("{}: no server group before it", desired.name),
            "MFA Servers are upgraded before what uses them, and their packages come from them. Name the server group \
             that this set belongs to, such as after = [azuremfa_server_group.eu.ready].",
        );
        return None;
    }
    let mut reasons = Vec::new();
    let mut found = Vec::new();
    for (index, token) in desired.after.iter().enumerate() {
        let needed = needed(kind, token, desired);
        if token.kind == SetKind::ServerGroup && kind != SetKind::ServerGroup && token.pin < *pin {
            diagnostics.error_at(
                Path::of("after").index(index),
                format!("{}: its server group is pinned lower", desired.name),
                format!(
                    "{} is to run {pin}, but {} is pinned at {}. A component must not be newer than its MFA Servers. \
                     Raise the version of {} to {pin} or later, or pin {} at {} or lower.",
                    desired.name, token.name, token.pin, token.name, desired.name, token.pin
                ),
            );
        } else if !token.allows(needed) {
            reasons.push(reason(token, needed));
            found.push(format!("{} runs {} at the lowest", token.name, token.lowest));
        }
    }
    if reasons.is_empty() || diagnostics.has_errors() {
        return None;
    }
    let reason = reasons.join(" and ");
    diagnostics.warning(
        format!("{} waits for {reason}", desired.name),
        format!(
            "{} stays as it is in this run; {}. It goes on to {pin} in the plan after that.",
            desired.name,
            found.join(", ")
        ),
    );
    Some(reason)
}

/// What a token must have reached: of a component's servers the component's pin, of all else its own.
fn needed<'a>(kind: SetKind, token: &'a Token, desired: &'a Desired) -> &'a Version {
    if token.kind == SetKind::ServerGroup && kind != SetKind::ServerGroup { &desired.pin } else { &token.pin }
}

fn reason(token: &Token, needed: &Version) -> String {
    if token.lowest >= *needed {
        format!("{} to be whole at {needed}", token.name)
    } else {
        format!("{} to run {needed}", token.name)
    }
}
