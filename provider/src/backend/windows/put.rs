//! A file of this machine goes to a host, by raw bytes on the standard input of scripts: whole or not at all.
//!
//! The host makes a temporary file of the full length, each range of the file is written into it by a script of its own,
//! and one more script proves the hash and moves the file into place. A range counts as sent when the host names the
//! very hash of what was read here. After a broken connection the host says how much of the range it has and which hash
//! that has; when the same bytes here have the same hash only the rest is sent, otherwise the whole range.
//!
//! What is left under the temporary name is deleted when a put finally fails. What a run that was killed left, the next
//! put takes up in the same way: every byte of the file was either proven by a hash or sent anew.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
use crate::backend::error::{Cause, HostError};
use crate::backend::windows::attempts::Attempts;
use crate::backend::windows::clock::Clock;
use crate::backend::windows::files::hexadecimal;
use crate::backend::windows::leftovers;
use crate::backend::windows::runner::{self, Call, Runner};
use crate::backend::windows::scripts::{
    COMPLETE_PARTIAL_FILE, GET_PARTIAL_FILE, INITIALIZE_PARTIAL_FILE, RECEIVE_PARTIAL_FILE, Script,
};
use crate::backend::windows::work::{SHORT_SILENCE, Work};
use crate::winrm::ranges;

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
        leftovers::remove(put.runner.as_ref(), put.clock.as_ref(), &put.host, target).await;
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
struct Prepared {
    already: bool,
    /// Something is there under the temporary name, and nobody knows what.
    kept: bool,
}

/// One range under way.
struct Progress {
    range: Range<u64>,
    /// Some of it may be on the host.
    begun: AtomicBool,
    /// How much of it was found there.
    arrived: AtomicU64,
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
        let prepare = || self.run::<Prepared>(INITIALIZE_PARTIAL_FILE, whole.clone());
        let prepared = self.persist(prepare, || 0).await?;
        if prepared.already {
            return Ok(true);
        }
        let one = |range: Range<u64>| {
            let put = self.clone();
            let send = async move { put.send(range, prepared.kept).await };
            send.in_current_span()
        };
        ranges::send(ranges::cut(self.file.length, streams), streams, one).await?;
        let complete = || self.run::<Value>(COMPLETE_PARTIAL_FILE, whole.clone());
        self.persist(complete, || 0).await?;
        Ok(false)
    }

    /// Sends a range, however often that takes. `begun`: some of it may be there.
    async fn send(&self, range: Range<u64>, begun: bool) -> Result<(), Cause> {
        let progress = Progress { range, begun: AtomicBool::new(begun), arrived: AtomicU64::new(0) };
        let reached = || progress.arrived.load(Ordering::Relaxed);
        self.persist(|| self.send_rest(&progress), reached).await
    }

    /// Sends once what is not there of a range.
    async fn send_rest(&self, progress: &Progress) -> Result<(), Cause> {
        let mut rest = progress.range.clone();
        if progress.begun.swap(true, Ordering::Relaxed) {
            let arrived = self.arrived(&rest).await?;
            progress.arrived.fetch_max(arrived, Ordering::Relaxed);
            rest.start += arrived;
        }
        if rest.is_empty() { Ok(()) } else { self.send_once(&rest).await }
    }

    /// How much of a range the host has for certain, from its start on.
    async fn arrived(&self, range: &Range<u64>) -> Result<u64, Cause> {
        let found: Received = self.run(GET_PARTIAL_FILE, self.arguments(range)).await?;
        let there = range.start..range.start.saturating_add(found.length).min(range.end);
        let (host, length) = (self.host.name(), there.end - there.start);
        if found.length > length || self.read(&there, None).await? != Some(found.sha256) {
            tracing::warn!(host, target = self.target, offset = range.start, length, "what is there is something else");
            return Ok(0);
        }
        tracing::info!(host, target = self.target, offset = range.start, length, "sending the rest of what is there");
        Ok(length)
    }

    fn arguments(&self, range: &Range<u64>) -> Value {
        let length = range.end - range.start;
        json!({"path": self.target, "file_length": self.file.length, "offset": range.start, "length": length})
    }

    async fn send_once(&self, range: &Range<u64>) -> Result<(), Cause> {
        let (sender, input) = mpsc::channel(PIECES_UNDER_WAY);
        let length = range.end - range.start;
        let call = Call { input: Some(input), ..Call::new(RECEIVE_PARTIAL_FILE, self.arguments(range)) };
        let (read, received) = tokio::join!(self.read(range, Some(sender)), self.call::<Received>(call));
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

    /// Reads a range, into the channel if there is one, and gives its hash; none when nobody takes it to the end.
    async fn read(&self, range: &Range<u64>, sender: Option<mpsc::Sender<Bytes>>) -> Result<Option<String>, Cause> {
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
            if let Some(sender) = &sender
                && sender.send(piece.freeze()).await.is_err()
            {
                return Ok(None);
            }
        }
        Ok(Some(hexadecimal(hash)))
    }

    /// Tries again what may be done twice.
    async fn persist<T, F>(&self, attempt: impl Fn() -> F + Send, reached: impl Fn() -> u64 + Send) -> Result<T, Cause>
    where
        F: Future<Output = Result<T, Cause>> + Send,
    {
        let (clock, stop) = (self.clock.as_ref(), &self.stop);
        let attempts = Attempts { clock, stop, host: self.host.name(), target: &self.target };
        attempts.persist(SHORT_SILENCE, attempt, reached).await
    }

    async fn run<T: DeserializeOwned>(&self, script: Script, arguments: Value) -> Result<T, Cause> {
        self.call(Call::new(script, arguments)).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Cause> {
        runner::call(self.runner.as_ref(), &self.host, call).await
    }
}

/// Whether the temporary file may be there after a failure.
fn may_have_begun(cause: &Cause) -> bool {
    !matches!(cause, Cause::NoConnection(_) | Cause::Denied { .. })
}
