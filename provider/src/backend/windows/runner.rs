//! Running one script on one host: what everything above asks for, and what tests replace.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::address::HostAddress;
use crate::backend::error::Cause;
use crate::backend::windows::scripts::Script;

/// Runs scripts on hosts.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a script and gives back its result. A run that ends without a reply is an error.
    async fn run(&self, host: &HostAddress, call: Call) -> Result<Value, Cause>;

    /// The round trip to a host; none while nothing was heard from it.
    fn round_trip(&self, _host: &HostAddress) -> Option<Duration> {
        None
    }

    /// Ends all sessions; a later run opens new ones.
    async fn close(&self) {}
}

/// Runs a script and decodes its result.
pub async fn call<T: DeserializeOwned>(runner: &dyn Runner, host: &HostAddress, call: Call) -> Result<T, Cause> {
    let script = call.script.name;
    let result = runner.run(host, call).await?;
    serde_json::from_value(result).map_err(|error| {
        Cause::Unintelligible(format!("the result of the script {script} is not as promised: {error}"))
    })
}

/// One run of a script.
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

/// Without the arguments: an address may carry a token, an installer's words a password.
impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").field("script", &self.script.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::windows::scripts::SAVE_RELEASE_FILE;

    #[test]
    fn never_prints_arguments() {
        let call = Call::new(SAVE_RELEASE_FILE, json!({"url": "https://files.contoso.com/a.exe?sig=marker"}));
        let printed = format!("{call:?}");
        assert!(printed.contains("Save-ReleaseFile") && !printed.contains("marker"), "{printed}");
    }
}
