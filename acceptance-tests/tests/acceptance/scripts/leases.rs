//! Several runs that want one host at the same instant.

use std::path::Path;

use serde_json::{Value, json};

use super::cases::Answering;
use super::estate::{self, Estate};
use super::wire;

/// How many ask at once, and how often; real processes take their time.
fn check(call: Answering<'_>, runs: usize, rounds: usize) {
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("the hosts of the cases");
    let hosts: Value = serde_json::from_slice(&hosts).expect("JSON");
    for _ in 0..rounds {
        let estate = Estate::new(&hosts["bare"]);
        let ask = |run: usize| {
            let arguments = json!({
                "action": "take", "run": format!("run {run}"), "owner": format!("owner {run}"), "set": "mfa-eu", "seconds": 300,
            });
            let answer = call(&estate.host, "Set-Lease", &arguments, b"");
            answer.reply.unwrap_or_else(|| panic!("no reply: {}", answer.stderr))
        };
        let replies: Vec<Value> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..runs).map(|run| scope.spawn(move || ask(run))).collect();
            asking.into_iter().map(|run| run.join().expect("no panic")).collect()
        });
        let held: Vec<usize> = (0..runs).filter(|run| replies[*run]["result"]["held"] == true).collect();
        assert_eq!(held.len(), 1, "{replies:?}");
        for (_, refused) in replies.iter().enumerate().filter(|(run, _)| *run != held[0]) {
            assert_eq!(refused["result"]["other"]["owner"], format!("owner {}", held[0]), "{refused}");
            let left = refused["result"]["seconds_left"].as_i64().expect("a number");
            assert!((290..=300).contains(&left), "{refused}");
        }
    }
}

#[test]
fn one_of_several_gets_the_lease() {
    check(&wire::call_native, 8, 20);
    let Some(powershell) = super::powershell_for("leases at once") else { return };
    estate::prepare(&powershell);
    let call = |host: &Path, script: &str, arguments: &Value, input: &[u8]| {
        wire::call(&powershell, host, script, arguments, input)
    };
    check(&call, 4, 2);
}
