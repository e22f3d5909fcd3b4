//! Waiting between polls: short at first, longer later, never past the limit, and not at all once the run is to stop. Hosts
//! that are waited for at the same time are not asked at the same moments.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backend::windows::clock::Clock;
use crate::winrm::pause::give_or_take_a_fifth;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A series of pauses. Dropping it, or the future of a pause, leaves nothing behind.
pub struct Poll<'a> {
    clock: &'a dyn Clock,
    stop: &'a CancellationToken,
    deadline: Duration,
    pause: Duration,
}

/// Why there is no further poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The run was asked to stop.
    Stopped,
    /// The limit is over.
    TimedOut,
}

impl<'a> Poll<'a> {
    /// Pauses that together last at most `limit`.
    pub fn new(clock: &'a dyn Clock, stop: &'a CancellationToken, limit: Duration) -> Self {
        Self { clock, stop, deadline: clock.now() + limit, pause: FIRST_PAUSE }
    }

    /// Waits for the next poll.
    pub async fn pause(&mut self) -> Result<(), Ended> {
        if self.stop.is_cancelled() {
            return Err(Ended::Stopped);
        }
        let left = self.deadline.saturating_sub(self.clock.now());
        if left.is_zero() {
            return Err(Ended::TimedOut);
        }
        let pause = give_or_take_a_fifth(self.pause).min(left);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = self.clock.sleep(pause) => Ok(()),
            () = self.stop.cancelled() => Err(Ended::Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::windows::tests::ManualClock;

    /// The pauses of a poll to its end.
    async fn pauses(limit: Duration) -> Vec<Duration> {
        let (clock, stop) = (ManualClock::default(), CancellationToken::new());
        let mut poll = Poll::new(&clock, &stop, limit);
        let ended = loop {
            if let Err(ended) = poll.pause().await {
                break ended;
            }
        };
        assert_eq!(ended, Ended::TimedOut);
        clock.pauses()
    }

    #[tokio::test]
    async fn backs_off_and_keeps_the_limit() {
        let limit = Duration::from_secs(60);
        let pauses = pauses(limit).await;
        assert_eq!(pauses.iter().sum::<Duration>(), limit);
        let (_, whole) = pauses.split_last().expect("pauses");
        let bases = [250, 500, 1000, 2000, 4000].into_iter().chain(std::iter::repeat(5000)).map(Duration::from_millis);
        for (pause, base) in whole.iter().zip(bases) {
            assert!((base * 4 / 5..=base * 6 / 5).contains(pause), "{pause:?} is not about {base:?}");
        }
        assert!(whole.len() >= 12, "{whole:?}");
    }

    #[tokio::test]
    async fn hosts_are_not_asked_at_the_same_moments() {
        let limit = Duration::from_secs(60);
        assert_ne!(pauses(limit).await, pauses(limit).await);
    }

    #[tokio::test]
    async fn stops_without_waiting() {
        let clock = ManualClock::default();
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(Poll::new(&clock, &stop, Duration::from_secs(20)).pause().await, Err(Ended::Stopped));
        assert!(clock.pauses().is_empty());
    }
}
