//! The batches of an AD FS farm: one is always in, and no balancer keeps users from being asked for the second factor.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use acceptance_tests::lab::balancer::Refusal;
use acceptance_tests::lab::host::faults::{Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::workspace::Run;

use crate::cases::interruptions::{Signal, send, wait};
use crate::cases::traffic::{APPLY, Behind, with_servers_upgraded};
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];

/// The demo with its servers on 7.0.0.9, and a farm behind the balancer that is to follow.
fn farm(further: &str) -> Option<Behind> {
    let behind = with_servers_upgraded()?;
    let adapter = hcl::adapter("7.0.0.9", &format!("drain = \"lb\"\n  {AFTER_GROUP}\n  {}\n  {further}", hcl::GAP));
    behind.case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), &adapter]);
    Some(behind)
}

fn refusal(host: &str, enabled: bool, status: Option<u16>, times: u32) -> Refusal {
    Refusal { host: host.to_owned(), enabled, status, times }
}

/// What was done to the farm and its balancer, in order.
fn record(behind: &Behind) -> Vec<String> {
    behind.done(&["balancer", "install", "adapter_", "service_restart"])
}

/// Who is out by the record, which must never have been both, nor a host that is changed while it is in.
#[track_caller]
fn out(behind: &Behind) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for entry in record(behind) {
        let (host, what) = entry.split_once(' ').expect("a host and what was done to it");
        match what {
            "balancer_out" => assert!(out.insert(host.to_owned()) || out.len() == 1, "{entry}"),
            "balancer_in" => {
                out.remove(host);
            }
            "install" | "service_restart" => {
                assert!(out.contains(host), "{entry} in traffic: {:?}", record(behind));
            }
            _ => {}
        }
        assert!(out.len() < FARM.len(), "the farm was out after {entry}: {:?}", record(behind));
    }
    let now: BTreeSet<String> = behind.balancer.out().into_iter().collect();
    assert_eq!(out.iter().map(|host| format!("{host}.contoso.com")).collect::<BTreeSet<_>>(), now);
    out
}

#[track_caller]
fn is_asked(behind: &Behind, provider: &str) {
    assert_eq!(behind.case.farm().policy, ["CertificateAuthentication", provider]);
}

/// The next run reaches the pin with everybody in traffic.
#[track_caller]
fn arrives(behind: &Behind) {
    behind.plan().ended(2);
    behind.apply().succeeded();
    assert_eq!(out(behind), BTreeSet::new());
    is_asked(behind, "AzureMfaServerAuthentication");
    for host in FARM {
        let version = behind.case.lab.estate().version_of(host, Component::AdfsAdapter).expect("the host is there");
        assert_eq!(version.as_deref(), Some("7.0.0.9"), "{host}");
    }
    behind.settled();
}

#[test]
fn the_batches_are_out_one_after_the_other() {
    let Some(behind) = farm("") else { return };
    behind
        .plan()
        .ended(2)
        .says("2. adfs02.contoso.com: put it back into balancer lb")
        .says("3. adfs01.contoso.com: take it out of balancer lb, and wait 1 s")
        .says("adfs02.contoso.com: take it out of balancer lb, without a wait")
        .says("adfs02.contoso.com: let the connections of its batch to balancer lb run out, and wait 1 s")
        .does_not_say("traffic is not managed");
    behind.apply().succeeded();
    assert_eq!(
        record(&behind),
        [
            "adfs02 balancer_in",
            "adfs01 balancer_out",
            "adfs01 install",
            "adfs01 adapter_export",
            "adfs01 adapter_merge",
            "adfs01 adapter_policy",
            "adfs01 adapter_unregister",
            "adfs01 adapter_register",
            "adfs01 service_restart",
            "adfs01 balancer_in",
            "adfs02 balancer_out",
            "adfs01 adapter_policy",
            "adfs02 install",
            "adfs02 service_restart",
            "adfs02 balancer_in",
        ]
    );
    assert_eq!(out(&behind), BTreeSet::new());
    behind.settled();
}

