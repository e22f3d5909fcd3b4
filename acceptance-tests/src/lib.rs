//! The simulated estate and the harness that drives the shipped provider binary with real Terraform and OpenTofu.

pub mod bench;
pub mod demo;
pub mod lab;
pub mod paths;
pub mod powershell;
pub mod skip;
pub mod tools;
pub mod workspace;
