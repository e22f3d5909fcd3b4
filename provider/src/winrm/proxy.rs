//! An HTTP proxy: how it is written, and how it is asked for the way to a host.

use std::fmt;
use std::io;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::address::HostAddress;
use crate::secret::Secret;
use crate::winrm::endpoint::authority;
use crate::winrm::error::Kind;

/// A proxy that is asked to CONNECT. It prints without what it is logged in to with.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
    /// `user:password`, decoded.
    credentials: Option<Secret>,
}

/// Text that names no proxy. It is not repeated: it may carry a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is written `http://host:port` or `http://user:password@host:port`, without a path")]
pub struct InvalidProxy;

/// The port of a proxy that is written without one.
const DEFAULT_PORT: u16 = 80;

/// The longest answer of a proxy that is read.
const MAXIMUM_ANSWER: usize = 16 * 1024;

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let rest = text.strip_prefix("http://").ok_or(InvalidProxy)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(decode(credentials)?), place),
            None => (None, rest),
        };
        let address: HostAddress = place.parse().map_err(|_| InvalidProxy)?;
        Ok(Self { host: address.name().to_owned(), port: address.port().unwrap_or(DEFAULT_PORT), credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}", self.authority())
    }
}

impl Proxy {
    /// `host:port`.
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }

    /// Asks for the way to `target` over a connection to the proxy.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        target: &str,
    ) -> Result<(), Kind> {
        let failed = |answer: String| Kind::Proxy { proxy: self.authority(), answer };
        stream.write_all(self.request(target).as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        // One byte at a time, so that nothing of what comes through the tunnel is taken away.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAXIMUM_ANSWER {
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        let first_line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default());
        let status = first_line.split_ascii_whitespace().nth(1).unwrap_or_default();
        let is_http = first_line.starts_with("HTTP/1.") && status.len() == 3;
        if is_http && status.starts_with('2') && answer.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        if is_http && status == "407" {
            return Err(Kind::ProxyLogin { proxy: self.authority(), tried: self.credentials.is_some() });
        }
        let shown: String = first_line.chars().filter(|character| !character.is_control()).take(100).collect();
        Err(failed(if shown.is_empty() {
            "it closed the connection".to_owned()
        } else {
            format!("it answered `{shown}`")
        }))
    }

    fn request(&self, target: &str) -> Zeroizing<String> {
        let login = self.credentials.as_ref().map(|credentials| {
            Zeroizing::new(format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials.expose())))
        });
        let login = login.as_deref().map_or("", String::as_str);
        Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n"))
    }
}

/// Undoes percent encoding, which an `@` or `:` of a password needs.
fn decode(text: &str) -> Result<Secret, InvalidProxy> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(InvalidProxy);
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).map_err(|_| InvalidProxy)?
            }
            b'/' | b'?' | b'#' | b'@' => return Err(InvalidProxy),
            byte => byte,
        };
        // What could end the header that carries it.
        if byte.is_ascii_control() {
            return Err(InvalidProxy);
        }
        bytes.push(byte);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| InvalidProxy)?;
    match text.split_once(':') {
        Some(("", _)) => Err(InvalidProxy),
        Some(_) => Ok(Secret::new(text)),
        // A token alone is a user without a password.
        None if !text.is_empty() => Ok(Secret::new(format!("{text}:"))),
        None => Err(InvalidProxy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16, Option<&str>)>) {
        let found = text.parse::<Proxy>().ok();
        let found = found.as_ref().map(|it| (it.host.as_str(), it.port, it.credentials.as_ref().map(Secret::expose)));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn reads_what_is_written_for_proxies() {
        check("http://proxy.contoso.com:3128", Some(("proxy.contoso.com", 3128, None)));
        check("http://proxy.contoso.com:3128/", Some(("proxy.contoso.com", 3128, None)));
        check("http://proxy.contoso.com", Some(("proxy.contoso.com", 80, None)));
        check("http://127.0.0.1:1", Some(("127.0.0.1", 1, None)));
        check("http://[fd00::1]:8080", Some(("fd00::1", 8080, None)));
        check("http://[fd00::1]", Some(("fd00::1", 80, None)));
        check("http://user:secret@proxy:3128", Some(("proxy", 3128, Some("user:secret"))));
        check("http://user:p%40s%3as@proxy:3128", Some(("proxy", 3128, Some("user:p@s:s"))));
        check("http://user@proxy:3128", Some(("proxy", 3128, Some("user:"))));
    }

    #[test]
    fn refuses_other_text() {
        for text in [
            "",
            "proxy.contoso.com:3128",
            "https://proxy.contoso.com:3128",
            "socks5://proxy.contoso.com:1080",
            "http://proxy.contoso.com:99999",
            "http://proxy.contoso.com:0",
            "http://proxy.contoso.com:",
            "http://:3128",
            "http://",
            "http://a b:80",
            "http://fd00::1:80",
            "http://[fd00]:80",
            "http://[fd00::1:80",
            "http://proxy/path:80",
            "http://proxy:80/path",
            "http://proxy:80?a",
            "http://:secret@proxy:80",
            "http://@proxy:80",
            "http://u:p@x@proxy:80",
            "http://u:%0d%0aX@proxy:80",
            "http://u:%zz@proxy:80",
            "http://u:%4@proxy:80",
            "http://u:p/x@proxy:80",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn shows_no_password() {
        let proxy: Proxy = "http://user:marker-secret@proxy:3128".parse().expect("a proxy");
        assert_eq!(proxy.to_string(), "http://proxy:3128");
        assert!(!format!("{proxy:?}").contains("marker-secret"));
        assert_eq!(
            proxy.request("h:1").as_str(),
            "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nProxy-Authorization: Basic dXNlcjptYXJrZXItc2VjcmV0\r\n\r\n"
        );
        let proxy: Proxy = "http://proxy:3128".parse().expect("a proxy");
        assert_eq!(proxy.request("h:1").as_str(), "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n");
    }

    #[tokio::test]
    async fn the_answer_is_read_to_its_end_and_no_further() {
        let proxy: Proxy = "http://proxy:3128".parse().expect("a proxy");
        let answers = [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", None),
            ("HTTP/1.0 200 OK\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n", Some("it answered `HTTP/1.1 200 OK`")),
            ("HTTP/1.1 407 Login\r\n\r\n", Some("asks for a user name and a password")),
            ("SSH-2.0\r\n\r\n", Some("it answered `SSH-2.0`")),
            ("", Some("it closed the connection")),
        ];
        for (answer, expected) in answers {
            let (mut near, mut far) = tokio::io::duplex(1024);
            far.write_all(format!("{answer}rest").as_bytes()).await.expect("written");
            let keeps = expected.is_none();
            if !keeps {
                let (new_near, mut new_far) = tokio::io::duplex(1024);
                new_far.write_all(answer.as_bytes()).await.expect("written");
                new_far.shutdown().await.expect("closed");
                (near, far) = (new_near, new_far);
            }
            let found = proxy.tunnel(&mut near, "h:1").await;
            let text = found.as_ref().err().map(ToString::to_string);
            match expected {
                None => assert!(text.is_none(), "{text:?}"),
                Some(expected) => assert!(text.as_ref().is_some_and(|text| text.contains(expected)), "{text:?}"),
            }
            if keeps {
                let mut rest = [0; 4];
                near.read_exact(&mut rest).await.expect("the tunnel's own bytes");
                assert_eq!(&rest, b"rest");
            }
            drop(far);
        }
    }
}
