//! The standard input of a command, message after message. While one is on its way the next is made, and sealed: over a
//! distance, and at a host that takes its time, that costs nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use roxmltree::Document;

use crate::winrm::command::Command;
use crate::winrm::error::{Error, Kind, Operation, Started};
use crate::winrm::shell::Host;
use crate::winrm::soap::reply;
use crate::winrm::stdin::{Pieces, Stdin};

/// How often a `Send` is repeated while the host has not taken the one before.
const BUSY_ATTEMPTS: u32 = 3;

/// Below this a host does not take messages at all.
const SMALLEST_PIECE: usize = 8 * 1024;

/// A piece of input, as it is sent.
struct Input {
    message: Bytes,
    length: usize,
    last: bool,
}

/// Writes the messages of one command.
struct Writer {
    host: Arc<Host>,
    shell: String,
    command: String,
    /// The end of the last piece is the end of the input.
    ends: bool,
}

impl Command {
    /// Sends all of standard input and its end. Nothing is sent for [`Stdin::None`].
    pub(crate) async fn feed(&mut self, stdin: Stdin<'_>) -> Result<(), Error> {
        if matches!(stdin, Stdin::None) {
            return Ok(());
        }
        self.send_all(Pieces::new(stdin), true).await.map_err(Error::after_start)
    }

    /// Sends bytes to the command's standard input, which stays open. The error says whether the command can have got
    /// all of them.
    pub(crate) async fn write(&mut self, bytes: Vec<Bytes>) -> Result<(), Error> {
        self.send_all(Pieces::new(Stdin::Bytes(bytes)), false).await
    }

    async fn send_all(&mut self, mut pieces: Pieces<'_>, ends: bool) -> Result<(), Error> {
        let writer =
            Writer { host: Arc::clone(&self.host), shell: self.shell_id().to_owned(), command: self.id.clone(), ends };
        let (mut prepared, mut attempt) = (None, 1);
        loop {
            let Input { message, length, last } = match prepared.take() {
                Some(input) => input,
                None => writer.first(&mut pieces).await?,
            };
            let (sent, following) = self.send(message, &writer, (!last).then_some(&mut pieces), length).await;
            let error = match sent {
                Ok(()) if last => return Ok(()),
                Ok(()) => {
                    pieces.advance(length);
                    (prepared, attempt) = (following, 1);
                    continue;
                }
                Err(error) => error,
            };
            match error.kind {
                Kind::Busy(_) if attempt < BUSY_ATTEMPTS => {
                    tracing::info!(host = %self.host.name, attempt, "the host is busy with earlier input");
                    self.host.pause(1).await;
                    attempt += 1;
                }
                kind if is_too_large(&kind) && length > SMALLEST_PIECE => {
                    let smaller = (length / 2).max(SMALLEST_PIECE);
                    self.host.piece.fetch_min(smaller, Ordering::Relaxed);
                    tracing::info!(host = %self.host.name, bytes = smaller, "the host wants smaller messages");
                }
                kind if last => return Err(Error { kind, ..error }),
                kind => return Err(Error { kind, started: Started::NotStarted, ..error }),
            }
        }
    }

    /// Sends a message, and meanwhile makes the one for the piece after its `length` bytes, when it is given the `pieces`.
    async fn send(
        &mut self,
        message: Bytes,
        writer: &Writer,
        pieces: Option<&mut Pieces<'_>>,
        length: usize,
    ) -> (Result<(), Error>, Option<Input>) {
        let mut following = None;
        let sent = {
            let mut next = pin!(async {
                let pieces = pieces?;
                // First the message before it has to leave.
                tokio::task::yield_now().await;
                following = writer.after(pieces, length).await;
                following.as_ref().map(|input| input.message.clone())
            });
            let read = |reply: &Document<'_>| reply::confirmed(reply, "SendResponse");
            self.exchange_before(Operation::SendInput, message, Some(next.as_mut()), read).await
        };
        match sent {
            Err(Error { kind: Kind::TimedOut(_), .. }) => {
                // The host holds the piece until the process reads it, so it must not be sent
                // twice. If it was lost after all, the reader's own check of length or hash finds it.
                tracing::warn!(host = %self.host.name, "the command is slow to read its input");
                (Ok(()), following)
            }
            sent => (sent, following),
        }
    }
}

impl Writer {
    /// The piece that is to be sent now.
    async fn first(&self, pieces: &mut Pieces<'_>) -> Result<Input, Error> {
        let failed = |error| Error::new(&self.host.name, Operation::SendInput, Kind::Stdin(error)).after_start();
        let (piece, last) = pieces.peek(self.length()).await.map_err(failed)?;
        Ok(self.input(piece, last))
    }

    /// The piece after the first `from` bytes.
    async fn after(&self, pieces: &mut Pieces<'_>, from: usize) -> Option<Input> {
        let (piece, last) = pieces.peek_after(from, self.length()).await?;
        Some(self.input(piece, last))
    }

    fn length(&self) -> usize {
        self.host.piece.load(Ordering::Relaxed)
    }

    fn input(&self, piece: &[u8], last: bool) -> Input {
        let message = self.host.sender.send(&self.shell, &self.command, piece, last && self.ends);
        Input { message: message.into(), length: piece.len(), last }
    }
}

fn is_too_large(kind: &Kind) -> bool {
    matches!(kind, Kind::HttpStatus { status: 413 } | Kind::TooLarge(_))
}
