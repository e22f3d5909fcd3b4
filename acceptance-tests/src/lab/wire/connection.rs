//! One TCP connection to a listener of a host: TLS, HTTP, logon, sealing, faults, and the operation itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, SERVER, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::lab::wire::authentication::{Authentication, Granted, Outcome, Policy};
use crate::lab::wire::envelope::{Envelope, Operation};
use crate::lab::wire::faults::Effect;
use crate::lab::wire::host::SimulatedHost;
use crate::lab::wire::ntlm::acceptor::Demands;
use crate::lab::wire::operations;
use crate::lab::wire::record::{self, Kind, Listener};
use crate::lab::wire::reply::{self, Reply};
use crate::lab::wire::sealed::{self, Scheme};

const SOAP: &str = "application/soap+xml;charset=UTF-8";

type HttpResponse = Response<Full<Bytes>>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped on purpose")]
struct Dropped;

struct Connection {
    number: u64,
    host: Arc<SimulatedHost>,
    listener: Listener,
    peer: IpAddr,
    /// The client's certificate, in DER.
    certificate: Option<Vec<u8>>,
    authentication: Mutex<Authentication>,
    /// The last answer that was sealed.
    sealed: Mutex<Vec<u8>>,
}

/// Serves a connection until one side has enough of it.
pub async fn serve<S>(host: Arc<SimulatedHost>, listener: Listener, peer: IpAddr, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let disconnected = host.disconnected();
    let served = async move {
        match listener {
            Listener::Http => serve_http(host, listener, peer, None, stream).await,
            Listener::Https => {
                let acceptor = TlsAcceptor::from(Arc::clone(&host.identity.configuration));
                match acceptor.accept(stream).into_fallible().await {
                    Ok(stream) => {
                        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                        let certificate = shown.map(|certificate| certificate.to_vec());
                        serve_http(host, listener, peer, certificate, stream).await;
                    }
                    // A client that does not trust the certificate hangs up; that is its good right.
                    Err((error, mut stream)) => {
                        host.recorder.refused(format!("TLS: {error}"));
                        // Closing while something unread lies here would reset the connection and take the alert away.
                        let mut nowhere = tokio::io::sink();
                        let rest = tokio::io::copy(&mut stream, &mut nowhere);
                        let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = disconnected => {}
        () = served => {}
    }
}

async fn serve_http<S>(
    host: Arc<SimulatedHost>,
    listener: Listener,
    peer: IpAddr,
    certificate: Option<Vec<u8>>,
    stream: S,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let number = host.recorder.connected();
    let connection = Connection {
        number,
        host,
        listener,
        peer,
        certificate,
        authentication: Mutex::default(),
        sealed: Mutex::default(),
    };
    let connection = Arc::new(connection);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { connection.answer(request).await }
    });
    // Clients that hang up are none of the server's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What is known of a request once it has been answered.
struct Answered {
    response: Option<HttpResponse>,
    kind: Kind,
    user: Option<String>,
    fault: Option<u32>,
    sealed: bool,
}

impl Answered {
    fn new(kind: Kind, response: HttpResponse) -> Self {
        Self { response: Some(response), kind, user: None, fault: None, sealed: false }
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Result<HttpResponse, Dropped> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let bytes_up = body.len();
        let answered = if head.method != Method::POST || !head.uri.path().starts_with("/wsman") {
            Answered::new(Kind::Other, status(StatusCode::NOT_FOUND))
        } else if head.headers.get("WSMANIDENTIFY").is_some_and(|value| value == "unauthenticated") {
            let reply = reply::identify(&operations::product_version("0.0.0"));
            Answered::new(Kind::Identify, soap(&reply))
        } else {
            self.authenticate(&head.headers, body).await
        };
        let response = answered.response.as_ref();
        self.host.recorder.answered(record::Request {
            connection: self.number,
            listener: self.listener,
            kind: answered.kind,
            user: answered.user,
            status: response.map(|response| response.status().as_u16()),
            fault: answered.fault,
            bytes_up,
            bytes_down: response.map_or(0, |response| hyper::body::Body::size_hint(response.body()).lower() as usize),
            sealed: answered.sealed,
        });
        answered.response.ok_or(Dropped)
    }

    async fn authenticate(&self, headers: &HeaderMap, body: Bytes) -> Answered {
        let secure = self.listener == Listener::Https;
        let settings = &self.host.settings;
        let shown = &self.host.identity.certificate_hash;
        let another = settings.tls_opened_before.then(|| vec![0; shown.len()]);
        let policy = Policy {
            machine: &*self.host.machine,
            ntlm: Demands {
                certificate_hash: secure.then_some(another.as_deref().unwrap_or(shown)),
                channel_binding: self.host.settings.channel_binding,
                rigour: self.host.settings.ntlm,
            },
            basic: secure && !self.host.settings.no_basic,
            certificate_account: self
                .certificate
                .as_deref()
                .and_then(|certificate| self.host.settings.client_certificates.account(certificate)),
            kerberos: self.host.settings.kerberos.as_ref(),
        };
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let outcome = self.authentication.lock().expect("authentication").step(header, &policy);
        if !matches!(outcome, Outcome::Granted(_)) {
            match self.interfere(Kind::Authenticate, None).await {
                Ok(after) if after.drop => {
                    return Answered { response: None, ..self.unauthorized() };
                }
                Ok(_) => {}
                Err(answered) => return answered,
            }
        }
        match outcome {
            Outcome::Granted(granted) => self.receive_message(granted, headers, body).await,
            Outcome::Refused(reason) => {
                reason.into_iter().for_each(|reason| self.host.recorder.refused(reason.to_string()));
                self.unauthorized()
            }
            Outcome::RefusedTicket { reason, scheme, token } => {
                self.host.recorder.refused(reason);
                let mut answered = self.unauthorized();
                if let (Some(token), Some(response)) = (token, &mut answered.response) {
                    response.headers_mut().insert(WWW_AUTHENTICATE, challenge(scheme, &token));
                }
                answered
            }
            Outcome::Continue(token) => {
                let mut response = status(StatusCode::UNAUTHORIZED);
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge(Scheme::Negotiate, &token));
                Answered::new(Kind::Authenticate, response)
            }
        }
    }

    /// Takes the message of a logged-on client out of its body, and puts the answer into one.
    async fn receive_message(&self, granted: Granted, headers: &HeaderMap, body: Bytes) -> Answered {
        if granted.logon {
            self.host.recorder.logged_on();
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_sealed = sealed::is_sealed(content_type);
        let mut answered = if body.len() > self.host.settings.quotas.max_envelope_size_kb * 1024 {
            Answered::new(Kind::Other, status(StatusCode::PAYLOAD_TOO_LARGE))
        } else if body.is_empty() && granted.logon {
            // Clients that seal log on with an empty request first.
            Answered::new(Kind::Authenticate, status(StatusCode::OK))
        } else if body.is_empty() && self.listener == Listener::Http {
            // What masterzen/winrm does before each of its messages, on the connection it has, to log on anew. It runs
            // commands on Windows that way (masterzen/winrm pull request 134), and does so only when this is the
            // answer. Whether the old logon would still hold afterwards is not known; here it does not.
            self.authentication.lock().expect("authentication").forget();
            self.unauthorized()
        } else {
            match self.open(is_sealed, &body) {
                Ok(message) => self.carry_out(&granted, is_sealed, &message).await,
                Err(code) => Answered::new(Kind::Other, status(code)),
            }
        };
        answered.user = Some(granted.account.name);
        answered.sealed = is_sealed;
        let token = granted.token.filter(|_| !self.host.settings.no_proof);
        if let (Some(token), Some(response)) = (token, &mut answered.response) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge(granted.scheme, &token));
        }
        answered
    }

    fn open(&self, is_sealed: bool, body: &[u8]) -> Result<Vec<u8>, StatusCode> {
        let mut authentication = self.authentication.lock().expect("authentication");
        match (is_sealed, authentication.keys()) {
            (true, Some(mut keys)) if keys.sealing() => sealed::open(body, &mut keys).map_err(|error| {
                self.host.recorder.refused(error.to_string());
                StatusCode::BAD_REQUEST
            }),
            (true, _) => Err(StatusCode::BAD_REQUEST),
            // AllowUnencrypted=false: Windows logs the client on and then answers 500 without a body
            // (diyan/pywinrm issues 129 and 208, cloudsoft/winrm4j issue 151).
            (false, _) if self.listener == Listener::Http => Err(StatusCode::INTERNAL_SERVER_ERROR),
            (false, _) => Ok(body.to_vec()),
        }
    }

    async fn carry_out(&self, granted: &Granted, is_sealed: bool, message: &[u8]) -> Answered {
        let parsed = Envelope::parse(message);
        let kind = parsed.as_ref().map_or(Kind::Other, |request| kind(&request.operation));
        let after =
            match self.interfere(kind, parsed.as_ref().ok().and_then(|request| request.shell_id.as_deref())).await {
                Ok(after) => after,
                Err(answered) => return answered,
            };
        let (reply, fault) = match (&parsed, after.fault) {
            (_, Some(fault)) => {
                let id = parsed.as_ref().ok().map(|request| request.message_id.as_str());
                (reply::fault(id, &fault, self.host.name()), Some(fault.code))
            }
            (Ok(request), None) => operations::carry_out(&self.host, &granted.account, self.peer, request).await,
            (Err(fault), None) => (reply::fault(None, fault, self.host.name()), Some(fault.code)),
        };
        if after.drop {
            return Answered { response: None, fault, ..Answered::new(kind, status(StatusCode::OK)) };
        }
        if !after.delay.is_zero() {
            // Sleeping for no time at all takes a millisecond.
            tokio::time::sleep(after.delay).await;
        }
        let response = if is_sealed { self.seal(&reply, after.sealed) } else { soap(&reply) };
        Answered { fault, ..Answered::new(kind, response) }
    }

    fn seal(&self, reply: &Reply, change: fn(Vec<u8>, Vec<u8>) -> Vec<u8>) -> HttpResponse {
        let mut authentication = self.authentication.lock().expect("authentication");
        let Some(mut keys) = authentication.keys() else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
        match sealed::close(reply.text.as_bytes(), &mut keys) {
            Ok(bytes) => {
                let before = std::mem::replace(&mut *self.sealed.lock().expect("sealed"), bytes.clone());
                body(reply.status, &sealed::content_type(&keys), change(before, bytes))
            }
            Err(error) => {
                self.host.recorder.refused(error.to_string());
                status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Lets happen what a test asked for; `Err` is the answer instead of the real one.
    async fn interfere(&self, kind: Kind, shell_id: Option<&str>) -> Result<After, Answered> {
        let dropped = Answered { response: None, ..Answered::new(kind, status(StatusCode::OK)) };
        let mut after = After::default();
        match self.host.faults.next(kind) {
            None => {}
            Some(Effect::DropBefore) => return Err(dropped),
            Some(Effect::Hang) => std::future::pending().await,
            Some(Effect::DropAfter) => after.drop = true,
            Some(Effect::Damage) => after.sealed = damaged,
            Some(Effect::Repeat) => after.sealed = |before, _| before,
            Some(Effect::Delay(delay)) => after.delay = delay,
            Some(Effect::Fault(fault)) => after.fault = Some(fault),
            Some(Effect::LoseShell) => self.host.shells.close(shell_id.unwrap_or_default()),
            Some(Effect::Http { status: 401, .. }) => {
                self.authentication.lock().expect("authentication").forget();
                return Err(Answered { kind, ..self.unauthorized() });
            }
            Some(Effect::Http { status, content_type, body: text }) => {
                return Err(Answered::new(kind, body(status, content_type, text.as_bytes().to_vec())));
            }
        }
        Ok(after)
    }

    /// 401 with what the listener offers: Basic only where the wire is encrypted.
    fn unauthorized(&self) -> Answered {
        let mut response = status(StatusCode::UNAUTHORIZED);
        let headers = response.headers_mut();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Negotiate"));
        if self.host.settings.kerberos.is_some() {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Kerberos"));
        }
        if self.listener == Listener::Https && !self.host.settings.no_basic {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"WSMAN\""));
        }
        Answered::new(Kind::Authenticate, response)
    }
}

/// What an injected fault does after the request was carried out.
struct After {
    drop: bool,
    delay: Duration,
    fault: Option<crate::lab::wire::fault::Fault>,
    /// What goes out of the sealed answer before and this one.
    sealed: fn(Vec<u8>, Vec<u8>) -> Vec<u8>,
}

impl Default for After {
    fn default() -> Self {
        Self { drop: false, delay: Duration::ZERO, fault: None, sealed: |_, now| now }
    }
}

/// With another byte in the midst of what is encrypted.
fn damaged(_before: Vec<u8>, mut now: Vec<u8>) -> Vec<u8> {
    let place = now.len() - 40;
    now[place] ^= 1;
    now
}

fn kind(operation: &Operation) -> Kind {
    match operation {
        Operation::Identify => Kind::Identify,
        Operation::Get => Kind::Get,
        Operation::Create(_) => Kind::Create,
        Operation::Command { .. } => Kind::Command,
        Operation::Send { .. } => Kind::Send,
        Operation::Receive { .. } => Kind::Receive,
        Operation::Signal { .. } => Kind::Signal,
        Operation::Delete => Kind::Delete,
    }
}

fn challenge(scheme: Scheme, token: &[u8]) -> HeaderValue {
    let text = format!("{scheme:?} {}", BASE64_STANDARD.encode(token));
    HeaderValue::try_from(text).expect("base64 is a valid header value")
}

fn soap(reply: &Reply) -> HttpResponse {
    body(reply.status, SOAP, reply.text.clone().into_bytes())
}

fn status(code: StatusCode) -> HttpResponse {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code;
    response.headers_mut().insert(SERVER, HeaderValue::from_static("Microsoft-HTTPAPI/2.0"));
    response
}

fn body(code: u16, content_type: &str, bytes: Vec<u8>) -> HttpResponse {
    let mut response = status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    *response.body_mut() = Full::new(bytes.into());
    response
}
