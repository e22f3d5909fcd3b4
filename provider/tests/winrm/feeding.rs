//! Long input: it arrives whole and in order, whatever becomes of the messages that were made before their turn.

use std::io;
use std::time::Duration;

use azuremfa::winrm::error::{Kind, Operation, Started};
use azuremfa::winrm::session::Output;
use azuremfa::winrm::stdin::Stdin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::server::{Action, Server, Turn};
use crate::{BASIC, BOUND, SEALED, start};

/// The largest piece, as the client cuts it.
const PIECE: usize = 368 * 1024;

/// Seven pieces, the last of them short, no two of them alike.
fn content() -> Bytes {
    let numbers = (0..(6 * PIECE as u32 + 1000) / 4).flat_map(u32::to_le_bytes);
    numbers.collect::<Vec<u8>>().into()
}

/// What the `Send`s that were not refused brought, and whether only the last of them said that it is the last.
fn received(server: &Server, refused: &[usize]) -> (Vec<u8>, bool) {
    let sends = server.seen().into_iter().filter(|seen| seen.action == Action::Send).map(|seen| seen.body);
    let taken: Vec<String> =
        sends.enumerate().filter(|(number, _)| !refused.contains(number)).map(|(_, body)| body).collect();
    let bytes = taken.iter().flat_map(|body| {
        let text = body.split("<rsp:Stream").nth(1).and_then(|rest| rest.split('>').nth(1)).expect("a stream");
        STANDARD.decode(text.split('<').next().unwrap_or_default()).expect("base64")
    });
    let bytes = bytes.collect();
    let ends: Vec<bool> = taken.iter().map(|body| body.contains(r#"End="true""#)).collect();
    (bytes, ends.iter().filter(|end| **end).count() == 1 && ends.last() == Some(&true))
}

/// Answers to the `Send`s one after the other, `None` for the right one; those that are in `refused` were not taken.
/// `connections` are what that takes where messages are not sealed, and where they are.
async fn check(answers: &[Option<fn() -> Turn>], refused: &[usize], (open, sealed): (usize, usize)) {
    for (setup, connections) in [(BASIC, open), (SEALED, sealed), (BOUND, open)] {
        let (server, session) = start(setup).await;
        for answer in answers {
            server.expect(Action::Send, answer.map_or(Turn::Late(Duration::from_millis(20)), |answer| answer()));
        }
        let reader = io::Cursor::new(content());
        session.run("a", &[], Stdin::Reader(Box::new(reader))).await.expect("a command");
        let (bytes, ends_once) = received(&server, refused);
        assert!(bytes == content(), "{setup:?}: {} of {} bytes or not in order", bytes.len(), content().len());
        assert!(ends_once, "{setup:?}");
        assert_eq!(server.connections(), connections, "{setup:?}");
    }
}

#[tokio::test]
async fn long_input_arrives_whole_and_in_order_over_one_connection() {
    check(&[], &[], (1, 1)).await;
    // With time to make the next message, and to seal it.
    check(&[None; 7], &[], (1, 1)).await;
}

/// What was sealed for after the refused message goes with its connection: the sealing counts messages.
#[tokio::test]
async fn a_message_that_has_to_go_again_takes_another_connection_where_the_next_was_sealed() {
    let busy: fn() -> Turn = || Turn::Fault(170, "InternalError");
    check(&[None, None, None, Some(busy)], &[3], (1, 2)).await;
    // A connection whose answer had no message in it is not used again anyway.
    let too_large: fn() -> Turn = || Turn::Http("HTTP/1.1 413 Request Entity Too Large", "");
    check(&[Some(too_large)], &[0], (2, 2)).await;
    check(&[None, Some(too_large)], &[1], (2, 2)).await;
}

#[tokio::test]
async fn input_that_breaks_off_is_not_taken_for_its_end() {
    for setup in [BASIC, SEALED] {
        let (server, session) = start(setup).await;
        for _ in 0..3 {
            server.expect(Action::Send, Turn::Late(Duration::from_millis(20)));
        }
        let pieces = [Ok(content().slice(..2 * PIECE)), Err(io::Error::other("the disk is gone"))];
        let reader = tokio_util::io::StreamReader::new(tokio_stream::iter(pieces));
        let result: Result<Output, _> = session.run("a", &[], Stdin::Reader(Box::new(reader))).await;
        let error = result.expect_err("the input broke off");
        assert_eq!((error.operation, error.started), (Operation::SendInput, Started::Unknown));
        assert!(matches!(&error.kind, Kind::Stdin(source) if source.to_string() == "the disk is gone"), "{error}");
        assert!(server.seen().iter().all(|seen| !seen.body.contains(r#"End="true""#)), "{setup:?}");
    }
}
