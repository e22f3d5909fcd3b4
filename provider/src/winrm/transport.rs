//! The byte stream to a host: TCP, through a proxy when there is one, and TLS when it is wanted.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};

use crate::causes;
use crate::winrm::channel_binding::tls_server_end_point;
use crate::winrm::endpoint::{Endpoint, authority};
use crate::winrm::error::Kind;
use crate::winrm::tls::Tls;

/// An open stream to a host.
pub struct Stream {
    /// The bytes, decrypted when TLS is underneath.
    pub bytes: Box<dyn Bytes>,
    /// The TLS channel's `tls-server-end-point`, when TLS is underneath.
    pub binding: Option<Vec<u8>>,
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
        return Ok(Stream { bytes: Box::new(tcp), binding: None });
    };
    let stream = tls.connector.connect(tls.name.clone(), tcp).await.map_err(Kind::Tls)?;
    let binding = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| tls_server_end_point(certificate));
    Ok(Stream { bytes: Box::new(stream), binding })
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
                // Requests are single writes that wait for their answer.
                let _ = stream.set_nodelay(true);
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

/// The longest answer of a proxy that is read.
const MAXIMUM_PROXY_ANSWER: usize = 16 * 1024;

async fn through_proxy(proxy: &str, target: &str, after: Duration) -> Result<TcpStream, Kind> {
    let (host, port) = proxy_address(proxy)?;
    let failed = |answer: String| Kind::Proxy { proxy: authority(host, port), answer };
    let mut stream = connect(host, port, after).await.map_err(|kind| failed(causes::in_one_line(&kind)))?;
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
    // One byte at a time, so that nothing of what comes through the tunnel is taken away.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAXIMUM_PROXY_ANSWER {
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    let first_line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default());
    let status = first_line.split_ascii_whitespace().nth(1).unwrap_or_default();
    let accepted = first_line.starts_with("HTTP/1.") && status.len() == 3 && status.starts_with('2');
    if !accepted || !answer.ends_with(b"\r\n\r\n") {
        let shown: String = first_line.chars().filter(|character| !character.is_control()).take(100).collect();
        return Err(failed(if shown.is_empty() {
            "it closed the connection".to_owned()
        } else {
            format!("it answered `{shown}`")
        }));
    }
    Ok(stream)
}

/// Host and port of `http://host:port`; the port may be absent and is 80 then.
pub fn proxy_address(proxy: &str) -> Result<(&str, u16), Kind> {
    let parsed = proxy.strip_prefix("http://").and_then(|rest| {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (rest, 80),
        };
        let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        (plain && (bracketed || !host.contains(':'))).then_some((host, port))
    });
    // The text is not repeated: it may carry a password, which is one reason to refuse it.
    parsed.ok_or_else(|| Kind::Setting("the proxy is not of the form `http://host:port`".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(proxy: &str, expected: Option<(&str, u16)>) {
        assert_eq!(proxy_address(proxy).ok(), expected, "{proxy}");
    }

    #[test]
    fn reads_proxy_addresses() {
        check("http://proxy.contoso.com:3128", Some(("proxy.contoso.com", 3128)));
        check("http://proxy.contoso.com:3128/", Some(("proxy.contoso.com", 3128)));
        check("http://proxy.contoso.com", Some(("proxy.contoso.com", 80)));
        check("http://[fd00::1]:8080", Some(("[fd00::1]", 8080)));
        check("https://proxy.contoso.com:3128", None);
        check("http://user:secret@proxy.contoso.com:3128", None);
        check("http://proxy.contoso.com:99999", None);
        check("proxy.contoso.com:3128", None);
        check("http://:3128", None);
    }
}
