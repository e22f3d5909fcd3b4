//! One call of a script, framed as the provider frames it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::native::script;
use acceptance_tests::powershell;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a process of a host wrote.
pub struct Answer {
    pub reply: Option<Value>,
    pub logs: Vec<Value>,
    /// The bytes of the AZUREMFA-DATA lines.
    pub data: Vec<u8>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a script on a host: bootstrap on the command line, the rest on stdin.
pub fn call(powershell: &Path, host: &Path, script: &str, arguments: &Value, input: &[u8]) -> Answer {
    call_text(powershell, host, script, &read(script), arguments, input)
}

/// Has the lab's native host answer the same call.
pub fn call_native(host: &Path, name: &str, arguments: &Value, input: &[u8]) -> Answer {
    let lines = script::run(&HostFolder::new(host), name, &read(name), &arguments.to_string(), &mut &input[..]);
    parse(lines.join("\r\n"), String::new())
}

/// Runs a script of any text, as [`call`] does.
pub fn call_text(
    powershell: &Path,
    host: &Path,
    script: &str,
    source: &str,
    arguments: &Value,
    input: &[u8],
) -> Answer {
    let envelope = read("_Envelope");
    let arguments = arguments.to_string();
    let mut stdin =
        format!("azuremfa 1 {script} {} {} {}\n", envelope.len(), source.len(), arguments.len()).into_bytes();
    stdin.extend([envelope.as_bytes(), source.as_bytes(), arguments.as_bytes(), input].concat());
    call_raw(powershell, host, &stdin)
}

/// Runs the bootstrap with any bytes on stdin.
pub fn call_raw(powershell: &Path, host: &Path, stdin: &[u8]) -> Answer {
    let utf16: Vec<u8> = read("_Bootstrap").encode_utf16().flat_map(u16::to_le_bytes).collect();
    run(powershell::host_command(powershell, host, &STANDARD.encode(utf16)), stdin)
}

pub fn read(name: &str) -> String {
    std::fs::read_to_string(super::script_folder().join(format!("{name}.ps1"))).expect(name)
}

fn run(mut command: Command, stdin: &[u8]) -> Answer {
    if let Some(lab) = fake_lab() {
        command.env("AZUREMFA_LAB_BINARY", lab);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("PowerShell starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    let output = std::thread::scope(|scope| {
        // A process that refuses early does not read to the end; its answer tells.
        scope.spawn(move || pipe.write_all(stdin));
        child.wait_with_output().expect("PowerShell ends")
    });
    let stdout = String::from_utf8(output.stdout).expect("stdout is ASCII");
    parse(stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn parse(stdout: String, stderr: String) -> Answer {
    let mut answer = Answer { reply: None, logs: Vec::new(), data: Vec::new(), stderr, stdout: String::new() };
    for line in stdout.lines() {
        if let Some(json) = line.strip_prefix("AZUREMFA-REPLY:") {
            assert!(json.is_ascii(), "a reply that is not ASCII: {json}");
            let reply: Value = serde_json::from_str(json).expect("the reply is JSON");
            assert!(answer.reply.is_none() || reply.get("call").is_some(), "two replies: {stdout}");
            answer.reply = Some(reply);
        } else if let Some(json) = line.strip_prefix("AZUREMFA-LOG:") {
            answer.logs.push(serde_json::from_str(json).expect("a log line is JSON"));
        } else if let Some(text) = line.strip_prefix("AZUREMFA-DATA:") {
            answer.data.extend(STANDARD.decode(text).expect("data is base64"));
        }
    }
    answer.stdout = stdout;
    answer
}

/// What plays the lab's installer here.
fn fake_lab() -> Option<std::path::PathBuf> {
    Some(powershell::host_scripts().parent()?.join("tests/acceptance/scripts/installer.sh"))
}
