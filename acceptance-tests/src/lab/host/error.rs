//! What can go wrong with the lab's own files.

use std::path::{Path, PathBuf};

/// The lab could not read or write something of its own.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("could not read or write {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not what the lab writes there", path.display())]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{0}")]
    Request(String),
    #[error("the lab's server could not start")]
    Wire(#[from] crate::lab::wire::server::StartError),
}

impl LabError {
    /// A request that the lab cannot fulfil as it stands.
    pub fn request(message: impl Into<String>) -> Self {
        Self::Request(message.into())
    }

    /// An error of the file system, with the file that it is about.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
