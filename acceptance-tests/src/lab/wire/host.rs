//! One simulated host on the wire: its settings, what tests can poke, and what they can read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::lab::kerberos::acceptor::Acceptor;
use crate::lab::wire::certificates::{Certificate, Identity};
use crate::lab::wire::client_certificates::ClientCertificates;
use crate::lab::wire::faults::{Faults, Injection};
use crate::lab::wire::machine::Machine;
use crate::lab::wire::ntlm::acceptor::{ChannelBinding, Rigour};
use crate::lab::wire::record::{Listener, Record, Recorder};
use crate::lab::wire::shells::{Quotas, Shells};

/// How WinRM is set up on a host.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub quotas: Quotas,
    pub certificate: Certificate,
    /// What a trusted certificate is for besides the host's name and this machine's.
    pub other_names: Vec<String>,
    pub channel_binding: ChannelBinding,
    pub ntlm: Rigour,
    /// Basic is switched off in the service's configuration.
    pub no_basic: bool,
    /// The newest TLS is 1.2, as up to Windows Server 2019.
    pub tls12: bool,
    pub client_certificates: ClientCertificates,
    pub shell_ids: ShellIds,
    /// Something in between opens TLS with a certificate of its own that clients trust, so that they bind their logons
    /// to another certificate than the host's.
    pub tls_opened_before: bool,
    /// How long output is collected when it is not [`crate::lab::wire::command::GATHERING`].
    pub gathering: Option<Duration>,
    /// The host is in a domain, with these keys.
    pub kerberos: Option<Arc<Acceptor>>,
    /// The host takes tickets and says nothing that only their service could.
    pub no_proof: bool,
}

/// What a host makes of the identifier that a client wants its shell to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShellIds {
    /// It is taken.
    #[default]
    Taken,
    /// The shell gets one of the host's own.
    Ignored,
    /// The request is refused.
    Refused,
}

/// Whether a host can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    #[default]
    Reachable,
    /// The proxy answers 504 at once; direct ports drop connections.
    Unreachable,
    /// Connections are accepted and nothing ever comes, as behind a firewall that drops packets.
    Silent,
}

/// A host as the wire serves it.
pub struct SimulatedHost {
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) shells: Shells,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    reachability: watch::Sender<Reachability>,
    /// Where the HTTPS listener is, behind the proxy.
    https_ports: Mutex<Vec<u16>>,
    /// Counts up whenever all connections have to go.
    disconnections: watch::Sender<u64>,
}

impl SimulatedHost {
    pub(crate) fn new(machine: Arc<dyn Machine>, settings: Settings, identity: Identity) -> Self {
        Self {
            machine,
            settings,
            identity,
            shells: Shells::default(),
            faults: Faults::default(),
            recorder: Recorder::default(),
            reachability: watch::Sender::default(),
            https_ports: Mutex::new(vec![5986]),
            disconnections: watch::Sender::default(),
        }
    }

    /// The name clients use.
    pub fn name(&self) -> &str {
        self.machine.name()
    }

    /// DER of the certificate on the HTTPS listener.
    pub fn certificate_der(&self) -> &[u8] {
        &self.identity.der
    }

    /// Lets something go wrong later.
    pub fn inject(&self, injection: Injection) {
        self.faults.add(injection);
    }

    /// Forgets injections that have not happened yet.
    pub fn clear_injections(&self) {
        self.faults.clear();
    }

    /// Makes the host reachable or not. Open connections are dropped when it no longer is.
    pub fn set_reachability(&self, reachability: Reachability) {
        self.reachability.send_replace(reachability);
        if reachability != Reachability::Reachable {
            self.drop_connections();
        }
    }

    pub fn reachability(&self) -> Reachability {
        *self.reachability.borrow()
    }

    /// Moves the HTTPS listener to other ports, as they are asked for at the proxy.
    pub fn set_https_ports(&self, ports: &[u16]) {
        *self.https_ports.lock().unwrap_or_else(PoisonError::into_inner) = ports.to_vec();
        self.drop_connections();
    }

    /// What listens on a port.
    pub(crate) fn listener(&self, port: u16) -> Option<Listener> {
        let is_https = self.https_ports.lock().unwrap_or_else(PoisonError::into_inner).contains(&port);
        if is_https { Some(Listener::Https) } else { (port == 5985).then_some(Listener::Http) }
    }

    /// Drops every open connection at once.
    pub fn drop_connections(&self) {
        self.disconnections.send_modify(|count| *count += 1);
    }

    /// Loses every shell with what runs in it, as a restart of the WinRM service does.
    pub fn lose_shells(&self) {
        self.shells.close_all();
    }

    /// What a reboot does to the wire: shells and connections are gone and the host is unreachable, until
    /// [`SimulatedHost::set_reachability`] says otherwise.
    pub fn go_down(&self) {
        self.set_reachability(Reachability::Unreachable);
        self.lose_shells();
    }

    /// Identifiers of the shells that are open now.
    pub fn open_shells(&self) -> Vec<String> {
        self.shells.ids()
    }

    /// After how long each open shell may be closed by the host when nobody uses it, as its creator asked.
    pub fn idle_timeouts(&self) -> Vec<String> {
        self.shells.idle_timeouts()
    }

    /// What has happened so far.
    pub fn record(&self) -> Record {
        self.recorder.copy()
    }

    /// Completes when connections made before the call have to go.
    pub(crate) fn disconnected(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut disconnections = self.disconnections.subscribe();
        async move {
            // The host itself going away is an end as well.
            let _ = disconnections.changed().await;
        }
    }
}
