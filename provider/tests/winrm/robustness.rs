//! No bytes of a peer make the client panic, or take for success what is none.

use azuremfa::winrm::auth::SecurityContext;
use azuremfa::winrm::channel_binding::tls_server_end_point;
use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::error::Kind;
use azuremfa::winrm::soap::reply::{CommandState, command_id, parse, received, shell_id};
use azuremfa::winrm::soap::sealed;
use azuremfa::winrm::stdin::Stdin;

use crate::server::{Action, Turn};
use crate::{BASIC, BOUND, SEALED, start};

/// A small generator with a fixed start, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).expect("fits")).expect("fits")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    /// A valid text with a few bytes changed, cut out, doubled or cut off.
    fn damage(&mut self, valid: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for _ in 0..=self.below(4) {
            let position = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(position),
                1 if !bytes.is_empty() => bytes[position] = self.byte(),
                2 if !bytes.is_empty() => drop(bytes.remove(position)),
                3 => bytes.insert(position, self.byte()),
                _ => {
                    let end = position + self.below(bytes.len() - position);
                    let copy = bytes[position..end].to_vec();
                    bytes.splice(position..position, copy);
                }
            }
        }
        bytes
    }
}

/// Signs with the sum of the bytes, so that changed bytes are found as real sealing finds them.
struct Summing;

impl SecurityContext for Summing {
    fn step(&mut self, _token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
        Ok(Vec::new())
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
        Ok(sum(message))
    }

    fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
        if signature == sum(message) { Ok(message.to_vec()) } else { Err(Kind::Malformed("a wrong sum")) }
    }
}

fn sum(message: &[u8]) -> Vec<u8> {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let sum = message.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    sum.to_le_bytes().to_vec()
}

const RECEIVED: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="r"><s:Header/><s:Body><rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="c">aGVsbG8=</rsp:Stream><rsp:CommandState CommandId="c" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>3</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>"#;

#[test]
fn damaged_replies_do_not_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let bytes = random.damage(RECEIVED.as_bytes());
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(document) = parse(&text, 200) {
            let _ = (shell_id(&document), command_id(&document));
            if let Ok(received) = received(&document)
                && let CommandState::Done(_) = received.state
            {
                assert!(text.contains("Done") && text.contains("ExitCode"), "{text}");
            }
        }
    }
}

#[test]
fn damaged_seals_are_never_opened_to_something_else() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let valid = sealed::seal(&mut Summing, RECEIVED.as_bytes()).expect("sealed");
    for _ in 0..20_000 {
        let bytes = random.damage(&valid);
        if let Ok(opened) = sealed::unseal(&mut Summing, sealed::CONTENT_TYPE, &bytes) {
            // A part may have come twice; a real context also counts messages.
            assert!(
                opened.chunks(RECEIVED.len()).all(|part| part == RECEIVED.as_bytes()),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

#[test]
fn deep_nesting_and_definitions_are_refused_or_harmless() {
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    assert!(parse(&deep, 200).is_err());
    let laughs = r#"<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><s:Envelope xmlns:s="s"><s:Body>&b;</s:Body></s:Envelope>"#;
    assert!(parse(laughs, 200).is_err());
    let _ = error_text(format!("<Objs>{deep}</Objs>").as_bytes());
}

#[test]
fn random_bytes_do_not_panic() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let clixml = b"#< CLIXML\r\n<Objs Version=\"1.1.0.1\"><S S=\"Error\">a_x000D__x000A_</S></Objs>";
    for _ in 0..5_000 {
        let _ = error_text(&random.damage(clixml));
        let length = random.below(200);
        let bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        let _ = tls_server_end_point(&bytes);
        let _ = sealed::unseal(&mut Summing, "multipart/encrypted", &bytes);
        let _ = parse(&String::from_utf8_lossy(&bytes), 200).is_ok();
    }
}

/// A whole run against answers that are not HTTP, or HTTP that breaks off.
#[tokio::test]
async fn damaged_http_is_an_error_in_time() {
    let answers: [&'static [u8]; 8] = [
        b"",
        b"\0\0\0\0",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/encrypted\r\nContent-Length: 4\r\n\r\n--En",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate !!!\r\nContent-Length: 0\r\n\r\n",
    ];
    for setup in [BASIC, SEALED, BOUND] {
        for answer in answers {
            let (server, session) = start(setup).await;
            server.expect(Action::Create, Turn::Raw(answer));
            session.run("a", &[], Stdin::None).await.expect_err("never taken for success");
        }
    }
}

#[tokio::test]
async fn an_endless_reply_is_cut_off() {
    let (server, session) = start(BASIC).await;
    let long: &'static str = Box::leak("x".repeat(9 * 1024 * 1024).into_boxed_str());
    server.expect(Action::Create, Turn::Http("HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml", long));
    let error = session.run("a", &[], Stdin::None).await.expect_err("too long");
    assert!(matches!(error.kind, Kind::Malformed("it is too long")), "{error}");
}
