//! `doctor`: the shipped binary against hosts of the lab, from a command line to its report and exit status.

pub mod faults;
mod hosts;
mod interruptions;
pub mod run;
mod settings;
mod ways;
