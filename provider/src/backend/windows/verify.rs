//! Proofs: what a fresh look at a host must show after the work.

use std::time::Duration;

use crate::backend::error::{Cause, HostError};
use crate::backend::facts::{Adfs, HostFacts, Server, WebComponent, WebKind};
use crate::backend::windows::poll::Ended;
use crate::backend::windows::work::{SILENCE, Work};
use crate::backend::{Report, version};

/// How long a service may take to start after its setup.
const SERVICE_START: Duration = Duration::from_secs(2 * 60);

/// The first major version on .NET 4.5, whose web components need an application pool on CLR v4.0.
const FIRST_DOTNET_45: u64 = 7;

/// The adapter's provider names before 7.0 and since.
const OLD_PROVIDER: &str = "WindowsAzureMultiFactorAuthentication";
const NEW_PROVIDER: &str = "AzureMfaServerAuthentication";

/// Proves that a server, and its SDK where there is one, runs a version.
pub async fn server(work: &Work<'_>, wanted: &str, sdk: bool) -> Result<Report, HostError> {
    until_proven(work, |facts| {
        let server = facts.server.as_ref().ok_or_else(|| Finding::wrong("no MFA Server is installed on it"))?;
        server_versions(server, wanted)?;
        running("MultiFactorAuth", server.service_state.as_deref())?;
        if !sdk {
            return Ok(());
        }
        web_whole(facts, WebKind::WebServiceSdk, wanted, None)
    })
    .await
}

/// Proves that a web component runs a version and is whole.
pub async fn web(work: &Work<'_>, kind: WebKind, wanted: &str, virtual_directory: &str) -> Result<Report, HostError> {
    until_proven(work, |facts| web_whole(facts, kind, wanted, Some(virtual_directory))).await
}

/// Proves that the AD FS adapter runs a version, is registered, and that AD FS has been restarted since.
pub async fn adapter(work: &Work<'_>, wanted: &str) -> Result<Report, HostError> {
    until_proven(work, |facts| {
        let adfs = facts.adfs.as_ref().ok_or_else(|| Finding::wrong("AD FS is not installed on it"))?;
        adapter_versions(adfs, wanted)?;
        adapter_registered(adfs)?;
        for (restarted, since) in
            [(adfs.restarted_since_install, "installed"), (adfs.restarted_since_registration, "registered")]
        {
            if restarted == Some(false) {
                return Err(Finding::wrong(format!("AD FS has not been restarted since the adapter was {since}")));
            }
        }
        running("adfssrv", adfs.service_state.as_deref())
    })
    .await
}

/// What a look at a host found instead of what it should.
#[derive(Debug)]
pub struct Finding {
    text: String,
    /// Whether time alone may mend it.
    passing: bool,
}

impl Finding {
    fn wrong(text: impl Into<String>) -> Self {
        Self { text: text.into(), passing: false }
    }
}

/// Whether both pieces of evidence say that a server runs a version.
pub fn server_versions(server: &Server, wanted: &str) -> Result<(), Finding> {
    evidence("MFA Server's uninstall entry", server.product_version.as_deref(), wanted)?;
    evidence("the service's file", server.file_version.as_deref(), wanted)
}

/// Whether both pieces of evidence say that a web component runs a version.
pub fn web_versions(component: &WebComponent, wanted: &str) -> Result<(), Finding> {
    let title = component.component.title();
    evidence(&format!("the {title}'s uninstall entry"), component.product_version.as_deref(), wanted)?;
    let file = format!("the {title}'s library in {}", component.virtual_directory);
    evidence(&file, component.file_version.as_deref(), wanted)
}

/// Whether the adapter of a version is installed. Its assembly must be there; the assembly's version says nothing,
/// because nobody has documented how it goes with the product's.
pub fn adapter_versions(adfs: &Adfs, wanted: &str) -> Result<(), Finding> {
    evidence("the adapter's uninstall entry", adfs.adapter_product_version.as_deref(), wanted)?;
    match adfs.adapter_assembly.as_deref().and_then(assembly_version) {
        Some(_) => Ok(()),
        None => Err(Finding::wrong("the adapter's assembly was not found")),
    }
}

/// A web component of a kind, in a virtual directory when one is given.
pub fn web_component<'a>(
    facts: &'a HostFacts,
    kind: WebKind,
    virtual_directory: Option<&str>,
) -> Option<&'a WebComponent> {
    facts.web.iter().find(|found| {
        let wanted = virtual_directory.map(|wanted| wanted.trim_matches('/'));
        found.component == kind
            && wanted.is_none_or(|wanted| found.virtual_directory.trim_matches('/').eq_ignore_ascii_case(wanted))
    })
}

