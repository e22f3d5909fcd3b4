//! Proofs.

use super::*;
use crate::backend::facts::WebKind;

async fn verified(found: &HostFacts, action: Action) -> Result<(), String> {
    let estate = Estate::new().facts("host", found);
    estate.perform("host", action).await.map(|_| ()).map_err(|error| error.cause.to_string())
}

#[track_caller]
fn refused(outcome: Result<(), String>, expected: &str) {
    let message = outcome.expect_err("not proven");
    assert!(message.contains(expected), "{message}");
}

fn server_action() -> Action {
    Action::VerifyServer { version: "7.0.0.9".to_owned(), sdk: false }
}

fn portal_action() -> Action {
    Action::VerifyWeb {
        component: WebKind::UserPortal,
        version: "7.0.0.9".to_owned(),
        virtual_directory: "/multifactorauth".to_owned(),
    }
}

#[tokio::test]
async fn a_server_needs_both_pieces_of_evidence() {
    assert_eq!(verified(&server("7.0.0.9"), server_action()).await, Ok(()));
    refused(verified(&server("6.3.1.1"), server_action()).await, "uninstall entry says 6.3.1.1, not 7.0.0.9");
    let mut half = server("7.0.0.9");
    half.server.as_mut().expect("a server").file_version = None;
    refused(verified(&half, server_action()).await, "the service's file was not found");
    refused(verified(&facts(), server_action()).await, "no MFA Server");
    let with_sdk = Action::VerifyServer { version: "7.0.0.9".to_owned(), sdk: true };
    refused(verified(&server("7.0.0.9"), with_sdk).await, "no Web Service SDK was found");
}

#[tokio::test]
async fn a_service_has_time_to_start() {
    let mut starting = server("7.0.0.9");
    starting.server.as_mut().expect("a server").service_state = Some("Start Pending".to_owned());
    let estate = Estate::new().facts("host", &starting).facts("host", &starting).facts("host", &server("7.0.0.9"));
    estate.perform("host", server_action()).await.expect("running");
    assert_eq!(estate.clock.pauses().len(), 2);
    refused(verified(&starting, server_action()).await, "MultiFactorAuth is not running, but Start Pending");
}

/// A setup that ends with 1641 restarts the host behind the run.
#[tokio::test]
async fn a_host_has_time_to_restart() {
    let silent = || Err(Cause::Unreachable { reason: "no answer".to_owned(), advice: String::new() });
    let estate = Estate::new()
        .outcome("host", "Get-HostFacts", silent())
        .outcome("host", "Get-HostFacts", silent())
        .facts("host", &server("7.0.0.9"));
    estate.perform("host", server_action()).await.expect("proven");
    assert_eq!(estate.clock.pauses().len(), 2);
    let estate = Estate::new().outcome("host", "Get-HostFacts", silent());
    estate.failure("host", server_action()).await;
    assert_eq!(estate.clock.pauses().iter().sum::<Duration>(), Duration::from_secs(10 * 60));
}

#[tokio::test]
async fn a_portal_must_be_whole() {
    assert_eq!(verified(&portal("7.0.0.9"), portal_action()).await, Ok(()));
    let changed = |change: fn(&mut crate::backend::facts::WebComponent)| {
        let mut found = portal("7.0.0.9");
        change(&mut found.web[0]);
        found
    };
    let placeholder = changed(|portal| portal.placeholders = vec!["x_pfwssdk_PfWsSdk".to_owned()]);
    refused(verified(&placeholder, portal_action()).await, "placeholder in x_pfwssdk_PfWsSdk");
    let pool = changed(|portal| portal.pool_runtime = "v2.0".to_owned());
    refused(verified(&pool, portal_action()).await, "MfaPool of the User Portal is on CLR v2.0");
    let elsewhere = changed(|portal| portal.virtual_directory = "other".to_owned());
    refused(verified(&elsewhere, portal_action()).await, "no User Portal was found in the virtual directory");
    let library = changed(|portal| portal.file_version = Some("6.3.1.1".to_owned()));
    refused(verified(&library, portal_action()).await, "library in MultiFactorAuth says 6.3.1.1");
    let config = changed(|portal| portal.web_config_exists = false);
    refused(verified(&config, portal_action()).await, "no web.config");
}

#[tokio::test]
async fn an_adapter_must_be_registered_in_its_generation() {
    let action = |version: &str| Action::VerifyAdapter { version: version.to_owned() };
    assert_eq!(verified(&adfs("7.0.0.9", "7.0.0.9"), action("7.0.0.9")).await, Ok(()));
    // The assembly's version is not the product's, and how the two go together is not known.
    assert_eq!(verified(&adfs("6.3.1.1", "6.3.0.17452"), action("6.3.1.1")).await, Ok(()));
    assert_eq!(verified(&adfs("7.0.0.9", "6.9.0.1"), action("7.0.0.9")).await, Ok(()));
    let mut gone = adfs("7.0.0.9", "7.0.0.9");
    gone.adfs.as_mut().expect("AD FS").adapter_assembly = None;
    refused(verified(&gone, action("7.0.0.9")).await, "assembly was not found");
    let mut found = adfs("7.0.0.9", "7.0.0.9");
    found.adfs.as_mut().expect("AD FS").providers.as_mut().expect("providers")[0].type_name =
        "pfadfs.AuthenticationAdapter, MultiFactorAuthAdfsAdapter, Version=6.3.0.17452".to_owned();
    refused(verified(&found, action("7.0.0.9")).await, "has the provider of assembly 6.3.0.17452 registered");
    found.adfs.as_mut().expect("AD FS").providers.as_mut().expect("providers")[0].type_name = String::new();
    assert_eq!(verified(&found, action("7.0.0.9")).await, Ok(()), "the name is of this generation");
    found.adfs.as_mut().expect("AD FS").providers.as_mut().expect("providers")[0].name =
        "WindowsAzureMultiFactorAuthentication".to_owned();
    refused(verified(&found, action("7.0.0.9")).await, "registered");
    found.adfs.as_mut().expect("AD FS").providers = None;
    assert_eq!(verified(&found, action("7.0.0.9")).await, Ok(()), "a secondary cannot tell");
    found.adfs.as_mut().expect("AD FS").restarted_since_registration = Some(false);
    refused(verified(&found, action("7.0.0.9")).await, "not been restarted since the adapter was registered");
}
