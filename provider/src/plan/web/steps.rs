//! The steps of one host, in the vendor's order.

use crate::backend::facts::WebKind;
use crate::backend::step::{Action, Backup, Step};
use crate::plan::web::findings;
use crate::plan::web::work::Work;
use crate::plan::{Desired, component, packages};
use crate::tf::diagnostic::Diagnostics;

/// All steps that bring a host to the pin, whole.
pub fn of_host(desired: &Desired, work: &Work<'_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    let mut steps = if work.package { package(desired, work, diagnostics) } else { Vec::new() };
    let component = work.component;
    let kind = component.component;
    let path = &component.physical_path;
    let mut add = |action| steps.push(Step { host: work.host.to_owned(), action });
    if work.merge {
        add(Action::MergeWebConfig { component: kind, path: path.clone(), backup: backup(desired, work) });
    }
    if work.pool {
        add(Action::SetApplicationPool { application_pool: component.application_pool.clone() });
    }
    if work.theme() {
        add(Action::CompareTheme { path: path.clone(), backup: backup(desired, work) });
    }
    add(Action::VerifyWeb {
        component: kind,
        version: desired.pin.to_string(),
        virtual_directory: component.virtual_directory.clone(),
    });
    // Also of a run that only finishes an earlier one: that one left its backup open.
    if work.merge {
        add(Action::CloseBackup { backup_id: backup(desired, work).id });
    }
    steps
}

/// What a person has to do on a host; a run ends before it.
pub fn by_hand(host: &str, instruction: String) -> Step {
    Step { host: host.to_owned(), action: Action::ByHand { instruction } }
}

/// Everything up to the package itself.
fn package(desired: &Desired, work: &Work<'_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    let (host, component) = (work.host, work.component);
    let Some(origin) = packages::origin(desired, host, work.facts) else {
        packages::refuse(desired, findings::way_out(component.component), diagnostics);
        return Vec::new();
    };
    let step = |action| Step { host: host.to_owned(), action };
    let mut steps = vec![step(Action::BackUp {
        what: title(component.component),
        source: component.physical_path.clone(),
        backup: backup(desired, work),
        fresh: work.untouched,
    })];
    steps.extend(origin.bring(desired, host, &[component.component.package()]));
    steps.push(step(Action::RunWebPackage {
        component: component.component,
        version: desired.pin.to_string(),
        source: origin.source(desired),
        place: component::place(component),
    }));
    steps
}

/// The backup of a set's upgrade. A retry finds it again; it is closed at the end.
fn backup(desired: &Desired, work: &Work<'_>) -> Backup {
    let kind = match work.component.component {
        WebKind::WebServiceSdk => "web_service_sdk",
        WebKind::UserPortal => "user_portal",
        WebKind::MobileAppWebService => "mobile_app_web_service",
    };
    Backup { id: format!("{kind}-{}", desired.name), name: component::backup_name(work.component) }
}

fn title(kind: WebKind) -> &'static str {
    match kind {
        WebKind::WebServiceSdk => "the Web Service SDK",
        WebKind::UserPortal => "the User Portal",
        WebKind::MobileAppWebService => "the Mobile App Web Service",
    }
}
