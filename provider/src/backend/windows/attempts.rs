//! What may be done twice is tried again while its failure may pass.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backend::error::{Cause, ScriptErrorKind};
use crate::backend::windows::clock::Clock;
use crate::backend::windows::poll::{Ended, Poll};

/// How often in a row something is tried that gets no further, before its failure is final.
const ATTEMPTS: u32 = 4;

/// How much more of a file must have arrived for an attempt to have got further: with less, a connection that breaks all
/// the time would be tried for ever, as far as anybody can tell who waits.
const LEAST_PROGRESS: u64 = 1024 * 1024;

/// Attempts at something about a file of a host.
pub struct Attempts<'a> {
    pub clock: &'a dyn Clock,
    pub stop: &'a CancellationToken,
    /// The host's name.
    pub host: &'a str,
    /// The file's path there.
    pub target: &'a str,
}

impl Attempts<'_> {
    /// Tries again while the failure may pass: a silent host, or one on which something still has the file open, for at most
    /// `silence`, anything else a few times since it last got further, by the bytes that it has `reached`.
    pub async fn persist<T, F>(
        &self,
        silence: Duration,
        attempt: impl Fn() -> F + Send,
        reached: impl Fn() -> u64 + Send,
    ) -> Result<T, Cause>
    where
        F: Future<Output = Result<T, Cause>> + Send,
    {
        let mut poll: Option<Poll<'_>> = None;
        let (mut attempts, mut last) = (1, 0);
        loop {
            let outcome = attempt().await;
            if reached() >= last + LEAST_PROGRESS {
                (attempts, last) = (1, reached());
            }
            let cause = match outcome {
                Err(cause) if may_pass(&cause) && attempts < ATTEMPTS => cause,
                outcome => return outcome,
            };
            // What began took its time, which is no silence.
            if !matches!(cause, Cause::Unreachable { .. }) && !is_busy(&cause) {
                attempts += 1;
                poll = None;
            }
            tracing::warn!(host = self.host, target = self.target, %cause, "trying again");
            let poll = poll.get_or_insert_with(|| Poll::new(self.clock, self.stop, silence));
            match poll.pause().await {
                Ok(()) => {}
                Err(Ended::Stopped) => return Err(Cause::Stopped),
                Err(Ended::TimedOut) => return Err(cause),
            }
        }
    }
}

/// Whether the same may succeed later: the connection broke, or a run that was cut off still has the file open.
fn may_pass(cause: &Cause) -> bool {
    matches!(cause, Cause::Unreachable { .. } | Cause::Lost { .. } | Cause::Unintelligible(_) | Cause::NoReply { .. })
        || is_busy(cause)
}

/// A command whose connection broke keeps the file open until the host has been told, or has noticed.
fn is_busy(cause: &Cause) -> bool {
    matches!(cause, Cause::Script { kind: ScriptErrorKind::Busy, .. })
}
