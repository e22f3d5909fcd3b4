//! Scripts called over the wire, framed as the provider frames them.

use acceptance_tests::lab::server::Lab;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::scripts::script_folder;
use crate::wire::client::{Client, Output};

/// A shell on a host.
pub struct Shell {
    pub client: Client,
    pub id: String,
}

impl Shell {
    pub async fn open(lab: &Lab, host: &str) -> Self {
        let mut client = Client::connect(lab.wire(), host, &lab.username, &lab.password).await;
        let id = client.create().await.expect("a shell");
        Self { client, id }
    }

    /// Starts a script and sends what it reads; gives the command.
    pub async fn start(&mut self, script: &str, arguments: &Value, input: &[u8]) -> String {
        let command = self.client.command(&self.id, &command_line()).await.expect("a command");
        let mut stdin = frame(script, arguments);
        stdin.extend_from_slice(input);
        let end = !input.is_empty();
        self.client.send(&self.id, &command, &stdin, end).await.expect("stdin is taken");
        command
    }

    /// Runs a script; gives its output.
    pub async fn run(&mut self, script: &str, arguments: &Value, input: &[u8]) -> Output {
        let command = self.start(script, arguments, input).await;
        self.client.receive_all(&self.id, &command).await.expect("output")
    }

    /// Runs a script; gives its reply.
    pub async fn ask(&mut self, script: &str, arguments: &Value) -> Value {
        reply(&self.run(script, arguments, b"").await)
    }
}

/// The reply in an output.
#[track_caller]
pub fn reply(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("AZUREMFA-REPLY:"));
    let line = line.unwrap_or_else(|| panic!("no reply: {text} {}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).expect("the reply is JSON")
}

/// The bytes in the data lines of an output.
pub fn data(output: &Output) -> Vec<u8> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.strip_prefix("AZUREMFA-DATA:"));
    lines.flat_map(|line| STANDARD.decode(line).expect("base64")).collect()
}

fn command_line() -> String {
    let utf16: Vec<u8> = text("_Bootstrap").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let switches = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -EncodedCommand";
    format!("powershell.exe {switches} {}", STANDARD.encode(utf16))
}

fn frame(script: &str, arguments: &Value) -> Vec<u8> {
    let (envelope, source, arguments) = (text("_Envelope"), text(script), arguments.to_string());
    let header = format!("azuremfa 1 {script} {} {} {}\n", envelope.len(), source.len(), arguments.len());
    [header, envelope, source, arguments].concat().into_bytes()
}

fn text(script: &str) -> String {
    std::fs::read_to_string(script_folder().join(format!("{script}.ps1"))).expect(script)
}
