//! Terraform's vocabulary: values, attribute paths, schemas and diagnostics, free of any wire format.

pub mod apply_rules;
pub mod conform;
pub mod defaults;
pub mod diagnostic;
pub mod path;
pub mod plan_rules;
pub mod schema;
pub mod schema_check;
pub mod shape;
pub mod validation;
pub mod value;
