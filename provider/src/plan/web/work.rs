//! What one host of a set of web components needs.

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::plan::checks::Seen;
use crate::plan::component;
use crate::plan::version::Version;
use crate::plan::web::WebSet;

/// What one host needs.
pub struct Work<'a> {
    pub host: &'a str,
    pub facts: &'a HostFacts,
    pub component: &'a WebComponent,
    /// The package has to run: it is below the pin, or was left half done.
    pub package: bool,
    /// The package has certainly not replaced anything yet.
    pub untouched: bool,
    /// web.config has to be put back or merged.
    pub merge: bool,
    /// The pool has to be on CLR v4.0. Also when a component crosses the generations in a pool that is there already:
    /// another component of the host may move it between the plan and the run.
    pub pool: bool,
}

impl<'a> Work<'a> {
    /// What a host that was read needs. None when nothing is found to work on.
    pub fn of(set: &WebSet, seen: &Seen<'a>, pin: &Version) -> Option<Self> {
        let component = set.candidates(seen.facts).into_iter().next()?;
        let package = seen.below || !seen.evidence.agrees;
        let crosses = component::is_old_generation(&seen.evidence.lowest) && !component::is_old_generation(pin);
        Some(Self {
            host: seen.host,
            facts: seen.facts,
            component,
            package,
            untouched: seen.is_untouched() && component::is_configured(component),
            merge: package || !component.placeholders.is_empty(),
            pool: (package && crosses) || component::is_on_old_runtime(component, pin),
        })
    }

    /// What only a person can do: without a web.config there is nothing to put values into, and only the package brings
    /// one.
    pub fn by_hand(&self) -> Option<String> {
        (!self.package && !self.component.web_config_exists).then(|| {
            format!(
                "put a web.config back into {} on {}, from its backup or another host",
                self.component.physical_path, self.host
            )
        })
    }

    /// Whether the theme is compared with its backup: wherever setup may have replaced it.
    pub fn theme(&self) -> bool {
        self.merge && self.component.component == WebKind::UserPortal
    }
}

/// The end-state facts of a component at the pin that do not hold.
pub fn gaps(component: &WebComponent, pin: &Version) -> Vec<String> {
    let title = component.component.title();
    let name = &component.virtual_directory;
    let mut gaps = Vec::new();
    if !component.web_config_exists {
        gaps.push(format!("the {title} in {name} has no web.config"));
    }
    if !component.placeholders.is_empty() {
        gaps.push(format!(
            "web.config of the {title} in {name} still holds the vendor's placeholder in {}",
            component.placeholders.join(", ")
        ));
    }
    if component::is_on_old_runtime(component, pin) {
        gaps.push(format!(
            "application pool {} of the {title} is on CLR v2.0 instead of v4.0",
            component.application_pool
        ));
    }
    gaps
}
