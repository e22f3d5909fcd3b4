//! What is fetched once, however many want it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::winrm::auth::kerberos::failure::Failure;

/// A value that is fetched by whoever wants it first; the others wait for that.
pub struct Single<T> {
    /// Held by whoever fetches. It is free again when that one is given up, and the next one fetches.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// How many fetches have ended, and how the last one failed, if it did.
    ended: u64,
    failure: Option<Arc<Failure>>,
}

/// A value, and whether it was there before it was asked for.
pub struct Had<T> {
    pub value: Arc<T>,
    pub kept: bool,
}

impl<T> Default for Single<T> {
    fn default() -> Self {
        let state = State { value: None, ended: 0, failure: None };
        Self { turn: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }
}

impl<T> Single<T> {
    /// The value that is there when it fits, else the one that is fetched. Who waits for a fetch shares its failure: a
    /// wrong password is tried once.
    pub async fn get(
        &self,
        fits: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, Arc<Failure>>>,
    ) -> Result<Had<T>, Arc<Failure>> {
        let fitting = || self.state().value.clone().filter(|value| fits(value));
        let before = self.state().ended;
        if let Some(value) = fitting() {
            return Ok(Had { value, kept: true });
        }
        let _turn = self.turn.lock().await;
        if let Some(value) = fitting() {
            return Ok(Had { value, kept: false });
        }
        {
            let state = self.state();
            if let Some(failure) = state.failure.clone().filter(|_| state.ended != before) {
                return Err(failure);
            }
        }
        let result = fetch.await.map(Arc::new);
        let mut state = self.state();
        state.ended += 1;
        state.failure = result.as_ref().err().cloned();
        state.value = result.as_ref().ok().cloned();
        result.map(|value| Had { value, kept: false })
    }

    /// Lets the next one who asks fetch another value, unless that has happened already.
    pub fn forget(&self, value: &Arc<T>) {
        let mut state = self.state();
        if state.value.as_ref().is_some_and(|found| Arc::ptr_eq(found, value)) {
            state.value = None;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    /// Counts fetches.
    #[derive(Default)]
    struct Counted {
        single: Single<usize>,
        fetches: AtomicUsize,
    }

    impl Counted {
        async fn get(&self, fits: bool, succeeds: bool) -> Result<Had<usize>, Arc<Failure>> {
            let fetch = async {
                let number = self.fetches.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                if succeeds { Ok(number) } else { Err(Arc::new(Failure::NoProof)) }
            };
            self.single.get(|_| fits, fetch).await
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn many_wait_for_one_fetch() {
        let counted = Counted::default();
        let got = join_all((0..9).map(|_| counted.get(true, true))).await;
        assert!(got.into_iter().all(|got| got.is_ok_and(|had| *had.value == 0 && !had.kept)));
        assert!(counted.get(true, true).await.is_ok_and(|had| had.kept));
        assert_eq!(counted.fetches(), 1);
        assert!(counted.get(false, true).await.is_ok_and(|had| *had.value == 1 && !had.kept));
    }

    #[tokio::test]
    async fn who_waits_shares_the_failure_and_who_comes_later_does_not() {
        let counted = Counted::default();
        let got = join_all((0..9).map(|_| counted.get(true, false))).await;
        assert!(got.into_iter().all(|got| got.is_err()));
        assert_eq!(counted.fetches(), 1);
        assert!(counted.get(true, true).await.is_ok());
        assert_eq!(counted.fetches(), 2);
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_followed_by_the_next() {
        let counted = Counted::default();
        let given_up = tokio::time::timeout(Duration::from_millis(5), counted.get(true, true));
        let (given_up, next) = tokio::join!(given_up, counted.get(true, true));
        assert!(given_up.is_err() && next.is_ok());
        assert_eq!(counted.fetches(), 2);
    }

    #[tokio::test]
    async fn what_was_replaced_is_not_forgotten_again() {
        let counted = Counted::default();
        let first = counted.get(true, true).await.expect("a value");
        counted.single.forget(&first.value);
        let second = counted.get(true, true).await.expect("a value");
        counted.single.forget(&first.value);
        let third = counted.get(true, true).await.expect("a value");
        assert!(third.kept && Arc::ptr_eq(&second.value, &third.value));
    }
}
