//! Workers: PowerShell processes of a host that serve one call after the other.

use std::sync::Arc;

use bytes::Bytes;

use crate::lab::host::faults::{Moment, ScriptFault};
use crate::lab::host::machine::{Host, Player, fail};
use crate::lab::host::native::frame::{self, Header};
use crate::lab::host::native::worker::{Call, Kind, Order, Orders};
use crate::lab::host::native::{reply, script, worker};
use crate::lab::wire::machine::{EXIT_CRASHED, Output, Process, ProcessHost};

/// A worker of a host, played by somebody.
struct Worker {
    host: Arc<Host>,
    process: ProcessHost,
    /// The number and the reply line of the last call; only the lab's own player keeps them.
    last: Option<(u64, String)>,
    /// The real PowerShell, when that plays the host.
    inner: Option<Inner>,
}

/// A PowerShell process that serves as a worker, and what it wrote since the last whole line.
struct Inner {
    process: Process,
    line: Vec<u8>,
}

/// Serves until standard input ends, or a fault ends the process.
pub(super) async fn serve(host: Arc<Host>, mut process: ProcessHost, header: Header, read: Vec<u8>, encoded: &str) {
    let frame = match frame::read(&mut process, header, read).await {
        Ok(frame) => frame,
        Err(error) => return fail(process, &error).await,
    };
    let mut orders = Orders::new(&frame.input);
    let inner = match &host.player {
        Player::Native => match script::check_powershell(&host.folder) {
            Ok(()) => None,
            Err(failure) => {
                let _ = process.stdout(format!("{}\r\n", reply::line(worker::NAME, Err(failure)))).await;
                return process.exit(0).await;
            }
        },
        Player::PowerShell(powershell) => {
            let inner = powershell.start(&host.folder, encoded);
            if inner.stdin.send(frame.raw).await.is_err() {
                return process.exit(EXIT_CRASHED).await;
            }
            Some(Inner { process: inner, line: Vec::new() })
        }
    };
    let mut worker = Worker { host, process, last: None, inner };
    loop {
        match orders.next(&mut worker.process).await {
            Ok(Some(order)) => match worker.carry_out(order).await {
                Some(next) => worker = next,
                None => return,
            },
            Ok(None) => return worker.process.exit(0).await,
            Err(error) => return fail(worker.process, &error).await,
        }
    }
}

impl Worker {
    /// Does as it is told; the worker, unless it has ended with that.
    async fn carry_out(self, order: Order) -> Option<Self> {
        match order.kind {
            Kind::Repeat(number) if self.inner.is_none() => {
                let last = self.last.as_ref().filter(|(call, _)| *call == number);
                let line = last.map_or_else(|| format!("AZUREMFA-END:{number}"), |(_, line)| line.clone());
                self.say(&line).await.then_some(self)
            }
            Kind::Repeat(_) => self.forward(order.raw, true).await,
            Kind::Call(call) => {
                let fault = self.host.take_fault(&call.script);
                match fault {
                    Some(fault) if fault.when == Moment::Before => {
                        if call.announced {
                            self.say(&format!("AZUREMFA-BEGIN:{}", call.number)).await;
                        }
                        self.play(&call, &fault).await;
                        None
                    }
                    fault => self.run(order.raw, call, fault).await,
                }
            }
        }
    }

    async fn run(mut self, raw: Vec<u8>, call: Call, fault: Option<ScriptFault>) -> Option<Self> {
        if self.inner.is_some() {
            self = self.forward(raw, fault.is_none()).await?;
        } else {
            self.run_natively(&call, fault.is_none()).await;
        }
        match fault {
            Some(fault) => {
                self.play(&call, &fault).await;
                None
            }
            None => Some(self),
        }
    }

    async fn run_natively(&mut self, call: &Call, shown: bool) {
        if call.announced {
            self.say(&format!("AZUREMFA-BEGIN:{}", call.number)).await;
        }
        let folder = self.host.folder.clone();
        let (name, text, arguments) = (call.script.clone(), call.script_text.clone(), call.argument_text.clone());
        let run = move || script::run(&folder, &name, &text, &arguments, &mut std::io::empty());
        // A defect of the lab shows as a call without a reply.
        let lines = tokio::task::spawn_blocking(run).await.unwrap_or_default();
        for line in lines {
            let line = reply::numbered(&line, call.number);
            if shown {
                self.say(&line).await;
            }
            self.last = Some((call.number, line));
        }
    }

    /// Lets the real PowerShell do it, up to the end of the call. Ends with the process.
    async fn forward(mut self, raw: Vec<u8>, shown: bool) -> Option<Self> {
        let inner = self.inner.as_mut().expect("only called with PowerShell");
        let sent = inner.process.stdin.send(Bytes::from(raw)).await;
        let mut ended = sent.is_err();
        while !ended {
            let output = inner.process.output.recv().await.unwrap_or(Output::Exit(EXIT_CRASHED));
            match &output {
                Output::Stdout(bytes) => ended = inner.take(bytes),
                Output::Stderr(_) => {}
                Output::Exit(code) => {
                    self.process.exit(*code).await;
                    return None;
                }
            }
            if shown {
                self.process.output().send(output).await.ok()?;
            }
        }
        Some(self)
    }

    async fn play(self, call: &Call, fault: &ScriptFault) {
        self.host.play(self.process, &call.script, Some(call.number), fault).await;
    }

    /// Whether anybody reads it.
    async fn say(&self, line: &str) -> bool {
        self.process.stdout(format!("{line}\r\n")).await.is_ok()
    }
}

impl Inner {
    /// Whether these bytes end a call.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut ended = false;
        for &byte in bytes {
            if byte == b'\n' {
                ended |= [&b"AZUREMFA-REPLY:"[..], b"AZUREMFA-END:"].iter().any(|mark| self.line.starts_with(mark));
                self.line.clear();
            } else {
                self.line.push(byte);
            }
        }
        ended
    }
}
