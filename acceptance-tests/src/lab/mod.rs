//! The lab: simulated Windows hosts behind a real WS-Management server on loopback.
//!
//! Nothing here shares a type with the provider: the lab speaks the wire and the scripts' JSON, so that it cannot agree
//! with the provider's mistakes.

pub mod wire;
