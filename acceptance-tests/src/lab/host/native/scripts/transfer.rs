//! `Send-File` and `Receive-File`.

use std::fs::OpenOptions;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::files::assert_hash;
use crate::lab::host::native::work_folder::{self, assert_inside};
use crate::lab::host::product::release::sha256;

/// Bytes in one line of data.
const PIECE: usize = 32 * 1024;

pub fn send(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = call.arguments.text("path").to_owned();
    if !call.host.is_file(&path) {
        return Err(Failure::not_found(format!("{path} does not exist")));
    }
    let bytes = call.host.read(&path)?;
    let (length, maximum) = (bytes.len(), call.arguments.number("maximum_length"));
    if i64::try_from(length).unwrap_or(i64::MAX) > maximum {
        return Err(Failure::invalid_input(format!("{path} has {length} bytes; at most {maximum} are taken")));
    }
    call.lines.extend(bytes.chunks(PIECE).map(|piece| format!("AZUREMFA-DATA:{}", STANDARD.encode(piece))));
    Ok(json!({ "length": length, "sha256": sha256(&bytes) }))
}

pub fn receive(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, path) = (call.host, call.arguments.text("path"));
    let length = call.arguments.number("length");
    let wanted = call.arguments.text("sha256").to_ascii_lowercase();
    assert_hash(&wanted)?;
    assert_inside(host, path)?;
    if is_received(host, path, length, &wanted)? {
        return Ok(json!({ "already": true, "length": length, "sha256": wanted }));
    }
    work_folder::initialize(host)?;
    // A process that is ended from outside leaves what has arrived.
    let partial = format!("{path}.partial");
    host.write(&partial, b"")?;
    std::io::copy(call.input, &mut OpenOptions::new().write(true).open(host.real(&partial)?)?)?;
    let input = host.read(&partial)?;
    host.remove(&partial)?;
    let count = i64::try_from(input.len()).unwrap_or(i64::MAX);
    if count < length {
        return Err(Failure::invalid_input(format!("{count} of {length} bytes arrived; nothing was kept")));
    }
    if count > length {
        let message = format!("more than the promised {length} bytes arrived; nothing was kept");
        return Err(Failure::invalid_input(message));
    }
    let found = sha256(&input);
    if found != wanted {
        return Err(Failure::invalid_input(format!(
            "what arrived has the SHA-256 hash {found} instead of {wanted}; nothing was kept"
        )));
    }
    host.write(path, input)?;
    host.record("receive_file", json!({ "path": path, "length": length, "sha256": wanted }))?;
    Ok(json!({ "already": false, "length": length, "sha256": wanted }))
}

/// Whether the very file is there already.
pub fn is_received(host: &HostFolder, path: &str, length: i64, wanted: &str) -> Result<bool, Failure> {
    if !host.is_file(path) {
        return Ok(false);
    }
    let present = host.read(path)?;
    Ok(i64::try_from(present.len()) == Ok(length) && sha256(&present) == wanted)
}
