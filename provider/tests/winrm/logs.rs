//! Logs name hosts and operations; they never carry passwords, commands or what goes through them.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use azuremfa::winrm::stdin::Stdin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::Interest;

use crate::server::{Action, PASSWORD, Turn, USER};
use crate::{BASIC, BOUND, SEALED, start};

/// Writes down all events and spans of all crates, at all levels.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0.lock().expect("unpoisoned"), " {field}={value:?}");
    }
}

impl tracing::Subscriber for Everything {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn no_secret_and_no_body_reaches_the_log() {
    let log = Everything::default();
    let guard = tracing::subscriber::set_default(log.clone());
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        server.expect(Action::Receive, Turn::Output(b"marker-output", b"marker-error", Some(0)));
        let input = Stdin::Bytes(vec![Bytes::from_static(b"marker-input")]);
        session.run("marker-command", &["marker-argument"], input).await.expect("a command");
        server.expect(Action::Command, Turn::Drop);
        session.run("marker-command", &[], Stdin::None).await.expect_err("a lost connection");
        session.close().await;
    }
    drop(guard);
    let log = log.0.lock().expect("unpoisoned").to_lowercase();
    assert!(log.contains("operation=starting a command") && log.contains("host=mfa01.contoso.com"), "{log}");
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}")).to_lowercase();
    let hexadecimal: String = b"marker-".iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in ["marker-", &basic, &hexadecimal, "envelope"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
