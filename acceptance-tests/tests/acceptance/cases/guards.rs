//! What guards the way to hosts, from a configuration to the wire: certificates, the list of hosts that may be reached,
//! and settings that are not known before apply.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::skip;
use acceptance_tests::tools::terraform::Cli;
use acceptance_tests::workspace::{Run, Workspace};

use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

/// A case whose hosts are set up so.
fn with(settings: &Settings) -> Option<Case> {
    let cli = Cli::any().inspect_err(|reason| skip::skipped("guards", &reason.to_string())).ok()?;
    let estate = demo::temporary().expect("the demo estate can be made");
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let builder = SERVERS.iter().fold(builder, |builder, host| builder.winrm(host, settings.clone()));
    let lab = builder.start_in_background().expect("the lab");
    let account = [("AZUREMFA_USERNAME", lab.username.as_str()), ("AZUREMFA_PASSWORD", lab.password.as_str())];
    let workspace = Workspace::new(&cli, &account);
    Some(Case { cli, lab, workspace })
}

/// Writes the provider's settings with this in the place of `ca_certificate`, and the group.
fn configure(case: &Case, trust: &str) {
    let settings = hcl::provider(&case.lab, "");
    let line = settings.lines().find(|line| line.contains("ca_certificate")).expect("the line").to_owned();
    case.workspace.write("provider.tf", &settings.replace(&line, &trust.replace("CA", &line)));
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
}

fn self_signed() -> Settings {
    Settings { certificate: Certificate::SelfSigned, ..Settings::default() }
}

#[test]
fn each_run_warns_of_certificates_that_are_not_verified() {
    let Some(case) = with(&self_signed()) else { return };
    configure(&case, "insecure_skip_verify = true");
    let warning = "Warning: Certificates are not verified on connection \"default\"";
    case.plan().ended(2).says(warning);
    case.workspace.apply("case.tfplan").succeeded();
    for _ in 0..2 {
        case.plan().ended(0).says(warning);
    }
    // The same without the setting is an error that names the certificate.
    configure(&case, "CA");
    case.plan().ended(1).says("invalid peer certificate: UnknownIssuer").does_not_say("are not verified");
}

#[test]
fn a_certificate_may_carry_a_name_that_is_stated() {
    let certificate = Certificate::OtherName("winrm.contoso.com".to_owned());
    for tls12 in [false, true] {
        let Some(case) = with(&Settings { certificate: certificate.clone(), tls12, ..Settings::default() }) else {
            return;
        };
        configure(&case, "CA");
        case.plan().ended(1).says("certificate not valid for name \"mfa01.contoso.com\"").says("set `server_name`");
        configure(&case, "CA\nserver_name = \"winrm.contoso.com\"");
        case.converge();
        case.settled();
    }
}

/// Where the lab's proxy is.
const PROXY: &str = "127.0.0.1";

/// Plans under a list of hosts that may be reached, which must fail.
#[track_caller]
fn plan_allowed(case: &Case, allowed: &str) -> Run {
    let plan = ["plan", "-no-color", "-input=false"];
    case.workspace.run_with(&plan, &[("AZUREMFA_ALLOWED_HOSTS", allowed)]).ended(1)
}

#[test]
fn a_host_that_is_not_allowed_is_refused_before_a_byte_is_sent() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    let run = plan_allowed(&case, "*.dmz.contoso.com,portal*");
    run.says("mfa01.contoso.com may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only")
        .says("*.dmz.contoso.com, portal*");
    // A list that cannot be read guards as well.
    plan_allowed(&case, "").says("AZUREMFA_ALLOWED_HOSTS is set and names no host");
    plan_allowed(&case, "mfa0[123]").says("AZUREMFA_ALLOWED_HOSTS cannot be used");
    // The configuration names the proxy as well.
    plan_allowed(&case, "*.contoso.com").says("because of its `proxy`: 127.0.0.1 may not be reached");
    assert_eq!(case.lab.wire().knocks(), 0, "something was sent");
    // Of a set some of whose hosts are allowed, the others are left alone.
    plan_allowed(&case, &format!("{},{PROXY}", SERVERS[1])).says("mfa03.contoso.com may not be reached");
    for host in [SERVERS[0], SERVERS[2]] {
        assert_eq!(case.lab.host(host).record().connections, 0, "{host} was connected to");
    }
    let allowed = format!("mfa0?.contoso.com, {PROXY}");
    case.workspace.run_with(&["plan", "-no-color"], &[("AZUREMFA_ALLOWED_HOSTS", &allowed)]).succeeded();
    assert!(case.lab.wire().knocks() > 0);
}

/// The way to the hosts is an output of a resource that the same run creates.
#[test]
fn a_way_that_is_not_known_yet_defers_to_apply() {
    let Some(case) = Case::demo() else { return };
    let unknown = format!("resource \"terraform_data\" \"way\" {{\n  input = \"{}\"\n}}\n", case.lab.proxy_url);
    let settings = hcl::provider(&case.lab, "");
    let known = format!("\"{}\"", case.lab.proxy_url);
    assert!(settings.contains(&known), "{settings}");
    case.workspace.write("provider.tf", &settings.replace(&known, "terraform_data.way.output"));
    // An import would have to read the hosts, so the portal is created.
    let block = hcl::portal("dmz", "6.3.1.1", &["portal01.dmz.contoso.com"], "");
    let resource = &block[block.find("resource").expect("there is a resource")..];
    case.configure(&[&unknown, resource]);
    case.workspace.run(&["validate", "-no-color"]).succeeded();
    case.plan().ended(2);
    assert_eq!(case.lab.wire().knocks(), 0, "something was sent while the way was not known");
    case.workspace.apply("case.tfplan").succeeded();
    assert_eq!(case.workspace.attributes("azuremfa_user_portal.dmz")["version"], "6.3.1.1");
    case.settled();
    // Known to state, and unknown again.
    case.configure(&[&unknown.replace("input =", "triggers_replace = [1]\n  input ="), resource]);
    let before = case.lab.wire().knocks();
    case.plan().ended(2).says("is known only after apply");
    assert_eq!(case.lab.wire().knocks(), before);
    case.workspace.apply("case.tfplan").succeeded();
    case.settled();
}
