//! Waiting to the tenth of a millisecond, for many at once, by one thread. Tokio's timers count whole milliseconds and are
//! one late on average; a sleeping thread for everybody who waits costs the measured more than what is measured.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Whoever waits, the first to be woken on top. The number tells those apart that wait for the same moment.
#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    wakers: HashMap<u64, oneshot::Sender<()>>,
    count: u64,
}

struct Alarm {
    waiting: Mutex<Waiting>,
    /// Somebody is to be woken before all others.
    earlier: Condvar,
}

static ALARM: LazyLock<&'static Alarm> = LazyLock::new(|| {
    let alarm: &'static Alarm = Box::leak(Box::new(Alarm { waiting: Mutex::default(), earlier: Condvar::new() }));
    std::thread::spawn(|| alarm.ring());
    alarm
});

/// Waits until a moment has come.
pub async fn wait_until(moment: Instant) {
    if moment > Instant::now() {
        // The thread never ends, so it rings.
        let _ = ALARM.set(moment).await;
    }
}

impl Alarm {
    fn set(&self, moment: Instant) -> oneshot::Receiver<()> {
        let (waker, woken) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.heap.peek().is_none_or(|Reverse((first, _))| moment < *first);
        waiting.count += 1;
        let number = waiting.count;
        waiting.heap.push(Reverse((moment, number)));
        waiting.wakers.insert(number, waker);
        if is_first {
            self.earlier.notify_one();
        }
        woken
    }

    fn ring(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = waiting.heap.peek().map(|Reverse((moment, _))| moment.saturating_duration_since(Instant::now()));
            waiting = match next {
                None => self.earlier.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(left) if !left.is_zero() => {
                    self.earlier.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    if let Some(Reverse((_, number))) = waiting.heap.pop()
                        && let Some(waker) = waiting.wakers.remove(&number)
                    {
                        // Who waited may have gone.
                        let _ = waker.send(());
                    }
                    waiting
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn is_not_a_millisecond_late() {
        let mut lateness = Vec::new();
        for _ in 0..20 {
            let moment = Instant::now() + Duration::from_millis(5);
            wait_until(moment).await;
            lateness.push(Instant::now().checked_duration_since(moment).expect("not early"));
        }
        // The best of them: others may have the processor.
        assert!(lateness.iter().min().is_some_and(|best| *best < Duration::from_millis(1)), "{lateness:?}");
        wait_until(Instant::now()).await;
    }

    #[tokio::test]
    async fn many_are_woken_each_in_its_turn() {
        let begin = Instant::now();
        let mut waits = tokio::task::JoinSet::new();
        for milliseconds in [30, 10, 20, 10, 0] {
            waits.spawn(async move {
                wait_until(begin + Duration::from_millis(milliseconds)).await;
                assert!(begin.elapsed() >= Duration::from_millis(milliseconds), "{milliseconds}");
            });
        }
        waits.join_all().await;
        // One that is set while a later one is waited for.
        let late = tokio::spawn(wait_until(Instant::now() + Duration::from_secs(3600)));
        tokio::task::yield_now().await;
        wait_until(Instant::now() + Duration::from_millis(5)).await;
        assert!(begin.elapsed() < Duration::from_secs(60));
        late.abort();
    }
}
