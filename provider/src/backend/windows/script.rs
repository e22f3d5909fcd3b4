//! How a script travels: what is written to its standard input and what its output lines mean.
//!
//! The only proof that a script did its work is one reply line. Empty output is an error, never "absent".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::backend::error::{Cause, ScriptErrorKind};
use crate::backend::windows::powershell;
use crate::backend::windows::scripts::{ENVELOPE, Script, WORKER_NAME};

const REPLY: &[u8] = b"AZUREMFA-REPLY:";
const LOG: &[u8] = b"AZUREMFA-LOG:";
const DATA: &[u8] = b"AZUREMFA-DATA:";
/// A worker is about to run a call; its number follows.
const BEGIN: &[u8] = b"AZUREMFA-BEGIN:";
/// A call has ended in a worker without a reply; its number follows.
const END: &[u8] = b"AZUREMFA-END:";

/// Longer lines are not kept; no script writes any.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// Messages are cut to what a person reads.
const LONGEST_MESSAGE: usize = 1_000;

/// The start of a script's standard input: a header line, then envelope, script and arguments.
pub fn frame(name: &str, envelope: &str, script: &str, arguments: &Value) -> Vec<u8> {
    let arguments = ascii_json(arguments);
    let header = format!("azuremfa 1 {name} {} {} {}\n", envelope.len(), script.len(), arguments.len());
    [header.as_bytes(), envelope.as_bytes(), script.as_bytes(), arguments.as_bytes()].concat()
}

/// A call as a worker reads it: a header line, then what the worker does not have yet of envelope and script, then the
/// arguments. With `announced` the worker says that it begins.
pub fn worker_frame(call: u64, script: Script, known: Known, arguments: &Value, announced: bool) -> Vec<u8> {
    let envelope = if known.envelope { "" } else { ENVELOPE };
    let source = if known.script { "" } else { script.source };
    let arguments = ascii_json(arguments);
    let manner = if announced { "announced" } else { "silent" };
    let sizes = format!("{} {} {}", envelope.len(), source.len(), arguments.len());
    let header = format!("call {call} {} {sizes} {manner}\n", script.name);
    [header.as_bytes(), envelope.as_bytes(), source.as_bytes(), arguments.as_bytes()].concat()
}

/// What a worker has of the texts that a call needs.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub envelope: bool,
    pub script: bool,
}

/// Asks a worker for the reply to a call once more; it answers when it has ended the call.
pub fn repeat_frame(call: u64) -> Vec<u8> {
    format!("repeat {call}\n").into_bytes()
}

/// The words after `powershell.exe` that run the bootstrap.
pub fn powershell_arguments(bootstrap: &str) -> Vec<String> {
    let utf16: Vec<u8> = bootstrap.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let words =
        ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-InputFormat", "None", "-EncodedCommand"];
    words.into_iter().map(str::to_owned).chain([STANDARD.encode(utf16)]).collect()
}

/// Reads a script's output as it arrives.
#[derive(Debug)]
pub struct ReplyReader {
    script: &'static str,
    /// The call's number, in a worker.
    call: Option<u64>,
    line: Vec<u8>,
    reply: Option<Vec<u8>>,
    /// Anything was said.
    heard: bool,
    /// The envelope, the script or the worker has written a line of its own.
    ran: bool,
    ended: bool,
    /// The first thing that was not as promised.
    broken: Option<&'static str>,
}

impl ReplyReader {
    /// A reader for one run of a script.
    pub fn new(script: &'static str) -> Self {
        Self { script, call: None, line: Vec::new(), reply: None, heard: false, ran: false, ended: false, broken: None }
    }

    /// A reader for one call in a worker.
    pub fn of_call(script: &'static str, call: u64) -> Self {
        Self { call: Some(call), ..Self::new(script) }
    }

    /// Whether the call may have begun. A worker says so before anything of it runs; when that line was spoilt, by what an
    /// earlier call left on it or by the end of the process in the midst of it, something was said all the same.
    pub fn may_have_begun(&self) -> bool {
        self.heard
    }

    /// Whether PowerShell certainly ran the script.
    pub fn has_run(&self) -> bool {
        self.ran
    }

    /// Whether the worker has done with the call.
    pub fn has_ended(&self) -> bool {
        self.ended || self.reply.is_some()
    }

