//! A host of the estate on the wire: who can log on, and what runs when something is started there.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::lab::host::console;
use crate::lab::host::faults::{Moment, ScriptEffect, ScriptFault};
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::frame::{self, FrameError};
use crate::lab::host::native::reply::{self, Failure};
use crate::lab::host::native::{script, worker};
use crate::lab::host::powershell::PowerShell;
use crate::lab::host::{client_copy, resident, web_site};
use crate::lab::wire::machine::{
    Account, CommandLine, EXIT_CRASHED, Machine, Output, Process, ProcessHost, account_matches,
};
use crate::lab::wire::psrp::{Pipeline, Script, Thrown};
use crate::lab::wire::server::WireServer;
use crate::lab::wire::web_site::Page;

/// How the processes of a host are played.
#[derive(Clone, Debug)]
pub enum Player {
    /// By the lab itself.
    Native,
    /// By real PowerShell processes.
    PowerShell(PowerShell),
}

/// The way back from a host to the wire, which is there once the server runs.
pub type Link = Arc<OnceLock<Weak<WireServer>>>;

/// A host of the estate.
pub struct LabMachine {
    host: Arc<Host>,
    account: Account,
}

pub(super) struct Host {
    name: String,
    pub(super) folder: HostFolder,
    pub(super) player: Player,
    link: Link,
}

impl LabMachine {
    /// A host with one account, an administrator.
    pub fn new(name: &str, folder: HostFolder, account: Account, player: Player, link: Link) -> Self {
        Self { host: Arc::new(Host { name: name.to_owned(), folder, player, link }), account }
    }
}

impl Machine for LabMachine {
    fn name(&self) -> &str {
        &self.host.name
    }

    fn account(&self, domain: &str, user: &str) -> Option<Account> {
        account_matches(&self.account.name, domain, user).then(|| self.account.clone())
    }

    fn start(&self, command: CommandLine) -> Process {
        let host = Arc::clone(&self.host);
        Process::spawn(move |process| async move {
            match console::encoded_command(&command) {
                Some(encoded) => host.run_script(process, encoded).await,
                None => console::run(&host.folder, &command, process).await,
            }
        })
    }

    fn page(&self, path: &str) -> Page {
        web_site::page(&self.host.folder, path)
    }

    fn begin(&self, script: &Script) -> Result<Box<dyn Pipeline>, Thrown> {
        client_copy::begin(&self.host.folder, script)
    }

    fn operating_system_version(&self) -> String {
        let state = self.host.folder.state();
        state.map_or_else(|_| "10.0.17763".to_owned(), |state| state.operating_system.version)
    }
}

impl Host {
    /// Runs a script, with whatever fault is due for it.
    async fn run_script(self: &Arc<Self>, mut process: ProcessHost, encoded: String) {
        if let Some(words) = self.folder.state().ok().and_then(|state| state.powershell_refusal) {
            let _ = process.stderr(format!("{words}\r\n")).await;
            return process.exit(1).await;
        }
        let (header, read) = match frame::read_header(&mut process).await {
            Ok(read) => read,
            Err(error) => return fail(process, &error).await,
        };
        if header.script == worker::NAME {
            return resident::serve(Arc::clone(self), process, header, read, &encoded).await;
        }
        let name = header.script.clone();
        let fault = self.take_fault(&name);
        if let Some(fault) = fault.clone().filter(|fault| fault.when == Moment::Before) {
            return self.play(process, &name, None, &fault).await;
        }
        match &self.player {
            Player::Native => self.run_native(process, header, read, fault).await,
            Player::PowerShell(powershell) => {
                let inner = powershell.start(&self.folder, &encoded);
                let left = relay(process, inner, read, fault.is_none()).await;
                if let (Some(process), Some(fault)) = (left, fault) {
                    self.play(process, &name, None, &fault).await;
                }
            }
        }
    }

