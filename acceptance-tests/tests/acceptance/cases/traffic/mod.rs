//! Traffic: a host is out of its balancer while it is changed, and back once it is whole.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use acceptance_tests::lab::balancer::{Balancer, Call};
use acceptance_tests::lab::host::faults::{InstallerFault, Moment};
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::paths;
use acceptance_tests::workspace::Run;

use crate::cases::interruptions::{Signal, send, wait};
use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

mod farm;

const PORTALS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];
const PLAN: [&str; 5] = ["plan", "-no-color", "-input=false", "-detailed-exitcode", "-out=case.tfplan"];
const APPLY: [&str; 4] = ["apply", "-no-color", "-input=false", "case.tfplan"];

/// A case whose provider knows a balancer `lb` in front of the estate.
struct Behind {
    case: Case,
    balancer: Balancer,
}

impl Behind {
    fn new(case: Case) -> Self {
        let balancer = Balancer::start(case.lab.estate()).expect("a balancer can be started");
        let behind = Self { case, balancer };
        behind.settings(&behind.balancer.url, "");
        behind
    }

    /// Writes the provider's settings; `further` is put into those of the balancer.
    fn settings(&self, url: &str, further: &str) {
        self.case.provider(&settings(&members(url), further));
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.case.workspace.run_with(arguments, &[("AZUREMFA_BALANCER_LB_TOKEN", self.balancer.token.as_str())])
    }

    fn plan(&self) -> Run {
        self.run(&PLAN)
    }

    fn apply(&self) -> Run {
        self.run(&APPLY)
    }

    #[track_caller]
    fn settled(&self) {
        self.plan().ended(0);
        assert_eq!(self.balancer.out(), Vec::<String>::new());
    }

    /// What was done to the hosts, by these words: `mfa02 install` and so on.
    fn done(&self, words: &[&str]) -> Vec<String> {
        let is_shown = |entry: &String| words.iter().any(|word| entry.contains(word));
        let entries = self.case.journal().into_iter().filter(is_shown);
        entries.map(|entry| entry.replace(".dmz.contoso.com", "").replace(".contoso.com", "")).collect()
    }
}

/// The address of a host's member, as an expression.
fn members(url: &str) -> String {
    format!("\"{url}/members/{{host}}\"")
}

/// The settings of a balancer that is reached at an address, an expression.
fn settings(url: &str, further: &str) -> String {
    let order = |enabled: bool| {
        format!(
            "{{\n      url = {url}\n      method = \"PATCH\"\n      body = jsonencode({{ enabled = {enabled} }})\n    }}"
        )
    };
    format!(
        "balancers = {{\n  lb = {{\n    type = \"http\"\n    drain_wait = \"1s\"\n    take_out = {}\n    put_back = {}\n    {further}\n  }}\n}}",
        order(false),
        order(true)
    )
}

fn group(further: &str) -> String {
    hcl::group("7.0.0.9", &SERVERS, SERVERS[0], &format!("drain = \"lb\"\n  {further}"))
}

fn portals(further: &str) -> String {
    hcl::portal("dmz", "7.0.0.9", &PORTALS, &format!("drain = \"lb\"\n  {AFTER_GROUP}\n  {further}"))
}

/// The demo with its servers and their SDKs on 7.0.0.9.
fn with_servers_upgraded() -> Option<Behind> {
    let case = Case::demo()?;
    for server in SERVERS {
        for component in [Component::Server, Component::WebServiceSdk] {
            case.lab.estate().set_version(server, Some(component), "7.0.0.9").expect("a server");
        }
    }
    Some(Behind::new(case))
}

