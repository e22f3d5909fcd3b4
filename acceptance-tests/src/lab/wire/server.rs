//! The server itself: one proxy for all hosts, and direct ports for clients that cannot use a proxy.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::lab::wire::certificates::{Authority, CertificateError};
use crate::lab::wire::host::{Reachability, Settings, SimulatedHost};
use crate::lab::wire::machine::Machine;
use crate::lab::wire::proxy::{self, Door};
use crate::lab::wire::record::Listener;
use crate::lab::wire::{connection, web_site};

/// All hosts by lower-case name.
#[derive(Default)]
pub struct Hosts(BTreeMap<String, Arc<SimulatedHost>>);

impl Hosts {
    pub fn find(&self, name: &str) -> Option<Arc<SimulatedHost>> {
        self.0.get(&name.to_ascii_lowercase()).cloned()
    }
}

/// Collects hosts, then starts the server.
#[derive(Default)]
pub struct Builder {
    machines: Vec<(Arc<dyn Machine>, Settings)>,
    proxy_login: Option<String>,
}

/// A running server. Dropping it closes every listener and connection and ends every process it started.
pub struct WireServer {
    hosts: Arc<Hosts>,
    proxy: SocketAddr,
    door: Arc<Door>,
    authority_pem: String,
    tasks: Mutex<JoinSet<()>>,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("could not make the certificates of the lab")]
    Certificate(#[from] CertificateError),
    #[error("could not listen on loopback")]
    Listen(#[source] std::io::Error),
    #[error("two hosts are called {0}")]
    DuplicateName(String),
}

impl Builder {
    /// Adds a host with WinRM as Windows sets it up.
    #[must_use]
    pub fn host(self, machine: Arc<dyn Machine>) -> Self {
        self.host_with(machine, Settings::default())
    }

    /// Adds a host with WinRM set up in a certain way.
    #[must_use]
    pub fn host_with(mut self, machine: Arc<dyn Machine>, settings: Settings) -> Self {
        self.machines.push((machine, settings));
        self
    }

    /// Lets the proxy ask for `user:password`.
    #[must_use]
    pub fn proxy_login(mut self, login: &str) -> Self {
        self.proxy_login = Some(login.to_owned());
        self
    }

    /// Starts the server on the current tokio runtime.
    pub async fn start(self) -> Result<WireServer, StartError> {
        let authority = Authority::new()?;
        let mut hosts = Hosts::default();
        for (machine, settings) in self.machines {
            let name = machine.name().to_ascii_lowercase();
            let Settings { certificate, other_names, tls12, client_certificates, .. } = &settings;
            let identity = authority.identity((&name, other_names), certificate, *tls12, client_certificates)?;
            let host = Arc::new(SimulatedHost::new(machine, settings, identity));
            if hosts.0.insert(name.clone(), host).is_some() {
                return Err(StartError::DuplicateName(name));
            }
        }
        let hosts = Arc::new(hosts);
        let listener = listen().await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let mut tasks = JoinSet::new();
        let served = Arc::clone(&hosts);
        let door = Arc::new(Door::new(self.proxy_login));
        let guarded = Arc::clone(&door);
        tasks.spawn(accept(listener, move |stream, peer| {
            let (hosts, door) = (Arc::clone(&served), Arc::clone(&guarded));
            async move {
                // A client that hangs up in the middle of a request head is of no interest.
                let _ = proxy::serve(hosts, door, stream, peer.ip()).await;
            }
        }));
        Ok(WireServer { hosts, proxy: address, door, authority_pem: authority.pem(), tasks: Mutex::new(tasks) })
    }
}

impl WireServer {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Address of the proxy, for instance `http://127.0.0.1:41234`.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// How many connections were made to the proxy so far.
    pub fn knocks(&self) -> usize {
        self.door.knocks()
    }

    /// How many connections went through the proxy at the same time, at most.
    pub fn most_open(&self) -> usize {
        self.door.most_open()
    }

    /// Certificates of the lab's authorities in PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The host of this name (in any case). Panics when there is none: a mistake of the test.
    #[track_caller]
    pub fn host(&self, name: &str) -> Arc<SimulatedHost> {
        self.hosts.find(name).unwrap_or_else(|| panic!("the lab has no host {name}"))
    }

    /// All hosts, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<SimulatedHost>> {
        self.hosts.0.values()
    }

    /// Opens a loopback port that leads straight to a listener of a host.
    pub async fn open_port(&self, host: &str, listener: Listener) -> std::io::Result<SocketAddr> {
        self.open(host, move |host, stream, peer| connection::serve(host, listener, peer.ip(), stream)).await
    }

    /// Opens a loopback port that leads straight to the web site of a host, with TLS when it is `secure`.
    pub async fn open_web_port(&self, host: &str, secure: bool) -> std::io::Result<SocketAddr> {
        self.open(host, move |host, stream, _| web_site::serve(host, secure, stream)).await
    }

    async fn open<F, R>(&self, host: &str, serve: F) -> std::io::Result<SocketAddr>
    where
        F: Fn(Arc<SimulatedHost>, TcpStream, SocketAddr) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let (host, serve) = (self.host(host), Arc::new(serve));
        let port = listen().await?;
        let address = port.local_addr()?;
        let accept = accept(port, move |stream, peer| {
            let (host, serve) = (Arc::clone(&host), Arc::clone(&serve));
            async move {
                match host.reachability() {
                    Reachability::Unreachable => {}
                    Reachability::Silent => {
                        let _ = proxy::stay_silent(&host).await;
                    }
                    Reachability::Reachable => serve(host, stream, peer).await,
                }
            }
        });
        self.tasks.lock().expect("tasks").spawn(accept);
        Ok(address)
    }
}

impl Drop for WireServer {
    fn drop(&mut self) {
        self.hosts.0.values().for_each(|host| host.go_down());
    }
}

async fn listen() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Accepts connections for ever; each is served in a task that ends with the listener.
async fn accept<F, R>(listener: TcpListener, serve: F)
where
    F: Fn(TcpStream, SocketAddr) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, peer)) = accepted {
                    // Answers are small; waiting for more of them to send at once only costs time.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream, peer));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
