//! The estate of the documentation: everything on 6.3.1.1, and the releases it can be brought to.

use std::path::Path;

use crate::lab::estate::Estate;
use crate::lab::estate::host_builder::{HostBuilder, Place};
use crate::lab::host::error::LabError;
use crate::lab::host::farm::{Farm, Provider};
use crate::lab::host::product::adapter::{self, AdapterSettings};
use crate::lab::host::product::component::Component;
use crate::lab::host::product::web_config::{LOCAL_PLACEHOLDER, Settings};
use crate::lab::host::time;

/// What every component of the demo estate runs at first.
pub const VERSION: &str = "6.3.1.1";
/// The releases that can be fetched.
pub const RELEASES: [&str; 3] = ["6.3.1.1", "7.0.0.9", "8.0.1.1"];
/// Stands in every place where a password of the estate's own lies; found nowhere else if all goes well.
pub const MARKER_PASSWORD: &str = "M4rk3r-S3cret-of-the-portal";
/// Address of the Web Service SDK behind its balancer.
pub const SDK_URL: &str = "https://mfa.contoso.com/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx";
/// Account of portals, web services and adapters.
pub const SDK_ACCOUNT: &str = "CONTOSO\\pfwssdk_svc";
/// The AD FS farm.
pub const FARM: &str = "adfs-eu";
/// The replication group.
pub const GROUP: &str = "mfa-eu";

/// Makes the demo estate in a folder.
pub fn create(folder: &Path) -> Result<Estate, LabError> {
    let estate = Estate::create(folder)?;
    fill(&estate)?;
    Ok(estate)
}

/// Makes the demo estate in a temporary folder.
pub fn temporary() -> Result<Estate, LabError> {
    let estate = Estate::temporary()?;
    fill(&estate)?;
    Ok(estate)
}

/// Adds the demo's hosts, farm and releases to an estate.
pub fn fill(estate: &Estate) -> Result<(), LabError> {
    for version in RELEASES {
        estate.add_release(version)?;
    }
    server("mfa01.contoso.com").write(estate)?;
    server("mfa02.contoso.com").write(estate)?;
    let place = Place::new("MultiFactorAuth", "MfaPortal", "v2.0");
    let beside = Settings { use_web_service_sdk: false, ..Settings::configured("", "", LOCAL_PLACEHOLDER) };
    let portal = server("mfa03.contoso.com").web(Component::UserPortal, VERSION, place, beside);
    portal.visual_c(&["x64", "x86"]).write(estate)?;
    estate.set_master("mfa01.contoso.com")?;
    for name in ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"] {
        portal_host(name, VERSION).write(estate)?;
    }
    mobile_host("app01.dmz.contoso.com", VERSION).write(estate)?;
    let roles = [("adfs01.contoso.com", "PrimaryComputer"), ("adfs02.contoso.com", "SecondaryComputer")];
    estate.write_farm(FARM, &farm(&roles.map(|(name, _)| name), VERSION))?;
    for (name, role) in roles {
        adfs_host(name, FARM, role, VERSION).write(estate)?;
    }
    Ok(())
}

/// A server of the demo's group with the Web Service SDK.
pub fn server(name: &str) -> HostBuilder {
    server_host(name, GROUP, VERSION)
}

/// A server with the Web Service SDK in its own pool.
pub fn server_host(name: &str, group: &str, version: &str) -> HostBuilder {
    let place = Place::new("MultiFactorAuthWebServiceSdk", "MfaSdk", runtime(version));
    let settings = Settings::shipped(Component::WebServiceSdk);
    HostBuilder::new(name).server(group, version).web(Component::WebServiceSdk, version, place, settings)
}

/// A host with a User Portal alone.
pub fn portal_host(name: &str, version: &str) -> HostBuilder {
    let place = Place::new("MultiFactorAuth", "DefaultAppPool", runtime(version)).classic();
    HostBuilder::new(name).visual_c(&["x64", "x86"]).web(Component::UserPortal, version, place, configured())
}

/// A host with a Mobile App Web Service alone.
pub fn mobile_host(name: &str, version: &str) -> HostBuilder {
    let place = Place::new("MultiFactorAuthMobileAppWebService", "DefaultAppPool", runtime(version)).classic();
    HostBuilder::new(name).visual_c(&["x64", "x86"]).web(Component::MobileAppWebService, version, place, configured())
}

/// A member of an AD FS farm with the adapter.
pub fn adfs_host(name: &str, farm: &str, role: &str, version: &str) -> HostBuilder {
    HostBuilder::new(name).visual_c(&["x64", "x86"]).adfs(farm, Some(role)).adapter(version)
}

/// A farm on the Windows Internal Database with the adapter registered and in the policy. The first node is the primary.
pub fn farm(nodes: &[&str], version: &str) -> Farm {
    let name = adapter::provider_name(version).to_owned();
    let settings = AdapterSettings {
        use_web_service_sdk: true,
        web_service_sdk_url: SDK_URL.to_owned(),
        username: SDK_ACCOUNT.to_owned(),
        password: MARKER_PASSWORD.to_owned(),
    };
    let provider = Provider {
        name: name.clone(),
        type_name: adapter::type_name(version),
        configuration: Some(adapter::configuration(version, &settings)),
    };
    Farm {
        database: "wid".to_owned(),
        primary: nodes.first().copied().unwrap_or_default().to_owned(),
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        poll_seconds: 2,
        changed_at: time::now(),
        providers: vec![provider],
        policy: vec![name, "CertificateAuthentication".to_owned()],
        ..Farm::default()
    }
}

fn configured() -> Settings {
    Settings::configured(SDK_ACCOUNT, MARKER_PASSWORD, SDK_URL)
}

fn runtime(version: &str) -> &'static str {
    if crate::lab::host::product::component::is_new_generation(version) { "v4.0" } else { "v2.0" }
}
