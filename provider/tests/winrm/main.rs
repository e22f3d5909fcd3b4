//! The WinRM client against a service that does as it is told: requests counted, faults injected.

mod cancellation;
mod damage;
mod decoders;
mod faults;
mod feeding;
mod hostile;
mod limits;
mod listening;
mod logons;
mod logs;
mod ntlm_server;
mod patience;
mod requests;
mod retries;
mod robustness;
mod server;
mod worker;
mod worker_robustness;

use std::time::Duration;

use azuremfa::secret::Secret;
use azuremfa::winrm::endpoint::{Authentication, DEFAULT_PATH, Endpoint, Timeouts, TlsOptions, Transport};
use azuremfa::winrm::limits::Limits;
use azuremfa::winrm::proxy::Proxy;
use azuremfa::winrm::session::Session;

use crate::server::{HOST, PASSWORD, Server, Setup, USER};

const BASIC: Setup = Setup { tls: true, proxy: true, ntlm: false, wrong_binding: false };

const SEALED: Setup = Setup { tls: false, ntlm: true, ..BASIC };

const BOUND: Setup = Setup { tls: true, ..SEALED };

/// The way into a test server, whose name resolves nowhere: the server is its own proxy.
fn endpoint(server: &Server, setup: Setup) -> Endpoint {
    let username = USER.to_owned();
    let password = Secret::new(PASSWORD);
    Endpoint {
        host: HOST.to_owned(),
        port: 5986,
        transport: if setup.tls {
            Transport::Https(TlsOptions { ca_certificate: Some(server.certificate.clone()), ..TlsOptions::default() })
        } else {
            Transport::Http
        },
        path: DEFAULT_PATH.to_owned(),
        proxy: Some(proxy(server.port)),
        authentication: if setup.ntlm {
            Authentication::Ntlm { username, password }
        } else {
            Authentication::Basic { username, password }
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            operation: Duration::from_millis(20_300),
            margin: Duration::from_secs(20),
        },
        limits: Limits::default(),
    }
}

fn proxy(port: u16) -> Proxy {
    format!("http://127.0.0.1:{port}").parse().expect("a proxy")
}

async fn start(setup: Setup) -> (Server, Session) {
    let server = Server::start(setup).await;
    let session = Session::new(endpoint(&server, setup));
    (server, session)
}
