//! Logs name hosts and operations; they never carry passwords, commands or what goes through them.

use azuremfa::winrm::stdin::Stdin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::listening::Listening;
use crate::server::{Action, PASSWORD, Turn, USER};
use crate::{BASIC, BOUND, SEALED, start};

#[tokio::test]
async fn no_secret_and_no_body_reaches_the_log() {
    let listening = Listening::start();
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        server.expect(Action::Receive, Turn::Output(b"marker-output", b"marker-error", Some(0)));
        let input = Stdin::Bytes(vec![Bytes::from_static(b"marker-input")]);
        session.run("marker-command", &["marker-argument"], input).await.expect("a command");
        server.expect(Action::Command, Turn::Drop);
        session.run("marker-command", &[], Stdin::None).await.expect_err("a lost connection");
        session.close().await;
    }
    let log: String = listening.take().into_iter().map(|entry| entry.fields).collect();
    let log = log.to_lowercase();
    assert!(log.contains("operation=starting a command") && log.contains("host=mfa01.contoso.com"), "{log}");
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}")).to_lowercase();
    let hexadecimal: String = b"marker-".iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in ["marker-", &basic, &hexadecimal, "envelope"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
