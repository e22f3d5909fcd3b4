//! Private state: what the last read saw of the hosts, so that a plan needs no host.

use serde::{Deserialize, Serialize};

use crate::plan::Views;

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    views: Views,
}

/// The bytes that Terraform keeps. Equal views give equal bytes.
pub fn encode(views: &Views) -> Vec<u8> {
    let stored = Stored { format: FORMAT, views: views.clone() };
    serde_json::to_vec(&stored).expect("facts are plain data with text keys")
}

/// Reads them again. None when there are none or another release of the provider wrote them in a form that this one
/// does not know; a read makes new ones.
pub fn decode(bytes: &[u8]) -> Option<Views> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.format == FORMAT).then_some(stored.views)
}
