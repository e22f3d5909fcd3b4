//! HTTP/1.1 over one connection: a request goes out, its whole answer comes back.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use crate::winrm::advice::is_about_certificate;
use crate::winrm::endpoint::{Endpoint, HttpScheme};
use crate::winrm::error::Kind;
use crate::winrm::limits::Share;
use crate::winrm::transport::Stream;

/// One HTTP connection to a WS-Management service.
pub struct Http {
    authority: String,
    path: String,
    reply_timeout: Duration,
    sender: SendRequest<Full<Bytes>>,
    /// The other side has answered a request.
    has_answered: bool,
    /// Ends with what ended the connection. None once that was asked for.
    driver: Option<AbortOnDropHandle<Result<(), hyper::Error>>>,
}

/// A whole HTTP answer.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    headers: HeaderMap,
    /// The body, not longer than [`MAXIMUM_REPLY`].
    pub body: Bytes,
}

/// Why there is no answer.
pub enum Failure {
    /// The request certainly did not leave.
    NotSent(Kind),
    /// The request may have arrived.
    Sent(Kind),
}

/// The largest reply that is read, in bytes. Hosts answer with 500 KB at most by default.
pub const MAXIMUM_REPLY: usize = 8 * 1024 * 1024;

/// A connection that is known to be lost has ended by then.
const A_MOMENT: Duration = Duration::from_millis(500);

impl Http {
    /// Makes an HTTP connection of a stream. `share` is given back after the stream is closed.
    pub async fn new(endpoint: &Endpoint, stream: Stream, share: Option<Share>) -> Result<Self, Kind> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream.bytes))
            .await
            .map_err(|error| Kind::ConnectionLost(Some(Box::new(error))))?;
        let driver = tokio::spawn(async move {
            let _share = share;
            driver.await
        });
        Ok(Self {
            authority: endpoint.authority(),
            path: endpoint.path.clone(),
            reply_timeout: endpoint.timeouts.operation,
            sender,
            has_answered: false,
            driver: Some(AbortOnDropHandle::new(driver)),
        })
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and waits for the answer as long as the endpoint allows.
    pub async fn post(
        &mut self,
        authorization: Option<HeaderValue>,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, content_type)
            // Left to itself hyper leaves it out for an empty body, and Windows answers with 411.
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body))
            .map_err(|error| Kind::Setting(format!("the path `{}` cannot be used: {error}", self.path)))
            .map_err(Failure::NotSent)?;
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let after = self.reply_timeout;
        let answer = tokio::time::timeout(after, answer(&mut self.sender, request, &mut self.has_answered)).await;
        match answer.unwrap_or_else(|_| Err(Failure::Sent(self.late(after)))) {
            Err(Failure::NotSent(kind)) => Err(Failure::NotSent(self.cause(kind).await)),
            Err(Failure::Sent(kind)) => Err(Failure::Sent(self.cause(kind).await)),
            answered => answered,
        }
    }

    /// What it is that an answer did not come, or not whole. Before the first one begins it is nobody's.
    fn late(&self, after: Duration) -> Kind {
        if self.has_answered {
            Kind::Timeout { after }
        } else {
            Kind::Silent { address: self.authority.clone(), after }
        }
    }

    /// Why the connection is lost. What ended it before a request came does not reach the request: it only learns that
    /// there is no connection any more.
    async fn cause(&mut self, kind: Kind) -> Kind {
        let (Kind::ConnectionLost(_), Some(driver)) = (&kind, self.driver.take()) else { return kind };
        match tokio::time::timeout(A_MOMENT, driver).await {
            Ok(Ok(Err(error))) => lost(error),
            _ => kind,
        }
    }
}

impl Answer {
    /// The content type, cut to a length that can be shown.
    pub fn content_type(&self) -> String {
        self.headers
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect())
            .unwrap_or_default()
    }

    /// Whether the body says to be a SOAP 1.2 message.
    pub fn is_soap(&self) -> bool {
        let content_type = self.content_type();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/soap+xml")
    }

    /// What an answer is that carries no message.
    pub fn without_message(&self) -> Kind {
        let status = self.status.as_u16();
        if self.status.is_success() {
            Kind::NotWsman { status, content_type: self.content_type() }
        } else {
            Kind::HttpStatus { status }
        }
    }

    /// The names of the authentication schemes the server offers.
    pub fn offered(&self) -> Vec<String> {
        let mut offered: Vec<String> = Vec::new();
        for (scheme, _) in self.challenges().take(16) {
            if !offered.iter().any(|known| known == scheme) {
                offered.push(scheme.to_owned());
            }
        }
        offered
    }

    /// The server's token of a scheme.
    pub fn token(&self, scheme: HttpScheme) -> Option<Vec<u8>> {
        self.challenges()
            .find(|(found, token)| found.eq_ignore_ascii_case(scheme.name()) && !token.is_empty())
            .and_then(|(_, token)| STANDARD.decode(token.trim()).ok())
    }

    /// The challenges of all `WWW-Authenticate` headers: scheme and what follows it.
    fn challenges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .map(|challenge| challenge.split_once(' ').unwrap_or((challenge, "")))
            // Parameters of the challenge before, as in `Digest realm="a", nonce="b"`.
            .filter(|(scheme, _)| !scheme.is_empty() && !scheme.contains('='))
    }
}

/// A header value that neither hyper nor its peers on the way print or index.
pub fn sensitive(value: &str) -> Result<HeaderValue, Kind> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| Kind::Malformed("a credential cannot be carried by HTTP"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `has_answered` is set as soon as an answer begins.
async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    has_answered: &mut bool,
) -> Result<Answer, Failure> {
    sender.ready().await.map_err(|error| Failure::NotSent(lost(error)))?;
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => {
            let unsent = error.take_message().is_some();
            let error = error.into_error();
            return Err(match (unsent, error.is_parse()) {
                (true, _) => Failure::NotSent(lost(error)),
                (false, true) => Failure::Sent(Kind::NotHttp),
                (false, false) => Failure::Sent(lost(error)),
            });
        }
    };
    *has_answered = true;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAXIMUM_REPLY).collect().await.map_err(|error| {
        Failure::Sent(if error.is::<LengthLimitError>() { Kind::Malformed("it is too long") } else { broken(error) })
    })?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}

/// Within TLS 1.3 a client's handshake ends before the host has judged its certificate: a refusal meets the first request.
/// It comes as an alert, or, when the host closes in the midst of what it was sent, as a mere reset.
fn lost(error: hyper::Error) -> Kind {
    for cause in chain(&error) {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(rustls::Error::AlertReceived(alert)) = inner.and_then(|inner| inner.downcast_ref())
            && is_about_certificate(*alert)
        {
            return Kind::Tls(io::Error::other(rustls::Error::AlertReceived(*alert)));
        }
    }
    broken(Box::new(error))
}

/// What an end without TLS's own goodbye is called, instead of a page of the library's manual.
#[derive(Debug, thiserror::Error)]
#[error("the other side closed it")]
struct Closed;

fn broken(error: Box<dyn StdError + Send + Sync>) -> Kind {
    let is_end = |cause: &(dyn StdError + 'static)| {
        let ended = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        cause.downcast_ref().is_some_and(ended) || cause.downcast_ref().is_some_and(hyper::Error::is_incomplete_message)
    };
    let closed = chain(&*error).any(is_end);
    Kind::ConnectionLost(Some(if closed { Box::new(Closed) } else { error }))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
