//! The cases: real Terraform, the shipped provider, a simulated estate.

mod estate;
mod failures;
mod gap_guard;
mod guards;
mod health;
mod interruptions;
mod leases;
mod ports;
mod refusals;
pub mod secrets;
mod traffic;
mod unreachable;
mod versions;
mod ways;
mod workflow;
