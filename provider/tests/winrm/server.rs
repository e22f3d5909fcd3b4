//! A WS-Management service small enough to be told what to do with each request.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azuremfa::winrm::channel_binding::tls_server_end_point;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::ntlm_server::NtlmServer;

pub const HOST: &str = "mfa01.contoso.com";
pub const USER: &str = "CONTOSO\\upgrade";
pub const PASSWORD: &str = "marker-p\u{e4}ssword";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Proxy,
    Handshake,
    Create,
    Command,
    Send,
    Receive,
    Signal,
    Delete,
}

/// One request as it arrived, opened if it was sealed.
#[derive(Clone, Debug)]
pub struct Seen {
    pub action: Action,
    pub head: String,
    pub body: String,
}

impl Seen {
    /// What a `Send` brought, decoded.
    pub fn input(&self) -> Option<String> {
        if self.action != Action::Send {
            return None;
        }
        let text = self.body.split("<rsp:Stream").nth(1)?.split('>').nth(1)?.split('<').next()?;
        Some(String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text"))
    }
}

/// What to do with a request instead of granting it.
#[derive(Debug)]
pub enum Turn {
    Fault(u32, &'static str),
    Output(&'static [u8], &'static [u8], Option<i32>),
    /// Standard output of a process that goes on, then the connection closes.
    LastOutput(&'static [u8]),
    /// Status line and headers, body.
    Http(&'static str, &'static str),
    /// The right answer, but in the open although it should be sealed.
    Unsealed,
    /// Pieces of bytes instead of HTTP, and how long to wait before each.
    Drip(Vec<Vec<u8>>, Duration),
    /// As [`Turn::Drip`], but the connection stays open afterwards.
    DripAndStay(Vec<Vec<u8>>, Duration),
    /// A start, then these bytes over and over, until nobody takes them any more.
    Endless(&'static [u8], &'static [u8]),
    /// Bytes instead of HTTP.
    Raw(&'static [u8]),
    /// The connection closes without an answer.
    Drop,
    /// The right answer, then the connection closes.
    Last,
    /// The right answer after a while.
    Late(Duration),
    /// After a while, that there is nothing yet.
    NotYet(Duration),
    Hang,
}

/// How the service is reached and what it asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    pub tls: bool,
    pub proxy: bool,
    pub ntlm: bool,
    pub wrong_binding: bool,
}

pub struct Server {
    pub port: u16,
    pub certificate: String,
    state: Arc<State>,
}

struct State {
    setup: Setup,
    der: CertificateDer<'static>,
    connections: AtomicUsize,
    open: AtomicUsize,
    busy: AtomicUsize,
    most_busy: AtomicUsize,
    names: AtomicUsize,
    /// Bytes of [`Turn::Endless`] that were taken.
    poured: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
    script: Mutex<VecDeque<(Action, Turn)>>,
    caller: Mutex<Option<Caller>>,
}

/// Gives standard output for what was sent last.
type Caller = Box<dyn Fn(&str) -> String + Send>;

/// What is written for a request.
enum Answer {
    Whole(Vec<u8>),
    /// And then the connection closes.
    Last(Vec<u8>),
    /// With a pause before each; the connection stays open afterwards or closes.
    Pieces(Vec<Vec<u8>>, Duration, bool),
    Endless(&'static [u8], &'static [u8]),
}

impl Answer {
    fn in_pieces(turn: Turn) -> Option<Self> {
        match turn {
            Turn::Drip(pieces, pause) => Some(Self::Pieces(pieces, pause, false)),
            Turn::DripAndStay(pieces, pause) => Some(Self::Pieces(pieces, pause, true)),
            _ => None,
        }
    }
}

/// Counts a request as under way.
struct Busy<'a>(&'a State);

impl<'a> Busy<'a> {
    fn new(state: &'a State) -> Self {
        let busy = state.busy.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_busy.fetch_max(busy, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Server {
    pub async fn start(setup: Setup) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate =
            CertificateParams::new(vec![HOST.to_owned()]).expect("a name").self_signed(&key).expect("a certificate");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let state = Arc::new(State {
            setup,
            der: certificate.der().clone(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            most_busy: AtomicUsize::new(0),
            names: AtomicUsize::new(0),
            poured: AtomicUsize::new(0),
            seen: Mutex::default(),
            script: Mutex::default(),
            caller: Mutex::default(),
        });
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            certificate: certificate.pem(),
            state: Arc::clone(&state),
        };
        let acceptor = acceptor(certificate.der().clone(), &key);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                state.connections.fetch_add(1, Ordering::SeqCst);
                let (state, acceptor) = (Arc::clone(&state), acceptor.clone());
                tokio::spawn(async move {
                    state.open.fetch_add(1, Ordering::SeqCst);
                    state.serve(stream, acceptor).await;
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// The next request for `action` gets this answer; several may wait in line.
    pub fn expect(&self, action: Action, turn: Turn) {
        lock(&self.state.script).push_back((action, turn));
    }

    /// Output that nothing else was said about is what `caller` gives for the last input; the process goes on.
    pub fn answer_calls(&self, caller: impl Fn(&str) -> String + Send + 'static) {
        *lock(&self.state.caller) = Some(Box::new(caller));
    }

    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }

    pub fn actions(&self) -> Vec<Action> {
        self.seen().iter().map(|seen| seen.action).collect()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of endless answers somebody took.
    pub fn poured(&self) -> usize {
        self.state.poured.load(Ordering::SeqCst)
    }

    /// How many requests were under way at the same time, at most.
    pub fn most_busy(&self) -> usize {
        self.state.most_busy.load(Ordering::SeqCst)
    }

    pub fn count(&self, action: Action) -> usize {
        self.actions().iter().filter(|seen| **seen == action).count()
    }

    /// Waits until no more than this many connections are open: a server learns of an end a little later.
    pub async fn wait_for_open(&self, at_most: usize) {
        let open = || self.state.open.load(Ordering::SeqCst);
        for _ in 0..200 {
            if open() <= at_most {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} connections are open, not {at_most}", open());
    }

    /// Waits until a request for `action` has arrived `count` times.
    pub async fn wait_for(&self, action: Action, count: usize) {
        for _ in 0..500 {
            if self.count(action) >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{action:?} did not come {count} times: {:?}", self.actions());
    }
}

impl State {
    async fn serve(&self, mut tcp: tokio::net::TcpStream, acceptor: TlsAcceptor) {
        if self.setup.proxy {
            let Some((head, _)) = read_request(&mut tcp).await else { return };
            self.note(Action::Proxy, &head, String::new());
            let turn = self.turn(Action::Proxy);
            let answer = match &turn {
                Some(Turn::Http(head, _)) => *head,
                _ => "HTTP/1.1 200 Connection established",
            };
            let _ = tcp.write_all(format!("{answer}\r\n\r\n").as_bytes()).await;
            if turn.is_some() {
                return;
            }
        }
        if self.setup.tls {
            if let Ok(stream) = acceptor.accept(tcp).await {
                self.serve_http(stream).await;
            }
        } else {
            self.serve_http(tcp).await;
        }
    }

    async fn serve_http(&self, mut stream: impl Stream) {
        let mut ntlm = self.setup.ntlm.then(|| {
            let mut binding = tls_server_end_point(&self.der);
            if self.setup.wrong_binding {
                binding.push(0);
            }
            NtlmServer::new(self.setup.tls.then_some(binding))
        });
        while let Some((head, body)) = read_request(&mut stream).await {
            let busy = Busy::new(self);
            let answer = match ntlm.as_mut().filter(|ntlm| !ntlm.authenticated) {
                Some(ntlm) => {
                    let refused = ntlm.step(&head);
                    if refused.is_some() || body.is_empty() {
                        self.note(Action::Handshake, &head, String::new());
                        match self.turn(Action::Handshake) {
                            Some(Turn::Drop) => None,
                            Some(Turn::Http(head, body)) => Some(Answer::Last(in_the_open(head, body))),
                            turn => {
                                let granted = || Answer::Whole(refused.unwrap_or_else(|| http("200 OK", "", b"")));
                                Some(turn.and_then(Answer::in_pieces).unwrap_or_else(granted))
                            }
                        }
                    } else {
                        self.handle(&head, body, ntlm_sealing(&mut Some(ntlm), self.setup.tls)).await
                    }
                }
                None => self.handle(&head, body, ntlm_sealing(&mut ntlm.as_mut(), self.setup.tls)).await,
            };
            // Whoever has the answer may go on before this task does.
            drop(busy);
            match answer {
                None => return,
                Some(Answer::Whole(answer)) => drop(stream.write_all(&answer).await),
                Some(Answer::Last(answer)) => {
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                Some(Answer::Pieces(pieces, pause, stay)) => {
                    for piece in pieces {
                        tokio::time::sleep(pause).await;
                        if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                    if stay {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.shutdown().await;
                    return;
                }
                Some(Answer::Endless(start, more)) => {
                    let _ = stream.write_all(start).await;
                    while stream.write_all(more).await.is_ok() {
                        self.poured.fetch_add(more.len(), Ordering::SeqCst);
                    }
                    return;
                }
            }
        }
    }

    /// The answer; nothing to close the connection at once.
    async fn handle(&self, head: &str, body: Vec<u8>, mut sealing: Option<&mut NtlmServer>) -> Option<Answer> {
        let body = match sealing.as_mut() {
            Some(ntlm) => ntlm.unseal(head, &body),
            None => body,
        };
        let body = String::from_utf8(body).expect("SOAP in UTF-8");
        let action = action(&body);
        self.note(action, head, body);
        let turn = self.turn(action);
        let mut soap = self.grant(action);
        let mut last = false;
        match turn {
            None => {}
            Some(Turn::Fault(code, subcode)) => {
                let soap = fault(code, subcode);
                return Some(Answer::Whole(respond("500 Internal Server Error", action, &soap, sealing)));
            }
            Some(Turn::Output(stdout, stderr, exit_code)) => soap = output(stdout, stderr, exit_code),
            Some(Turn::LastOutput(stdout)) => {
                soap = output(stdout, b"", None);
                last = true;
            }
            Some(Turn::NotYet(after)) => {
                tokio::time::sleep(after).await;
                let soap = fault(2_150_858_793, "TimedOut");
                return Some(Answer::Whole(respond("500 Internal Server Error", action, &soap, sealing)));
            }
            Some(Turn::Http(head, body)) => return Some(Answer::Whole(in_the_open(head, body))),
            Some(Turn::Unsealed) => sealing = None,
            Some(Turn::Raw(bytes)) => return Some(Answer::Last(bytes.to_vec())),
            Some(turn @ (Turn::Drip(..) | Turn::DripAndStay(..))) => return Answer::in_pieces(turn),
            Some(Turn::Endless(start, more)) => return Some(Answer::Endless(start, more)),
            Some(Turn::Drop) => return None,
            Some(Turn::Last) => last = true,
            Some(Turn::Late(after)) => tokio::time::sleep(after).await,
            Some(Turn::Hang) => std::future::pending().await,
        }
        let answer = respond("200 OK", action, &soap, sealing);
        Some(if last { Answer::Last(answer) } else { Answer::Whole(answer) })
    }

    fn last_input(&self) -> String {
        lock(&self.seen).iter().rev().find_map(Seen::input).unwrap_or_default()
    }

    fn note(&self, action: Action, head: &str, body: String) {
        lock(&self.seen).push(Seen { action, head: head.to_owned(), body });
    }

    fn turn(&self, action: Action) -> Option<Turn> {
        let mut script = lock(&self.script);
        let position = script.iter().position(|(expected, _)| *expected == action)?;
        script.remove(position).map(|(_, turn)| turn)
    }

    fn grant(&self, action: Action) -> String {
        let number = self.names.fetch_add(1, Ordering::SeqCst);
        match action {
            Action::Create => format!(
                r#"<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><w:SelectorSet><w:Selector Name="ShellId">SHELL-{number}</w:Selector></w:SelectorSet></x:ResourceCreated>"#
            ),
            Action::Command => {
                format!("<rsp:CommandResponse><rsp:CommandId>COMMAND-{number}</rsp:CommandId></rsp:CommandResponse>")
            }
            Action::Receive => match lock(&self.caller).as_ref() {
                Some(caller) => output(caller(&self.last_input()).as_bytes(), b"", None),
                None => output(b"hello", b"", Some(0)),
            },
            _ => String::new(),
        }
    }
}

fn ntlm_sealing<'a>(ntlm: &'a mut Option<&mut NtlmServer>, tls: bool) -> Option<&'a mut NtlmServer> {
    if tls { None } else { ntlm.as_deref_mut() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in DER");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("an ASCII head");
    let is_tunnel = head.starts_with("CONNECT ");
    let length = match header(&head, "content-length") {
        Some(length) => length.parse().expect("a number"),
        None if is_tunnel => 0,
        None => panic!("Windows would answer 411 to this: {head}"),
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

/// The value of a header, whose name is given in lower case.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// An answer that nobody has sealed.
fn in_the_open(head: &str, body: &str) -> Vec<u8> {
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn respond(status: &str, action: Action, soap: &str, sealing: Option<&mut NtlmServer>) -> Vec<u8> {
    let envelope = format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:Action xmlns:a="a">http://x/{action:?}Response</a:Action></s:Header><s:Body>{soap}</s:Body></s:Envelope>"#
    );
    match sealing {
        Some(ntlm) => {
            let (content_type, body) = ntlm.seal(envelope.as_bytes());
            http(status, &format!("Content-Type: {content_type}\r\n"), &body)
        }
        None => http(status, "Content-Type: application/soap+xml;charset=UTF-8\r\n", envelope.as_bytes()),
    }
}

fn action(body: &str) -> Action {
    let names = [
        ("transfer/Create</a:Action>", Action::Create),
        ("shell/Command</a:Action>", Action::Command),
        ("shell/Send</a:Action>", Action::Send),
        ("shell/Receive</a:Action>", Action::Receive),
        ("shell/Signal</a:Action>", Action::Signal),
        ("transfer/Delete</a:Action>", Action::Delete),
    ];
    let found = names.iter().find(|(text, _)| body.contains(text));
    found.unwrap_or_else(|| panic!("an unknown action: {body}")).1
}

fn fault(code: u32, subcode: &str) -> String {
    format!(
        r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:{subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">reason</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{code}" Machine="m"><f:Message>words of Windows</f:Message></f:WSManFault></s:Detail></s:Fault>"#
    )
}

fn output(stdout: &[u8], stderr: &[u8], exit_code: Option<i32>) -> String {
    let mut soap = String::from("<rsp:ReceiveResponse>");
    for (name, bytes) in [("stdout", stdout), ("stderr", stderr)] {
        let text = STANDARD.encode(bytes);
        let _ = write!(soap, r#"<rsp:Stream Name="{name}" CommandId="c">{text}</rsp:Stream>"#);
    }
    let state = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState";
    let _ = match exit_code {
        Some(code) => write!(
            soap,
            r#"<rsp:CommandState CommandId="c" State="{state}/Done"><rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>"#
        ),
        None => write!(soap, r#"<rsp:CommandState CommandId="c" State="{state}/Running"/>"#),
    };
    soap.push_str("</rsp:ReceiveResponse>");
    soap
}