/// The second batch is not taken out where the first one is not back, and users are asked all the same.
#[test]
fn a_balancer_that_refuses_to_put_back_in_the_gap() {
    let Some(behind) = farm("") else { return };
    behind.plan().ended(2);
    behind.balancer.refuse(refusal(FARM[0], true, Some(403), u32::MAX));
    behind
        .apply()
        .ended(1)
        .says("adfs-eu failed at step")
        .says("The way forward was taken at once")
        .says("Users are asked for the second factor again.")
        .says("Then the balancer was asked once more (adfs01.contoso.com: put it back into balancer lb), in vain")
        .says("Out of its balancer: adfs01.contoso.com (lb).")
        .says("In the traffic and unable to serve: adfs02.contoso.com.")
        .says("Out of the traffic and able to serve: adfs01.contoso.com. Put that back into the balancer first")
        .does_not_say("USERS MAY NOT BE ASKED");
    assert_eq!(out(&behind), BTreeSet::from(["adfs01".to_owned()]));
    is_asked(&behind, "AzureMfaServerAuthentication");
    behind.balancer.forgive();
    arrives(&behind);
}

/// What passes is mended right after the gap: the batches have changed places when the run ends.
#[test]
fn a_balancer_that_is_away_for_a_moment_in_the_gap() {
    let Some(behind) = farm("") else { return };
    behind.plan().ended(2);
    behind.balancer.refuse(refusal(FARM[0], true, Some(503), 2));
    behind
        .apply()
        .ended(1)
        .says("Balancer lb was asked 2 times")
        .says("Then the balancer did it: adfs01.contoso.com: put it back into balancer lb.")
        .says("Then the balancer did it: adfs02.contoso.com: take it out of balancer lb, without a wait.")
        .says("Out of its balancer: adfs02.contoso.com (lb).")
        .does_not_say("unable to serve");
    assert_eq!(out(&behind), BTreeSet::from(["adfs02".to_owned()]));
    is_asked(&behind, "AzureMfaServerAuthentication");
    // Once is repeated, and the run goes on.
    arrives(&behind);
}

#[test]
fn a_balancer_that_refuses_to_take_the_second_batch_out() {
    let Some(behind) = farm("") else { return };
    behind.plan().ended(2);
    behind.balancer.refuse(refusal(FARM[1], false, Some(403), u32::MAX));
    behind
        .apply()
        .ended(1)
        .says("adfs02.contoso.com: take it out of balancer lb, without a wait")
        .says("Users are asked for the second factor again.")
        .says("No host is out of its balancer.")
        .says("adfs01.contoso.com can serve. Take adfs02.contoso.com out of the balancer, at once.");
    assert_eq!(out(&behind), BTreeSet::new());
    is_asked(&behind, "AzureMfaServerAuthentication");
    let installed = behind.case.lab.estate().version_of(FARM[1], Component::AdfsAdapter).expect("the host is there");
    assert_eq!(installed.as_deref(), Some("6.3.1.1"));
    behind.balancer.forgive();
    arrives(&behind);
}

/// An apply that is in the gap, at a balancer that gives no answer.
fn in_gap(behind: &Behind, times: u32) -> Child {
    behind.plan().ended(2);
    behind.balancer.refuse(refusal(FARM[0], true, None, times));
    let token = [("AZUREMFA_BALANCER_LB_TOKEN", behind.balancer.token.as_str())];
    let mut apply = behind.case.workspace.command(&APPLY, &token);
    let apply = apply.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let asked = || behind.balancer.calls().iter().any(|call| call.status == 0);
    wait(Duration::from_secs(60), "the order in the gap", asked);
    assert_eq!(behind.case.farm().policy, ["CertificateAuthentication"], "users are asked");
    apply
}

/// A balancer without an answer costs the gap its two tries, and no more.
#[test]
fn a_balancer_that_is_silent_does_not_keep_the_gap_open() {
    let Some(behind) = farm("") else { return };
    behind.settings(&behind.balancer.url, "timeout = \"10m\"");
    let apply = in_gap(&behind, 2);
    let begin = Instant::now();
    wait(Duration::from_secs(30), "the end of the gap", || behind.case.farm().policy.len() == 2);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let output = apply.wait_with_output().expect("it ends");
    assert!(!output.status.success());
    // The order to put it back came through after the gap.
    assert_eq!(out(&behind), BTreeSet::from(["adfs02".to_owned()]));
    arrives(&behind);
}

