//! A farm behind a balancer: who is in and who is out while a run goes on, after it broke off, and in the end.

use std::collections::BTreeSet;

use crate::backend::error::Cause;
use crate::config::Reaction;
use crate::resource::set::testing::Planned;
use crate::resource::set::testing::balancers::{balancer, provider};

use super::*;

const LOST: &str = "adfs01.contoso.com: put AzureMfaServerAuthentication into the global policy";

async fn behind(estate: &Arc<Estate>) -> Workspace<'static> {
    let mut workspace = imported(estate).await;
    workspace.provider = Arc::new(provider(estate, [balancer("lb", 30), balancer("nlb", 30)]));
    workspace
}

fn drained(version: &str) -> Value {
    let mut config = wanted(version);
    config.set("drain", "lb".into());
    config
}

fn refused() -> Cause {
    Cause::Balancer { reason: "balancer lb was asked 2 times".to_owned(), may_be_done: false }
}

/// Orders and the policy, as they were performed.
fn done(estate: &Estate) -> Vec<String> {
    let words = ["balancer", "global policy", "restart AD FS"];
    let steps = estate.performed().into_iter().filter(|step| words.iter().any(|word| step.contains(word)));
    let texts = steps.map(|step| {
        let step = step.replace(".contoso.com", "").replace(", without a wait", "").replace(", and wait 30 s", "");
        let step = step.split(" (users").next().unwrap_or_default().to_owned();
        step.replace("WindowsAzureMultiFactorAuthentication", "OLD").replace(NEW_NAME, "NEW")
    });
    texts.collect()
}

/// Who is out by the orders that were performed. Both batches never are, whatever came between.
#[track_caller]
fn out(estate: &Estate) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for step in estate.performed() {
        let (host, action) = step.split_once(": ").expect("a host and a step");
        if action.starts_with("take it out") {
            out.insert(host.to_owned());
        } else if action.starts_with("put it back") {
            out.remove(host);
        } else if action == "restart AD FS" {
            assert!(out.contains(host), "{step} in traffic: {:?}", estate.performed());
        }
        assert!(out.len() < FARM.len(), "the farm is out after {step}: {:?}", estate.performed());
    }
    out
}

/// The message of a run that broke off.
fn message(diagnostics: &Diagnostics) -> String {
    let error = diagnostics.iter().next().expect("an error");
    format!("{}\n{}", error.summary, error.detail).replace(".contoso.com", "")
}

fn orders(planned: &Planned) -> Vec<String> {
    let steps = planned.steps().into_iter().filter(|step| step.contains("balancer"));
    steps.map(|step| step.split_once(". ").expect("a number").1.replace(".contoso.com", "")).collect()
}

