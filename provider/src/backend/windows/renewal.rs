//! One lease: how a host is asked for it, and how it is renewed.
//!
//! A renewal is a script of its own, which runs in another process of the host than a step that is at work there, so an
//! installer of an hour does not keep it waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::address::HostAddress;
use crate::backend::error::Cause;
use crate::backend::lease::{self, Holder};
use crate::backend::windows::attempts::Attempts;
use crate::backend::windows::clock::Clock;
use crate::backend::windows::poll::{Ended, Poll};
use crate::backend::windows::runner::{self, Call, Runner};
use crate::backend::windows::scripts::SET_LEASE;
use crate::winrm::pause::give_or_take_a_fifth;

/// How long a lease lasts unless it is renewed: what a killed run costs the next one, and how long a host may be silent.
pub const LASTS: Duration = Duration::from_secs(5 * 60);

/// The pause between renewals. Less than the minute after which a session that nobody uses is closed: a renewal is two round
/// trips, a new session is a logon and a start of PowerShell.
const PAUSE: Duration = Duration::from_secs(45);

/// The pause after a renewal that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(15);

/// How long a host may be silent when it is asked for the lease: it was not yet touched, and a person waits.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a renewal that is under way may take to end.
const UNDER_WAY: Duration = Duration::from_secs(5);

/// What is asked of one host.
#[derive(Clone)]
pub struct Asking {
    pub runner: Arc<dyn Runner>,
    pub clock: Arc<dyn Clock>,
    pub at: HostAddress,
    pub run: Uuid,
    pub owner: String,
    pub set: String,
}

/// What a host says of its lease.
#[derive(Debug, Deserialize)]
struct Answer {
    /// This run has it.
    held: bool,
    found: Found,
    path: String,
    /// Whose it is or was, where that can be read.
    other: Option<Holder>,
    /// Names the very file that was found.
    identity: Option<String>,
    seconds_left: Option<u64>,
}

/// What was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Nothing,
    Own,
    Ended,
    Other,
    Damaged,
}

impl Asking {
    /// Takes the lease, and says when it was not yet taken. While another run has it, watches whether that one renews it.
    pub async fn take(&self, stop: &CancellationToken) -> Result<Duration, Cause> {
        let began = self.clock.now();
        let first = self.persist("take", None, SILENCE, stop).await?;
        if first.held {
            self.tell_of_ended(&first);
            return Ok(began);
        }
        let left = first.seconds_left.map_or(LASTS, Duration::from_secs);
        let (host, who) = (self.at.name(), first.other.as_ref().map_or_else(|| "nobody knows".to_owned(), Holder::who));
        let until = first.other.as_ref().map_or("unknown", |other| &other.expires_at);
        tracing::warn!(host, who, until, seconds = left.as_secs(), "another run has the lease; waiting for its end");
        let mut poll = Poll::new(self.clock.as_ref(), stop, left);
        loop {
            let watched = match poll.pause().await {
                Ok(()) => None,
                Err(Ended::Stopped) => return Err(Cause::Stopped),
                Err(Ended::TimedOut) => first.identity.as_deref(),
            };
            let began = self.clock.now();
            let answer = self.persist("take", watched, SILENCE, stop).await?;
            if answer.held {
                tracing::warn!(host, who, "the other run's lease has ended; this run has it now");
                return Ok(began);
            }
            if answer.identity != first.identity || watched.is_some() {
                return Err(lease::refused(answer.other.as_ref(), &answer.path));
            }
        }
    }

