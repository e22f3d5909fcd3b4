//! JSON files that are written whole or not at all.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lab::host::error::LabError;
use crate::lab::host::file_lock;

/// Reads a file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::file(path))?;
    serde_json::from_slice(&bytes).map_err(|source| LabError::Content { path: path.to_owned(), source })
}

/// Writes a file through a temporary name.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), LabError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|source| LabError::Content { path: path.to_owned(), source })?;
    let fresh = path.with_extension(format!("{}.new", uuid::Uuid::new_v4().simple()));
    std::fs::write(&fresh, text).map_err(LabError::file(&fresh))?;
    std::fs::rename(&fresh, path).map_err(LabError::file(path))
}

/// Reads a file, changes what it holds and writes it, all under the lock beside it (`.lock` instead of `.json`).
///
/// A change that fails writes nothing.
pub fn update<T, R, E>(path: &Path, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E>
where
    T: Serialize + DeserializeOwned,
    E: From<LabError>,
{
    let _lock = file_lock::lock(&path.with_extension("lock"))?;
    let mut value = read(path)?;
    let result = change(&mut value)?;
    write(path, &value)?;
    Ok(result)
}