#[tokio::test]
async fn the_batches_of_a_farm_are_out_one_after_the_other() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    expect![[r#"
        warning: adfs-eu: adfs_mfa_gap
        warning: Order 2: adfs-eu 6.3.1.1 -> 7.0.0.9 on adfs01, adfs02"#]]
    .assert_eq(&summaries(&planned.diagnostics));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    expect![[r#"
        adfs02: put it back into balancer lb
        adfs01: take it out of balancer lb
        adfs01: take OLD out of the global policy
        adfs01: restart AD FS
        adfs01: put it back into balancer lb
        adfs02: take it out of balancer lb
        adfs01: put NEW into the global policy
        adfs02: let the connections of its batch to balancer lb run out
        adfs02: restart AD FS
        adfs02: put it back into balancer lb"#]]
    .assert_eq(&done(&estate).join("\n"));
    assert!(out(&estate).is_empty());
    assert!(!workspace.refresh_and_plan(&drained("7.0.0.9")).await.changes());
}

/// Every step fails once, before and after its effect: the gap is closed at once, the farm is never out as a whole, and the
/// next run puts everybody back.
#[tokio::test]
async fn a_failure_at_any_step_leaves_nobody_out_in_the_end() {
    let steps = behind(&estate("6.3.1.1")).await.plan(&drained("7.0.0.9")).await.steps();
    let mut tried = 0;
    for (line, after) in steps.iter().flat_map(|line| [(line, false), (line, true)]) {
        let text: &'static str = line.split_once(". ").expect("a numbered line").1.to_owned().leak();
        let estate = estate("6.3.1.1");
        let mut workspace = behind(&estate).await;
        let planned = workspace.plan(&drained("7.0.0.9")).await;
        estate.set_fault_once(Fault { step: text, after });
        assert!(workspace.apply(&planned).await.has_errors(), "{line}");
        assert!(asks(&estate), "{line} after={after}: users are not asked");
        out(&estate);
        let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
        assert_eq!(summaries(&workspace.apply(&planned).await), "", "{line} after={after}");
        assert_eq!(workspace.text("version_status"), "current", "{line} after={after}");
        assert_eq!(out(&estate), BTreeSet::new(), "{line} after={after}: {:?}", estate.performed());
        assert!(!workspace.refresh_and_plan(&drained("7.0.0.9")).await.changes(), "{line} after={after}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

/// The balancer does not take the first batch back: the gap is closed all the same, the second batch is not taken out, and it
/// is said who cannot serve.
#[tokio::test]
async fn a_put_back_that_is_refused_in_the_gap_does_not_keep_it_open() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_hook("restart AD FS", |estate| {
        estate.set_fault(Some(Fault { step: "adfs01.contoso.com: put it back", after: false }));
    });
    let told = message(&workspace.apply(&planned).await);
    assert!(asks(&estate));
    assert_eq!(out(&estate), BTreeSet::from([FARM[0].to_owned()]));
    expect![[r#"
        adfs02: put it back into balancer lb
        adfs01: take it out of balancer lb
        adfs01: take OLD out of the global policy
        adfs01: restart AD FS
        adfs01: put NEW into the global policy"#]]
    .assert_eq(&done(&estate).join("\n"));
    expect![[r#"
        adfs-eu failed at step 13 of 25 on adfs01
        The way forward was taken at once: adfs01: register AzureMfaServerAuthentication with the carried configuration; adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again). Users are asked for the second factor again. Then the balancer was asked once more (adfs01: put it back into balancer lb), in vain: adfs01: could not put it back into balancer lb: the installer ended with exit code 1603.

        Step 13: adfs01: put it back into balancer lb.
        The installer ended with exit code 1603.

        12 steps were done before it.
        Now adfs01 runs 7.0.0.9. On adfs01: it has not been put back into its balancer since it was taken out. adfs02 is half done. On adfs02 the evidence disagrees: uninstall entry 6.3.1.1, registered AzureMfaServerAuthentication of assembly 7.0.0.9. The lower counts until it is repaired. May be out of its balancer: adfs01 (lb). The run that finishes a host puts it back. In the traffic and unable to serve: adfs02. AD FS there has not loaded AzureMfaServerAuthentication, so sign-ins that need the second factor fail on it. Out of the traffic and able to serve: adfs01. Put that back into the balancer first, then take adfs02 out, at once. The next plan does it where it has work on the farm; while the farm waits, it is yours to do.
        The steps after it were not begun, because after one failure the rest stays untouched.

        State says what really runs now. Remove the cause, then plan and apply again: steps that are done are recognised, and the first backup is kept."#]].assert_eq(&told);
    estate.set_fault(None);
    let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
    expect![[r#"
        adfs01: put it back into balancer lb
        adfs02: take it out of balancer lb, without a wait
        adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
        adfs02: put it back into balancer lb"#]]
    .assert_eq(&orders(&planned).join("\n"));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(out(&estate).is_empty());
}

/// A balancer that was away for a moment: the batches change places right after the gap was closed.
#[tokio::test]
async fn orders_that_were_refused_in_the_gap_are_given_after_it() {
    for step in ["adfs01.contoso.com: put it back", "adfs02.contoso.com: take it out"] {
        let estate = estate("6.3.1.1");
        let mut workspace = behind(&estate).await;
        let planned = workspace.plan(&drained("7.0.0.9")).await;
        estate.set_fault_once(Fault { step, after: false });
        estate.set_cause(refused());
        let told = message(&workspace.apply(&planned).await);
        assert!(asks(&estate));
        let expected = "Then the balancer did it: adfs02: take it out of balancer lb, without a wait.";
        assert!(told.contains(expected) && !told.contains("unable to serve"), "{told}");
        assert!(told.contains("Out of its balancer: adfs02 (lb)."), "{told}");
        assert_eq!(out(&estate), BTreeSet::from([FARM[1].to_owned()]));
        let performed = estate.performed();
        let position = |part: &str| performed.iter().position(|performed| performed.contains(part));
        assert!(position(LOST) < position("adfs02.contoso.com: take it out"), "{performed:?}");
        let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
        assert_eq!(summaries(&workspace.apply(&planned).await), "");
        assert!(out(&estate).is_empty());
    }
}

/// The second batch cannot be taken out: the first one serves, and it is said who has to go.
#[tokio::test]
async fn a_take_out_that_is_refused_in_the_gap_is_told() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_fault(Some(Fault { step: "adfs02.contoso.com: take it out", after: false }));
    let told = message(&workspace.apply(&planned).await);
    assert!(asks(&estate) && out(&estate).is_empty());
    for expected in [
        "adfs-eu failed at step",
        "The way forward was taken at once",
        "Then the balancer was asked once more (adfs02: take it out of balancer lb, without a wait), in vain",
        "May be out of its balancer: adfs02 (lb).",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    estate.set_fault(None);
    let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(out(&estate).is_empty());
}

/// Before AD FS was restarted a change of places is no help: nobody has loaded the new provider.
#[tokio::test]
async fn what_was_not_restarted_is_not_put_back_by_the_way_out() {
    for step in ["register AzureMfaServerAuthentication", "adfs01.contoso.com: restart AD FS"] {
        let estate = estate("6.3.1.1");
        let mut workspace = behind(&estate).await;
        let planned = workspace.plan(&drained("7.0.0.9")).await;
        estate.set_fault_once(Fault { step, after: false });
        let told = message(&workspace.apply(&planned).await);
        assert!(asks(&estate));
        assert_eq!(out(&estate), BTreeSet::from([FARM[0].to_owned()]));
        let expected =
            "In the traffic and unable to serve: adfs02. AD FS there has not loaded AzureMfaServerAuthentication";
        assert!(told.contains(expected) && told.contains("No host of the farm can serve them: apply again"), "{told}");
    }
}

/// Users are not asked when the run begins, and the balancer refuses: the gap is closed without it.
#[tokio::test]
async fn a_gap_that_is_found_open_is_closed_although_the_balancer_refuses() {
    for step in
        ["adfs02.contoso.com: put it back", "adfs01.contoso.com: take it out", "adfs01.contoso.com: put it back"]
    {
        let estate = estate("6.3.1.1");
        let mut workspace = behind(&estate).await;
        let planned = workspace.plan(&drained("7.0.0.9")).await;
        estate.set_fault(Some(Fault { step: "register AzureMfaServerAuthentication", after: false }));
        workspace.apply(&planned).await;
        assert!(!asks(&estate));
        estate.set_fault(None);
        let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
        assert_eq!(
            orders(&planned)[..2],
            ["adfs02: put it back into balancer lb", "adfs01: take it out of balancer lb, without a wait"]
        );
        estate.set_fault(Some(Fault { step, after: false }));
        estate.set_cause(refused());
        assert!(workspace.apply(&planned).await.has_errors(), "{step}");
        assert!(asks(&estate), "{step}");
        out(&estate);
        estate.set_fault(None);
        let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
        assert_eq!(summaries(&workspace.apply(&planned).await), "", "{step}");
        assert!(out(&estate).is_empty(), "{step}");
    }
}

/// A run that is stopped in the gap goes on until it is closed; the second batch is out then, and waits for the next run.
#[tokio::test]
async fn a_run_that_is_stopped_leaves_who_can_serve_in() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_stop_after("out of the global policy", workspace.stop.clone());
    let told = message(&workspace.apply(&planned).await);
    assert!(
        told.contains("was stopped before step 17") && told.contains("Out of its balancer: adfs02 (lb)."),
        "{told}"
    );
    assert!(asks(&estate));
    assert_eq!(out(&estate), BTreeSet::from([FARM[1].to_owned()]));
}

/// The order that makes place in the gap is given to the balancer; the host that it names may be off.
#[tokio::test]
async fn a_host_that_is_off_does_not_keep_the_gap_open() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_fault(Some(Fault { step: "register AzureMfaServerAuthentication", after: false }));
    assert!(workspace.apply(&planned).await.has_errors());
    assert!(!asks(&estate));
    estate.set_fault(None);
    estate.set_unreachable(FARM[1], true);
    let provider = provider(&estate, [balancer("lb", 30)]);
    workspace.provider = Arc::new(provider.with_on_unreachable(Reaction::Warn));
    let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
    assert!(orders(&planned).contains(&"adfs02: take it out of balancer lb, without a wait".to_owned()));
    let applied = workspace.apply(&planned).await;
    assert!(!applied.has_errors(), "{applied:?}");
    assert!(asks(&estate));
}

/// As for the other kinds: what an earlier run left out of another balancer goes back into that one.
#[tokio::test]
async fn another_drain_does_not_lose_who_is_out() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_fault_once(Fault { step: "adfs02.contoso.com: install", after: false });
    let told = message(&workspace.apply(&planned).await);
    assert!(told.contains("Out of its balancer: adfs02 (lb)."), "{told}");
    let mut config = drained("7.0.0.9");
    config.set("drain", "nlb".into());
    let planned = workspace.refresh_and_plan(&config).await;
    expect![[r#"
        adfs01: put it back into balancer nlb
        adfs02: take it out of balancer nlb, without a wait
        adfs02: let the connections of its batch to balancer nlb run out, and wait 30 s
        adfs02: put it back into balancer lb
        adfs02: put it back into balancer nlb"#]]
    .assert_eq(&orders(&planned).join("\n"));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(!workspace.refresh_and_plan(&config).await.changes());
}

/// Without one nobody puts it back, and that is said once.
#[tokio::test]
async fn without_drain_who_is_out_is_told_and_forgotten() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_fault_once(Fault { step: "adfs02.contoso.com: install", after: false });
    workspace.apply(&planned).await;
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9")).await;
    let told = summaries(&planned.diagnostics);
    assert!(told.contains("warning: adfs-eu: out of a balancer, and no run puts it back: adfs02 (lb)"), "{told}");
    assert_eq!(orders(&planned), ["adfs02: traffic is not managed; take the host out of the balancer yourself"]);
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(!workspace.refresh_and_plan(&wanted("7.0.0.9")).await.changes());
}
