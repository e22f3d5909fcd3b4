//! The byte stream to a host: TCP, through a proxy when there is one, and TLS when it is wanted.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::causes;
use crate::winrm::channel_binding::tls_server_end_point;
use crate::winrm::endpoint::{Endpoint, authority};
use crate::winrm::error::Kind;
use crate::winrm::proxy::Proxy;
use crate::winrm::tls::{Secured, Tls};

/// A peer that is gone without a word is found out after 40 s on a quiet connection, and firewalls that forget what is
/// quiet are kept awake. Behind a proxy this is about the proxy; what is behind it is found out by the operation timeout.
const QUIET: Duration = Duration::from_secs(20);
const BETWEEN_PROBES: Duration = Duration::from_secs(5);
const PROBES: u32 = 4;

/// An open stream to a host.
pub struct Stream {
    /// The bytes, decrypted when TLS is underneath.
    pub bytes: Box<dyn Bytes>,
    /// The TLS channel's `tls-server-end-point`, when TLS is underneath.
    pub binding: Option<Vec<u8>>,
    /// The host asked for a client certificate, and got it.
    pub showed_certificate: bool,
}

/// What a stream must be able to do.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Opens the stream to a host within the connect timeout.
pub async fn open(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Stream, Kind> {
    let after = endpoint.timeouts.connect;
    let timeout = || Kind::ConnectTimeout { address: endpoint.authority(), after };
    tokio::time::timeout(after, open_unbounded(endpoint, tls)).await.map_err(|_| timeout())?
}

async fn open_unbounded(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Stream, Kind> {
    let tcp = match &endpoint.proxy {
        Some(proxy) => through_proxy(proxy, &endpoint.authority(), endpoint.timeouts.connect).await?,
        None => connect(&endpoint.host, endpoint.port, endpoint.timeouts.connect).await?,
    };
    let Some(tls) = tls else {
        return Ok(Stream { bytes: Box::new(tcp), binding: None, showed_certificate: false });
    };
    let Secured { stream, showed_certificate } = tls.connect(tcp).await.map_err(Kind::Tls)?;
    let binding = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| tls_server_end_point(certificate));
    Ok(Stream { bytes: Box::new(stream), binding, showed_certificate })
}

/// Opens a TCP connection. `after` is the limit that a timeout of the system is told with.
pub(crate) async fn connect(host: &str, port: u16, after: Duration) -> Result<TcpStream, Kind> {
    let host = host.trim_matches(['[', ']']);
    let address = authority(host, port);
    let unresolved = |source| Kind::Name { name: host.to_owned(), source };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let candidates = lookup_host((host, port)).await.map_err(unresolved)?;
    for candidate in candidates {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                tune(&stream);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(match last.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused { address },
        io::ErrorKind::TimedOut => Kind::ConnectTimeout { address, after },
        _ => Kind::Unreachable { address, source: last },
    })
}

/// What a system does not let us set makes the connection slower, not wrong.
fn tune(stream: &TcpStream) {
    // Requests are single writes that wait for their answer.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(BETWEEN_PROBES).with_retries(PROBES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

async fn through_proxy(proxy: &Proxy, target: &str, after: Duration) -> Result<TcpStream, Kind> {
    let unreached = |kind| Kind::Proxy { proxy: proxy.authority(), answer: causes::in_one_line(&kind) };
    let mut stream = connect(&proxy.host, proxy.port, after).await.map_err(unreached)?;
    proxy.tunnel(&mut stream, target).await?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn quiet_connections_are_probed_within_the_default_operation_timeout() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stream = connect("127.0.0.1", port, Duration::from_secs(5)).await.expect("a connection");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("asked"));
        let found_out = socket.tcp_keepalive_time().expect("asked")
            + socket.tcp_keepalive_interval().expect("asked") * socket.tcp_keepalive_retries().expect("asked");
        assert_eq!(found_out, Duration::from_secs(40));
    }
}
