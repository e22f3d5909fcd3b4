//! The lab: simulated Windows hosts behind a real WS-Management server on loopback.
//!
//! Nothing here shares a type with the provider: the lab speaks the wire and the scripts' JSON, so that it cannot agree
//! with the provider's mistakes. Make an [`estate::Estate`], serve it with [`server::Lab`], and poke either while it
//! runs. A [`balancer::Balancer`] stands in front of it.

pub mod balancer;
pub mod estate;
pub mod host;
pub mod kerberos;
pub mod server;
pub mod wire;
