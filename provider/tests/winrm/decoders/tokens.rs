//! Decoders of what authentication brings: tokens in DER, answers of a KDC, and messages that a login has sealed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use azuremfa::secret::Secret;
use azuremfa::winrm::auth::SecurityContext;
use azuremfa::winrm::auth::kerberos::reply::{Exchange, write_reply};
use azuremfa::winrm::auth::kerberos::tickets::Tickets;
use azuremfa::winrm::auth::kerberos::{Kerberos, cache, krb_error, token, wrap::Unwrapper};
use azuremfa::winrm::auth::ntlm::Ntlm;
use azuremfa::winrm::der::{OBJECT_IDENTIFIER, OCTET_STRING, application, context, element, fields, number, write};
use azuremfa::winrm::endpoint::{Authentication, Endpoint, HttpScheme, KerberosCredentials, KerberosLogin, Timeouts};
use azuremfa::winrm::soap::sealed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use picky_krb::constants::key_usages::ACCEPTOR_SEAL;
use picky_krb::crypto::CipherSuite;
use proptest::test_runner::TestCaseError;

use super::{Decoder, RUNTIME, anywhere, files};
use crate::damage::{damages, runner};
use crate::ntlm_server::NtlmServer;
use crate::server::{HOST, PASSWORD, USER};

pub const DECODERS: &[Decoder] = &[
    ("refusal of a Kerberos service", decode_refusal, 5_000, refusals),
    ("sealed by Kerberos", decode_wrapped, 2_000, wrapped),
    ("answer of a KDC", decode_kdc_answer, 400, kdc_answers),
    ("DER", decode_der, 5_000, refusals),
];

/// What is not damaged is understood.
pub fn check_corpora() {
    assert!(refusals().iter().all(|bytes| token::refusal(bytes).is_some_and(|error| error.code == krb_error::SKEW)));
    assert!(wrapped().iter().all(|bytes| unwrap(bytes).is_some()));
    assert!(
        kdc_answers().iter().all(|bytes| element(bytes, application(30)).or(element(bytes, application(11))).is_some())
    );
}

/// A code stands in the message.
fn decode_refusal(bytes: &[u8]) {
    let inner = token::unwrap_spnego(bytes);
    assert!(inner.len() <= bytes.len());
    if let Some(error) = token::refusal(bytes) {
        let stated = (1..=8).any(|length| {
            let code = error.code.to_be_bytes();
            bytes.windows(length).any(|it| it == &code[8 - length..])
        });
        assert!(stated, "the code {} was made up", error.code);
        assert!(!error.name().is_empty());
        let _ = error.offset();
    }
}

fn decode_der(bytes: &[u8]) {
    for tag in 0..=u8::MAX {
        if let Some((content, rest)) = element(bytes, tag) {
            assert!(content.len() + rest.len() + 2 <= bytes.len());
            let _ = (number(content), azuremfa::winrm::der::field(content, 6));
        }
    }
}

/// What is opened is what was sealed.
fn decode_wrapped(bytes: &[u8]) {
    if let Some(text) = unwrap(bytes) {
        assert!(TEXTS.iter().any(|sealed| sealed.as_bytes() == text), "opened to {:?}", String::from_utf8_lossy(&text));
    }
}

const KEY: [u8; 32] = [9; 32];
const TEXTS: [&str; 2] = ["<s:Envelope/>", ""];

fn unwrap(bytes: &[u8]) -> Option<Vec<u8>> {
    let (signature, message) = bytes.split_at(bytes.len().min(60));
    Unwrapper::new(&KEY).unwrap(signature, message).ok()
}

/// A KDC that answers so, whatever it is asked, gives no ticket.
fn decode_kdc_answer(bytes: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a listener");
    let settings = KerberosLogin {
        credentials: KerberosCredentials::Password { username: "svc".to_owned(), password: Secret::new("p") },
        realm: Some("CONTOSO.COM".to_owned()),
        kdc: Some(address.to_string()),
        krb5_conf: Vec::new(),
        scheme: HttpScheme::Kerberos,
        tickets: Tickets::default(),
    };
    let timeouts = Timeouts { connect: Duration::from_millis(500), ..anywhere(1).timeouts };
    let endpoint = Endpoint { authentication: Authentication::Kerberos(settings.clone()), timeouts, ..anywhere(5986) };
    let ended = std::sync::atomic::AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_micros(200));
                    continue;
                };
                let _ = stream.set_nonblocking(false);
                let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
                let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&[&length, bytes].concat()));
            }
        });
        let mut login = Kerberos::new(&endpoint, &settings, Some(b"binding")).expect("a login");
        let outcome = RUNTIME.block_on(login.prepare());
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
        outcome
    });
    let error = outcome.expect_err("a ticket out of nothing");
    assert!(!error.to_string().is_empty());
}

