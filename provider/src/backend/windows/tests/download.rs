//! Release files that this machine fetches, from a server on a port of this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::backend::windows::connection::Connections;
use crate::backend::windows::download::{Downloads, shown};
use crate::backend::windows::files::hexadecimal;
use crate::backend::windows::put::LocalFile;
use crate::winrm::endpoint::TlsOptions;

/// A web server that answers every request with the same bytes.
struct WebServer {
    address: SocketAddr,
    certificate: String,
    knocks: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl WebServer {
    async fn start(answer: &'static str) -> Self {
        let (acceptor, certificate) = localhost();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, requests) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
        let knocks = Arc::new(AtomicUsize::new(0));
        let (knocked, count) = (knocks.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                knocked.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).await;
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, certificate, knocks, requests }
    }

    fn url(&self) -> String {
        format!("https://user:marker@localhost:{}/mfa/Setup.exe?sig=marker", self.address.port())
    }

    fn downloads(&self, limit: u64) -> Downloads {
        let trust = TlsOptions { ca_certificate: Some(self.certificate.clone()), ..TlsOptions::default() };
        Downloads::new(limit, trust)
    }
}

/// A server that sends everybody on to another address, and what became of a file that was to be fetched from it.
async fn sent_on(allowed: Option<&[&str]>, to: &str) -> (String, usize) {
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let server = WebServer::start(head.leak()).await;
    let message = fetch_within(&server, allowed, &server.url()).await.expect_err("no file");
    (message, server.requests.load(Ordering::SeqCst))
}

/// Fetches when these hosts alone may be reached.
async fn fetch_within(server: &WebServer, allowed: Option<&[&str]>, url: &str) -> Result<LocalFile, String> {
    let allowed = allowed.map(|allowed| allowed.iter().map(|text| text.parse().expect("a pattern")).collect());
    let connections = Connections { allowed_hosts: allowed, ..Connections::default() };
    let downloads = server.downloads(10).limited_by(Arc::new(connections));
    let file = downloads.fetch(url, &hash("setup file")).await;
    file.map_err(|cause| cause.to_string())
}

fn hash(text: &str) -> String {
    hexadecimal(Sha256::new_with_prefix(text))
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsetup file";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsetup \r\n4\r\nfile\r\n0\r\n\r\n";

#[tokio::test]
async fn a_file_is_fetched_once_and_goes_away() {
    for answer in [ANSWER, CHUNKED] {
        let server = WebServer::start(answer).await;
        let (downloads, url, sha256) = (server.downloads(10), server.url(), hash("setup file"));
        let (one, other) = tokio::join!(downloads.fetch(&url, &sha256), downloads.fetch(&url, &sha256));
        let (one, other) = (one.expect("fetched"), other.expect("fetched"));
        assert_eq!((&one, one.length, &one.sha256), (&other, 10, &sha256));
        assert_eq!(std::fs::read_to_string(&one.path).expect("there"), "setup file");
        assert_eq!(server.requests.load(Ordering::SeqCst), 1, "hosts share what was fetched");
        let folder: PathBuf = one.path.parent().expect("a folder").to_owned();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&folder).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "only this account may enter");
        }
        downloads.clear();
        assert!(!folder.exists());
    }
}

