//! Reading a host: the provider's own query.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::bench::peer::Client;
use crate::bench::rows::{Rows, Target};
use crate::bench::run::{FAR, NEAR, NTLM_HTTP, Part, ROUNDS, Run, Work, own_failed, own_lacks};
use crate::bench::stage::Failure;

/// Sessions in one turn.
const SESSIONS: usize = 5;

/// What the provider sends to read a host, for others to send.
pub struct Script {
    command: NamedTempFile,
    input: NamedTempFile,
    length: usize,
}

impl Script {
    /// Has our own client read the host once.
    pub async fn of(run: &Run<'_>) -> Result<Self, Failure> {
        let ports = run.stage.open(1, NTLM_HTTP.listener, NEAR).await?;
        let own = Part { client: Client::Own, action: "query", arguments: vec!["1".to_owned(), "0".to_owned()] };
        let mut outcomes = run.turns(NTLM_HTTP.authentication, &ports, &[own], 1).await;
        outcomes.remove(0).map_err(|lack| own_lacks(&lack))?;
        let (words, input) = run.stage.captured();
        if words.is_empty() || input.is_empty() {
            return Err(own_failed("its query started nothing that others could start".to_owned()));
        }
        Ok(Self { command: file_of(words.join("\n").as_bytes())?, input: file_of(&input)?, length: input.len() })
    }

    /// What follows the URLs of `query`.
    pub fn arguments(&self, times: usize, further: usize) -> Vec<String> {
        let path = |file: &NamedTempFile| file.path().to_string_lossy().into_owned();
        vec![times.to_string(), further.to_string(), path(&self.command), path(&self.input)]
    }
}

/// All facts of a host: the provider's own query, and for the others the same script on standard input of the same
/// command line.
pub async fn queries(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let script = Script::of(run).await?;
    let arguments = script.arguments(SESSIONS, 0);
    for work in Work::with_input("query") {
        for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
            let ports = run.stage.open(1, work.way.listener, round_trip).await?;
            let compared = run.compare(&work, &ports, &arguments).await?;
            let name = |what: &str| format!("host query, {}, {what}", work.way.name);
            compared.wire(rows, &name, (SESSIONS, round_trip), Target::None);
            compared.seconds(rows, &name(&format!("wall at {distance}")), "query", |_| Target::None)?;
        }
    }
    rows.note(format!(
        "host query: a session, the script Get-HostFacts with {} bytes of standard input, the session's end; {ROUNDS} turns \
         of {SESSIONS}. The others send what our client was seen to send, and do not read the facts out of the reply",
        script.length
    ));
    Ok(())
}

fn file_of(bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}
