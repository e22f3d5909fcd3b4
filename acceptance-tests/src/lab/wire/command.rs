//! One running command of a shell: its input, its output waiting to be received, and its end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::lab::wire::fault::Fault;
use crate::lab::wire::machine::{EXIT_CONTROL_C, EXIT_CRASHED, Output, Process};

/// How long output is collected after its first piece, so that a short command needs one Receive. How long Windows
/// waits has not been measured.
pub const GATHERING: Duration = Duration::from_millis(10);

/// A command that a client started.
pub struct Command {
    stdin: Mutex<Option<mpsc::Sender<Bytes>>>,
    /// A Send is being carried out.
    sending: AtomicBool,
    output: tokio::sync::Mutex<Waiting>,
    kill: watch::Sender<bool>,
    aborted: watch::Sender<bool>,
    interrupted: AtomicBool,
    alive: Weak<()>,
}

/// Output not yet received.
struct Waiting {
    receiver: mpsc::Receiver<Output>,
    /// What did not fit into the last answer.
    left_over: VecDeque<Output>,
}

/// What one Receive gets.
#[derive(Default)]
pub struct Received {
    /// Standard output (`true`: standard error) in the order it was written.
    pub chunks: Vec<(bool, Bytes)>,
    pub exit_code: Option<i32>,
}

impl Command {
    pub fn new(process: Process) -> Self {
        Self {
            stdin: Mutex::new(Some(process.stdin)),
            sending: AtomicBool::new(false),
            output: tokio::sync::Mutex::new(Waiting { receiver: process.output, left_over: VecDeque::new() }),
            kill: process.kill,
            aborted: watch::Sender::new(false),
            interrupted: AtomicBool::new(false),
            alive: process.alive,
        }
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// Ctrl-C: the process ends, its exit code can still be received.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
        self.kill.send_replace(true);
    }

    /// Ends the process and every operation on it.
    pub fn abort(&self) {
        self.kill.send_replace(true);
        self.aborted.send_replace(true);
    }

    /// Writes input. Takes until the process has room for it; after `timeout` the client is told so, and the input
    /// is delivered all the same once there is room.
    pub async fn send(self: &Arc<Self>, input: Vec<u8>, end: bool, timeout: Duration) -> Result<(), Fault> {
        if self.sending.swap(true, Ordering::AcqRel) {
            return Err(Fault::busy());
        }
        let command = Arc::clone(self);
        let delivery = tokio::spawn(async move {
            let result = command.deliver(input, end).await;
            command.sending.store(false, Ordering::Release);
            result
        });
        match tokio::time::timeout(timeout, delivery).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::aborted()),
            Err(_) => Err(Fault::timed_out()),
        }
    }

    async fn deliver(&self, input: Vec<u8>, end: bool) -> Result<(), Fault> {
        let Some(stdin) = self.stdin.lock().expect("stdin").clone() else {
            return Err(Fault::broken_pipe());
        };
        let mut aborted = self.aborted.subscribe();
        if !input.is_empty() {
            tokio::select! {
                sent = stdin.send(input.into()) => sent.map_err(|_| Fault::broken_pipe())?,
                _ = aborted.wait_for(|&aborted| aborted) => return Err(Fault::aborted()),
            }
        }
        if end {
            self.stdin.lock().expect("stdin").take();
        }
        Ok(())
    }

    /// Waits for output and gives up to `limit` bytes of what comes within `gathering` after its first piece;
    /// [`Fault::timed_out`] when there was none.
    pub async fn receive(&self, timeout: Duration, gathering: Duration, limit: usize) -> Result<Received, Fault> {
        let Ok(mut waiting) = self.output.try_lock() else {
            return Err(Fault::busy());
        };
        let mut aborted = self.aborted.subscribe();
        let first = tokio::select! {
            biased;
            _ = aborted.wait_for(|&aborted| aborted) => return Err(Fault::aborted()),
            first = tokio::time::timeout(timeout, waiting.next()) => first.map_err(|_| Fault::timed_out())?,
        };
        let mut received = Received::default();
        let mut room = limit;
        let mut next = first;
        loop {
            match next {
                None => {
                    let interrupted = self.interrupted.load(Ordering::Relaxed);
                    received.exit_code = Some(if interrupted { EXIT_CONTROL_C } else { EXIT_CRASHED });
                    break;
                }
                Some(Output::Exit(code)) => {
                    received.exit_code = Some(code);
                    break;
                }
                Some(Output::Stdout(bytes)) => waiting.take(&mut received, false, bytes, &mut room),
                Some(Output::Stderr(bytes)) => waiting.take(&mut received, true, bytes, &mut room),
            }
            if room == 0 {
                break;
            }
            next = match tokio::time::timeout(gathering, waiting.next()).await {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        Ok(received)
    }
}

impl Waiting {
    async fn next(&mut self) -> Option<Output> {
        match self.left_over.pop_front() {
            Some(output) => Some(output),
            None => self.receiver.recv().await,
        }
    }

    /// Adds as much of a chunk as there is room for and keeps the rest.
    fn take(&mut self, received: &mut Received, is_error: bool, mut bytes: Bytes, room: &mut usize) {
        if bytes.len() > *room {
            let rest = bytes.split_off(*room);
            self.left_over.push_front(if is_error { Output::Stderr(rest) } else { Output::Stdout(rest) });
        }
        *room -= bytes.len();
        if !bytes.is_empty() {
            received.chunks.push((is_error, bytes));
        }
    }
}
