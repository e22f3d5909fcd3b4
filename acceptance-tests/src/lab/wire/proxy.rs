//! The HTTP proxy in front of all hosts: `CONNECT name:port` leads to a listener of the host of that name, of WinRM or of
//! its web site.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::lab::wire::host::{Reachability, SimulatedHost};
use crate::lab::wire::server::Hosts;
use crate::lab::wire::{connection, web_site};

/// The port of a host's web site.
const WEB_SITE: &str = "443";
/// Longest request head that is read.
const HEAD_LIMIT: usize = 16 * 1024;

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// What the proxy asks for, and how much it is used.
#[derive(Default)]
pub struct Door {
    /// `user:password`, when it asks for that.
    login: Option<String>,
    knocks: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Door {
    pub fn new(login: Option<String>) -> Self {
        Self { login, ..Self::default() }
    }

    /// How many connections were made to the proxy, wherever they were to lead.
    pub fn knocks(&self) -> usize {
        self.knocks.load(Ordering::SeqCst)
    }

    /// How many ways to hosts were open at the same time, at most.
    pub fn most_open(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn is_known(&self, head: &[String]) -> bool {
        let Some(login) = &self.login else { return true };
        let wanted = format!("Basic {}", BASE64_STANDARD.encode(login));
        let mut values = head.iter().filter_map(|line| line.split_once(':'));
        values.any(|(name, value)| name.eq_ignore_ascii_case("Proxy-Authorization") && value.trim() == wanted)
    }

    fn enter(&self) -> Inside<'_> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        Inside(self)
    }
}

/// Counts a way as open.
struct Inside<'a>(&'a Door);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a client wants of a host.
enum Way<'a> {
    /// What listens on this port.
    Port(&'a str),
    /// One page of it, fetched by the proxy as it does for plain HTTP.
    Page(&'a str),
}

/// The host and the way that a request line asks for; else the status and the reason of the refusal.
fn wanted(line: &str) -> Result<(&str, Way<'_>), (&'static str, &'static str)> {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Some(address) = target.strip_prefix("http://").filter(|_| method == "GET") {
        let slash = address.find('/').unwrap_or(address.len());
        return Ok((&address[..slash], Way::Page(&address[slash..])));
    }
    if method != "CONNECT" {
        return Err(("405 Method Not Allowed", "this proxy answers CONNECT, and GET of pages over http"));
    }
    let (name, port) = target.rsplit_once(':').unwrap_or_default();
    Ok((name, Way::Port(port)))
}

/// Serves one client of the proxy.
pub async fn serve(hosts: Arc<Hosts>, door: Arc<Door>, stream: TcpStream, peer: IpAddr) -> std::io::Result<()> {
    door.knocks.fetch_add(1, Ordering::SeqCst);
    let mut stream = BufReader::new(stream);
    let Some(head) = read_head(&mut stream).await? else {
        return Ok(());
    };
    if !door.is_known(&head) {
        return end_with(&mut stream, "407 Proxy Authentication Required", "who are you").await;
    }
    let (name, way) = match wanted(head.first().map_or("", String::as_str)) {
        Ok(wanted) => wanted,
        Err((status, reason)) => return end_with(&mut stream, status, reason).await,
    };
    let Some(host) = hosts.find(name) else {
        return end_with(&mut stream, "502 Bad Gateway", "no such host").await;
    };
    match host.reachability() {
        Reachability::Unreachable => {
            return end_with(&mut stream, "504 Gateway Timeout", "host unreachable").await;
        }
        Reachability::Silent => return stay_silent(&host).await,
        Reachability::Reachable => {}
    }
    let _inside = door.enter();
    match way {
        Way::Page(path) => {
            let page = web_site::answer(&host, path);
            end_with(&mut stream, &format!("{} Answer", page.status), &page.text).await?;
        }
        Way::Port(WEB_SITE) => {
            stream.write_all(ESTABLISHED).await?;
            web_site::serve(host, true, stream).await;
        }
        Way::Port(port) => match port.parse().ok().and_then(|port| host.listener(port)) {
            Some(listener) => {
                stream.write_all(ESTABLISHED).await?;
                connection::serve(host, listener, peer, stream).await;
            }
            None => end_with(&mut stream, "502 Bad Gateway", "no listener on this port").await?,
        },
    }
    Ok(())
}

/// Holds a connection without a word until the host's connections are dropped.
pub async fn stay_silent(host: &SimulatedHost) -> std::io::Result<()> {
    host.disconnected().await;
    Ok(())
}

/// Reads a request head; gives its lines, or `None` when the client hung up.
async fn read_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await?;
        length += read;
        if read == 0 || length > HEAD_LIMIT {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some(head));
        }
        head.push(line.to_owned());
    }
}

/// Answers without leading anywhere.
async fn end_with(stream: &mut BufReader<TcpStream>, status: &str, reason: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", reason.len());
    stream.write_all(format!("{head}Connection: close\r\n\r\n{reason}").as_bytes()).await?;
    stream.shutdown().await
}
