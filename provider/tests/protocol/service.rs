//! The provider service over an in-memory connection, with resources of the test's choice.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use azuremfa::resource::Resource;
use azuremfa::rpc::generated::tfplugin6::Diagnostic;
use azuremfa::rpc::generated::tfplugin6::diagnostic::Severity;
use azuremfa::rpc::server::Server;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::io::DuplexStream;
use tonic::codegen::Service as TowerService;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::client;

pub struct Service {
    pub channel: Channel,
}

impl Service {
    pub async fn start(resources: &'static [&'static dyn Resource]) -> Self {
        let service = Server::new(resources, Arc::default()).into_service();
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(theirs));
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        let dial = Dial(Mutex::new(Some(ours)));
        let channel = Endpoint::from_static("http://memory").connect_with_connector(dial).await.unwrap();
        Self { channel }
    }

    pub async fn call<Req, Res>(&self, method: &str, request: Req) -> Res
    where
        Req: Message + 'static,
        Res: Message + Default + 'static,
    {
        // As many paths as the service has methods are leaked, at most once per call of a test.
        let path: &'static str = Box::leak(format!("/tfplugin6.Provider/{method}").into_boxed_str());
        client::call(&self.channel, path, request).await.unwrap()
    }
}

/// `summary: detail` of each error.
pub fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|found| found.severity() == Severity::Error);
    errors.map(|found| format!("{}: {}", found.summary, found.detail)).collect()
}

struct Dial(Mutex<Option<DuplexStream>>);

impl TowerService<Uri> for Dial {
    type Response = TokioIo<DuplexStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let stream = self.0.lock().unwrap().take();
        Box::pin(async move { stream.map(TokioIo::new).ok_or_else(|| std::io::Error::other("only one connection")) })
    }
}
