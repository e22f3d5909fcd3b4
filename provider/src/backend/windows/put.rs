//! A file of this machine goes to a host, by raw bytes on the standard input of scripts: whole or not at all.
//!
//! The host makes a temporary file of the full length, each range of the file is written into it by a script of its own,
//! and one more script proves the hash and moves the file into place. A range counts as sent when the host names the
//! very hash of what was read here; after a broken connection only ranges without that are sent again. What is left
//! under the temporary name is deleted when a put finally fails, and, if the host is away by then, by the next put.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError, ScriptErrorKind};
use crate::backend::windows::clock::Clock;
use crate::backend::windows::files::hexadecimal;
use crate::backend::windows::poll::{Ended, Poll};
use crate::backend::windows::runner::{self, Call, Runner};
use crate::backend::windows::scripts::{
    COMPLETE_PARTIAL_FILE, INITIALIZE_PARTIAL_FILE, RECEIVE_PARTIAL_FILE, REMOVE_WORK_FILE, Script,
};
use crate::backend::windows::work::{SHORT_SILENCE, Work};
use crate::winrm::ranges;

/// How often something is sent before its failure is final.
const ATTEMPTS: u32 = 4;

/// How long a failed put waits to clean up: by then a command that was cut off has ended and closed the file.
const CLEANING: Duration = Duration::from_secs(60);

/// What is read at once, and how many such pieces wait for the connection: a megabyte per stream in all.
const PIECE: usize = 256 * 1024;
const PIECES_UNDER_WAY: usize = 4;

/// A file of this machine whose content is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    pub path: PathBuf,
    pub length: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// Puts a file to `target` in the work folder of the step's host, over up to `streams` connections at once; whether it
/// was there already, in which case none of it was sent.
pub async fn put(work: &Work<'_>, file: &LocalFile, target: &str, streams: usize) -> Result<bool, HostError> {
    let put = Put {
        runner: work.backend.runner(),
        clock: work.backend.shared_clock(),
        stop: work.stop.clone(),
        host: work.at.clone(),
        file: file.clone(),
        target: target.to_owned(),
    };
    let started = put.clock.now();
    let outcome = tokio::select! {
        biased;
        () = work.stop.cancelled() => Err(Cause::Stopped),
        outcome = put.transfer(streams) => outcome,
    };
    if let Err(cause) = &outcome
        && may_have_begun(cause)
    {
        put.clean().await;
    }
    let already = outcome.map_err(|cause| work.failure(cause))?;
    let milliseconds = put.clock.now().saturating_sub(started).as_millis() as u64;
    tracing::info!(host = work.host, target, length = file.length, already, streams, milliseconds, "file was put");
    Ok(already)
}

/// One put, owned, so that ranges can be sent by tasks of their own.
#[derive(Clone)]
struct Put {
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    host: HostAddress,
    file: LocalFile,
    target: String,
}

#[derive(Deserialize)]
struct Already {
    already: bool,
}

/// What arrived of a range.
#[derive(Deserialize)]
struct Received {
    length: u64,
    sha256: String,
}

impl Put {
    async fn transfer(&self, streams: usize) -> Result<bool, Cause> {
        let whole = json!({"path": self.target, "length": self.file.length, "sha256": self.file.sha256});
        let prepare = || self.run::<Already>(INITIALIZE_PARTIAL_FILE, whole.clone());
        if self.persist(SHORT_SILENCE, &self.stop, prepare).await?.already {
            return Ok(true);
        }
        let one = |range: Range<u64>| {
            let put = self.clone();
            let send = async move { put.persist(SHORT_SILENCE, &put.stop, || put.send(&range)).await };
            send.in_current_span()
        };
        ranges::send(ranges::cut(self.file.length, streams), streams, one).await?;
        let complete = || self.run::<Already>(COMPLETE_PARTIAL_FILE, whole.clone());
        self.persist(SHORT_SILENCE, &self.stop, complete).await?;
        Ok(false)
    }

