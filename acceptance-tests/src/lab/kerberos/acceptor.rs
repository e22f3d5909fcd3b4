//! The hosts' side of Kerberos logons: a Python process with MIT's GSSAPI, asked by lines of JSON.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::paths;

/// A process that knows the keys of the services.
pub struct Acceptor {
    process: Mutex<Process>,
    contexts: AtomicU64,
}

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A logon that succeeded, with which messages are sealed.
pub struct Context {
    acceptor: Arc<Acceptor>,
    number: u64,
}

/// What the first token of a client came to.
pub struct Accepted {
    pub context: Context,
    /// Proves the service to the client.
    pub token: Vec<u8>,
    /// `name@REALM`.
    pub client: String,
    /// The service that the ticket was for.
    pub service: String,
    /// The client named the TLS channel, and it was the right one.
    pub bound: bool,
}

/// A refusal by the GSSAPI, with the token that tells the client when there is one.
#[derive(Debug, thiserror::Error)]
#[error("Kerberos: {reason}")]
pub struct Refused {
    pub reason: String,
    pub token: Option<Vec<u8>>,
}

impl Acceptor {
    /// Starts the process. `python` is prepared with the environment that it needs.
    pub(super) fn start(mut python: Command, keytab: &std::path::Path) -> std::io::Result<Arc<Self>> {
        let script = paths::root().join("acceptance-tests/tools/kerberos-acceptor.py");
        python.arg(script).arg(keytab).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn()?;
        let requests = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Arc::new(Self { process: Mutex::new(Process { child, requests, answers }), contexts: AtomicU64::default() }))
    }

    /// Judges a client's token. `binding` is the TLS channel underneath.
    pub fn accept(self: &Arc<Self>, token: &[u8], binding: Option<&[u8]>) -> Result<Accepted, Refused> {
        let number = self.contexts.fetch_add(1, Ordering::Relaxed);
        let (token, binding) = (encode(token), binding.map(encode));
        let answer = self.ask(&json!({
            "operation": "accept", "context": number, "token": token, "binding": binding,
        }))?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Accepted {
            context: Context { acceptor: Arc::clone(self), number },
            token: decode(&answer["token"]).unwrap_or_default(),
            client: text("client"),
            service: text("service"),
            bound: answer["bound"] == true,
        })
    }

    fn ask(&self, request: &Value) -> Result<Value, Refused> {
        let refused = |reason: String| Refused { reason, token: None };
        let mut process = self.process.lock().expect("the process");
        let mut line = String::new();
        let exchanged = writeln!(process.requests, "{request}").and_then(|()| process.answers.read_line(&mut line));
        exchanged.map_err(|error| refused(error.to_string()))?;
        let answer: Value = serde_json::from_str(&line).map_err(|error| refused(error.to_string()))?;
        match answer["error"].as_str() {
            Some(reason) => Err(Refused { reason: reason.to_owned(), token: decode(&answer["token"]) }),
            None => Ok(answer),
        }
    }
}

impl Context {
    /// Opens a message of the client.
    pub fn unseal(&self, signature: &[u8], data: &[u8]) -> Result<Vec<u8>, Refused> {
        let answer = self.ask("unseal", &[("signature", signature), ("data", data)])?;
        Ok(decode(&answer["message"]).unwrap_or_default())
    }

    /// Seals a message for the client, into its signature and the rest.
    pub fn seal(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Refused> {
        let answer = self.ask("seal", &[("message", message)])?;
        Ok((decode(&answer["signature"]).unwrap_or_default(), decode(&answer["data"]).unwrap_or_default()))
    }

    fn ask(&self, operation: &str, bytes: &[(&str, &[u8])]) -> Result<Value, Refused> {
        let mut request = json!({ "operation": operation, "context": self.number });
        for (name, bytes) in bytes {
            request[*name] = encode(bytes).into();
        }
        self.acceptor.ask(&request)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // The process may have ended before.
        let _ = self.ask("forget", &[]);
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        let process = self.process.get_mut().expect("the process");
        let _ = process.child.kill();
        let _ = process.child.wait();
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn decode(value: &Value) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(value.as_str()?).ok()
}
