//! `doctor`: the shipped binary against hosts of the lab, from a command line to its report and exit status.

mod faults;
mod hosts;
mod interruptions;
pub mod run;
mod settings;
mod ways;
