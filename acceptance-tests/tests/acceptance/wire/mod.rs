//! The wire of the lab alone: shells, quotas, faults, and what can be made to go wrong.

pub mod client;
mod faults;
mod shells;

use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::local_process;
use acceptance_tests::lab::wire::machine::{Account, ClosureMachine, CommandLine, Process, ProcessHost};
use acceptance_tests::lab::wire::server::WireServer;

use crate::wire::client::Client;

const HOST: &str = "portal01.dmz.contoso.com";
const USER: &str = "operator";
const PASSWORD: &str = "secret";

/// Programs of the test host.
async fn program(command: CommandLine, mut process: ProcessHost) {
    let written = match command.program.as_str() {
        "cat" => loop {
            match process.read_stdin().await {
                Some(chunk) if process.stdout(chunk.clone()).await.is_ok() => {}
                Some(_) => return,
                None => break Ok(()),
            }
        },
        "environment" => {
            let text = format!("{:?} {:?} {}", command.environment, command.working_directory, command.code_page);
            process.stdout(text).await
        }
        "big" => process.stdout(vec![7; 3_000_000]).await,
        "sleep" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok(())
        }
        "crash" => return,
        other => process.stderr(format!("{other}?")).await,
    };
    if written.is_ok() {
        process.exit(0).await;
    }
}

fn start(command: CommandLine) -> Process {
    match command.program.strip_prefix("local ") {
        Some(script) => {
            let mut shell = tokio::process::Command::new("sh");
            shell.args(["-c", script]);
            local_process::start(shell)
        }
        None => Process::spawn(move |process| program(command, process)),
    }
}

/// A lab of one host.
async fn lab(settings: Settings) -> WireServer {
    let machine = ClosureMachine { name: HOST.to_owned(), account: Account::administrator(USER, PASSWORD), start };
    WireServer::builder().host_with(Arc::new(machine), settings).start().await.expect("server")
}

async fn connect(server: &WireServer) -> Client {
    Client::connect(server, HOST, USER, PASSWORD).await
}
