//! The cases: real Terraform, the shipped provider, a simulated estate.

mod estate;
mod failures;
mod guards;
mod interruptions;
mod refusals;
pub mod secrets;
mod unreachable;
mod versions;
mod ways;
mod workflow;
