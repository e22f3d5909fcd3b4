//! What the demo does again and again: run Terraform, show what it prints, hold it to what was promised.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::lab::host::error::LabError;
use crate::lab::server::Lab;
use crate::workspace::Workspace;

/// What was not as promised.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("terraform {command} ended with {found} instead of {expected}")]
    ExitCode { command: String, expected: i32, found: i32 },
    #[error("{what} does not show {text:?}")]
    Missing { what: String, text: String },
    #[error("terraform or its output could not be handled")]
    Io(#[from] std::io::Error),
    #[error("the simulated estate could not be handled")]
    Lab(#[from] LabError),
}

/// The demo while it runs.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub workspace: &'a Workspace,
    pub out: &'a mut dyn Write,
    pub colour: bool,
}

/// What one run printed on standard output, without colours.
pub struct Shown {
    command: String,
    text: String,
}

impl Stage<'_> {
    /// Prints a heading.
    pub fn heading(&mut self, text: &str) -> Result<(), Broken> {
        let line = "=".repeat(text.chars().count());
        self.say(&format!("\n{text}\n{line}\n"))
    }

    /// Prints text.
    pub fn say(&mut self, text: &str) -> Result<(), Broken> {
        writeln!(self.out, "{text}")?;
        Ok(self.out.flush()?)
    }

    /// Prints what runs where, as the hosts themselves would say.
    pub fn estate(&mut self) -> Result<(), Broken> {
        let table = self.lab.estate().table()?;
        self.say(&table)
    }

    /// Writes what an operator would keep in `terraform.tfvars`.
    pub fn settings(&mut self, version: &str, master: &str) -> Result<(), Broken> {
        let authority = std::fs::read_to_string(&self.lab.ca_file)?;
        let text = format!(
            "mfa_version    = {version:?}\nmaster         = {master:?}\nproxy          = {:?}\nca_certificate = <<EOT\n{authority}EOT\n",
            self.lab.proxy_url,
        );
        self.workspace.write("terraform.tfvars", &text);
        self.say(&format!("terraform.tfvars now says: mfa_version = {version:?}, master = {master:?}"))
    }

    /// `plan -detailed-exitcode`, saved.
    pub fn plan(&mut self, file: &str, expected: i32) -> Result<Shown, Broken> {
        self.terraform(&["plan", "-input=false", "-detailed-exitcode", &format!("-out={file}")], expected)
    }

    /// Runs Terraform, printing as it prints.
    pub fn terraform(&mut self, arguments: &[&str], expected: i32) -> Result<Shown, Broken> {
        let command = arguments.join(" ");
        self.say(&format!("$ terraform {command}"))?;
        let mut arguments = arguments.to_vec();
        if !self.colour {
            arguments.insert(1, "-no-color");
        }
        let mut child =
            self.workspace.command(&arguments, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut errors = child.stderr.take().expect("standard error is piped");
        // Read beside standard output, or a full pipe would stop the child.
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        });
        let mut text = String::new();
        for line in BufReader::new(child.stdout.take().expect("standard output is piped")).lines() {
            let line = line?;
            self.say(&line)?;
            text.push_str(&line);
            text.push('\n');
        }
        let errors = reader.join().expect("the reader does not panic")?;
        self.say(&errors)?;
        let found = child.wait()?.code().unwrap_or(-1);
        if found != expected {
            return Err(Broken::ExitCode { command, expected, found });
        }
        Ok(Shown { command, text: without_colours(&text) })
    }

    /// Leaves the estate up until the person has had enough.
    pub fn keep(&mut self) -> Result<(), Broken> {
        let (folder, estate) = (self.workspace.path().display(), self.lab.estate().folder().display());
        let lab = "cargo run -q -p acceptance-tests --bin lab --";
        let variables: Vec<String> =
            self.workspace.variables().map(|(name, value)| format!("{name}={value}")).collect();
        self.say(&format!(
            "\nThe estate stays up until you press Ctrl-C. In another terminal, to be the pipeline:\n\n  \
             cd {folder}\n  export TF_CLI_CONFIG_FILE=$PWD/terraform.rc {}\n  \
             {} plan\n\nand from this checkout, to be the operator who changes things by hand:\n\n  \
             {lab} show --estate {estate}\n  {lab} set-version mfa02 6.3.1.1 --estate {estate}\n  \
             {lab} promote mfa03 --estate {estate}\n  {lab} journal --estate {estate}\n",
            variables.join(" "),
            self.workspace.typed(),
        ))?;
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}

impl Shown {
    /// Holds the run to showing a text, wherever its columns are aligned.
    pub fn shows(&self, text: &str) -> Result<(), Broken> {
        let folded = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if folded.contains(text) {
            return Ok(());
        }
        Err(Broken::Missing { what: format!("terraform {}", self.command), text: text.to_owned() })
    }
}

/// Text without terminal colour sequences.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour sequence ends with the first letter.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}
