//! A web server on a port of this machine, with answers that are made up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::backend::windows::tests::localhost;

/// What a server does with a request.
#[derive(Clone, Copy)]
pub enum Answer {
    Text(&'static str),
    /// The connection is reset.
    Reset,
    /// Nothing ever comes.
    Hang,
    /// A body without an end, which never holds what is looked for.
    Endless,
    /// The body breaks off.
    Cut,
}

/// A server that answers one request after the other, the last answer again and again.
pub struct Server {
    pub address: SocketAddr,
    /// Empty when it speaks no TLS.
    pub certificate: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(answers: Vec<Answer>) -> Self {
        Self::serve(answers, None, String::new()).await
    }

    pub async fn with_tls(answers: Vec<Answer>) -> Self {
        let (acceptor, certificate) = localhost();
        Self::serve(answers, Some(acceptor), certificate).await
    }

    async fn serve(answers: Vec<Answer>, tls: Option<TlsAcceptor>, certificate: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, requests) = (listener.local_addr().expect("an address"), Arc::default());
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, tls, seen) = (answers.clone(), tls.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &answers, &seen).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            answer(stream, &answers, &seen).await;
                        }
                    }
                });
            }
        });
        Self { address, certificate, requests }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificate.is_empty() { "http" } else { "https" };
        format!("{scheme}://localhost:{}{path}", self.address.port())
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.requests().len()
    }

    /// What it was asked, each request as a text.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answers: &[Answer], seen: &Mutex<Vec<String>>) {
    let request = read(&mut stream).await;
    let number = {
        let mut seen = seen.lock().expect("no panic");
        seen.push(request);
        seen.len() - 1
    };
    match answers[number.min(answers.len() - 1)] {
        Answer::Text(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Answer::Reset => return,
        Answer::Hang => std::future::pending().await,
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
        }
        Answer::Cut => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nI am").await;
        }
    }
    let _ = stream.shutdown().await;
}

/// A request with as much of a body as it announces.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = String::new();
    let mut piece = [0; 2048];
    while !is_whole(&text) {
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&piece[..length])),
            _ => break,
        }
    }
    text
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
