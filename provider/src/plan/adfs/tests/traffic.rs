//! The batches of a farm and their balancer.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::backend::health::HealthCheck;
use crate::backend::step::{Action, Step};
use crate::plan::adfs::tests::broken_off::{Reached, left_at};
use crate::plan::adfs::tests::{FARM, FOUR, at, details, farm, install, of, one_by_one, run, wanted};
use crate::plan::adfs::{NEW_NAME, OLD_NAME, decide, recovery};
use crate::plan::fixtures::{drained, group, out, policy, registration, text};
use crate::plan::traffic::Out;
use crate::plan::{Decision, Desired, View, Views};

fn behind(hosts: &[&str], pin: &str) -> Desired {
    drained(of(hosts, pin))
}

fn checked(desired: Desired) -> Desired {
    Desired { health_check: Some(HealthCheck::new(Some("https://{host}/adfs/probe".to_owned()))), ..desired }
}

fn by_two(desired: &Desired) -> Vec<Vec<String>> {
    desired.hosts.chunks(2).map(<[String]>::to_vec).collect()
}

/// The lines about traffic, the policy and what is done in between, and the diagnostics.
#[track_caller]
fn check(decision: &Decision, expected: &Expect) {
    let words = ["balancer", "install", "policy (", "register ", "restart", "answers", "->", "warning", "error"];
    let text = text(decision).replace(" (users are asked for the second factor again)", " (ON)");
    let text = text.replace(" (users are NOT asked for the second factor from here)", " (OFF)");
    let shown: Vec<&str> = text.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn the_batches_change_places_in_the_gap() {
    let desired = checked(behind(&FARM, "7.0.0.9"));
    check(
        &run(&desired, &farm(&FARM, "6.3.1.1")),
        &expect![[r#"
            2. adfs02: put it back into balancer lb
            3. adfs01: take it out of balancer lb, and wait 30 s
            5. adfs01: install the AD FS adapter 7.0.0.9
            9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            10. adfs01: unregister WindowsAzureMultiFactorAuthentication
            11. adfs01: register AzureMfaServerAuthentication with the carried configuration
            12. adfs01: restart AD FS
            13. adfs01: put it back into balancer lb
            14. adfs02: take it out of balancer lb, without a wait
            15. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            17. adfs01: wait until https://adfs01/adfs/probe answers 200
            18. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            20. adfs02: install the AD FS adapter 7.0.0.9
            22. adfs02: restart AD FS
            23. adfs02: wait until https://adfs02/adfs/probe answers 200
            24. adfs02: put it back into balancer lb
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

#[test]
fn a_batch_of_two_is_out_as_a_whole() {
    let desired = behind(&FOUR, "7.0.0.9");
    check(
        &decide(&desired, &by_two(&desired), &farm(&FOUR, "6.3.1.1"), &policy()),
        &expect![[r#"
            2. adfs03: put it back into balancer lb
            3. adfs04: put it back into balancer lb
            4. adfs01: take it out of balancer lb, and wait 30 s
            6. adfs01: install the AD FS adapter 7.0.0.9
            7. adfs02: take it out of balancer lb, and wait 30 s
            9. adfs02: install the AD FS adapter 7.0.0.9
            13. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            14. adfs01: unregister WindowsAzureMultiFactorAuthentication
            15. adfs01: register AzureMfaServerAuthentication with the carried configuration
            17. adfs01: restart AD FS
            18. adfs02: restart AD FS
            19. adfs01: put it back into balancer lb
            20. adfs02: put it back into balancer lb
            21. adfs03: take it out of balancer lb, without a wait
            22. adfs04: take it out of balancer lb, without a wait
            23. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            25. adfs03: let the connections of its batch to balancer lb run out, and wait 30 s
            27. adfs03: install the AD FS adapter 7.0.0.9
            29. adfs03: restart AD FS
            30. adfs03: put it back into balancer lb
            32. adfs04: install the AD FS adapter 7.0.0.9
            34. adfs04: restart AD FS
            35. adfs04: put it back into balancer lb
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

/// Closing the gap comes first: nobody waits for the connections of the first batch, nor for anybody's health.
#[test]
fn a_gap_that_is_found_open_is_closed_without_a_wait() {
    let mut desired = checked(behind(&FARM, "7.0.0.9"));
    desired.to_pass = FARM.map(str::to_owned).into();
    for (reached, expected) in [
        (
            Reached::Unregistered,
            expect![[r#"
                1. adfs02: put it back into balancer lb
                2. adfs01: take it out of balancer lb, without a wait
                6. adfs01: register AzureMfaServerAuthentication with the carried configuration
                7. adfs01: restart AD FS
                8. adfs01: put it back into balancer lb
                9. adfs02: take it out of balancer lb, without a wait
                10. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
                12. adfs01: wait until https://adfs01/adfs/probe answers 200
                13. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
                15. adfs02: install the AD FS adapter 7.0.0.9
                17. adfs02: restart AD FS
                18. adfs02: wait until https://adfs02/adfs/probe answers 200
                19. adfs02: put it back into balancer lb
                -> current reaches_pin=true"#]],
        ),
        (
            Reached::Registered,
            expect![[r#"
                1. adfs02: put it back into balancer lb
                2. adfs01: take it out of balancer lb, without a wait
                4. adfs01: restart AD FS
                5. adfs01: put it back into balancer lb
                6. adfs02: take it out of balancer lb, without a wait
                7. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
                9. adfs01: wait until https://adfs01/adfs/probe answers 200
                10. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
                12. adfs02: install the AD FS adapter 7.0.0.9
                14. adfs02: restart AD FS
                15. adfs02: wait until https://adfs02/adfs/probe answers 200
                16. adfs02: put it back into balancer lb
                -> current reaches_pin=true"#]],
        ),
        (
            Reached::Restarted,
            expect![[r#"
            1. adfs01: put it back into balancer lb
            2. adfs02: take it out of balancer lb, without a wait
            3. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            4. adfs01: wait until https://adfs01/adfs/probe answers 200
            5. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            7. adfs02: install the AD FS adapter 7.0.0.9
            9. adfs02: restart AD FS
            10. adfs02: wait until https://adfs02/adfs/probe answers 200
            11. adfs02: put it back into balancer lb
            -> current reaches_pin=true"#]],
        ),
    ] {
        check(&run(&desired, &left_at(reached)), &expected);
    }
}

/// What the old provider can be asked with is in traffic before it is in the policy; what cannot is out.
#[test]
fn the_way_back_is_taken_with_those_in_traffic_who_have_loaded_it() {
    check(
        &run(&behind(&FARM, "7.0.0.9"), &left_at(Reached::Disabled)),
        &expect![[r#"
            1. adfs02: put it back into balancer lb
            2. adfs01: take it out of balancer lb, without a wait
            3. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (ON)
            5. adfs01: take it out of balancer lb, and wait 30 s
            10. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            11. adfs01: unregister WindowsAzureMultiFactorAuthentication
            12. adfs01: register AzureMfaServerAuthentication with the carried configuration
            13. adfs01: restart AD FS
            14. adfs01: put it back into balancer lb
            15. adfs02: take it out of balancer lb, without a wait
            16. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            18. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            20. adfs02: install the AD FS adapter 7.0.0.9
            22. adfs02: restart AD FS
            23. adfs02: put it back into balancer lb
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

/// A recovery that closed the gap before AD FS was restarted: nobody can serve, and the first batch is out.
#[test]
fn what_nobody_has_loaded_is_loaded_by_the_first_batch() {
    let mut views = left_at(Reached::Registered);
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(vec![NEW_NAME.to_owned()]));
    let mut desired = behind(&FARM, "7.0.0.9");
    desired.out = out(FARM[0]);
    check(
        &run(&desired, &views),
        &expect![[r#"
            1. adfs02: put it back into balancer lb
            2. adfs01: take it out of balancer lb, without a wait
            3. adfs01: restart AD FS
            4. adfs01: put it back into balancer lb
            5. adfs02: take it out of balancer lb, without a wait
            6. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            8. adfs02: install the AD FS adapter 7.0.0.9
            10. adfs02: restart AD FS
            11. adfs02: put it back into balancer lb
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn the_second_batch_is_taken_up_after_the_first_is_back() {
    check(
        &run(&behind(&FARM, "7.0.0.9"), &left_at(Reached::Enabled)),
        &expect![[r#"
            1. adfs01: put it back into balancer lb
            2. adfs02: take it out of balancer lb, without a wait
            3. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            5. adfs02: install the AD FS adapter 7.0.0.9
            7. adfs02: restart AD FS
            8. adfs02: put it back into balancer lb
            -> current reaches_pin=true"#]],
    );
    let mut desired = behind(&FARM, "7.0.0.9");
    desired.out = out(FARM[1]);
    check(
        &run(&desired, &left_at(Reached::SecondInstalled)),
        &expect![[r#"
            1. adfs01: put it back into balancer lb
            2. adfs02: take it out of balancer lb, without a wait
            3. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            5. adfs02: restart AD FS
            6. adfs02: put it back into balancer lb
            -> current reaches_pin=true"#]],
    );
}

/// Without a gap the health of the first batch is asked before it is put back.
#[test]
fn without_a_gap_each_batch_is_back_after_its_check() {
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs01", |adfs| {
        adfs.providers.as_mut().expect("providers").push(registration("6.3.1.1"));
        adfs.policy.as_mut().expect("a policy").push(OLD_NAME.to_owned());
    });
    check(
        &run(&checked(behind(&FARM, "7.0.0.9")), &views),
        &expect![[r#"
            1. adfs02: put it back into balancer lb
            2. adfs01: take it out of balancer lb, and wait 30 s
            3. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            4. adfs01: unregister WindowsAzureMultiFactorAuthentication
            5. adfs01: restart AD FS
            6. adfs01: wait until https://adfs01/adfs/probe answers 200
            7. adfs01: put it back into balancer lb
            8. adfs02: take it out of balancer lb, without a wait
            9. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            11. adfs02: restart AD FS
            12. adfs02: wait until https://adfs02/adfs/probe answers 200
            13. adfs02: put it back into balancer lb
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn hosts_that_were_left_out_are_put_back() {
    let mut desired = behind(&FARM, "7.0.0.9");
    desired.out = FARM.iter().flat_map(|host| out(host)).collect();
    check(
        &run(&desired, &farm(&FARM, "7.0.0.9")),
        &expect![[r#"
        1. adfs01: put it back into balancer lb
        2. adfs02: put it back into balancer lb
        -> current reaches_pin=true"#]],
    );
}

/// Under another `drain` since: in the gap only the balancer that serves now is asked.
#[test]
fn another_balancer_does_not_lose_the_first() {
    let mut desired = behind(&FARM, "7.0.0.9");
    let old = || ["old".to_owned()].into();
    desired.out = FARM.iter().map(|host| ((*host).to_owned(), old())).collect();
    check(
        &run(&desired, &left_at(Reached::Restarted)),
        &expect![[r#"
        1. adfs01: put it back into balancer lb
        2. adfs02: take it out of balancer lb, without a wait
        3. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
        4. adfs01: put it back into balancer old
        5. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
        7. adfs02: install the AD FS adapter 7.0.0.9
        9. adfs02: restart AD FS
        10. adfs02: put it back into balancer lb
        11. adfs02: put it back into balancer old
        -> current reaches_pin=true"#]],
    );
}

/// Nobody would be left: the hosts stay in traffic, and that is said.
#[test]
fn the_only_batch_is_not_taken_out() {
    let desired = behind(&FARM, "7.0.0.9");
    let batches = std::slice::from_ref(&desired.hosts);
    let decision = decide(&desired, batches, &farm(&FARM, "6.3.1.1"), &policy());
    check(
        &decision,
        &expect![[r#"
            3. adfs01: install the AD FS adapter 7.0.0.9
            5. adfs02: install the AD FS adapter 7.0.0.9
            9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            10. adfs01: unregister WindowsAzureMultiFactorAuthentication
            11. adfs01: register AzureMfaServerAuthentication with the carried configuration
            13. adfs01: restart AD FS
            14. adfs02: restart AD FS
            15. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap
            warning: adfs-eu: not taken out of balancer lb: adfs01, adfs02 (drain)
            warning: adfs-eu: one batch is an outage (batches)"#]],
    );
    assert!(details(&decision).contains("AD FS restarts on these hosts while they are in traffic."), "{decision:?}");
    // One that an earlier run with two batches has left out is put back all the same.
    let mut desired = behind(&FARM, "7.0.0.9");
    desired.out = out(FARM[1]);
    check(
        &decide(&desired, batches, &farm(&FARM, "6.3.1.1"), &policy()),
        &expect![[r#"
            3. adfs01: install the AD FS adapter 7.0.0.9
            5. adfs02: install the AD FS adapter 7.0.0.9
            9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (OFF)
            10. adfs01: unregister WindowsAzureMultiFactorAuthentication
            11. adfs01: register AzureMfaServerAuthentication with the carried configuration
            13. adfs01: restart AD FS
            14. adfs02: restart AD FS
            15. adfs02: put it back into balancer lb
            16. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap
            warning: adfs-eu: not taken out of balancer lb: adfs01 (drain)
            warning: adfs-eu: one batch is an outage (batches)"#]],
    );
}

/// The second batch was not finished, and the first one alone serves: it is not taken out for the next version.
#[test]
fn who_alone_can_serve_is_not_taken_out() {
    let mut desired = behind(&FARM, "8.0.1.1");
    desired.after = vec![group("8.0.1.1", "8.0.1.1", &["mfa02.contoso.com"])];
    desired.out = out(FARM[1]);
    check(
        &run(&desired, &left_at(Reached::SecondInstalled)),
        &expect![[r#"
            3. adfs01: install the AD FS adapter 8.0.1.1
            7. adfs01: take AzureMfaServerAuthentication out of the global policy (OFF)
            8. adfs01: unregister AzureMfaServerAuthentication
            9. adfs01: register AzureMfaServerAuthentication with the carried configuration
            10. adfs01: restart AD FS
            11. adfs01: put it back into balancer lb
            12. adfs02: take it out of balancer lb, without a wait
            13. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            15. adfs02: let the connections of its batch to balancer lb run out, and wait 30 s
            17. adfs02: install the AD FS adapter 8.0.1.1
            19. adfs02: restart AD FS
            20. adfs02: put it back into balancer lb
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap
            warning: adfs-eu: not taken out of balancer lb: adfs01 (drain)"#]],
    );
    // The first one does not answer: nobody knows whether it serves.
    let mut desired = behind(&FARM, "7.0.0.9");
    desired.last_versions.insert(FARM[0].to_owned(), desired.pin.clone());
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs02", |adfs| adfs.restarted_since_install = Some(false));
    views.insert(FARM[0].to_owned(), View::Unreachable { reason: "it is off".to_owned() });
    check(
        &run(&desired, &views),
        &expect![[r#"
        -> waiting reaches_pin=false
        warning: adfs-eu waits, by hand: make adfs01 reachable"#]],
    );
}

fn waiting(desired: Desired) -> Desired {
    Desired { after: vec![group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"])], ..desired }
}

/// Closed by whatever is registered, with those in traffic who have loaded it.
#[test]
fn a_gap_is_closed_with_the_balancer_while_the_farm_waits() {
    let desired = waiting(behind(&FARM, "7.0.0.9"));
    for (reached, expected) in [
        (
            Reached::Disabled,
            expect![[r#"
            1. adfs02: put it back into balancer lb
            2. adfs01: take it out of balancer lb, without a wait
            3. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (ON)
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
        ),
        (
            Reached::Unregistered,
            expect![[r#"
                1. adfs02: put it back into balancer lb
                2. adfs01: take it out of balancer lb, without a wait
                5. adfs01: register AzureMfaServerAuthentication with the carried configuration
                6. adfs01: restart AD FS
                7. adfs01: put it back into balancer lb
                8. adfs02: take it out of balancer lb, without a wait
                9. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
                -> waiting reaches_pin=false
                warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
        ),
        (
            Reached::Registered,
            expect![[r#"
            1. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9
            warning: adfs-eu: in traffic without AzureMfaServerAuthentication: adfs01, adfs02 (drain)"#]],
        ),
        (
            Reached::Restarted,
            expect![[r#"
            1. adfs01: put it back into balancer lb
            2. adfs02: take it out of balancer lb, without a wait
            3. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
        ),
    ] {
        check(&run(&desired, &left_at(reached)), &expected);
    }
    // Everybody has loaded it: nobody makes place.
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(Vec::new()));
    check(
        &run(&desired, &views),
        &expect![[r#"
        1. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (ON)
        -> waiting reaches_pin=false
        warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
    );
    // Nobody sees the second batch, and it cannot have loaded what is registered now.
    let desired = behind(&FARM, "7.0.0.9");
    let mut views = left_at(Reached::Unregistered);
    views.insert(FARM[1].to_owned(), View::Unreachable { reason: "it is off".to_owned() });
    check(
        &run(&desired, &views),
        &expect![[r#"
            3. adfs01: register AzureMfaServerAuthentication with the carried configuration
            4. adfs01: restart AD FS
            5. adfs01: put it back into balancer lb
            6. adfs02: take it out of balancer lb, without a wait
            7. adfs01: put AzureMfaServerAuthentication into the global policy (ON)
            -> waiting reaches_pin=false
            warning: adfs-eu: not taken out of balancer lb: adfs01 (drain)
            warning: adfs-eu waits, by hand: make adfs02 reachable"#]],
    );
}

/// Where the way back takes a host out that is not changed any more, this run puts it back.
#[test]
fn who_makes_place_for_the_way_back_returns() {
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(vec!["CertificateAuthentication".to_owned()]));
    install(&mut views, "adfs02", "7.0.0.9");
    let desired = behind(&FARM, "7.0.0.9");
    let decision = decide(&desired, std::slice::from_ref(&desired.hosts), &views, &policy());
    let ordered = |test: fn(&Action) -> bool| {
        let steps = decision.steps.iter().filter(|step| test(&step.action));
        steps.map(|step| step.host.as_str()).collect::<Vec<_>>()
    };
    let out = ordered(|action| matches!(action, Action::TakeOut { .. }));
    let back = ordered(|action| matches!(action, Action::PutBack { .. }));
    assert_eq!(out, ["adfs02.contoso.com"], "{}", text(&decision));
    assert_eq!(back.last(), Some(&"adfs02.contoso.com"), "{}", text(&decision));
}

/// Whatever an earlier run left and whoever it has left out, remembered or not.
#[test]
fn never_are_both_batches_out() {
    let everything = [
        Reached::Installed,
        Reached::Disabled,
        Reached::Unregistered,
        Reached::Registered,
        Reached::Restarted,
        Reached::Enabled,
        Reached::SecondInstalled,
    ];
    let pins = ["7.0.0.9", "8.0.1.1"];
    let remembered = || [Out::new(), out(FARM[0]), out(FARM[1])];
    let mut taken = 0;
    for (reached, pin, out) in everything
        .into_iter()
        .flat_map(|reached| pins.map(|pin| remembered().map(|out| (reached, pin, out))).into_iter().flatten())
    {
        for waits in [false, true] {
            let mut desired = checked(behind(&FARM, pin));
            desired.out = out.clone();
            desired.to_pass = FARM.map(str::to_owned).into();
            if waits {
                desired = waiting(desired);
            }
            let decision = run(&desired, &left_at(reached));
            let what = format!("{reached:?} {pin} {out:?} {waits}:\n{}", text(&decision));
            taken += in_order(&desired, &decision.steps, &what);
        }
    }
    assert!(taken > 50, "{taken}");
    for (hosts, version) in [(&FARM[..], "6.3.1.1"), (&FOUR[..], "6.3.1.1"), (&FOUR[..], "7.0.0.9")] {
        let desired = checked(behind(hosts, "8.0.1.1"));
        let batches = if hosts.len() == 4 { by_two(&desired) } else { one_by_one(&desired) };
        let decision = decide(&desired, &batches, &farm(hosts, version), &policy());
        assert!(in_order(&desired, &decision.steps, &text(&decision)) >= hosts.len());
    }
}

/// Holds a run to its order; how many hosts it takes out. Nobody is taken out before a host that stays was put back, none is
/// disturbed in traffic if it is taken out at all, and nobody is waited for in the gap.
#[track_caller]
fn in_order(desired: &Desired, steps: &[Step], what: &str) -> usize {
    let mut is_in: BTreeMap<&str, bool> = BTreeMap::new();
    let mut taken = 0;
    for (index, step) in steps.iter().enumerate() {
        let in_gap = recovery::may_be_open(steps, index) && !matches!(step.action, Action::DisableProvider { .. });
        match &step.action {
            Action::TakeOut { in_gap: is_short, wait, .. } => {
                is_in.insert(&step.host, false);
                assert!(is_in.values().any(|is_in| *is_in), "nobody is known to be in before {step} in {what}");
                assert!(*is_short == wait.is_none() && (*is_short || !in_gap), "{step} in {what}");
                // What did not wait by itself waits with its batch, once the gap is closed.
                let waits = |other: &Step| matches!(other.action, Action::AwaitConnections { .. });
                assert!(!*is_short || in_gap || steps[index..].iter().any(waits), "{step} in {what}");
                taken += 1;
            }
            Action::PutBack { in_gap: is_short, .. } => {
                is_in.insert(&step.host, true);
                assert_eq!(*is_short, in_gap, "{step} in {what}");
            }
            Action::AwaitHealth { .. } | Action::AwaitConnections { .. } => assert!(!in_gap, "{step} in {what}"),
            action if action.may_disturb() => {
                let is_managed =
                    steps.iter().any(|other| other.host == step.host && matches!(other.action, Action::TakeOut { .. }));
                assert!(!is_managed || is_in.get(step.host.as_str()) == Some(&false), "{step} in {what}");
            }
            _ => {}
        }
    }
    let last = |host: &String| is_in.get(host.as_str()).copied().unwrap_or(true);
    if steps.iter().any(|step| matches!(step.action, Action::VerifyAdapter { .. })) {
        assert!(desired.hosts.iter().all(last), "somebody stays out in {what}");
    }
    taken
}

fn views_of_second_installed() -> Views {
    let mut views = left_at(Reached::Enabled);
    install(&mut views, "adfs02", "7.0.0.9");
    views
}

/// What a person reads of hosts in traffic that cannot serve.
#[test]
fn the_traffic_of_a_broken_run_is_told() {
    use crate::plan::adfs::standing::report;
    let hosts = FARM.map(str::to_owned);
    let told = |views: &Views, out: &Out| report(&hosts, views, out).unwrap_or_default().replace(".contoso.com", "");
    let nobody = Out::new();
    assert_eq!(told(&farm(&FARM, "6.3.1.1"), &nobody), "");
    assert_eq!(told(&left_at(Reached::Unregistered), &nobody), "", "the gap is told elsewhere");
    assert_eq!(told(&left_at(Reached::Enabled), &out(FARM[1])), "");
    expect!["In the traffic and unable to serve: adfs02. AD FS there has not loaded AzureMfaServerAuthentication, so sign-ins that need the second factor fail on it. Out of the traffic and able to serve: adfs01. Put that back into the balancer first, then take adfs02 out, at once. The next plan does it where it has work on the farm; while the farm waits, it is yours to do."].assert_eq(&told(&left_at(Reached::Enabled), &out(FARM[0])));
    expect!["In the traffic and unable to serve: adfs02. AD FS there has not loaded AzureMfaServerAuthentication, so sign-ins that need the second factor fail on it. adfs01 can serve. Take adfs02 out of the balancer, at once."].assert_eq(&told(&views_of_second_installed(), &nobody));
    // What was installed and is not loaded yet does not keep AD FS from going on with what it has loaded before.
    assert_eq!(told(&left_at(Reached::Installed), &nobody), "");
    let mut views = left_at(Reached::Registered);
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(vec![NEW_NAME.to_owned()]));
    expect!["In the traffic and unable to serve: adfs02. AD FS there has not loaded AzureMfaServerAuthentication, so sign-ins that need the second factor fail on it. No host of the farm can serve them: apply again at once, which loads it."].assert_eq(&told(&views, &out(FARM[0])));
}

#[test]
fn without_a_balancer_nothing_is_ordered() {
    let steps = run(&wanted("7.0.0.9"), &farm(&FARM, "6.3.1.1")).steps;
    let is_order = |step: &&Step| matches!(step.action, Action::TakeOut { .. } | Action::PutBack { .. });
    assert_eq!(steps.iter().filter(is_order).count(), 0);
}
