//! Faults that a test asks for: at which request of which kind, and what goes wrong.

use std::sync::Mutex;
use std::time::Duration;

use crate::lab::wire::fault::Fault;
use crate::lab::wire::record::Kind;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The connection is dropped and nothing has been done.
    DropBefore,
    /// What was asked is done; then the connection is dropped without an answer.
    DropAfter,
    /// What was asked is done, and the answer comes this much later than it would.
    Delay(Duration),
    /// No answer at all; the connection stays open.
    Hang,
    /// What was asked is done; the sealed answer is changed on its way.
    Damage,
    /// What was asked is done; the sealed answer before it comes once more in its place.
    Repeat,
    /// Nothing is done; a fault is the answer.
    Fault(Fault),
    /// Nothing is done; this plain HTTP answer is given. 401 also ends the connection's logon.
    Http { status: u16, content_type: &'static str, body: &'static str },
    /// The shell the request names is lost first, with what ran in it.
    LoseShell,
}

/// An effect and when it happens. By default: at the next matching request, once.
#[derive(Clone, Debug)]
pub struct Injection {
    kind: Option<Kind>,
    skip: usize,
    times: usize,
    effect: Effect,
}

impl Injection {
    /// At the next request of this kind.
    pub fn on(kind: Kind, effect: Effect) -> Self {
        Self { kind: Some(kind), skip: 0, times: 1, effect }
    }

    /// At the next request of any kind that carries a message.
    pub fn on_any(effect: Effect) -> Self {
        Self { kind: None, skip: 0, times: 1, effect }
    }

    /// At the n-th matching request from now on, counted from 1.
    #[must_use]
    pub fn at(mut self, n: usize) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// That many times in a row.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
}

/// The injections that wait on one host.
#[derive(Default)]
pub struct Faults {
    waiting: Mutex<Vec<Injection>>,
}

impl Faults {
    pub fn add(&self, injection: Injection) {
        self.waiting.lock().expect("faults").push(injection);
    }

    pub fn clear(&self) {
        self.waiting.lock().expect("faults").clear();
    }

    /// What is to go wrong with this request. Every matching injection counts it; the first that is due has effect.
    pub(crate) fn next(&self, kind: Kind) -> Option<Effect> {
        let mut waiting = self.waiting.lock().expect("faults");
        let mut effect = None;
        for injection in waiting.iter_mut() {
            let matches = injection.kind.map_or(kind != Kind::Authenticate, |wanted| wanted == kind);
            if !matches {
                continue;
            }
            if injection.skip > 0 {
                injection.skip -= 1;
            } else if effect.is_none() && injection.times > 0 {
                injection.times -= 1;
                effect = Some(injection.effect.clone());
            }
        }
        waiting.retain(|injection| injection.times > 0);
        effect
    }
}