#[test]
fn the_example_is_applied_with_each_server_out_while_it_is_changed() {
    let Some(case) = Case::demo() else { return };
    let behind = Behind::new(case);
    let (case, balancer) = (&behind.case, &behind.balancer);
    fs::remove_file(case.workspace.path().join("provider.tf")).expect("the example has settings of its own");
    case.workspace.copy(&paths::root().join("examples/traffic"));
    let authority = fs::read_to_string(&case.lab.ca_file).expect("the lab has an authority");
    let address = format!("{}/members", balancer.url);
    let variables = [
        ("AZUREMFA_BALANCER_LB_TOKEN", balancer.token.as_str()),
        ("TF_VAR_balancer", address.as_str()),
        ("TF_VAR_drain_wait", "1s"),
        ("TF_VAR_proxy", case.lab.proxy_url.as_str()),
        ("TF_VAR_ca_certificate", authority.as_str()),
    ];
    case.workspace.init();
    case.workspace
        .run_with(&PLAN, &variables)
        .ended(2)
        .says("2. mfa02.contoso.com: take it out of balancer lb, and wait 1 s")
        .says("mfa03.contoso.com: put it back into balancer lb")
        .does_not_say("traffic is not managed");
    assert_eq!(balancer.calls(), []);
    case.workspace.run_with(&APPLY, &variables).succeeded();
    assert_eq!(
        behind.done(&["balancer", "install"]),
        [
            "mfa02 balancer_out",
            "mfa02 install",
            "mfa02 install",
            "mfa02 balancer_in",
            "mfa03 balancer_out",
            "mfa03 install",
            "mfa03 install",
            "mfa03 balancer_in",
        ]
    );
    assert_eq!(balancer.out(), Vec::<String>::new());
    let first = Call { path: format!("/members/{}", SERVERS[1]), body: "{\"enabled\":false}".to_owned(), status: 200 };
    assert_eq!((balancer.calls().len(), &balancer.calls()[0]), (4, &first));
}

/// The installer fails: the host stays out, whatever is planned meanwhile, until a run has finished it.
#[test]
fn a_host_whose_installer_failed_stays_out_until_a_run_finishes_it() {
    let Some(behind) = with_servers_upgraded() else { return };
    let case = &behind.case;
    let servers = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "");
    case.configure(&[&servers, &portals("")]);
    behind.plan().ended(2);
    let fault = InstallerFault { exit_code: 1603, when: Moment::Half, package: None, times: 1 };
    case.fault(PORTALS[0], |faults| faults.installer.push(fault));
    behind
        .apply()
        .ended(1)
        .says("dmz failed at step")
        .says("Out of its balancer: portal01.dmz.contoso.com (lb). The run that finishes a host puts it back.")
        .says("nothing was changed on portal02.dmz.contoso.com");
    assert_eq!(behind.balancer.out(), [PORTALS[0]]);
    behind.plan().ended(2).says("portal01.dmz.contoso.com: take it out of balancer lb, and wait 1 s");
    behind.apply().succeeded();
    assert_eq!(
        behind.done(&["balancer", "install"]),
        [
            "portal01 balancer_out",
            "portal01 install",
            "portal01 balancer_out",
            "portal01 install",
            "portal01 balancer_in",
            "portal02 balancer_out",
            "portal02 install",
            "portal02 balancer_in",
        ]
    );
    behind.settled();
}