    /// Sends a range once.
    async fn send(&self, range: &Range<u64>) -> Result<(), Cause> {
        let (sender, input) = mpsc::channel(PIECES_UNDER_WAY);
        let length = range.end - range.start;
        let arguments = json!({
            "path": self.target, "file_length": self.file.length, "offset": range.start, "length": length,
        });
        let call = Call { input: Some(input), ..Call::new(RECEIVE_PARTIAL_FILE, arguments) };
        let (read, received) = tokio::join!(self.read(range, sender), self.call::<Received>(call));
        // A file that cannot be read ends the stream early, which the host then complains about.
        let (read, received) = (read?, received?);
        match read {
            Some(sha256) if received.length == length && received.sha256 == sha256 => Ok(()),
            _ => Err(Cause::Lost {
                reason: format!(
                    "of the {length} bytes at {} of {} other bytes arrived, {} in all",
                    range.start, self.target, received.length
                ),
            }),
        }
    }

    /// Reads a range into the channel and gives its hash; none when nobody takes it to the end.
    async fn read(&self, range: &Range<u64>, sender: mpsc::Sender<Bytes>) -> Result<Option<String>, Cause> {
        let failed =
            |what: String| Cause::Local(format!("the file {} cannot be sent: {what}", self.file.path.display()));
        let mut left = range.end - range.start;
        let mut file = ranges::open(&self.file.path, range).await.map_err(|error| failed(error.to_string()))?;
        let mut hash = Sha256::new();
        while left > 0 {
            let mut piece = BytesMut::with_capacity(PIECE);
            match file.read_buf(&mut piece).await {
                Ok(0) => return Err(failed(format!("it is {left} bytes shorter than it was"))),
                Ok(count) => left -= count as u64,
                Err(error) => return Err(failed(error.to_string())),
            }
            hash.update(&piece);
            if sender.send(piece.freeze()).await.is_err() {
                return Ok(None);
            }
        }
        Ok(Some(hexadecimal(hash)))
    }

    /// Deletes what may be left under the temporary name.
    async fn clean(&self) {
        let arguments = json!({"path": format!("{}.partial", self.target)});
        // The run may have been asked to stop, which must not keep it from leaving the host as it was.
        let go_on = CancellationToken::new();
        let remove = || self.run::<Value>(REMOVE_WORK_FILE, arguments.clone());
        if let Err(cause) = self.persist(CLEANING, &go_on, remove).await {
            tracing::warn!(host = self.host.name(), target = self.target, %cause, "the next put deletes what is left of this one");
        }
    }

    /// Tries again while the failure may pass: a silent host for at most `silence`, anything else a few times. Only for
    /// what may be done twice.
    async fn persist<T, F>(
        &self,
        silence: Duration,
        stop: &CancellationToken,
        attempt: impl Fn() -> F + Send,
    ) -> Result<T, Cause>
    where
        F: Future<Output = Result<T, Cause>> + Send,
    {
        let mut poll: Option<Poll<'_>> = None;
        let mut attempts = 1;
        loop {
            let cause = match attempt().await {
                Err(cause) if may_pass(&cause) && attempts < ATTEMPTS => cause,
                outcome => return outcome,
            };
            // What began took its time, which is no silence.
            if !matches!(cause, Cause::Unreachable { .. }) {
                attempts += 1;
                poll = None;
            }
            tracing::warn!(host = self.host.name(), target = self.target, %cause, "trying again");
            let poll = poll.get_or_insert_with(|| Poll::new(self.clock.as_ref(), stop, silence));
            match poll.pause().await {
                Ok(()) => {}
                Err(Ended::Stopped) => return Err(Cause::Stopped),
                Err(Ended::TimedOut) => return Err(cause),
            }
        }
    }

    async fn run<T: DeserializeOwned>(&self, script: Script, arguments: Value) -> Result<T, Cause> {
        self.call(Call::new(script, arguments)).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Cause> {
        runner::call(self.runner.as_ref(), &self.host, call).await
    }
}

/// Whether the same may succeed later: the connection broke, or a run that was cut off still has the file open.
fn may_pass(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Unreachable { .. }
            | Cause::Lost { .. }
            | Cause::Unintelligible(_)
            | Cause::Script { kind: ScriptErrorKind::Busy, .. }
    )
}

/// Whether the temporary file may be there after a failure.
fn may_have_begun(cause: &Cause) -> bool {
    !matches!(cause, Cause::NoConnection(_) | Cause::Denied { .. })
}
