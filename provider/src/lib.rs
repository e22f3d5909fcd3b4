//! A Terraform/OpenTofu provider that upgrades Azure MFA Server estates.

pub mod backend;
pub mod config;
pub mod docs;
pub mod plan;
pub mod resource;
pub mod rpc;
pub mod secret;
pub mod tf;
pub mod winrm;
