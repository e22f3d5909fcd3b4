//! Ways to hosts other than a password straight over the network, from a configuration to the hosts.

use std::fs;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::tools::terraform::Cli;
use acceptance_tests::workspace::Workspace;
use tempfile::TempDir;

use super::secrets::holding;
use crate::support::case::Case;
use crate::support::certificate;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const PROXY_PASSWORD: &str = "M4rk3r-proxy-passw0rd";

/// Reads and keeps hosts that take the certificate alone, behind a proxy that asks for a login, with logs of everything.
/// The secrets are found nowhere afterwards.
fn check_nowhere(attributes: &str, variables: &str, environment: &[(&str, &str)]) {
    let Ok(cli) = Cli::any() else {
        acceptance_tests::skip::skipped("cases", "there is no Terraform");
        return;
    };
    let estate = demo::temporary().expect("the demo estate can be made");
    let mut builder = Lab::builder(&estate).mode(Mode::Native).proxy_login(&format!("runner:{PROXY_PASSWORD}"));
    for host in SERVERS {
        builder = builder.winrm(host, certificate::mapped("Administrator"));
    }
    let lab = builder.start_in_background().expect("the lab");
    let proxy = lab.proxy_url.replace("http://", &format!("http://runner:{PROXY_PASSWORD}@"));
    let folder = TempDir::new().expect("a folder");
    let logs = folder.path().join("trace.log").display().to_string();
    let mut environment = environment.to_vec();
    environment.push(("HTTPS_PROXY", &proxy));
    environment.extend([("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PATH", logs.as_str())]);
    let case = Case { cli: cli.clone(), workspace: Workspace::new(&cli, &environment), lab };
    let attributes = format!("auth = \"certificate\"\n{attributes}");
    let settings = hcl::provider(&case.lab, "max_connections = 2");
    let settings = settings.replace(&format!("proxy          = \"{}\"", case.lab.proxy_url), &attributes);
    assert!(settings.contains(&attributes));
    case.workspace.write("provider.tf", &format!("{settings}{variables}"));
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.settled();
    let record = case.lab.host(SERVERS[1]).record();
    assert!(record.requests.iter().any(|request| request.user.as_deref() == Some("Administrator")), "{record:?}");
    // A run of the provider that has just ended may still be seen while the next one connects.
    assert!((1..=4).contains(&case.lab.wire().most_open()), "{} connections at once", case.lab.wire().most_open());
    let log = fs::read_to_string(&logs).expect("there is a log");
    assert!(log.contains("provider.terraform-provider-azuremfa"), "the provider's own log is in it");
    let file = certificate::pkcs12();
    for secret in [certificate::PKCS12_PASSWORD, PROXY_PASSWORD, certificate::marker(), &file[..60]] {
        assert_eq!(holding(case.workspace.path(), secret), Vec::<String>::new());
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn a_certificate_from_the_environment_is_nowhere() {
    let file = certificate::pkcs12();
    let password = ("AZUREMFA_CLIENT_PKCS12_PASSWORD", certificate::PKCS12_PASSWORD);
    check_nowhere("", "", &[("AZUREMFA_CLIENT_PKCS12", &file), password]);
}

/// The key is unknown to the plan's first look at the provider's settings.
#[test]
fn a_certificate_from_ephemeral_variables_is_nowhere() {
    let variables = ["certificate", "key"]
        .map(|name| format!("\nvariable \"{name}\" {{\n  ephemeral = true\n  type = string\n}}\n"))
        .concat();
    let attributes = "client_certificate = var.certificate\nclient_key = var.key";
    let environment = [("TF_VAR_certificate", certificate::CERTIFICATE), ("TF_VAR_key", certificate::KEY)];
    check_nowhere(attributes, &variables, &environment);
}

/// The tightest limit there is: files of the portal go from server to portal host, two hosts at the same time.
#[test]
fn one_connection_is_enough_for_an_upgrade() {
    let Some(case) = Case::demo() else { return };
    case.provider("max_connections = 1");
    let portal = hcl::portal("dmz", "7.0.0.9", &["portal01.dmz.contoso.com"], AFTER_GROUP);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), &portal]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[1], ""), &portal]);
    case.converge();
    assert_eq!(case.workspace.attributes("azuremfa_user_portal.dmz")["version"], "7.0.0.9");
    // The lab sees a connection's end a moment after the next one's beginning.
    assert!((1..=2).contains(&case.lab.wire().most_open()), "{} connections at once", case.lab.wire().most_open());
}

/// The connection is refused by `validate`, at one of its attributes.
#[track_caller]
fn check_invalid(case: &Case, attributes: &str, at: &str, sentences: &[&str]) {
    let settings = hcl::provider(&case.lab, "").replace("default = {", &format!("default = {{\n{attributes}"));
    case.workspace.write("provider.tf", &settings);
    // Terraform shows the line of the nearest block or argument; the rest of the path is in the text.
    let run = case.workspace.run(&["validate", "-no-color"]).ended(1).says("on provider.tf line 11");
    let run = run.says(&format!("At connections[\"default\"].{at}:"));
    sentences.iter().fold(run, |run, sentence| run.says(sentence));
}

#[test]
fn ways_that_cannot_be_are_refused_at_their_attribute() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.workspace.write("client.pem", certificate::CERTIFICATE);
    case.workspace.write("other.key", certificate::OTHER_KEY);
    let by = |further: &str| format!("auth = \"certificate\"\n{further}\n");
    check_invalid(&case, &by("use_https = false"), "auth", &["needs HTTPS", "\"ntlm\""]);
    let key = "client_certificate = file(\"client.pem\")\nclient_key = file(\"other.key\")";
    check_invalid(&case, &by(key), "client_key", &["not the key of the client certificate"]);
    check_invalid(&case, &by("client_pkcs12 = \"client.pfx\""), "client_pkcs12", &["not base64", "filebase64"]);
    check_invalid(&case, "client_key = file(\"other.key\")", "client_key", &["auth = \"certificate\" only"]);
    check_invalid(&case, "path = \"wsman\"", "path", &["begins with '/'"]);
    check_invalid(&case, "max_connections = 0", "max_connections", &["from 1 to 16"]);
}
