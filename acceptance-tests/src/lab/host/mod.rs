//! A simulated Windows host: a folder with its state, its files and the record of what was done to it.
//!
//! [`folder::HostFolder`] is the host at rest, [`installer`] plays setup programs on it, and [`native`] and
//! [`powershell`] are the two ways in which it answers what is started on it over the wire.

pub mod client_copy;
pub mod console;
pub mod error;
pub mod farm;
pub mod faults;
pub mod file_lock;
pub mod folder;
pub mod installer;
pub mod journal;
pub mod json_file;
pub mod machine;
pub mod native;
pub mod powershell;
pub mod product;
pub mod registry;
pub mod resident;
pub mod scheduler;
pub mod state;
pub mod time;
pub mod web_site;
pub mod windows_path;
