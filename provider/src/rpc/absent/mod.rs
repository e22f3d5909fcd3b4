//! Families of RPCs for what this provider has none of. Each is answered: a list is empty, and whoever asks for one by
//! name reads that there is none. "Unsupported plugin method" helps nobody.

pub mod actions;
pub mod data_sources;
pub mod ephemeral_resources;
pub mod functions;
pub mod identities;
pub mod list_resources;
pub mod moves;
pub mod state_stores;

use crate::rpc::diagnostic;
use crate::rpc::reply::Reply;

/// The reply that there is no `what` called `name`.
fn none<Res: Reply>(what: &str, name: &str) -> Res {
    Res::failed(diagnostic::to_wire(diagnostic::absent(what, name)))
}
