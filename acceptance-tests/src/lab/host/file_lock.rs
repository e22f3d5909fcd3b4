//! Locks between processes, by `flock(2)`: what .NET's exclusive opening of a file uses on Linux too.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::lab::host::error::LabError;

/// Waits until the lock is free and holds it until the file is dropped.
pub fn lock(path: &Path) -> Result<File, LabError> {
    let file = open(path)?;
    file.lock().map_err(LabError::file(path))?;
    Ok(file)
}

/// Holds the lock when it is free.
pub fn try_lock(path: &Path) -> Result<Option<File>, LabError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(LabError::file(path)(error)),
    }
}

fn open(path: &Path) -> Result<File, LabError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(LabError::file(path))
}