/// What a person reads when it fails; nothing secret is in it.
async fn failure(answer: &'static str, limit: u64, sha256: &str) -> String {
    let server = WebServer::start(answer).await;
    let cause = server.downloads(limit).fetch(&server.url(), sha256).await.expect_err("a failure");
    let (message, port) = (cause.to_string(), server.address.port());
    assert!(matches!(cause, Cause::Local(_)) && !message.contains("marker"), "{message}");
    let start = format!("this machine could not fetch https://localhost:{port}/mfa/Setup.exe: ");
    message.strip_prefix(&start).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[tokio::test]
async fn what_is_no_such_file_is_refused() {
    let right = hash("setup file");
    let too_long = "it is longer than the 9 bytes that are taken";
    assert_eq!(failure(ANSWER, 9, &right).await, too_long);
    assert_eq!(failure(CHUNKED, 9, &right).await, too_long);
    let wrong = failure(ANSWER, 10, SHA256).await;
    assert_eq!(wrong, format!("it has the SHA-256 hash {right} instead of {SHA256}; it was deleted"));
    let absent = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(failure(absent, 10, &right).await, "the server answered with status 404");
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsetup";
    assert!(failure(broken, 10, &right).await.contains("error"), "the rest is missing");
    let insecure = "HTTP/1.1 302 Found\r\nLocation: http://localhost/Setup.exe?sig=marker\r\nContent-Length: 0\r\n\r\n";
    failure(insecure, 10, &right).await;
}

#[tokio::test]
async fn a_failure_is_no_lasting_one_and_strangers_are_not_believed() {
    let server = WebServer::start(ANSWER).await;
    let (url, right) = (server.url(), hash("setup file"));
    let message = Downloads::default().fetch(&url, &right).await.expect_err("unknown").to_string();
    assert!(message.contains("certificate") && !message.contains("marker"), "{message}");
    let downloads = server.downloads(10);
    downloads.fetch("https://localhost:1/Setup.exe", &right).await.expect_err("nobody is there");
    downloads.fetch(&url, &right).await.expect("the next one tries anew");
}

#[tokio::test]
async fn a_server_that_may_not_be_reached_gets_no_byte() {
    let server = WebServer::start(ANSWER).await;
    let message = fetch_within(&server, Some(&["*.contoso.com"]), &server.url()).await.expect_err("not allowed");
    let expected = "localhost may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only \
                    *.contoso.com. Allow it there, or let the host fetch the file (delivery = \"pull\")";
    assert!(message.ends_with(expected) && !message.contains("marker"), "{message}");
    assert_eq!(server.knocks.load(Ordering::SeqCst), 0);
    fetch_within(&server, Some(&["LOCALHOST"]), &server.url()).await.expect("allowed");
}

#[tokio::test]
async fn nor_does_one_to_which_another_sends_on() {
    let other = WebServer::start(ANSWER).await;
    let to = format!("https://127.0.0.1:{}/Setup.exe?sig=marker", other.address.port());
    let (message, asked) = sent_on(Some(&["localhost"]), &to).await;
    let expected =
        "127.0.0.1 may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only localhost.";
    assert!(message.ends_with(expected) && !message.contains("marker"), "{message}");
    assert_eq!((asked, other.knocks.load(Ordering::SeqCst)), (1, 0));
    // Where it may be reached it is; its certificate is for another name.
    let (message, _) = sent_on(Some(&["localhost", "127.0.0.1"]), &to).await;
    assert!(message.contains("certificate"), "{message}");
    // On the same host, and for ever.
    let (message, asked) = sent_on(Some(&["localhost"]), "/Setup.exe").await;
    assert!(message.contains("too many redirects") && (5..20).contains(&asked), "{asked}: {message}");
    let (message, asked) = sent_on(None, "/Setup.exe").await;
    assert!(message.contains("too many redirects") && (5..20).contains(&asked), "{asked}: {message}");
}

#[test]
fn an_address_is_shown_without_secrets() {
    let found = shown("https://user:marker@files.contoso.com:8443/mfa/Setup%20x64.exe?sig=marker#marker");
    assert_eq!(found, "https://files.contoso.com:8443/mfa/Setup%20x64.exe");
    assert_eq!(shown("marker"), "the release file's address");
}

#[tokio::test]
async fn only_https_is_asked_for() {
    let url = "http://127.0.0.1:9/Setup.exe?sig=marker";
    let message = Downloads::default().fetch(url, SHA256).await.expect_err("refused").to_string();
    assert!(message.starts_with("this machine could not fetch http://127.0.0.1:9/Setup.exe: "), "{message}");
    assert!(!message.contains("marker"), "{message}");
}
