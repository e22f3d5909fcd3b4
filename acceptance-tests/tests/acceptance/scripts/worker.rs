//! The worker under the real PowerShell: many calls in one process, each as if it were alone.

use serde_json::{Value, json};

use super::estate::Estate;
use super::wire::{self, Answer};

/// One PowerShell process that reads these bytes after the worker's introduction.
fn serve(frames: &str) -> Option<Answer> {
    let powershell = super::powershell_for("worker")?;
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let estate = Estate::new(&serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"]);
    let worker = wire::read("_Worker");
    let introduction = format!("azuremfa 1 Worker {} 0 4\n{worker}null", worker.len());
    Some(wire::call_raw(&powershell, &estate.host, format!("{introduction}{frames}").as_bytes()))
}

/// A call; texts that the worker has are given as none.
fn call(number: u64, script: &str, envelope: bool, source: Option<&str>, arguments: &Value, manner: &str) -> String {
    let envelope = if envelope { wire::read("_Envelope") } else { String::new() };
    let (source, arguments) = (source.unwrap_or_default(), arguments.to_string());
    let lengths = format!("{} {} {}", envelope.len(), source.len(), arguments.len());
    format!("call {number} {script} {lengths} {manner}\n{envelope}{source}{arguments}")
}

/// The lines that mean something, with replies cut to their number and what they say.
#[track_caller]
fn check(answer: &Answer, expected: &[&str]) {
    let line = |line: &str| match line.strip_prefix("AZUREMFA-REPLY:") {
        Some(reply) => {
            let reply: Value = serde_json::from_str(reply).expect("JSON");
            let said = if reply["ok"] == true { &reply["result"] } else { &reply["error"]["message"] };
            format!("{} {said}", reply["call"])
        }
        None => line.to_owned(),
    };
    let found: Vec<String> =
        answer.stdout.lines().filter(|line| !line.starts_with("AZUREMFA-LOG:")).map(line).collect();
    assert_eq!(found, expected, "{}", answer.stderr);
}

#[test]
fn calls_follow_each_other_in_one_process() {
    let count =
        "param([int] $Add) if (Get-Variable -Name left -ErrorAction SilentlyContinue) { throw 'something is left' }
        $left = 1; function Get-Left { 'x' }; $global:LASTEXITCODE = 0; @{ sum = 40 + $Add; process = $PID -gt 0 }";
    let frames = [
        call(1, "Add-One", true, Some(count), &json!({"add": 2}), "silent"),
        call(2, "Add-One", false, None, &json!({"add": 3}), "announced"),
        call(
            3,
            "Show-Left",
            false,
            Some("@{ left = $null -ne (Get-Command Get-Left -ErrorAction SilentlyContinue) }"),
            &json!({}),
            "silent",
        ),
        call(4, "Stop-It", false, Some("throw 'it failed'"), &json!({}), "announced"),
        call(5, "Add-One", false, None, &json!({"add": 4}), "silent"),
    ];
    let Some(answer) = serve(&frames.concat()) else { return };
    check(
        &answer,
        &[
            r#"1 {"process":true,"sum":42}"#,
            "AZUREMFA-BEGIN:2",
            r#"2 {"process":true,"sum":43}"#,
            r#"3 {"left":false}"#,
            "AZUREMFA-BEGIN:4",
            r#"4 "it failed""#,
            r#"5 {"process":true,"sum":44}"#,
        ],
    );
}

#[test]
fn a_reply_is_given_again() {
    let frames = [
        call(7, "Get-Text", true, Some("@{ text = 'once' }"), &json!({}), "silent"),
        "repeat 7\n".to_owned(),
        "repeat 6\n".to_owned(),
    ];
    let Some(answer) = serve(&frames.concat()) else { return };
    check(&answer, &[r#"7 {"text":"once"}"#, r#"7 {"text":"once"}"#, "AZUREMFA-END:6"]);
}

#[test]
fn a_call_that_cannot_reply_has_an_end() {
    // The envelope's own writer is taken away by the script, so nobody can reply.
    let frames = [
        call(1, "Break-It", true, Some("Remove-Item -LiteralPath function:Write-Reply; @{}"), &json!({}), "announced"),
        call(2, "Get-Text", false, Some("@{ text = 'next' }"), &json!({}), "silent"),
    ];
    let Some(answer) = serve(&frames.concat()) else { return };
    check(&answer, &["AZUREMFA-BEGIN:1", "AZUREMFA-END:1", r#"2 {"text":"next"}"#]);
}

#[test]
fn a_frame_that_is_cut_runs_nothing() {
    let whole = call(1, "Get-Text", true, Some("@{ text = 'x' }"), &json!({"a": 1}), "announced");
    for frames in [&whole[..whole.len() - 1], "call 1 Get-Text 0 0\n", "nonsense\n"] {
        let Some(answer) = serve(frames) else { return };
        check(&answer, &[]);
        assert!(!answer.stderr.is_empty(), "nothing was said of {frames:?}");
    }
}
