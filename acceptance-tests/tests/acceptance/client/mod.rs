//! The provider's own client in this process against the wire of the lab: what is left behind, what is waited for, and
//! what real Windows has answered to others.

mod certificates;
mod damaged;
mod idle;
mod leaks;
mod quiet;
mod recorded;

use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::machine::{Account, ClosureMachine, CommandLine, Process, ProcessHost};
use acceptance_tests::lab::wire::server::WireServer;
use azuremfa::secret::Secret;
use azuremfa::winrm::endpoint::{Authentication, DEFAULT_PATH, Endpoint, Timeouts, TlsOptions, Transport};
use azuremfa::winrm::limits::Limits;
use azuremfa::winrm::session::Session;

const HOST: &str = "portal01.dmz.contoso.com";
const USER: &str = "operator";
const PASSWORD: &str = "secret";

/// Waits scaled down: a host holds a request for 100 ms instead of 40 s, and the way may take 300 ms instead of 20 s.
const SCALED: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    operation: Duration::from_millis(400),
    margin: Duration::from_millis(300),
};

/// Programs of the test host: `echo` gives its input back; `quiet` says nothing for so many milliseconds.
async fn program(command: CommandLine, mut process: ProcessHost) {
    let number = command.arguments.first().and_then(|number| number.parse().ok()).unwrap_or_default();
    let written = match command.program.as_str() {
        "echo" => {
            let input = process.read_stdin_to_end().await;
            process.stdout(input).await
        }
        "quiet" => {
            tokio::time::sleep(Duration::from_millis(number)).await;
            process.stdout("at last").await
        }
        other => process.stderr(format!("{other}?")).await,
    };
    if written.is_ok() {
        process.exit(7).await;
    }
}

async fn lab() -> WireServer {
    lab_with(Settings::default()).await
}

async fn lab_with(settings: Settings) -> WireServer {
    let start = |command: CommandLine| Process::spawn(move |process| program(command, process));
    let machine = ClosureMachine { name: HOST.to_owned(), account: Account::administrator(USER, PASSWORD), start };
    WireServer::builder().host_with(Arc::new(machine), settings).start().await.expect("server")
}

/// A session with the lab's host, through its proxy, with NTLM.
fn session(server: &WireServer, https: bool, timeouts: Timeouts) -> Session {
    Session::new(endpoint(server, https, timeouts))
}

fn endpoint(server: &WireServer, https: bool, timeouts: Timeouts) -> Endpoint {
    let ca_certificate = Some(server.authority_pem().to_owned());
    Endpoint {
        host: HOST.to_owned(),
        port: if https { 5986 } else { 5985 },
        transport: if https {
            Transport::Https(TlsOptions { ca_certificate, ..TlsOptions::default() })
        } else {
            Transport::Http
        },
        path: DEFAULT_PATH.to_owned(),
        proxy: Some(server.proxy_url().parse().expect("the lab's proxy")),
        authentication: Authentication::Ntlm { username: USER.to_owned(), password: Secret::new(PASSWORD) },
        timeouts,
        limits: Limits::default(),
    }
}
