//! PowerShell remoting (MS-PSRP) over a shell of WS-Management: enough for a client that opens a runspace pool, sends one
//! script with input that is text, and takes the output.
//!
//! From the outside in: [`fragment`] cuts and joins, [`message`] is what fragments carry, [`clixml`] what messages say,
//! [`runspace`] the pool and its pipelines as the processes of a shell. What a script does is up to
//! [`crate::lab::wire::machine::Machine::begin`].

pub mod clixml;
pub mod fragment;
pub mod message;
pub mod runspace;

/// Resource of the PowerShell endpoint that every Windows has.
pub const RESOURCE: &str = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell";

/// What a client sent is no PSRP, or a part of it that is not played here.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// A script as a client asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub text: String,
    /// Positional arguments, as text.
    pub arguments: Vec<String>,
}

/// A script that runs in a pipeline: it has begun.
pub trait Pipeline: Send {
    /// Takes one object of the input.
    ///
    /// # Errors
    /// What the script threw; it has ended then.
    fn process(&mut self, input: &str) -> Result<(), Thrown>;

    /// Ends it and gives its output.
    ///
    /// # Errors
    /// What the script threw.
    fn end(self: Box<Self>) -> Result<Vec<String>, Thrown>;
}

/// The message of an error that ended a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown(pub String);
