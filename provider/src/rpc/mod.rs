//! Terraform's wire protocol.

pub mod decode;
pub mod decode_json;
pub mod diagnostic;
pub mod encode;
pub mod generated;
pub mod schema;
