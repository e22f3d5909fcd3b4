//! The byte stream to a host: TCP, through a proxy when there is one, and TLS when it is wanted.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use crate::causes;
use crate::winrm::channel_binding::tls_server_end_point;
use crate::winrm::endpoint::{Endpoint, authority};
use crate::winrm::error::{Kind, in_seconds};
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

/// The time that connecting may take, for all of its stages together.
pub struct Limit {
    after: Duration,
    end: Instant,
}

impl Limit {
    /// From now on.
    pub fn new(after: Duration) -> Self {
        Self { after, end: Instant::now() + after }
    }

    /// Does a stage's work in what is left. `late` is what it means when that is not enough.
    pub async fn hold<T>(
        &self,
        work: impl Future<Output = Result<T, Kind>>,
        late: impl FnOnce(Duration) -> Kind,
    ) -> Result<T, Kind> {
        tokio::time::timeout_at(self.end, work).await.unwrap_or_else(|_| Err(late(self.after)))
    }
}

/// Opens the stream to a host within the connect timeout.
pub async fn open(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Stream, Kind> {
    let limit = Limit::new(endpoint.timeouts.connect);
    let tcp = match &endpoint.proxy {
        Some(proxy) => through_proxy(proxy, &endpoint.authority(), &limit).await?,
        None => connect(&endpoint.host, endpoint.port, &limit).await?,
    };
    let Some(tls) = tls else {
        return Ok(Stream { bytes: Box::new(tcp), binding: None, showed_certificate: false });
    };
    let Secured { stream, showed_certificate } = secure(endpoint, tls, tcp, &limit).await?;
    let binding = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| tls_server_end_point(certificate));
    Ok(Stream { bytes: Box::new(stream), binding, showed_certificate })
}

/// Makes the TLS handshake over a connection to the host's port.
pub async fn secure<S>(endpoint: &Endpoint, tls: &Tls, stream: S, limit: &Limit) -> Result<Secured<S>, Kind>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async { tls.connect(stream).await.map_err(Kind::Tls) };
    limit.hold(handshake, |after| Kind::Silent { address: endpoint.authority(), after }).await
}

/// The addresses of a name; of an address, itself.
pub async fn resolve(host: &str, port: u16, limit: &Limit) -> Result<Vec<SocketAddr>, Kind> {
    let unresolved = |source| Kind::Name { name: host.to_owned(), source };
    let found = async { lookup_host((host, port)).await.map(Iterator::collect).map_err(unresolved) };
    limit.hold(found, |after| unresolved(unanswered(after))).await
}

/// What no answer of the DNS is.
fn unanswered(after: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", in_seconds(after)))
}

/// Opens a TCP connection.
pub(crate) async fn connect(host: &str, port: u16, limit: &Limit) -> Result<TcpStream, Kind> {
    let host = host.trim_matches(['[', ']']);
    let address = authority(host, port);
    let candidates = resolve(host, port, limit).await?;
    let late = |after| Kind::ConnectTimeout { address: address.clone(), after };
    let tried = async {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
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
            io::ErrorKind::ConnectionRefused => Kind::Refused { address: address.clone() },
            io::ErrorKind::TimedOut => late(limit.after),
            _ => Kind::Unreachable { address: address.clone(), source: last },
        })
    };
    limit.hold(tried, late).await
}

/// What a system does not let us set makes the connection slower, not wrong.
fn tune(stream: &TcpStream) {
    // Requests are single writes that wait for their answer.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(BETWEEN_PROBES).with_retries(PROBES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

async fn through_proxy(proxy: &Proxy, target: &str, limit: &Limit) -> Result<TcpStream, Kind> {
    let unreached = |kind| match kind {
        // It tells the name, which may be the proxy's.
        kind @ Kind::Name { .. } => kind,
        kind => Kind::Proxy { proxy: proxy.authority(), answer: causes::in_one_line(&kind) },
    };
    let mut stream = connect(&proxy.host, proxy.port, limit).await.map_err(unreached)?;
    let late = |after| Kind::ProxySilent { proxy: proxy.authority(), target: target.to_owned(), after };
    limit.hold(proxy.tunnel(&mut stream, target), late).await?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::winrm::advice::advice;

    #[tokio::test]
    async fn quiet_connections_are_probed_within_the_default_operation_timeout() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stream = connect("127.0.0.1", port, &Limit::new(Duration::from_secs(5))).await.expect("a connection");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("asked"));
        let found_out = socket.tcp_keepalive_time().expect("asked")
            + socket.tcp_keepalive_interval().expect("asked") * socket.tcp_keepalive_retries().expect("asked");
        assert_eq!(found_out, Duration::from_secs(40));
    }
    /// No name server can be made silent for one process alone.
    #[tokio::test]
    async fn a_stage_that_takes_too_long_is_told_by_its_own_words() {
        let limit = Limit::new(Duration::from_millis(20));
        let late = |after| Kind::Name { name: "mfa01".to_owned(), source: unanswered(after) };
        assert_eq!(limit.hold(async { Ok(1) }, late).await.expect("in time"), 1);
        let kind = limit.hold(std::future::pending::<Result<(), Kind>>(), late).await.expect_err("late");
        let text = causes::in_one_line(&kind);
        assert_eq!(text, "the name `mfa01` could not be resolved: no answer within 0.02 s");
        assert!(advice(&kind).contains("name servers"), "{}", advice(&kind));
        // Nothing is left for the next one.
        limit.hold(std::future::pending::<Result<(), Kind>>(), late).await.expect_err("late");
    }
}
