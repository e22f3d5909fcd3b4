//! Application pools: what else lives in one that moves to CLR v4.0.

use crate::backend::facts::{HostFacts, WebComponent};
use crate::plan::Desired;
use crate::plan::checks::acknowledgement;
use crate::plan::component;
use crate::tf::diagnostic::Diagnostics;

/// Reports every MFA component on .NET 2.0 that shares the pool of a component whose upgrade moves it: it fails from
/// then until its own upgrade.
pub fn check(desired: &Desired, host: &str, facts: &HostFacts, moving: &WebComponent, diagnostics: &mut Diagnostics) {
    let pool = &moving.application_pool;
    let title = moving.component.title();
    for other in facts.web.iter().filter(|other| is_left_behind(other, moving)) {
        let left = other.component.title();
        acknowledgement::report(
            desired,
            acknowledgement::SHARED_APPLICATION_POOL,
            &format!(
                "On {host}, application pool {pool} is shared by the {title} in {} and the {left} in {}. It moves to CLR v4.0 \
                 with the {title}, and the {left} fails from then until its own upgrade. Give the {left} a pool of its own \
                 first.",
                moving.virtual_directory, other.virtual_directory
            ),
            diagnostics,
        );
    }
}

fn is_left_behind(other: &WebComponent, moving: &WebComponent) -> bool {
    let is_itself = other.site_id == moving.site_id
        && component::is_same_directory(&other.virtual_directory, &moving.virtual_directory);
    !is_itself
        && other.application_pool.eq_ignore_ascii_case(&moving.application_pool)
        && component::evidence(other).is_none_or(|evidence| component::is_old_generation(&evidence.lowest))
}
