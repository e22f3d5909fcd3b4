//! A PowerShell process on a host that serves one call after the other.
//!
//! Starting PowerShell costs a host a fifth to a third of a second and a plan asks several times; a call to a process
//! that runs already costs two round trips.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use crate::backend::error::Cause;
use crate::backend::windows::powershell;
use crate::backend::windows::script::{Known, ReplyReader, frame, repeat_frame, worker_frame};
use crate::backend::windows::scripts::{Company, Script, WORKER, WORKER_NAME};
use crate::winrm::clixml;
use crate::winrm::command::is_refused_input;
use crate::winrm::error::{Error, Started};
use crate::winrm::process::Process;
use crate::winrm::session::{Output, Session};
use crate::winrm::soap::reply::CommandState;

/// A worker, with what it was given so far.
pub struct Worker {
    process: Process,
    started: Instant,
    calls: u64,
    /// Sent with the first call, together with it: one message less.
    introduced: bool,
    scripts: HashSet<&'static str>,
    /// What it wrote to standard error during the last call.
    stderr: Vec<u8>,
    /// It has ended, or must not serve any more.
    spent: bool,
}

/// A worker that cannot serve any more, and what that means for the call.
#[derive(Debug)]
pub enum Broken {
    /// The connection or the shell failed.
    Session(Error),
    /// The process ended. It had begun the call, or may have.
    Ended(Cause),
    /// The process ended before it began the call.
    EndedBefore(Cause),
}

/// How often a worker serves, and how long. Nobody has measured what PowerShell's memory does over thousands of calls.
const MOST_CALLS: u64 = 500;
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);

impl Worker {
    /// Starts PowerShell in the session's shell. `bootstrap` are the words after its name.
    pub async fn start(session: &Session, bootstrap: &[&str]) -> Result<Self, Error> {
        Ok(Self {
            process: session.start("powershell.exe", bootstrap).await?,
            started: Instant::now(),
            calls: 0,
            introduced: false,
            scripts: HashSet::new(),
            stderr: Vec::new(),
            spent: false,
        })
    }

    /// Whether it can serve another call.
    pub fn is_fit(&self) -> bool {
        !self.spent
            && self.calls < MOST_CALLS
            && self.started.elapsed() < LONGEST_LIFE
            && !self.process.may_lack_output()
    }

    /// Has a script run. Whatever comes back as broken, this worker is of no use any more; its end is the caller's drop.
    pub async fn call(&mut self, script: Script, arguments: &Value) -> Result<Result<Value, Cause>, Broken> {
        self.calls += 1;
        self.stderr.clear();
        self.spent = script.company() != Company::Any;
        // Whether a query began does not matter, and without the word it is answered in one piece.
        let frame = worker_frame(self.calls, script, self.known(script), arguments, !script.only_looks());
        let introduction = if self.introduced { Vec::new() } else { introduction() };
        let mut reader = ReplyReader::of_call(script.name, self.calls);
        match self.process.write(Bytes::from([introduction, frame].concat())).await {
            // A process may end without reading its input; its last words are then worth more than the host's complaint.
            Err(error) if is_refused_input(&error) => return Err(self.last_words(&mut reader, script, error).await),
            written => written.map_err(Broken::Session)?,
        }
        self.introduced = true;
        self.scripts.insert(script.name);
        self.read(&mut reader, script).await?;
        self.process.rest();
        let result = reader.finish(0, &clixml::error_text(&self.stderr));
        // What it says next could belong to this call.
        self.spent |= matches!(result, Err(Cause::Unintelligible(_) | Cause::NoReply { .. }));
        Ok(result)
    }

    fn known(&self, script: Script) -> Known {
        Known { envelope: self.introduced, script: self.scripts.contains(script.name) }
    }

