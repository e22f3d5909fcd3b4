//! Health checks: each host answers before the next one is touched, and a run that ends at a check goes on with it.

use std::fs;

use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::paths;
use acceptance_tests::workspace::Run;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const SDK: &str = "/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx";
const PORTALS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];
const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];

/// Runs Terraform on a machine whose way to the web sites is the lab's proxy.
fn run(case: &Case, arguments: &[&str]) -> Run {
    let authority = fs::read_to_string(&case.lab.ca_file).expect("the lab has an authority");
    let proxy = case.lab.proxy_url.as_str();
    let environment = [("HTTPS_PROXY", proxy), ("HTTP_PROXY", proxy), ("TF_VAR_ca_certificate", authority.as_str())];
    case.workspace.run_with(arguments, &environment)
}

fn plan(case: &Case) -> Run {
    run(case, &["plan", "-no-color", "-input=false", "-detailed-exitcode", "-out=case.tfplan"])
}

fn apply(case: &Case) -> Run {
    run(case, &["apply", "-no-color", "-input=false", "case.tfplan"])
}

/// The demo's group with a check; `settings` are put into it.
fn group(case: &Case, url: &str, settings: &str) -> String {
    let authority = case.lab.ca_file.display();
    let trust =
        if url.starts_with("https:") { format!("ca_certificate = file(\"{authority}\")") } else { String::new() };
    let check = format!("health_check = {{\n    url = \"{url}\"\n    {trust}\n    {settings}\n  }}");
    hcl::group("7.0.0.9", &SERVERS, SERVERS[0], &check)
}

/// What the web site of a host was asked for, and its answers.
fn pages(case: &Case, host: &str) -> Vec<(String, u16)> {
    case.lab.host(host).record().pages
}

/// The demo with its servers and their SDKs on 7.0.0.9.
fn with_servers_upgraded() -> Option<Case> {
    let case = Case::demo()?;
    for server in SERVERS {
        for component in [Component::Server, Component::WebServiceSdk] {
            case.lab.estate().set_version(server, Some(component), "7.0.0.9").expect("a server");
        }
    }
    Some(case)
}

/// The example: every host of its sets passes its check, in the order of the rollout.
#[test]
fn the_example_is_applied_and_every_changed_host_asked() {
    let Some(case) = with_servers_upgraded() else { return };
    case.workspace.copy(&paths::root().join("examples/health_check"));
    case.workspace.init();
    plan(&case)
        .ended(2)
        .says("portal01.dmz.contoso.com: wait until https://portal01.dmz.contoso.com/MultiFactorAuth/ answers 200 with")
        .says("adfs02.contoso.com: wait until http://adfs02.contoso.com/adfs/probe answers 200");
    apply(&case).succeeded();
    for host in PORTALS {
        assert_eq!(pages(&case, host), [("/MultiFactorAuth/".to_owned(), 200)]);
    }
    for host in FARM {
        assert_eq!(pages(&case, host), [("/adfs/probe".to_owned(), 200)]);
    }
    plan(&case).ended(0);
}

#[test]
fn a_host_that_does_not_answer_ends_the_run_and_the_next_goes_on_with_it() {
    let Some(case) = Case::demo() else { return };
    let settings = "contains = \"SDK 7.0.0.9\"\n    timeout = \"2s\"\n    interval = \"1s\"";
    case.configure(&[&group(&case, &format!("https://{{host}}{SDK}?token=marker"), settings)]);
    plan(&case)
        .ended(2)
        .says(&format!("mfa03.contoso.com: wait until https://mfa03.contoso.com{SDK} answers 200 with"))
        .does_not_say(&format!("answers 200{SDK}?token"));
    case.lab.estate().set_application_pool(SERVERS[1], "MfaSdk", false).expect("a pool");
    let proxy = [("HTTPS_PROXY", case.lab.proxy_url.as_str()), ("TF_LOG_PROVIDER", "TRACE")];
    let failed = case.workspace.run_with(&["apply", "-no-color", "-input=false", "case.tfplan"], &proxy);
    assert!(failed.stderr.contains("not healthy yet"), "the log tells each try");
    failed
        .ended(1)
        .says("mfa-eu failed at step")
        .says("on mfa02.contoso.com")
        .says(&format!("No healthy answer within 2 seconds: https://mfa02.contoso.com{SDK} was asked 2 times"))
        .says("at last it answered 503 instead of 200")
        .says("nothing was changed on mfa03.contoso.com")
        .says("correct health_check (address, status, timeout)")
        .does_not_say("token=marker");
    let state = case.workspace.attributes("azuremfa_server_group.eu");
    assert_eq!(state["versions"][SERVERS[1]], "7.0.0.9", "what is there");
    assert_eq!(state["versions"][SERVERS[2]], "6.3.1.1");
    assert_eq!(pages(&case, SERVERS[2]), []);
    // Still unhealthy, and nothing is installed again.
    let before = case.journal().len();
    plan(&case)
        .ended(2)
        .says("its health check has not passed since it was changed")
        .does_not_say("mfa02.contoso.com: run the server setup");
    apply(&case).ended(1).says("No healthy answer within 2 seconds");
    assert!(!case.journal()[before..].iter().any(|done| done.contains("install")), "{:?}", case.journal());

    case.lab.estate().set_application_pool(SERVERS[1], "MfaSdk", true).expect("a pool");
    plan(&case).ended(2);
    apply(&case).succeeded().says("promote mfa02 or mfa03");
    for host in &SERVERS[1..] {
        assert_eq!(pages(&case, host).last(), Some(&(SDK.to_owned(), 200)));
    }
    case.promote(SERVERS[1]);
    case.configure(&[&group(&case, &format!("https://{{host}}{SDK}"), settings).replace(
        &format!("master              = \"{}\"", SERVERS[0]),
        &format!("master              = \"{}\"", SERVERS[1]),
    )]);
    plan(&case).ended(2);
    apply(&case).succeeded();
    assert_eq!(pages(&case, SERVERS[0]), [(SDK.to_owned(), 200)]);
    case.settled();
}