/// Ctrl-C in the gap: the run goes on until it is closed, and leaves in who can serve.
#[test]
fn a_run_that_is_stopped_in_the_gap_closes_it_first() {
    let Some(behind) = farm("") else { return };
    let apply = in_gap(&behind, 1);
    send(Signal::CtrlC, &apply);
    let output = apply.wait_with_output().expect("it ends");
    assert!(!output.status.success());
    is_asked(&behind, "AzureMfaServerAuthentication");
    assert_eq!(out(&behind), BTreeSet::from(["adfs02".to_owned()]));
    arrives(&behind);
}

/// Killed in the gap: nothing is remembered, and the next run puts the first batch back before it takes the second one out.
#[test]
fn a_run_that_is_killed_in_the_gap_is_taken_up() {
    let Some(behind) = farm("") else { return };
    let mut apply = in_gap(&behind, u32::MAX);
    send(Signal::ToProvider("KILL"), &apply);
    wait(Duration::from_secs(60), "the end of the client", || apply.try_wait().expect("a child").is_some());
    behind.balancer.forgive();
    assert_eq!(behind.case.farm().policy, ["CertificateAuthentication"]);
    for host in FARM {
        behind.case.lab.estate().let_lease_end(host).expect("the host is there");
    }
    assert_eq!(out(&behind), BTreeSet::from(["adfs01".to_owned()]));
    behind
        .plan()
        .ended(2)
        .says("1. adfs01.contoso.com: put it back into balancer lb")
        .says("2. adfs02.contoso.com: take it out of balancer lb, without a wait")
        .says("3. adfs01.contoso.com: put AzureMfaServerAuthentication into the global policy");
    behind.apply().succeeded();
    assert_eq!(out(&behind), BTreeSet::new());
    behind.settled();
}

/// An earlier run could not register: the gap is found open, and closed before anybody waits for connections.
#[test]
fn a_gap_that_is_found_open_is_closed_before_connections_run_out() {
    let Some(behind) = farm("") else { return };
    behind.plan().ended(2);
    let fault = |times| ScriptFault {
        name: "Register-Adapter".to_owned(),
        when: Moment::Before,
        effect: ScriptEffect::Error,
        call: 1,
        times,
    };
    behind.case.fault(FARM[0], |faults| faults.script.push(fault(1_000)));
    behind.apply().ended(1).says("USERS MAY NOT BE ASKED").says("Out of its balancer: adfs01.contoso.com (lb).");
    assert_eq!(out(&behind), BTreeSet::from(["adfs01".to_owned()]));
    behind.case.fault(FARM[0], |faults| faults.script.clear());
    behind
        .plan()
        .ended(2)
        .says("1. adfs02.contoso.com: put it back into balancer lb")
        .says("2. adfs01.contoso.com: take it out of balancer lb, without a wait");
    // Even a balancer that refuses everything does not keep it open.
    behind.balancer.refuse(refusal(FARM[1], true, Some(403), u32::MAX));
    behind.apply().ended(1).says("Users are asked for the second factor again.");
    is_asked(&behind, "AzureMfaServerAuthentication");
    behind.balancer.forgive();
    arrives(&behind);
}

/// One batch: nobody would be left, so nobody is taken out.
#[test]
fn the_only_batch_stays_in_traffic() {
    let Some(behind) = farm("") else { return };
    let group = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "");
    let adapter = hcl::adapter("7.0.0.9", &format!("drain = \"lb\"\n  {AFTER_GROUP}\n  {}", hcl::GAP));
    let adapter = adapter.replace(
        "[[\"adfs01.contoso.com\"], [\"adfs02.contoso.com\"]]",
        "[[\"adfs01.contoso.com\", \"adfs02.contoso.com\"]]",
    );
    let adapter = adapter.replace("adfs01.contoso.com;adfs02.contoso.com", "adfs01.contoso.com,adfs02.contoso.com");
    behind.case.configure(&[&group, &adapter]);
    let run: Run = behind.plan().ended(2);
    run.says("adfs-eu: not taken out of balancer lb: adfs01.contoso.com, adfs02.contoso.com")
        .says("Nobody would be left to serve")
        .does_not_say("take it out of balancer");
    behind.apply().succeeded();
    assert_eq!(behind.balancer.calls(), []);
    behind.settled();
}
