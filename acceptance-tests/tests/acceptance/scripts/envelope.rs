//! The bootstrap and the envelope on their own: values on their way out and in, and the kinds of failures.

use serde_json::{Value, json};

use super::estate::Estate;
use super::wire;

/// Runs a text as a script on a bare host; none when there is no PowerShell.
fn reply_of(source: &str, arguments: &Value) -> Option<Value> {
    let powershell = super::powershell_for("envelope")?;
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let estate = Estate::new(&serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"]);
    let answer = wire::call_text(&powershell, &estate.host, "Test-Text", source, arguments, b"");
    Some(answer.reply.unwrap_or_else(|| panic!("no reply: {} {}", answer.stdout, answer.stderr)))
}

/// Many failures in one process: each is thrown, caught and sorted.
#[test]
fn every_failure_has_its_kind() {
    let table = [
        ("throw (New-Failure not_found 'x')", "not_found"),
        ("throw (New-Failure already_exists 'x')", "already_exists"),
        ("throw (New-Failure precondition 'x')", "precondition"),
        ("try { throw (New-Failure busy 'x') } catch { throw $_.Exception }", "busy"),
        ("throw (New-Object System.UnauthorizedAccessException)", "access_denied"),
        ("throw (New-Object System.Exception 'x', (New-Object System.Security.SecurityException))", "access_denied"),
        ("throw (New-Object System.TimeoutException)", "timed_out"),
        ("throw (New-Object System.IO.IOException 'x', 0x80070020)", "busy"),
        ("throw (New-Object System.IO.IOException 'x', 0x80070070)", "other"),
        ("Get-Item -LiteralPath C:\\none", "not_found"),
        ("Get-ChildItem -LiteralPath HKLM:\\NONE", "not_found"),
        ("[System.IO.File]::ReadAllText((Resolve-NativePath C:\\none))", "not_found"),
        ("Get-NoSuchThing", "other"),
        ("Get-Item -NoSuchParameter x", "invalid_input"),
        ("$null.Trim()", "other"),
        ("$undefined", "other"),
        ("throw 'a text'", "other"),
    ];
    let attempts: String =
        table.iter().map(|(text, _)| format!("try {{ {text} }} catch {{ $kinds += Get-FailureKind $_ }}\n")).collect();
    let Some(reply) = reply_of(&format!("$kinds = @()\n{attempts}@{{ kinds = $kinds }}"), &json!({})) else { return };
    let expected: Vec<_> = table.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(reply["result"]["kinds"], json!(expected), "{reply}");
}

#[test]
fn values_arrive_as_they_were_sent() {
    let source = "param([string] $AText, [string[]] $ManyTexts, [string] $DateText, [string] $Nothing = 'default')
        [ordered]@{ text = $AText; many = $ManyTexts; none = @(); one = @('x'); two = @(1, 2); deep = @(@{ a = @(@()) })
          flag = $true; number = [long]4294967296; null = $null; nothing = $Nothing; date = $DateText; keys = 'k'; Count = 3 }";
    let text = "' \" $(throw) `n \r\n\t\\ <&> \u{7f} Über 漢字 \u{1f511} \u{2028}";
    let arguments =
        json!({ "a_text": text, "many_texts": ["", text], "date_text": "2026-11-01T02:00:00Z", "nothing": null });
    let Some(reply) = reply_of(source, &arguments) else { return };
    let expected = json!({ "text": text, "many": ["", text], "none": [], "one": ["x"], "two": [1, 2], "deep": [{ "a": [] }],
        "flag": true, "number": 4_294_967_296_i64, "null": null, "nothing": "default", "date": "2026-11-01T02:00:00Z",
        "keys": "k", "Count": 3 });
    assert_eq!(reply["result"], expected);
}

#[test]
fn a_script_without_one_result_has_failed() {
    for source in ["", "@{ a = 1 }\n@{ b = 2 }", "'text'", "@{ time = [datetime]::UtcNow }"] {
        let Some(reply) = reply_of(source, &json!({})) else { return };
        assert_eq!(reply["error"]["kind"], "other", "{source}: {reply}");
    }
}

#[test]
fn a_call_that_is_cut_has_no_reply() {
    let Some(powershell) = super::powershell_for("bootstrap") else { return };
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let estate = Estate::new(&serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"]);
    for stdin in ["", "azuremfa 1 Get-HostFacts 5 5 2\nab", "azuremfa 2 Get-HostFacts 0 0 0\n"] {
        let answer = wire::call_raw(&powershell, &estate.host, stdin.as_bytes());
        assert_eq!(answer.reply, None, "{stdin}: {}", answer.stdout);
        assert!(!answer.stderr.is_empty(), "{stdin}: nothing was said");
    }
}