/// A host that runs its pin and was not put back is all that is left to do, and what comes after the set waits for it.
#[test]
fn a_host_that_the_balancer_does_not_take_back_keeps_the_set_from_being_whole() {
    let Some(behind) = with_servers_upgraded() else { return };
    let case = &behind.case;
    let check = "health_check = {\n    url = \"http://{host}/MultiFactorAuth/\"\n    timeout = \"5s\"\n  }";
    let servers = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "");
    let one = hcl::portal("dmz", "7.0.0.9", &PORTALS[..1], &format!("drain = \"lb\"\n  {AFTER_GROUP}\n  {check}"));
    case.configure(&[&servers, &one]);
    // The way to the web sites leads through the lab's proxy, and the one to a balancer on this machine past it.
    let proxied = |arguments: &[&str]| {
        let token = ("AZUREMFA_BALANCER_LB_TOKEN", behind.balancer.token.as_str());
        case.workspace.run_with(arguments, &[token, ("HTTP_PROXY", case.lab.proxy_url.as_str())])
    };
    proxied(&PLAN).ended(2);
    // The first order passes, the second one and its repetitions do not.
    case.lab.estate().set_application_pool(PORTALS[0], "DefaultAppPool", true).expect("a pool");
    behind.balancer.trouble(&[503, 503]);
    proxied(&APPLY).succeeded();
    assert_eq!(behind.balancer.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [503, 503, 200, 200]);
    behind.settled();

    case.lab.estate().set_version(PORTALS[0], None, "6.3.1.1").expect("a portal");
    proxied(&PLAN).ended(2);
    case.lab.estate().set_application_pool(PORTALS[0], "DefaultAppPool", false).expect("a pool");
    proxied(&APPLY)
        .ended(1)
        .says("No healthy answer within 5 seconds")
        .says("Out of its balancer: portal01.dmz.contoso.com (lb)");
    assert_eq!(behind.balancer.out(), [PORTALS[0]], "an unhealthy host gets no traffic");
    case.lab.estate().set_application_pool(PORTALS[0], "DefaultAppPool", true).expect("a pool");
    behind.balancer.trouble(&[403]);
    proxied(&PLAN)
        .ended(2)
        .says("it has not been put back into its balancer since it was taken out")
        .says("put it back into balancer lb")
        .does_not_say("take it out of balancer");
    proxied(&APPLY)
        .ended(1)
        .says("Balancer lb was asked once")
        .says("at last it answered 403 instead of 200 or 204")
        .says("to take a host out or put it back once more does no harm");
    assert_eq!(case.workspace.attributes("azuremfa_user_portal.dmz")["version_status"], "incomplete");
    // It is asked once more before it is put back.
    proxied(&PLAN).ended(2).says("wait until http").does_not_say("upgrade the User Portal");
    proxied(&APPLY).succeeded();
    behind.settled();
}

/// Nothing is begun on a host that its balancer did not let go, nor on those after it.
#[test]
fn a_balancer_that_refuses_ends_the_run_before_anything_is_changed() {
    let Some(case) = Case::demo() else { return };
    let behind = Behind::new(case);
    behind.case.configure(&[&group("")]);
    behind.plan().ended(2);
    let wrong = [("AZUREMFA_BALANCER_LB_TOKEN", "marker-of-another")];
    behind
        .case
        .workspace
        .run_with(&APPLY, &wrong)
        .ended(1)
        .says("mfa-eu failed at step 2 of")
        .says(&format!("PATCH {}/members/mfa02.contoso.com", behind.balancer.url))
        .says("at last it answered 401 instead of 200 or 204")
        .says("nothing was changed on mfa03.contoso.com")
        .says("No host is out of its balancer.")
        .does_not_say("marker-of-another");
    assert_eq!(behind.done(&["install", "balancer"]), Vec::<String>::new());
    assert_eq!(behind.balancer.calls().len(), 1, "who is refused does not ask again");
    behind.plan().ended(2);
    behind.apply().succeeded();
    assert_eq!(behind.balancer.out(), Vec::<String>::new());
}

/// Ctrl-C while connections run out: the run ends at once, and the host is as it was but for the balancer.
#[test]
fn a_run_that_is_stopped_does_not_wait_for_connections() {
    let Some(case) = Case::demo() else { return };
    let behind = Behind::new(case);
    let patient = settings(&members(&behind.balancer.url), "").replace("drain_wait = \"1s\"", "drain_wait = \"10m\"");
    behind.case.provider(&patient);
    behind.case.configure(&[&group("")]);
    behind.plan().ended(2).says("take it out of balancer lb, and wait 600 s");
    let token = [("AZUREMFA_BALANCER_LB_TOKEN", behind.balancer.token.as_str())];
    let mut apply = behind.case.workspace.command(&APPLY, &token);
    let apply = apply.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait(Duration::from_secs(60), "the host's being out", || !behind.balancer.out().is_empty());
    send(Signal::CtrlC, &apply);
    let begin = Instant::now();
    let output = apply.wait_with_output().expect("it ends");
    assert!(begin.elapsed() < Duration::from_secs(60), "it waited for {:?}", begin.elapsed());
    let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '\u{2502}'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("mfa-eu was stopped before step 2"), "{said}");
    assert!(said.contains("Out of its balancer: mfa02.contoso.com (lb)."), "{said}");
    assert_eq!(behind.done(&["install", "balancer"]), ["mfa02 balancer_out"]);
    behind.settings(&behind.balancer.url, "");
    behind.plan().ended(2);
    behind.apply().succeeded();
    assert_eq!(behind.balancer.out(), Vec::<String>::new());
}