    async fn run_native(
        &self,
        mut process: ProcessHost,
        header: frame::Header,
        read: Vec<u8>,
        fault: Option<ScriptFault>,
    ) {
        let name = header.script.clone();
        let call = match frame::read(&mut process, header, read).await {
            Ok(call) => call,
            Err(error) => return fail(process, &error).await,
        };
        let (pieces, waiting) = mpsc::channel(1);
        let whole = Arc::new(AtomicBool::new(false));
        let (folder, mut input) =
            (self.folder.clone(), Arriving { waiting, piece: call.input, whole: Arc::clone(&whole) });
        let run = move || script::run(&folder, &call.header.script, &call.script_text, &call.argument_text, &mut input);
        let lines = tokio::task::spawn_blocking(run);
        // Only these scripts read what follows, and to the end even when they have no use for it.
        if matches!(name.as_str(), "Receive-File" | "Receive-PartialFile") {
            while let Some(piece) = process.read_stdin().await {
                let _ = pieces.send(piece).await;
            }
        }
        whole.store(!process.is_killed(), Ordering::SeqCst);
        drop(pieces);
        // A defect of the lab shows as a process that ends without a reply.
        let lines = lines.await.unwrap_or_default();
        if let Some(fault) = fault {
            return self.play(process, &name, None, &fault).await;
        }
        for line in lines {
            if process.stdout(format!("{line}\r\n")).await.is_err() {
                return;
            }
        }
        process.exit(0).await;
    }

    pub(super) fn take_fault(&self, script: &str) -> Option<ScriptFault> {
        let waiting = self.folder.state().is_ok_and(|state| !state.faults.script.is_empty());
        let take = || self.folder.update(|state| Ok::<_, Failure>(state.faults.take_script(script)));
        waiting.then(take).and_then(Result::ok).flatten()
    }

    /// Lets the caller see a fault. In a worker the call has a number.
    pub(super) async fn play(&self, process: ProcessHost, script: &str, call: Option<u64>, fault: &ScriptFault) {
        match fault.effect {
            ScriptEffect::Error => {
                let failure = Failure::other("this was to fail, as the lab was told");
                let line = reply::line(script, Err(failure));
                let line = call.map_or_else(|| line.clone(), |call| reply::numbered(&line, call));
                let _ = process.stdout(format!("{line}\r\n")).await;
                process.exit(0).await;
            }
            ScriptEffect::Silence => process.exit(1).await,
            ScriptEffect::Garble => {
                let _ = process.stdout(format!("AZUREMFA-REPLY:{{\"ok\":true,\"script\":\"{script}\",\"res\r\n")).await;
                process.exit(0).await;
            }
            ScriptEffect::Drop => {
                let Some(server) = self.link.get().and_then(Weak::upgrade) else { return process.exit(1).await };
                let host = server.host(&self.name);
                host.drop_connections();
                // The connection goes first, so that nobody is told why the shell is gone. This process goes with it.
                tokio::time::sleep(Duration::from_millis(20)).await;
                host.lose_shells();
            }
        }
    }
}

/// Raw bytes of a call, while they arrive. They break off when the process is ended from outside: nothing that a script does
/// at its end is done then.
struct Arriving {
    waiting: mpsc::Receiver<Bytes>,
    piece: Bytes,
    /// Nothing follows what is waiting.
    whole: Arc<AtomicBool>,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.waiting.blocking_recv() {
                Some(piece) => self.piece = piece,
                None if self.whole.load(Ordering::SeqCst) => return Ok(0),
                None => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

pub(super) async fn fail(process: ProcessHost, error: &FrameError) {
    let _ = process.stderr(format!("{error}\r\n")).await;
    process.exit(1).await;
}

/// Carries input and output between a process of the host and the one that plays it. `read` is input that was read
/// already. Unless the output is `shown`, gives the process back when the inner one has ended.
async fn relay(mut process: ProcessHost, inner: Process, read: Vec<u8>, shown: bool) -> Option<ProcessHost> {
    let Process { stdin, mut output, kill, alive: _ } = inner;
    let sender = process.output();
    let carry_input = async {
        let mut chunk = Some(Bytes::from(read));
        while let Some(bytes) = chunk {
            // A process that does not read to the end of its input still has output to be carried.
            if stdin.send(bytes).await.is_err() {
                break;
            }
            chunk = process.read_stdin().await;
        }
        drop(stdin);
        std::future::pending::<Option<i32>>().await
    };
    let carry_output = async {
        loop {
            match output.recv().await {
                Some(Output::Exit(code)) => break Some(code),
                None => break Some(EXIT_CRASHED),
                Some(next) if shown => sender.send(next).await.ok()?,
                Some(_) => {}
            }
        }
    };
    let code = tokio::select! {
        code = carry_input => code,
        code = carry_output => code,
    };
    // The inner process lives as long as this end of it is kept.
    drop(kill);
    match code {
        Some(code) if shown => process.exit(code).await,
        Some(_) => return Some(process),
        None => {}
    }
    None
}
