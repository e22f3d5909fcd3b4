//! What a host serves besides WinRM: a web site, over HTTP and HTTPS.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::lab::wire::host::SimulatedHost;

/// An answer of a host's web site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub text: String,
}

impl Page {
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
}

/// The answer to a request for a path, which is noted.
pub fn answer(host: &SimulatedHost, path: &str) -> Page {
    let page = host.machine.page(path);
    host.recorder.showed(path, page.status);
    page
}

/// Serves a connection until one side has enough of it. With `secure` the host shows the certificate of its WinRM
/// listener.
pub async fn serve<S>(host: Arc<SimulatedHost>, secure: bool, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let disconnected = host.disconnected();
    let served = async move {
        if !secure {
            return serve_http(host, stream).await;
        }
        // A client that does not trust the certificate hangs up.
        if let Ok(stream) = TlsAcceptor::from(Arc::clone(&host.identity.configuration)).accept(stream).await {
            serve_http(host, stream).await;
        }
    };
    tokio::select! {
        () = disconnected => {}
        () = served => {}
    }
}

async fn serve_http<S>(host: Arc<SimulatedHost>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let page = answer(&host, request.uri().path());
        async move {
            let mut response = Response::new(Full::new(Bytes::from(page.text)));
            *response.status_mut() = page.status.try_into().expect("the lab answers with statuses of HTTP");
            Ok::<_, Infallible>(response)
        }
    });
    // Clients that hang up are none of the server's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