/// Each damage meets a login of its own, because a login counts its messages.
#[test]
fn what_ntlm_sealed_opens_unchanged_or_not_at_all() {
    let outcome = runner(150).run(&damages(vec![b"--Encrypted Boundary\r\n".to_vec()]), |damages| {
        let (mut client, mut server) = logged_on();
        let (content_type, whole) = server.seal(TEXT);
        let mut body = whole.clone();
        damages.iter().for_each(|damage| damage.apply(&mut body));
        match sealed::unseal(&mut client, content_type, &body) {
            Ok(opened) if opened != TEXT => Err(TestCaseError::fail(format!("opened to {opened:?}"))),
            Err(error) if body == whole => Err(TestCaseError::fail(format!("{error}"))),
            _ => Ok(()),
        }
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

const TEXT: &[u8] = b"<s:Envelope><s:Body>what was said</s:Body></s:Envelope>";

/// Both ends of a login.
fn logged_on() -> (Ntlm, NtlmServer) {
    let mut client = Ntlm::new(HOST, USER, &Secret::new(PASSWORD), None).expect("a login");
    let mut server = NtlmServer::new(None);
    let mut token = client.step(None).expect("a token");
    while !server.authenticated {
        let head = format!("Authorization: Negotiate {}\r\n", STANDARD.encode(&token));
        let Some(answer) = server.step(&head) else { break };
        let answer = String::from_utf8(answer).expect("text");
        let challenge =
            answer.split("Negotiate ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a challenge");
        token = client.step(Some(&STANDARD.decode(challenge).expect("base64"))).expect("a token");
    }
    (client, server)
}

// === What they are fed with ===

/// A refusal as it is, as GSS-API frames it, and in SPNEGO.
fn refusals() -> Vec<Vec<u8>> {
    let error = krb_error::write(krb_error::SKEW, Timestamp::UNIX_EPOCH, "CONTOSO.COM");
    let framed = [write(OBJECT_IDENTIFIER, token::KERBEROS), vec![3, 0], error.clone()].concat();
    let framed = write(application(0), &framed);
    let spnego = write(context(1), &fields(&[(0, vec![0x0a, 1, 2]), (2, write(OCTET_STRING, &framed))]));
    vec![error, framed, spnego]
}

/// RFC 4121 4.2.6.2, as Windows rotates it and as others do not.
fn wrapped() -> Vec<Vec<u8>> {
    let token = |number: u8, rotation: u8, text: &str| {
        let mut header = [5, 4, 7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number];
        let cipher = CipherSuite::Aes256CtsHmacSha196.cipher();
        let plain = [text.as_bytes(), &header].concat();
        let mut encrypted = cipher.encrypt(&KEY, ACCEPTOR_SEAL, &plain).expect("encrypted");
        let by = usize::from(rotation) % encrypted.len();
        encrypted.rotate_right(by);
        header[7] = rotation;
        [header.to_vec(), encrypted].concat()
    };
    vec![token(1, 28, TEXTS[0]), token(2, 0, TEXTS[0]), token(3, 28, TEXTS[1])]
}

/// What a KDC refuses with, and tickets for somebody who has another key.
fn kdc_answers() -> Vec<Vec<u8>> {
    let cache = cache::parse(&files::caches()[0]).expect("a cache");
    let ticket = cache.ticket_granting().expect("a ticket");
    let mut answers = vec![write_reply(Exchange::As, ticket, &ticket.session_key, 0).expect("a reply")];
    for code in [
        krb_error::PREAUTH_REQUIRED,
        krb_error::SKEW,
        krb_error::CLIENT_UNKNOWN,
        krb_error::PREAUTH_FAILED,
        krb_error::CLIENT_REVOKED,
    ] {
        answers.push(krb_error::write(code, Timestamp::UNIX_EPOCH, "CONTOSO.COM"));
    }
    answers
}
