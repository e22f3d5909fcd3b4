//! Running one script on one host: what everything above asks for, and what tests replace.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::backend::error::Cause;
use crate::backend::windows::scripts::Script;

/// Runs scripts on hosts.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a script and gives back its result. A run that ends without a reply is an error.
    async fn run(&self, host: &str, call: Call) -> Result<Value, Cause>;

    /// Ends all sessions; a later run opens new ones.
    async fn close(&self) {}
}

/// One run of a script.
#[derive(Debug)]
pub struct Call {
    pub script: Script,
    /// A JSON object; keys are the parameters in snake_case.
    pub arguments: Value,
    /// Raw bytes that follow the arguments on standard input until the channel closes.
    pub input: Option<mpsc::Receiver<Bytes>>,
    /// Takes the bytes of the script's data lines. When the receiver is gone the run is given up.
    pub output: Option<mpsc::Sender<Bytes>>,
}

impl Call {
    /// A run without raw bytes.
    pub fn new(script: Script, arguments: Value) -> Self {
        Self { script, arguments, input: None, output: None }
    }
}
