//! One TCP or TLS connection with one authentication, on which one request at a time is exchanged.

use std::pin::pin;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use roxmltree::Document;

use crate::winrm::ahead::{self, Ahead, Next};
use crate::winrm::auth::{self, Scheme, SecurityContext};
use crate::winrm::endpoint::{Endpoint, Transport};
use crate::winrm::error::{Error, Kind, Operation, Refusal};
use crate::winrm::http::{Answer, Failure, Http, sensitive};
use crate::winrm::limits::Share;
use crate::winrm::logon::{Another, Logon};
use crate::winrm::soap::{reply, sealed};
use crate::winrm::tls::Tls;
use crate::winrm::transport;

/// An open connection. It authenticates with the first request.
pub struct Connection {
    host: String,
    http: Http,
    security: Security,
    is_counted: bool,
    /// False while a request is under way, and for good after one that was not answered in full:
    /// neither HTTP nor the sealing can be picked up again in the middle.
    in_step: bool,
    last_used: Instant,
    logon: Logon,
    another: Option<Another>,
    /// The host has answered a message, so it knows who asks.
    has_answered: bool,
    /// The shortest time that the host has taken to answer a message.
    quickest: Option<Duration>,
    ahead: Ahead,
}

enum Security {
    /// A header on every request.
    Header(HeaderValue),
    /// The certificate of the TLS connection, and the header that refers to it on every request.
    Certificate,
    /// The Negotiate or Kerberos scheme; `sealing` for plain HTTP.
    Negotiate { context: Box<dyn SecurityContext>, sealing: bool, authenticated: bool },
}

/// A reply with a SOAP message in it.
pub struct Reply {
    status: u16,
    text: String,
}

const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// How long an unused connection is trusted. Windows closes them after two minutes, and firewalls
/// may forget them without a word, after which a request is neither delivered nor refused.
const MAXIMUM_IDLE: Duration = Duration::from_secs(90);

impl Connection {
    /// Opens a connection; nothing is sent over it yet. `share` is given back when it has closed.
    pub async fn open(
        endpoint: &Endpoint,
        tls: Option<&Tls>,
        share: Option<Share>,
        logon: Logon,
    ) -> Result<Self, Error> {
        Self::open_kind(endpoint, tls, share, logon)
            .await
            .map_err(|kind| Error::before_start(&endpoint.host, Operation::Connect, kind))
    }

    async fn open_kind(
        endpoint: &Endpoint,
        tls: Option<&Tls>,
        share: Option<Share>,
        logon: Logon,
    ) -> Result<Self, Kind> {
        auth::ensure_confidential(endpoint)?;
        let stream = transport::open(endpoint, tls).await?;
        let security = match auth::scheme(endpoint, stream.binding.as_deref())? {
            Scheme::Header(value) => Security::Header(sensitive(value.expose())?),
            // A request over a connection that shows no certificate can only be refused: HTTP.sys would ask for one by
            // a second handshake (TLS 1.2) or after the handshake (TLS 1.3), and rustls does neither. Go's client has
            // to renegotiate with hosts as Windows sets them up (masterzen/winrm#102), and Server 2022 resets the
            // connection over TLS 1.3 (ansible/ansible#81197). Not tried on Windows here: whether the listener keeps
            // `clientcertnegotiation=enable` when its certificate is changed.
            Scheme::Certificate if !stream.showed_certificate => return Err(Kind::CertificateNotAsked),
            Scheme::Certificate => Security::Certificate,
            Scheme::Negotiate(context) => Security::Negotiate {
                context,
                sealing: matches!(endpoint.transport, Transport::Http),
                authenticated: false,
            },
        };
        let is_counted = share.is_some();
        let http = Http::new(endpoint, stream, share).await?;
        tracing::debug!(host = %endpoint.host, port = endpoint.port, proxy = endpoint.proxy.is_some(), "connected");
        Ok(Self {
            host: endpoint.host.clone(),
            http,
            security,
            is_counted,
            in_step: true,
            last_used: Instant::now(),
            logon,
            another: None,
            has_answered: false,
            quickest: None,
            ahead: Ahead::default(),
        })
    }

    /// Whether another request can be made on it.
    pub fn is_usable(&self) -> bool {
        self.ahead.is_nothing() && self.is_alive()
    }

    /// Whether this message can be sent over it.
    pub fn is_usable_for(&self, message: &Bytes) -> bool {
        self.is_usable() || (self.ahead.is(message) && self.is_alive())
    }

    fn is_alive(&self) -> bool {
        self.in_step && !self.http.is_closed() && self.last_used.elapsed() < MAXIMUM_IDLE
    }

    /// Whether only the message that was sealed before its turn can be sent over it.
    pub fn has_sealed_ahead(&self) -> bool {
        self.ahead.is_sealed()
    }

    /// Whether it has a share of the budget, so that it may be kept.
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Whether the host has answered a message on it.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// The shortest time between a message and its answer.
    pub fn quickest(&self) -> Option<Duration> {
        self.quickest
    }

