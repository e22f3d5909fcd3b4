//! Answers of a peer that is broken or means harm, and how many of them are tried at once.

use std::fmt::Debug;
use std::panic::{self, Location};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree as _;

use crate::damage::{damages, runner, times};
use crate::decoders::challenges;
use crate::server::{Action, Turn};

/// What a peer answers to a request.
#[derive(Clone)]
pub struct Hostile {
    pub action: Action,
    /// It says that the request was refused before anything was done (HTTP 401 or 413), which is to be believed.
    pub refuses: bool,
    pieces: Vec<Vec<u8>>,
    pause: Duration,
    /// The connection stays open afterwards.
    stays: bool,
}

impl Hostile {
    pub fn turn(&self) -> Turn {
        let (pieces, pause) = (self.pieces.clone(), self.pause);
        if self.stays { Turn::DripAndStay(pieces, pause) } else { Turn::Drip(pieces, pause) }
    }
}

impl Debug for Hostile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.pieces.concat();
        let text = String::from_utf8_lossy(&bytes);
        write!(formatter, "{:?} {:?} stays: {} {text:?}", self.action, self.pause, self.stays)
    }
}

const STATUSES: [&str; 21] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 302 Found",
    "HTTP/1.1 400 Bad Request",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.1 403 Forbidden",
    "HTTP/1.1 404 Not Found",
    "HTTP/1.1 408 Request Timeout",
    "HTTP/1.1 413 Content Too Large",
    "HTTP/1.1 429 Too Many Requests",
    "HTTP/1.1 500 Error",
    "HTTP/1.1 502 Bad Gateway",
    "HTTP/1.1 503 Service Unavailable",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 999 ?",
    "HTTP/1.1 2000 OK",
    "HTTP/2 200",
    "HTTP/1.1 101 Switching Protocols",
    "ICY 200 OK",
    "",
];

const HEADERS: [&str; 14] = [
    "Content-Type: application/soap+xml;charset=UTF-8",
    "Content-Type: text/html",
    "Content-Type: multipart/encrypted;boundary=\"Encrypted Boundary\"",
    "Content-Length: 0",
    "Content-Length: 10",
    "Content-Length: 99999",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Connection: close",
    "Connection: upgrade",
    "Upgrade: h2c",
    "WWW-Authenticate: Negotiate TlRMTVNTUAACAAAA",
    "Content-Encoding: gzip",
];

/// The answer that only ever comes in part.
const ENDED: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="r"><s:Body><rsp:ReceiveResponse><rsp:CommandState CommandId="c" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>"#;

const BODIES: [&str; 7] = [
    "",
    "<html/>",
    "<s:Envelope xmlns:s=\"s\"/>",
    "<s:Envelope xmlns:s=\"s\"><s:Body/></s:Envelope>",
    "5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "--Encrypted Boundary\r\n--Encrypted Boundary--\r\n",
];

/// A head and a body that never make a valid answer, cut into pieces.
pub fn hostile(actions: &'static [Action]) -> impl Strategy<Value = Hostile> {
    let header = proptest::prop_oneof![
        4 => prop::sample::select(HEADERS.to_vec()).prop_map(str::to_owned),
        4 => "[ -~]{0,40}",
        1 => challenge(),
    ];
    let truncated = (0..ENDED.len()).prop_map(|end| ENDED.as_bytes()[..end].to_vec());
    let body = proptest::prop_oneof![
        truncated,
        prop::collection::vec(any::<u8>(), 0..200),
        prop::sample::select(BODIES.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
    ];
    let status = prop::sample::select(STATUSES.to_vec());
    let pace = prop::sample::select(vec![(1, 10), (7, 5), (100_000, 0)]);
    let action = prop::sample::select(actions);
    (action, status, prop::collection::vec(header, 0..5), body, pace, any::<bool>()).prop_map(
        |(action, status, headers, body, (size, milliseconds), stays)| {
            let head: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
            let answer = [format!("{status}\r\n{head}\r\n").into_bytes(), body].concat();
            let pieces = answer.chunks(size).map(<[u8]>::to_vec).collect();
            let refuses = [" 401 ", " 413 "].iter().any(|refusal| status.contains(refusal));
            Hostile { action, refuses, pieces, pause: Duration::from_millis(milliseconds), stays }
        },
    )
}

/// A challenge of NTLM, mostly with some damage.
fn challenge() -> impl Strategy<Value = String> {
    let damaged = proptest::option::weighted(0.8, damages(challenges()));
    (prop::sample::select(challenges()), damaged).prop_map(|(mut token, damages)| {
        damages.iter().flatten().for_each(|damage| damage.apply(&mut token));
        format!("WWW-Authenticate: Negotiate {}", STANDARD.encode(token))
    })
}

/// How many cases run at once: they mostly wait.
const AT_ONCE: usize = 24;

/// Checks so many generated cases, and that nothing panics meanwhile, in whatever task.
pub async fn each<Case, Check>(cases: u32, strategy: impl Strategy<Value = Case>, check: impl Fn(Case) -> Check)
where
    Case: Clone + Debug + Send + 'static,
    Check: Future<Output = Result<(), String>> + Send + 'static,
{
    watch_for_panics();
    let mut runner = runner(cases);
    let generated: Vec<Case> =
        (0..cases * times()).map(|_| strategy.new_tree(&mut runner).expect("nothing is rejected").current()).collect();
    let results = futures_util::stream::iter(generated).map(|case| {
        let checked = tokio::spawn(check(case.clone()));
        async move {
            let failure = match checked.await {
                Ok(result) => result.err(),
                Err(panic) => Some(panic.to_string()),
            };
            let case: String = format!("{case:?}").chars().take(600).collect();
            failure.map(|failure| format!("{failure}\n    {case}"))
        }
    });
    let failures: Vec<String> = results.buffer_unordered(AT_ONCE).filter_map(async |failure| failure).collect().await;
    assert!(failures.is_empty(), "{} of {cases} cases failed:\n{}", failures.len(), failures.join("\n"));
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(panics.is_empty(), "panics: {panics:?}");
}

pub fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise()) }
}

/// Where something panicked that is not one of the tests.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A task of the client's own that panics does not reach the caller as a panic.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let at = info.location().map(Location::to_string).unwrap_or_default();
            if !at.contains("tests/winrm") {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(at);
            }
            before(info);
        }));
    });
}
