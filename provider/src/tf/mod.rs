//! Terraform's vocabulary: values, attribute paths, schemas and diagnostics, free of any wire format.

pub mod diagnostic;
pub mod path;
pub mod schema;
pub mod value;
