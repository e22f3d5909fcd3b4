//! A process on a host that is talked with while it runs.

use bytes::Bytes;

use crate::winrm::command::Command;
use crate::winrm::error::Error;
use crate::winrm::soap::reply::Received;

/// A process that was started. Dropped before its end, it is terminated on the host.
pub struct Process(Command);

impl Process {
    pub(crate) fn new(command: Command) -> Self {
        Self(command)
    }

    /// Sends bytes to its standard input, which stays open. [`Error::started`] says whether it can have got all of them.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.0.write(vec![bytes]).await
    }

    /// Waits for output or the end, at most for the operation timeout; `None` when that ran out.
    pub async fn read(&mut self) -> Result<Option<Received>, Error> {
        self.0.receive().await
    }

    /// A connection broke while output was waited for: what the host had sent by then may be missing.
    pub fn may_lack_output(&self) -> bool {
        self.0.may_lack_output()
    }

    /// Lets it end with its shell, which is about to be closed, instead of ending it now.
    pub fn leave(self) {
        self.0.leave();
    }

    /// Gives the connection back until something is asked of the process again.
    pub fn rest(&mut self) {
        self.0.rest();
    }
}
