//! A small file of a host comes to this process.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::backend::error::{Cause, HostError};
use crate::backend::windows::files::{PIECES_UNDER_WAY, hexadecimal};
use crate::backend::windows::runner::Call;
use crate::backend::windows::scripts::SEND_FILE;
use crate::backend::windows::work::Work;

/// Gets a file of the step's host, such as a web.config, into memory: at most `limit` bytes. The host refuses a longer
/// file before it sends anything, and this side takes no more than that whatever the host says. The hashes of what the
/// host read and of what arrived must agree.
pub async fn get(work: &Work<'_>, path: &str, limit: u64) -> Result<Vec<u8>, HostError> {
    #[derive(Deserialize)]
    struct Sent {
        length: u64,
        sha256: String,
    }
    let (output, mut pieces) = mpsc::channel::<Bytes>(PIECES_UNDER_WAY);
    let call = Call { output: Some(output), ..Call::new(SEND_FILE, json!({"path": path, "maximum_length": limit})) };
    let collect = async {
        let mut content = Vec::new();
        while let Some(piece) = pieces.recv().await {
            if content.len() as u64 + piece.len() as u64 > limit {
                // Nobody takes the rest, so the run is given up.
                pieces.close();
                return None;
            }
            content.extend_from_slice(&piece);
        }
        Some(content)
    };
    let (content, sent) = tokio::join!(collect, work.call::<Sent>(call));
    let unproven = |found: String| work.failure(Cause::Unproven(format!("{path} did not arrive as it is: {found}")));
    let Some(content) = content else {
        return Err(unproven(format!("more than the {limit} bytes came that are taken")));
    };
    let (sent, found) = (sent?, hexadecimal(Sha256::new_with_prefix(&content)));
    if sent.length == content.len() as u64 && sent.sha256.eq_ignore_ascii_case(&found) {
        return Ok(content);
    }
    Err(unproven(format!(
        "{} bytes with the SHA-256 hash {} were sent and {} bytes with {found} arrived",
        sent.length,
        sent.sha256,
        content.len()
    )))
}
