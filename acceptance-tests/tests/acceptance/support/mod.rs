//! What cases are made of: an estate, a configuration, and Terraform between them.

pub mod case;
pub mod certificate;
pub mod hcl;