/// Whether a balancer is declared, and may be asked, is said before anything is done.
#[test]
fn a_balancer_that_cannot_be_asked_is_refused_at_its_line() {
    let Some(case) = Case::demo() else { return };
    let behind = Behind::new(case);
    let blocks = group("").replace("drain = \"lb\"", "drain = \"lb2\"");
    behind.case.configure(&[&blocks]);
    let line = blocks.lines().position(|line| line.contains("drain")).expect("it is there") + 1;
    behind
        .plan()
        .ended(1)
        .says("mfa-eu: balancer lb2 is not declared")
        .says(&format!("on main.tf line {line}"))
        .says("Found \"lb2\". The provider's balancers are \"lb\".");
    behind.case.configure(&[&group("")]);
    behind.case.plan().ended(1).says("AZUREMFA_BALANCER_LB_TOKEN is not set").says("or state headers");
    // The proxy that leads to the hosts is at 127.0.0.1 as well.
    behind.settings(&behind.balancer.url.replace("127.0.0.1", "localhost"), "");
    let token = behind.balancer.token.as_str();
    let allowed = [("AZUREMFA_BALANCER_LB_TOKEN", token), ("AZUREMFA_ALLOWED_HOSTS", "*.contoso.com,127.0.0.1")];
    behind
        .case
        .workspace
        .run_with(&PLAN, &allowed)
        .ended(1)
        .says("balancer lb may not be asked at localhost")
        .says("AZUREMFA_ALLOWED_HOSTS allows only *.contoso.com, 127.0.0.1");
    behind.settings("http://lb.contoso.com", "");
    behind.plan().ended(1).says("Order without HTTPS").says("balancers[\"lb\"].take_out.url");
    behind.settings("https://user:marker@lb.contoso.com", "");
    behind.plan().ended(1).says("it holds a user name or a password");
    assert_eq!(behind.balancer.calls(), []);
}

/// The address is an output of a resource that the same run creates.
#[test]
fn a_balancer_that_is_not_known_yet_defers_to_apply() {
    let Some(behind) = with_servers_upgraded() else { return };
    let case = &behind.case;
    let way = format!("resource \"terraform_data\" \"way\" {{\n  input = \"{}\"\n}}\n", behind.balancer.url);
    case.provider(&settings("\"${terraform_data.way.output}/members/{host}\"", ""));
    let servers = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "");
    case.configure(&[&way, &servers, &portals("")]);
    behind.plan().ended(2).does_not_say("take it out of balancer").says("portal01.dmz.contoso.com: put it back");
    behind.apply().succeeded();
    let portals = ["portal01", "portal02"];
    let expected = portals.map(|portal| [format!("{portal} balancer_out"), format!("{portal} balancer_in")]);
    assert_eq!(behind.done(&["balancer"]), expected.concat());
    let steps = case.workspace.attributes("azuremfa_user_portal.dmz")["steps"].to_string();
    assert!(steps.contains("portal01.dmz.contoso.com: take it out of balancer lb, and wait 1 s"), "{steps}");
    behind.settled();
}

/// A set that has nothing to do does nothing, although its balancer is another one.
#[test]
fn settings_alone_ask_no_balancer() {
    let Some(behind) = with_servers_upgraded() else { return };
    let case = &behind.case;
    case.configure(&[&group("")]);
    behind.plan().ended(2);
    behind.apply().succeeded();
    let asked = behind.balancer.calls();
    behind.settings("https://other.contoso.com", "timeout = \"1m\"");
    behind.settled();
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    behind.plan().ended(2).says("drain").does_not_say("balancer lb");
    behind.apply().succeeded();
    assert_eq!(behind.balancer.calls(), asked);
}