    /// Gives the lease back. What cannot be told to the host within `limit` ends by itself.
    pub async fn release(&self, limit: Duration) {
        let go_on = CancellationToken::new();
        let release = self.persist("release", None, limit, &go_on);
        let cause = match tokio::time::timeout(limit, release).await {
            Ok(Ok(_)) => return,
            Ok(Err(cause)) => cause.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let seconds = LASTS.as_secs();
        tracing::warn!(host = self.at.name(), cause, seconds, "the lease is not given back; it ends by itself");
    }

    fn tell_of_ended(&self, answer: &Answer) {
        if let Some(other) = &answer.other {
            let (host, who, until) = (self.at.name(), other.who(), &other.expires_at);
            tracing::info!(host, who, until, "another run has not given its lease back; it had ended");
        }
    }

    /// Asks again while the host is silent: each of these may be done twice.
    async fn persist(
        &self,
        action: &str,
        abandoned: Option<&str>,
        silence: Duration,
        stop: &CancellationToken,
    ) -> Result<Answer, Cause> {
        let attempts = Attempts { clock: self.clock.as_ref(), stop, host: self.at.name(), target: "lease" };
        attempts.persist(silence, || self.ask(action, abandoned), || 0).await
    }

    async fn ask(&self, action: &str, abandoned: Option<&str>) -> Result<Answer, Cause> {
        let arguments = json!({
            "action": action,
            "run": self.run.to_string(),
            "owner": self.owner,
            "set": self.set,
            "seconds": LASTS.as_secs(),
            "abandoned": abandoned,
        });
        runner::call(self.runner.as_ref(), &self.at, Call::new(SET_LEASE, arguments)).await
    }

    /// Renews until it is told to end, or another run has the lease. `heard` is when the lease was certainly this run's.
    async fn renew(&self, mut heard: Duration, end: &CancellationToken) -> Option<Cause> {
        let mut pause = PAUSE;
        loop {
            tokio::select! {
                () = self.clock.sleep(give_or_take_a_fifth(pause)) => {}
                () = end.cancelled() => return None,
            }
            let began = self.clock.now();
            let has_ended = began.saturating_sub(heard) >= LASTS;
            pause = match self.keep(has_ended, end).await {
                Ok(None) => {
                    heard = began;
                    PAUSE
                }
                Ok(lost) => return lost,
                Err(cause) => {
                    let (host, set) = (self.at.name(), &self.set);
                    tracing::warn!(host, set, %cause, "the lease could not be renewed; it is tried again");
                    PAUSE_AFTER_FAILURE
                }
            };
        }
    }

    /// Renews once; the loss, when another run has it, or had it after this run's own had ended.
    async fn keep(&self, has_ended: bool, end: &CancellationToken) -> Result<Option<Cause>, Cause> {
        let mut answer = self.ask("renew", None).await?;
        let is_free = match answer.found {
            // An ended one stays until another run takes it, and that may be of a release to come, whose form is another.
            Found::Nothing | Found::Damaged => !has_ended,
            Found::Own | Found::Ended | Found::Other => false,
        };
        if is_free && !end.is_cancelled() {
            tracing::warn!(host = self.at.name(), found = ?answer.found, "the lease is gone; it is taken again");
            answer = self.ask("take", answer.identity.as_deref()).await?;
        }
        Ok((!answer.held && !end.is_cancelled()).then(|| lease::lost(answer.other.as_ref())))
    }
}

/// A lease that is renewed in the background.
pub struct Renewal {
    asking: Asking,
    end: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Renewal {
    /// Renews a lease that was taken at `taken` or later. `lost` is filled when another run gets it.
    pub fn start(asking: Asking, taken: Duration, lost: Arc<Mutex<Option<Cause>>>) -> Self {
        let end = CancellationToken::new();
        let (its, told) = (asking.clone(), end.clone());
        let task = tokio::spawn(async move {
            if let Some(cause) = its.renew(taken, &told).await {
                tracing::error!(host = its.at.name(), set = its.set, %cause, "the lease is lost; the run stops before its next step");
                *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
            }
        });
        Self { asking, end, task: AbortOnDropHandle::new(task) }
    }

    /// Ends the renewals. One that is under way comes first, as it must not take the lease after it is given back.
    pub async fn end(self) -> Asking {
        self.end.cancel();
        let _ = tokio::time::timeout(UNDER_WAY, self.task).await;
        self.asking
    }
}
