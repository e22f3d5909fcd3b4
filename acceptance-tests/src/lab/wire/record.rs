//! What happened on the wire of one host, for tests to read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which of a host's listeners a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listener {
    /// Port 5985.
    Http,
    /// Port 5986.
    Https,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request that got 401, or the end of a logon without a message.
    Authenticate,
    Identify,
    Get,
    Create,
    Command,
    Send,
    Receive,
    Signal,
    Delete,
    /// Not understood.
    Other,
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of the TCP connection, from 1, unique within the host.
    pub connection: u64,
    pub listener: Listener,
    pub kind: Kind,
    /// Who sent it, when known.
    pub user: Option<String>,
    /// HTTP status; absent when the connection was dropped instead of an answer.
    pub status: Option<u16>,
    /// `Code` of the fault in the answer.
    pub fault: Option<u32>,
    /// Length of the HTTP body.
    pub bytes_up: usize,
    pub bytes_down: usize,
    /// The body was sealed.
    pub sealed: bool,
}

/// The record of one host.
#[derive(Default)]
pub struct Recorder {
    requests: Mutex<Vec<Request>>,
    refusals: Mutex<Vec<String>>,
    pages: Mutex<Vec<(String, u16)>>,
    connections: AtomicU64,
    logons: AtomicU64,
}

/// A copy of the record at one moment.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// In the order in which they were answered.
    pub requests: Vec<Request>,
    /// Why logons were refused.
    pub refusals: Vec<String>,
    /// What the web site was asked for, and the statuses of its answers.
    pub pages: Vec<(String, u16)>,
    /// TCP connections so far.
    pub connections: u64,
    /// Logons so far: one per Negotiate handshake, one per request with Basic.
    pub logons: u64,
}

impl Recorder {
    pub(crate) fn connected(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn logged_on(&self) {
        self.logons.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, reason: String) {
        self.refusals.lock().expect("record").push(reason);
    }

    pub(crate) fn showed(&self, path: &str, status: u16) {
        self.pages.lock().expect("record").push((path.to_owned(), status));
    }

    pub(crate) fn answered(&self, request: Request) {
        self.requests.lock().expect("record").push(request);
    }

    pub(crate) fn copy(&self) -> Record {
        Record {
            requests: self.requests.lock().expect("record").clone(),
            refusals: self.refusals.lock().expect("record").clone(),
            pages: self.pages.lock().expect("record").clone(),
            connections: self.connections.load(Ordering::Relaxed),
            logons: self.logons.load(Ordering::Relaxed),
        }
    }
}

impl Record {
    /// Number of requests of this kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.requests.iter().filter(|request| request.kind == kind).count()
    }

    /// Kinds of all requests, in order.
    pub fn kinds(&self) -> Vec<Kind> {
        self.requests.iter().map(|request| request.kind).collect()
    }

    /// Bytes of all request bodies.
    pub fn bytes_up(&self) -> usize {
        self.requests.iter().map(|request| request.bytes_up).sum()
    }
}