/// The gap is closed before anybody is asked, so a check that fails leaves none, and the second batch as it was.
#[test]
fn a_farm_whose_first_batch_does_not_answer_is_asked_for_the_second_factor() {
    let Some(case) = with_servers_upgraded() else { return };
    let check = |path: &str| {
        let check = format!("health_check = {{\n    url = \"http://{{host}}{path}\"\n    timeout = \"1s\"\n  }}");
        hcl::adapter("7.0.0.9", &format!("{AFTER_GROUP}\n  {}\n  {check}", hcl::GAP))
    };
    let group = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "");
    case.configure(&[&group, &check("/adfs/nothing")]);
    plan(&case).ended(2);
    apply(&case)
        .ended(1)
        .says("adfs-eu failed at step")
        .says("http://adfs01.contoso.com/adfs/nothing was asked")
        .says("at last it answered 404 instead of 200")
        .does_not_say("USERS MAY NOT BE ASKED");
    assert_eq!(case.farm().policy, ["CertificateAuthentication", "AzureMfaServerAuthentication"]);
    let installed =
        |case: &Case| case.lab.estate().version_of(FARM[1], Component::AdfsAdapter).expect("the host is there");
    assert_eq!(installed(&case).as_deref(), Some("6.3.1.1"));
    // What was wrong was the address.
    case.configure(&[&group, &check("/adfs/probe")]);
    plan(&case).ended(2).says("adfs01.contoso.com: wait until").does_not_say("adfs01.contoso.com: install the AD FS");
    apply(&case).succeeded();
    assert_eq!(installed(&case).as_deref(), Some("7.0.0.9"));
    for host in FARM {
        assert_eq!(pages(&case, host).last(), Some(&("/adfs/probe".to_owned(), 200)));
    }
    case.settled();
}

/// The variable that limits hosts counts for what is asked, before anything is.
#[test]
fn the_allow_list_counts_for_checks() {
    let Some(case) = Case::demo() else { return };
    let url = format!("http://localhost:{}{SDK}", case.lab.web_port(SERVERS[1], false));
    case.configure(&[&group(&case, &url, "")]);
    let plan = ["plan", "-no-color", "-input=false", "-detailed-exitcode", "-out=case.tfplan"];
    case.workspace
        .run_with(&plan, &[("AZUREMFA_ALLOWED_HOSTS", "*.contoso.com,127.0.0.1")])
        .ended(1)
        .says("the health check may not ask localhost")
        .says("AZUREMFA_ALLOWED_HOSTS allows only *.contoso.com, 127.0.0.1");
    let allowed = [("AZUREMFA_ALLOWED_HOSTS", "*.contoso.com,127.0.0.1,localhost")];
    case.workspace.run_with(&plan, &allowed).ended(2);
    case.workspace.run_with(&["apply", "-no-color", "-input=false", "case.tfplan"], &allowed).succeeded();
    assert_eq!(pages(&case, SERVERS[1]), [(SDK.to_owned(), 200), (SDK.to_owned(), 200)], "http, once for each host");
}

#[test]
fn a_stranger_s_certificate_is_no_healthy_answer() {
    let Some(case) = Case::demo() else { return };
    let check = |trust: &str| {
        let check =
            format!("health_check = {{\n    url = \"https://{{host}}{SDK}\"\n    timeout = \"1s\"\n    {trust}\n  }}");
        hcl::group("7.0.0.9", &SERVERS, SERVERS[0], &check)
    };
    case.configure(&[&check("")]);
    plan(&case).ended(2);
    apply(&case).ended(1).says("certificate").says("at last it gave no answer");
    assert_eq!(pages(&case, SERVERS[1]), []);
    case.configure(&[&check("insecure_skip_verify = true")]);
    plan(&case).ended(2).says("mfa-eu: the health check believes any certificate");
    apply(&case).succeeded();
}

#[test]
fn wrong_checks_are_refused_at_their_line() {
    let Some(case) = Case::demo() else { return };
    for (url, settings, attribute, sentence) in [
        ("https://user:marker@{host}/", "", "url", "it holds a user name or a password"),
        ("{host}/health", "", "url", "no address of a web server, which begins with https:// or http:// and a host"),
        ("https://{name}/", "", "url", "{host} is the only placeholder"),
        ("https://{host}/", "status = 20", "status", "a whole number from 100 to 599"),
        ("https://{host}/", "timeout = \"5s\"\n    interval = \"1m\"", "interval", "is longer than the 5 seconds"),
        ("https://{host}/", "insecure_skip_verify = true", "ca_certificate", "no certificate is verified"),
    ] {
        let blocks = group(&case, url, settings);
        case.configure(&[&blocks]);
        let line = blocks.lines().position(|line| line.contains("health_check")).expect("it is there") + 1;
        let run = case.workspace.run(&["validate", "-no-color"]).ended(1);
        // The core shows where the outermost attribute begins.
        run.says(&format!("on main.tf line {line}")).says(&format!("At health_check.{attribute}: ")).says(sentence);
    }
}