    /// Sends a message and waits for the reply, which may be a fault. Meanwhile `next` makes the message after it.
    pub async fn exchange(
        &mut self,
        operation: Operation,
        message: Bytes,
        next: Option<Next<'_>>,
    ) -> Result<Reply, Error> {
        let begin = Instant::now();
        let sent = message.len();
        self.in_step = false;
        let result = self.exchange_in_step(operation, message, next).await;
        self.last_used = Instant::now();
        match &result {
            Ok(reply) => {
                self.in_step = true;
                self.has_answered = true;
                tracing::debug!(
                    host = %self.host, %operation, status = reply.status, sent, received = reply.text.len(),
                    milliseconds = begin.elapsed().as_millis(), "exchanged"
                );
            }
            Err(error) => tracing::debug!(
                host = %self.host, %operation, error = %error.kind, started = %error.started, sent,
                milliseconds = begin.elapsed().as_millis(), "exchange failed"
            ),
        }
        result
    }

    async fn exchange_in_step(
        &mut self,
        operation: Operation,
        message: Bytes,
        next: Option<Next<'_>>,
    ) -> Result<Reply, Error> {
        if let Some(last_token) = self.begin_authentication().await? {
            let carries_message = !self.seals() || self.carries_sealed(operation);
            let (content_type, body) =
                if carries_message { self.body(operation, &message)? } else { (SOAP, Bytes::new()) };
            let answer = self.post(operation, Some(last_token), (content_type, body), None).await?;
            self.finish_authentication(&answer, carries_message)?;
            if carries_message {
                return self.read(operation, &answer);
            }
        }
        let authorization = match &self.security {
            Security::Header(value) => Some(value.clone()),
            Security::Certificate => Some(HeaderValue::from_static(auth::MUTUAL)),
            Security::Negotiate { .. } => None,
        };
        let body = self.body(operation, &message)?;
        let answer = self.post(operation, authorization, body, next).await?;
        self.read(operation, &answer)
    }

    /// What is sent for a message, and as what.
    fn body(&mut self, operation: Operation, message: &Bytes) -> Result<(&'static str, Bytes), Error> {
        let Security::Negotiate { context, sealing: true, .. } = &mut self.security else {
            return Ok((SOAP, message.clone()));
        };
        let content_type = sealed::content_type(context.scheme());
        if let Some(body) = self.ahead.take_body() {
            return Ok((content_type, body));
        }
        let body =
            sealed::seal(context.as_mut(), message).map_err(|kind| Error::before_start(&self.host, operation, kind))?;
        Ok((content_type, body.into()))
    }

    fn seals(&self) -> bool {
        matches!(self.security, Security::Negotiate { sealing: true, .. })
    }

    /// Whether the last token may come with a sealed message, which saves a round trip. Windows takes it: MS-WSMV
    /// 2.2.9.1.1.1 has the Authorization field on sealed requests until the first 200, and the WinRM gem up to 2.1
    /// logged on so; OMI on Linux does not, which is why later ones do not. A message that a host may have got without
    /// an answer that can be trusted is not sent twice, so only one that does no harm when it is.
    fn carries_sealed(&self, operation: Operation) -> bool {
        let has_keys = matches!(&self.security, Security::Negotiate { context, .. } if context.seals_with_last_token());
        has_keys && operation == Operation::CreateShell && self.logon == Logon::WithMessage
    }

    /// What the host may take on another connection after it has refused a login.
    pub fn another(&self) -> Option<Another> {
        self.another
    }

