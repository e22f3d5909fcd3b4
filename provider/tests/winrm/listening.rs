//! What is logged, heard by the test on whose thread it is logged.
//!
//! One subscriber serves all tests of this process. With one for each test, `tracing` can come to believe that nobody
//! listens to a line: while a single subscriber lives, it asks the thread that comes to a line first, whoever that is,
//! and keeps the answer for all threads.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, span};

/// An event or a span.
pub struct Entry {
    pub level: Level,
    pub target: String,
    pub message: String,
    /// All fields with their names.
    pub fields: String,
}

thread_local! {
    /// Nothing when no test listens on this thread.
    static HEARD: RefCell<Option<Vec<Entry>>> = const { RefCell::new(None) };
}

/// Hears this thread as long as it lives.
pub struct Listening(());

impl Listening {
    pub fn start() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::subscriber::set_global_default(Everything).expect("there is no other"));
        HEARD.set(Some(Vec::new()));
        Self(())
    }

    /// What was logged since it was asked last.
    pub fn take(&self) -> Vec<Entry> {
        HEARD.replace(Some(Vec::new())).expect("it listens")
    }

    /// The messages among it that an operator sees without asking for more.
    pub fn take_infos(&self) -> Vec<String> {
        let is_info = |entry: &Entry| entry.level == Level::INFO && entry.target.starts_with("azuremfa::");
        self.take().into_iter().filter(is_info).map(|entry| entry.message).collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

/// Takes everything of all crates, at all levels.
struct Everything;

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
        let _ = write!(self.fields, " {field}={value:?}");
    }
}

fn hear(level: Level, target: &str, record: impl FnOnce(&mut Entry)) {
    let mut entry = Entry { level, target: target.to_owned(), message: String::new(), fields: String::new() };
    record(&mut entry);
    HEARD.with_borrow_mut(|heard| {
        if let Some(heard) = heard {
            heard.push(entry);
        }
    });
}

impl tracing::Subscriber for Everything {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        // Threads log while they end, too.
        HEARD.try_with(|heard| heard.borrow().is_some()).unwrap_or(false)
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        hear(*span.metadata().level(), span.metadata().target(), |entry| span.record(entry));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        hear(Level::TRACE, "", |entry| values.record(entry));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        hear(*event.metadata().level(), event.metadata().target(), |entry| event.record(entry));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_line_that_another_thread_came_to_first_is_heard() {
    let say = || tracing::info!(by = ?std::thread::current().id(), "said");
    let listening = Listening::start();
    std::thread::spawn(say).join().expect("it says it");
    say();
    let heard: Vec<String> = listening.take().into_iter().map(|entry| entry.fields).collect();
    assert_eq!(heard, [format!(" message=said by={:?}", std::thread::current().id())]);
}