    /// Reads up to the reply. When a connection took output with it the reply is asked for again.
    async fn read(&mut self, reader: &mut ReplyReader, script: Script) -> Result<(), Broken> {
        let mut asked_again = false;
        while !reader.has_ended() {
            let received = self.process.read().await.map_err(Broken::Session)?;
            if let Some(received) = received {
                reader.feed(&received.stdout);
                self.stderr.extend_from_slice(&received.stderr);
                if let CommandState::Done(exit_code) = received.state {
                    self.spent = true;
                    return if reader.has_ended() { Ok(()) } else { Err(self.ended(reader, script, exit_code)) };
                }
            }
            if self.process.may_lack_output() && !asked_again && !reader.has_ended() {
                asked_again = true;
                self.process.write(Bytes::from(repeat_frame(self.calls))).await.map_err(|error| {
                    // It may run whatever becomes of the question.
                    Broken::Session(Error { started: Started::Unknown, ..error })
                })?;
            }
        }
        Ok(())
    }

    /// What it means that the process does not take a call, as far as it still says something of its end.
    async fn last_words(&mut self, reader: &mut ReplyReader, script: Script, refused: Error) -> Broken {
        self.spent = true;
        while let Ok(Some(received)) = self.process.read().await {
            reader.feed(&received.stdout);
            self.stderr.extend_from_slice(&received.stderr);
            if let CommandState::Done(exit_code) = received.state {
                return self.ended(reader, script, exit_code);
            }
        }
        Broken::Session(refused)
    }

    /// What the end of the process means for a call without a reply.
    fn ended(&self, reader: &ReplyReader, script: Script, exit_code: i32) -> Broken {
        let output = Output {
            exit_code,
            stdout: Vec::new(),
            stderr: self.stderr.clone(),
            may_lack_output: self.process.may_lack_output(),
        };
        let proves = script.only_looks() || !(reader.may_have_begun() || output.may_lack_output);
        let cause = judge(ReplyReader::new(script.name), &output).err();
        let mut cause = cause.unwrap_or_else(|| Cause::Unintelligible("the process ended".to_owned()));
        if let Cause::NoReply { advice, .. } = &mut cause {
            // What served before is kept from nothing.
            *advice = powershell::advice(&clixml::error_text(&self.stderr), self.calls > 1 || reader.has_run());
        }
        if proves { Broken::EndedBefore(cause) } else { Broken::Ended(cause) }
    }

    /// Lets it end with its shell, which is about to be closed.
    pub fn leave(self) {
        self.process.leave();
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(error) => error.fmt(formatter),
            Self::Ended(cause) | Self::EndedBefore(cause) => cause.fmt(formatter),
        }
    }
}

impl Broken {
    /// Whether the call can be made again, as nothing of it has been done.
    pub fn nothing_was_done(&self) -> bool {
        match self {
            Self::Session(error) => error.started == Started::NotStarted,
            Self::EndedBefore(_) => true,
            Self::Ended(_) => false,
        }
    }
}

/// What makes a worker of the bootstrap.
fn introduction() -> Vec<u8> {
    frame(WORKER_NAME, WORKER, "", &Value::Null)
}

/// What a script's run came to. A missing reply says nothing about the script when a connection broke on the way: the
/// reply may have been in what was lost.
pub fn judge(reader: ReplyReader, output: &Output) -> Result<Value, Cause> {
    match reader.finish(i64::from(output.exit_code), &clixml::error_text(&output.stderr)) {
        Err(Cause::Unintelligible(reason) | Cause::NoReply { reason, .. }) if output.may_lack_output => {
            Err(Cause::Lost { reason: format!("output of the host was lost with a connection, and {reason}") })
        }
        judged => judged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stdout: &[u8], may_lack_output: bool, expected: fn(&Result<Value, Cause>) -> bool) {
        let mut reader = ReplyReader::new("Start-Installer");
        reader.feed(stdout);
        let judged = judge(reader, &Output { exit_code: 0, stdout: Vec::new(), stderr: Vec::new(), may_lack_output });
        assert!(expected(&judged), "{judged:?}");
    }

    #[test]
    fn a_reply_that_may_be_lost_is_not_missing() {
        check(b"", false, |judged| matches!(judged, Err(Cause::NoReply { .. })));
        check(b"AZUREMFA-REPLY:x", false, |judged| matches!(judged, Err(Cause::Unintelligible(_))));
        check(b"", true, |judged| matches!(judged, Err(Cause::Lost { .. })));
        let reply = br#"AZUREMFA-REPLY:{"ok":true,"script":"Start-Installer","result":{}}"#;
        check(reply, true, Result::is_ok);
    }
}