    /// Exchanges tokens up to the last one, which is returned and still has to be sent.
    async fn begin_authentication(&mut self) -> Result<Option<HeaderValue>, Error> {
        let operation = Operation::Authenticate;
        let host = self.host.clone();
        let failed = |kind| Error::before_start(&host, operation, kind);
        let mut server_token: Option<Vec<u8>> = None;
        loop {
            let Security::Negotiate { context, authenticated: false, .. } = &mut self.security else {
                return Ok(None);
            };
            if server_token.is_none() {
                context.prepare().await.map_err(failed)?;
            }
            let token = context.step(server_token.as_deref()).map_err(failed)?;
            let complete = context.is_complete();
            let scheme = context.scheme();
            let header = sensitive(&format!("{} {}", scheme.name(), STANDARD.encode(token))).map_err(failed)?;
            if complete {
                return Ok(Some(header));
            }
            let answer = self
                .post(operation, Some(header), (SOAP, Bytes::new()), None)
                .await
                .map_err(|error| failed(error.kind))?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Err(failed(self.refused(&answer, Refusal::NotContinued)));
            }
            let token = answer.token(scheme);
            server_token = Some(token.ok_or_else(|| failed(self.refused(&answer, Refusal::NotContinued)))?);
        }
    }

    fn finish_authentication(&mut self, answer: &Answer, carried_message: bool) -> Result<(), Error> {
        let sealed = sealed::is_sealed(&answer.content_type());
        let taken = match (self.seals(), carried_message) {
            // A fault is an answer, too.
            (true, true) => sealed,
            (true, false) => answer.status.is_success(),
            (false, _) => true,
        };
        if answer.status == StatusCode::UNAUTHORIZED || !taken {
            let unfit = [StatusCode::BAD_REQUEST, StatusCode::LENGTH_REQUIRED, StatusCode::INTERNAL_SERVER_ERROR];
            let refused_message = self.seals() && carried_message && unfit.contains(&answer.status);
            let kind = self.refused(answer, Refusal::Rejected);
            self.another = match &mut self.security {
                _ if refused_message => Some(Another::LoggingOnAlone),
                Security::Negotiate { context, .. } => context.is_worth_another(&kind).then_some(Another::NewTicket),
                _ => None,
            };
            return Err(Error::before_start(&self.host, Operation::Authenticate, kind));
        }
        if let Security::Negotiate { context, sealing, authenticated } = &mut self.security {
            let token = answer.token(context.scheme());
            context.finish(token.as_deref()).map_err(|kind| {
                // Without sealing the message was sent with the token, and may have been carried out.
                let error = if *sealing { Error::before_start } else { Error::new };
                error(&self.host, Operation::Authenticate, kind)
            })?;
            *authenticated = true;
        }
        Ok(())
    }

    /// Sends one HTTP request and reads the whole answer. What `next` makes by then is sealed.
    async fn post(
        &mut self,
        operation: Operation,
        authorization: Option<HeaderValue>,
        (content_type, body): (&'static str, Bytes),
        next: Option<Next<'_>>,
    ) -> Result<Answer, Error> {
        let (begin, is_message) = (Instant::now(), !body.is_empty());
        let mut answer = pin!(self.http.post(authorization, content_type, body));
        let answered = tokio::select! {
            biased;
            answered = &mut answer => answered,
            message = ahead::made(next) => {
                if let Security::Negotiate { context, sealing: true, .. } = &mut self.security {
                    self.ahead = Ahead::seal(context.as_mut(), message);
                }
                answer.await
            }
        };
        let answer = answered.map_err(|failure| match failure {
            Failure::NotSent(kind) => Error::before_start(&self.host, operation, kind),
            Failure::Sent(kind) => Error::new(&self.host, operation, kind.met_by(operation)),
        })?;
        if is_message {
            let took = begin.elapsed();
            self.quickest = Some(self.quickest.map_or(took, |quickest| quickest.min(took)));
        }
        Ok(answer)
    }

    /// The SOAP message of an answer, opened if it is sealed.
    fn read(&mut self, operation: Operation, answer: &Answer) -> Result<Reply, Error> {
        self.read_kind(answer).map_err(|kind| Error::new(&self.host, operation, kind))
    }

    fn read_kind(&mut self, answer: &Answer) -> Result<Reply, Kind> {
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.refused(answer, Refusal::Rejected));
        }
        let body = match &mut self.security {
            Security::Negotiate { context, sealing: true, .. } => {
                // Whoever can write into the connection could otherwise answer in the host's name.
                let content_type = answer.content_type();
                if !sealed::is_sealed(&content_type) {
                    return Err(answer.without_message());
                }
                sealed::unseal(context.as_mut(), &content_type, &answer.body)?
            }
            _ if answer.is_soap() => answer.body.to_vec(),
            _ => return Err(answer.without_message()),
        };
        Ok(Reply {
            status: answer.status.as_u16(),
            text: String::from_utf8(body).map_err(|_| Kind::Malformed("it is not UTF-8"))?,
        })
    }

    fn refused(&self, answer: &Answer, refusal: Refusal) -> Kind {
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                let offered = answer.offered();
                let wanted = match &self.security {
                    Security::Header(_) => "Basic",
                    // No challenge names it.
                    Security::Certificate => {
                        return Kind::Unauthorized { offered, refusal: Refusal::CertificateRejected };
                    }
                    Security::Negotiate { context, .. } => {
                        let scheme = context.scheme();
                        if let Some(kind) = answer.token(scheme).and_then(|token| context.refusal(&token)) {
                            return kind;
                        }
                        scheme.name()
                    }
                };
                let is_offered = offered.iter().any(|scheme| scheme.eq_ignore_ascii_case(wanted));
                // A server may leave the header out once it has refused credentials.
                let refusal = if is_offered || refusal == Refusal::Rejected && offered.is_empty() {
                    refusal
                } else {
                    Refusal::NotOffered
                };
                Kind::Unauthorized { offered, refusal }
            }
            StatusCode::FORBIDDEN => Kind::Forbidden,
            _ => answer.without_message(),
        }
    }
}

impl Reply {
    /// The message, or the fault or error it is.
    pub fn document(&self) -> Result<Document<'_>, Kind> {
        reply::parse(&self.text, self.status)
    }
}