/// Looks until the check holds. Only what time may mend is looked at again.
async fn until_proven(work: &Work<'_>, check: impl Fn(&HostFacts) -> Result<(), Finding>) -> Result<Report, HostError> {
    let mut poll = work.poll(SERVICE_START);
    loop {
        // What ran before may have restarted the host.
        let facts = work.until_heard(SILENCE, || work.facts()).await?;
        let finding = match check(&facts) {
            Ok(()) => return Ok(Report::default()),
            Err(finding) => finding,
        };
        let ended = if finding.passing { poll.pause().await.err() } else { Some(Ended::TimedOut) };
        match ended {
            None => {}
            Some(Ended::Stopped) => return Err(work.failure(Cause::Stopped)),
            Some(Ended::TimedOut) => return Err(work.failure(Cause::Unproven(finding.text))),
        }
    }
}

fn web_whole(facts: &HostFacts, kind: WebKind, wanted: &str, virtual_directory: Option<&str>) -> Result<(), Finding> {
    let title = kind.title();
    let component = web_component(facts, kind, virtual_directory).ok_or_else(|| {
        let place = virtual_directory.map(|place| format!(" in the virtual directory {place}")).unwrap_or_default();
        Finding::wrong(format!("no {title} was found{place}"))
    })?;
    web_versions(component, wanted)?;
    if !component.web_config_exists {
        return Err(Finding::wrong(format!("the {title} has no web.config")));
    }
    if kind != WebKind::WebServiceSdk && !component.placeholders.is_empty() {
        let keys = component.placeholders.join(", ");
        return Err(Finding::wrong(format!(
            "web.config of the {title} still holds the vendor's placeholder in {keys}"
        )));
    }
    if version::major(wanted) >= Some(FIRST_DOTNET_45) && component.pool_runtime == "v2.0" {
        let pool = &component.application_pool;
        return Err(Finding::wrong(format!("application pool {pool} of the {title} is on CLR v2.0 instead of v4.0")));
    }
    Ok(())
}

/// Whether the registered provider is of the installed generation. A WID secondary cannot tell.
fn adapter_registered(adfs: &Adfs) -> Result<(), Finding> {
    let Some(providers) = &adfs.providers else { return Ok(()) };
    let installed = adfs.adapter_assembly.as_deref().and_then(assembly_version);
    if providers.iter().any(|provider| provider.type_name.is_empty() && named_as(installed, &provider.name)) {
        return Ok(());
    }
    let registered: Vec<_> = providers.iter().filter_map(|provider| assembly_version(&provider.type_name)).collect();
    if registered.iter().any(|found| Some(*found) == installed) {
        return Ok(());
    }
    Err(Finding::wrong(match registered.as_slice() {
        [] => "no MFA Server provider is registered in AD FS".to_owned(),
        found => format!(
            "AD FS has the provider of assembly {} registered, and {} is installed",
            found.join(", "),
            installed.unwrap_or("none")
        ),
    }))
}

/// Where AD FS does not show a provider's type, its name tells the generation.
fn named_as(installed: Option<&str>, name: &str) -> bool {
    let is_new = installed.and_then(version::major) >= Some(FIRST_DOTNET_45);
    name.eq_ignore_ascii_case(if is_new { NEW_PROVIDER } else { OLD_PROVIDER })
}

fn evidence(what: &str, found: Option<&str>, wanted: &str) -> Result<(), Finding> {
    match found {
        Some(found) if version::same(found, wanted) => Ok(()),
        Some(found) => Err(Finding::wrong(format!("{what} says {found}, not {wanted}"))),
        None => Err(Finding::wrong(format!("{what} was not found, so {wanted} is not proven"))),
    }
}

fn running(service: &str, state: Option<&str>) -> Result<(), Finding> {
    match state {
        Some("Running") => Ok(()),
        Some(state) => {
            Err(Finding { text: format!("the service {service} is not running, but {state}"), passing: true })
        }
        None => Err(Finding { text: format!("the service {service} is not there"), passing: true }),
    }
}

/// The version in an assembly's full name or in a provider's type name.
fn assembly_version(full_name: &str) -> Option<&str> {
    full_name.split(',').find_map(|part| part.trim().strip_prefix("Version="))
}