    /// Takes a piece of standard output; gives the data that complete lines of it carry.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<Bytes> {
        let mut data = Vec::new();
        self.heard |= !bytes.is_empty();
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.extend(&bytes[..end]);
            bytes = &bytes[end + 1..];
            data.extend(self.take_line());
        }
        self.extend(bytes);
        data
    }

    /// What the run came to. `stderr` is the readable text of standard error.
    pub fn finish(mut self, exit_code: i64, stderr: &str) -> Result<Value, Cause> {
        self.take_line();
        if let Some(broken) = self.broken {
            return Err(Cause::Unintelligible(format!("the script {} {broken}", self.script)));
        }
        match &self.reply {
            Some(reply) => decode(self.script, self.call, reply),
            None => Err(Cause::NoReply {
                reason: without_reply(self.script, exit_code, stderr),
                advice: powershell::advice(stderr, self.ran),
            }),
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > LONGEST_LINE {
            self.broken.get_or_insert("wrote a line that is too long");
            self.line.clear();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn take_line(&mut self) -> Option<Bytes> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        self.ran |= [LOG, DATA, BEGIN].iter().any(|prefix| line.starts_with(prefix));
        if let Some(reply) = line.strip_prefix(REPLY) {
            // A worker that was asked again may have been heard the first time after all.
            let again = |before: Vec<u8>| self.call.is_none() || before != reply;
            if self.reply.replace(reply.to_vec()).is_some_and(again) {
                self.broken.get_or_insert("replied twice");
            }
        } else if let Some(number) = line.strip_prefix(END) {
            self.ended |= self.is_this_call(number);
        } else if let Some(entry) = line.strip_prefix(LOG) {
            log(self.script, entry);
        } else if let Some(encoded) = line.strip_prefix(DATA) {
            match STANDARD.decode(encoded) {
                Ok(bytes) => return Some(Bytes::from(bytes)),
                Err(_) => {
                    self.broken.get_or_insert("wrote data that is no base64");
                }
            }
        } else if !line.is_empty() && !line.starts_with(BEGIN) {
            // The text is not logged: it comes from no one who promised to keep secrets out.
            tracing::debug!(script = self.script, length = line.len(), "stray line of output");
        }
        None
    }

    fn is_this_call(&self, number: &[u8]) -> bool {
        self.call.is_some_and(|call| call.to_string().as_bytes() == number)
    }
}

#[derive(Deserialize)]
struct Reply {
    ok: bool,
    script: String,
    #[serde(default)]
    call: Option<u64>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    kind: String,
    message: String,
    #[serde(default)]
    line: Option<u32>,
}

#[derive(Deserialize)]
struct LogEntry {
    level: String,
    message: String,
}

fn decode(script: &str, call: Option<u64>, reply: &[u8]) -> Result<Value, Cause> {
    let unintelligible = |what: &str| Cause::Unintelligible(format!("the script {script} {what}"));
    let reply: Reply =
        serde_json::from_slice(reply).map_err(|_| unintelligible("wrote a reply that is not as promised"))?;
    // A worker whose PowerShell is too old for any call fails in its own name.
    let of_worker = call.is_some() && !reply.ok && reply.script == WORKER_NAME;
    if reply.script != script && !of_worker {
        return Err(unintelligible("wrote the reply of another script"));
    }
    if reply.call != call && !of_worker {
        return Err(unintelligible("wrote the reply of another call"));
    }
    match (reply.ok, reply.result, reply.error) {
        (true, Some(result), None) => Ok(result),
        (false, None, Some(error)) => Err(Cause::Script {
            script: script.to_owned(),
            kind: serde_json::from_value(Value::String(error.kind)).unwrap_or(ScriptErrorKind::Other),
            message: readable(&error.message),
            line: error.line,
        }),
        _ => Err(unintelligible("wrote a reply that is neither a result nor an error")),
    }
}

fn log(script: &str, entry: &[u8]) {
    let Ok(LogEntry { level, message }) = serde_json::from_slice(entry) else {
        tracing::debug!(script, "log line that is not as promised");
        return;
    };
    let message = readable(&message);
    match level.as_str() {
        "error" => tracing::error!(script, "{message}"),
        "warn" | "warning" => tracing::warn!(script, "{message}"),
        "info" => tracing::info!(script, "{message}"),
        _ => tracing::debug!(script, "{message}"),
    }
}

fn without_reply(script: &str, exit_code: i64, stderr: &str) -> String {
    let said = allowed(stderr);
    let said = if said.is_empty() { String::new() } else { format!(", and said: {said}") };
    format!("the script {script} ended without a reply (exit code {exit_code}){said}")
}

/// What of standard error may be shown. The envelope turns every error of a script into a reply, so what remains are
/// PowerShell's own failures to start; values in quotes could still be anything and are left out.
fn allowed(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().map(|line| readable(&without_quoted(line)));
    let marks = ["+ FullyQualifiedErrorId :", "FullyQualifiedErrorId :"];
    let identity = lines.find_map(|line| marks.iter().find_map(|mark| line.strip_prefix(mark)));
    let identity = identity.map(|identity| format!("({})", readable(&without_quoted(identity.trim()))));
    first.into_iter().chain(identity).collect::<Vec<_>>().join(" ")
}

fn without_quoted(text: &str) -> String {
    let mut quote = None;
    let mut kept = String::new();
    for character in text.chars() {
        match (quote, character) {
            (None, '"' | '\'') => {
                quote = Some(character);
                kept.push_str("\"...\"");
            }
            (None, _) => kept.push(character),
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
        }
    }
    kept
}

/// One line of text without control characters, cut to a readable length.
fn readable(text: &str) -> String {
    let spaced = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    let text: String = spaced.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// JSON in ASCII, so that no code page on the way can change it.
fn ascii_json(value: &Value) -> String {
    let mut ascii = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &[u8]) -> Result<Value, Cause> {
        let mut reader = ReplyReader::new("Get-HostFacts");
        reader.feed(output);
        reader.finish(0, "")
    }

    #[track_caller]
    fn refused(output: &str, expected: &str) {
        let message = read(output.as_bytes()).expect_err("no success").to_string();
        assert!(message.contains(expected), "{message}");
    }

    const OK: &str = "AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-HostFacts\",\"result\":{\"a\":1}}\r\n";

    #[test]
    fn frames_with_byte_counts() {
        let frame = frame("Get-HostFacts", "envelope", "script!", &serde_json::json!({"path": "C:\\ä\u{1F600}"}));
        assert_eq!(
            String::from_utf8(frame).expect("ASCII"),
            "azuremfa 1 Get-HostFacts 8 7 33\nenvelopescript!{\"path\":\"C:\\\\\\u00e4\\ud83d\\ude00\"}"
        );
    }

    #[test]
    fn encodes_the_bootstrap_as_utf16() {
        let arguments = powershell_arguments("ab");
        assert_eq!(arguments.last().map(String::as_str), Some("YQBiAA=="));
    }

    #[test]
    fn takes_a_reply_in_any_pieces() {
        let text = format!("AZUREMFA-LOG:{{\"level\":\"info\",\"message\":\"x\"}}\r\nnoise\r\n{OK}");
        for size in 1..text.len() {
            let mut reader = ReplyReader::new("Get-HostFacts");
            text.as_bytes().chunks(size).for_each(|piece| {
                reader.feed(piece);
            });
            assert_eq!(reader.finish(0, "").expect("a result"), serde_json::json!({"a": 1}), "pieces of {size}");
        }
        assert!(read(OK.trim_end().as_bytes()).is_ok(), "the last line may lack its end");
    }

    #[test]
    fn gives_data_in_order() {
        let mut reader = ReplyReader::new("Send-File");
        let mut data = reader.feed(b"AZUREMFA-DATA:aGVs");
        data.extend(reader.feed(b"bG8=\r\nAZUREMFA-DATA:IQ==\n"));
        assert_eq!(data.concat(), b"hello!");
    }

    #[test]
    fn refuses_what_is_no_single_reply() {
        refused("", "ended without a reply (exit code 0)");
        refused(&format!("{OK}{OK}"), "replied twice");
        refused(&OK.replace("Get-HostFacts", "Send-File"), "reply of another script");
        refused("AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-HostFacts\"}", "neither a result nor an error");
        refused("AZUREMFA-REPLY:{\"ok\":", "not as promised");
        refused(&format!("AZUREMFA-DATA:***\n{OK}"), "no base64");
    }

    #[test]
    fn an_error_keeps_kind_message_and_line() {
        let text = "AZUREMFA-REPLY:{\"ok\":false,\"script\":\"Get-HostFacts\",\
                    \"error\":{\"kind\":\"busy\",\"message\":\"an installer runs.\\r\\n\",\"line\":12}}";
        match read(text.as_bytes()) {
            Err(Cause::Script { kind: ScriptErrorKind::Busy, message, line: Some(12), .. }) => {
                assert_eq!(message, "an installer runs");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn standard_error_is_shown_without_values() {
        let stderr = "File C:\\x.ps1 cannot be loaded because 'marker-password' is not it.\nAt line:1\n    \
                      + CategoryInfo : x\n    + FullyQualifiedErrorId : UnauthorizedAccess\nmore marker-password";
        let message = ReplyReader::new("Get-HostFacts").finish(1, stderr).expect_err("no reply").to_string();
        assert!(message.contains(
            "(exit code 1), and said: File C:\\x.ps1 cannot be loaded because \"...\" is not it (UnauthorizedAccess). Run "
        ), "{message}");
        assert!(!message.contains("marker-password"), "{message}");
    }

    /// A small generator of pseudo-random numbers, so that a failure can be seen again.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn random_output_is_never_a_success() {
        let mut state = 0x5eed;
        let pieces: [&[u8]; 8] =
            [REPLY, LOG, DATA, b"{\"ok\":true,", b"\"script\":\"Get-HostFacts\"", b"\n", b"}", b"\r\n"];
        for _ in 0..20_000 {
            let mut output = Vec::new();
            for _ in 0..random(&mut state) % 12 {
                match random(&mut state) % 3 {
                    0 => output.extend((0..random(&mut state) % 9).map(|_| random(&mut state) as u8)),
                    _ => output.extend(pieces[random(&mut state) as usize % pieces.len()]),
                }
            }
            assert!(read(&output).is_err(), "{:?}", String::from_utf8_lossy(&output));
        }
    }

    #[test]
    fn a_changed_reply_never_panics_and_never_invents_a_result() {
        let mut state = 0xfeed;
        for _ in 0..20_000 {
            let mut output = OK.as_bytes().to_vec();
            let at = random(&mut state) as usize % output.len();
            output[at] = random(&mut state) as u8;
            if let Ok(result) = read(&output) {
                assert!(result.is_object() || result.is_number() || result.is_array(), "{result}");
            }
        }
    }
}
