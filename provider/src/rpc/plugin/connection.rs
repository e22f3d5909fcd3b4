//! Connections as tonic takes them: encrypted where asked for, and counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::rpc::life::{Life, Mark};
use crate::rpc::plugin::listener::Listener;

/// Bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A stream of any transport.
pub type Transport = Box<dyn ByteStream>;

/// Who has not spoken TLS by then does not mean to.
const MAXIMUM_TLS_HANDSHAKE: Duration = Duration::from_secs(30);

/// How long to wait after a connection could not be accepted, for example because file handles ran out.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// One client's connection.
pub struct Connection {
    transport: Transport,
    _mark: Mark,
}

/// Accepts connections as long as the stream that is returned lives.
///
/// Each TLS handshake is a task of its own: one slow client must not keep out the others.
pub fn accept(
    listener: Listener,
    tls: Option<TlsAcceptor>,
    life: Arc<Life>,
) -> impl Stream<Item = Result<Connection, io::Error>> {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let Ok(transport) = accepted else {
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            };
            let (tls, life, sender) = (tls.clone(), Arc::clone(&life), sender.clone());
            tokio::spawn(async move {
                match secure(tls, transport).await {
                    Ok(transport) => {
                        let connection = Connection { transport, _mark: life.connection() };
                        // The server ends; so does the connection.
                        let _ = sender.send(Ok(connection)).await;
                    }
                    Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "refused a connection"),
                }
            });
        }
    });
    ReceiverStream::new(receiver)
}

async fn secure(tls: Option<TlsAcceptor>, transport: Transport) -> io::Result<Transport> {
    match tls {
        None => Ok(transport),
        Some(tls) => match tokio::time::timeout(MAXIMUM_TLS_HANDSHAKE, tls.accept(transport)).await {
            Ok(stream) => Ok(Box::new(stream?)),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")),
        },
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}
