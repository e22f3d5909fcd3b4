//! Hosts that need no PowerShell: the lab knows each script by name and answers from the host's state.
//!
//! What a script does is written a second time here, from its contract, and the same cases are run against both.

pub mod backups;
pub mod frame;
pub mod parameters;
pub mod reply;
pub mod script;
pub mod scripts;
pub mod work_folder;
pub mod worker;
pub mod xml;
