//! Time, behind a trait so that tests do not wait.

use std::time::{Duration, Instant};

use async_trait::async_trait;

/// A clock that only ever goes forward.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Time since some fixed moment of this process.
    fn now(&self) -> Duration;

    /// Returns after that time.
    async fn sleep(&self, duration: Duration);
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
