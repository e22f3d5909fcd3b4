//! The record of what was done to hosts, in order over the whole estate.

use std::fs::OpenOptions;
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lab::host::error::LabError;
use crate::lab::host::{file_lock, time};

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises over the whole estate.
    pub sequence: u64,
    pub time: String,
    pub host: String,
    pub what: String,
    pub detail: Value,
}

/// Writes an entry into the journal of a host folder. `lock` holds the estate's last number as text.
pub fn append(lock: &Path, file: &Path, host: &str, what: &str, detail: Value) -> Result<(), LabError> {
    let mut number = file_lock::lock(lock)?;
    let mut text = String::new();
    number.read_to_string(&mut text).map_err(LabError::file(lock))?;
    let sequence = text.trim().parse::<u64>().unwrap_or_default() + 1;
    let replace = |number: &mut std::fs::File| {
        number.rewind()?;
        number.set_len(0)?;
        number.write_all(sequence.to_string().as_bytes())
    };
    replace(&mut number).map_err(LabError::file(lock))?;
    let entry = Entry { sequence, time: time::now(), host: host.to_owned(), what: what.to_owned(), detail };
    let line = serde_json::to_string(&entry).map_err(|source| LabError::Content { path: file.to_owned(), source })?;
    let journal = OpenOptions::new().create(true).append(true).open(file);
    journal.and_then(|mut journal| writeln!(journal, "{line}")).map_err(LabError::file(file))
}

/// The entries of one host, in order; none when nothing was done.
pub fn read(file: &Path) -> Result<Vec<Entry>, LabError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LabError::file(file)(error)),
    };
    let parse = |line| serde_json::from_str(line);
    let entries: Result<Vec<_>, _> = text.lines().map(parse).collect();
    entries.map_err(|source| LabError::Content { path: file.to_owned(), source })
}
