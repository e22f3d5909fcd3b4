//! `Initialize-PartialFile`, `Receive-PartialFile`, `Get-PartialFile` and `Complete-PartialFile`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::files::assert_hash;
use crate::lab::host::native::scripts::transfer::is_received;
use crate::lab::host::native::work_folder::{self, assert_inside};
use crate::lab::host::product::release::{hexadecimal, sha256};

/// What a volume of the lab can hold: far more than any test sends.
const VOLUME: i64 = 1 << 40;

pub fn initialize(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, path, wanted) = (call.host, call.arguments.text("path"), wanted(call)?);
    let length = call.arguments.number("length");
    if length < 0 {
        return Err(Failure::invalid_input("a length is not negative"));
    }
    let partial = partial_of(call)?;
    if is_received(host, path, length, &wanted)? {
        return Ok(json!({ "already": true, "kept": false }));
    }
    work_folder::initialize(host)?;
    let folder = path.rsplit_once('\\').map_or(path, |(folder, _)| folder);
    host.create_folder(folder)?;
    if host.is_file(&partial) {
        if i64::try_from(host.real(&partial)?.metadata()?.len()) == Ok(length) {
            return Ok(json!({ "already": false, "kept": true }));
        }
        host.remove(&partial)?;
    }
    if length > VOLUME {
        let message = format!("the volume of {folder} has not the {length} free bytes that the file needs");
        return Err(Failure::precondition(message));
    }
    let file = OpenOptions::new().write(true).create_new(true).open(host.real(&partial)?)?;
    file.set_len(length.unsigned_abs())?;
    Ok(json!({ "already": false, "kept": false }))
}

/// Writes what comes as it comes, so that a transfer that is cut off leaves what had arrived.
pub fn receive(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut file = open_range(call, OpenOptions::new().write(true))?;
    let length = call.arguments.number("length").unsigned_abs();
    let (mut buffer, mut arrived, mut hash) = (vec![0; 64 * 1024], 0, Sha256::new());
    loop {
        let count = call.input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        arrived += count as u64;
        if arrived > length {
            return Err(Failure::invalid_input(format!("more than the promised {length} bytes arrived")));
        }
        file.write_all(&buffer[..count])?;
        hash.update(&buffer[..count]);
    }
    Ok(json!({ "length": arrived, "sha256": hexadecimal(&hash.finalize()) }))
}

/// What was written of a range ends with its last byte that is not zero.
pub fn written(call: &mut Call<'_>) -> Result<Value, Failure> {
    let file = open_range(call, OpenOptions::new().read(true))?;
    let mut range = Vec::new();
    file.take(call.arguments.number("length").unsigned_abs()).read_to_end(&mut range)?;
    let length = range.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    Ok(json!({ "length": length, "sha256": sha256(&range[..length]) }))
}

/// The temporary file, standing where the call's range begins.
fn open_range(call: &Call<'_>, options: &OpenOptions) -> Result<File, Failure> {
    let partial = partial_of(call)?;
    let (file_length, offset) = (call.arguments.number("file_length"), call.arguments.number("offset"));
    let length = call.arguments.number("length");
    if offset < 0 || length < 0 || offset > file_length - length {
        let message = format!("{length} bytes at {offset} are no range of a file of {file_length} bytes");
        return Err(Failure::invalid_input(message));
    }
    if !call.host.is_file(&partial) {
        return Err(gone(&partial));
    }
    let mut file = options.open(call.host.real(&partial)?)?;
    let present = file.metadata()?.len();
    if i64::try_from(present) != Ok(file_length) {
        let message = format!(
            "{partial} has {present} bytes instead of {file_length}; another transfer of the file is under way"
        );
        return Err(Failure::precondition(message));
    }
    file.seek(SeekFrom::Start(offset.unsigned_abs()))?;
    Ok(file)
}

pub fn complete(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, path, wanted) = (call.host, call.arguments.text("path"), wanted(call)?);
    let (length, partial) = (call.arguments.number("length"), partial_of(call)?);
    let result = |already: bool| json!({ "already": already, "length": length, "sha256": wanted });
    if !host.is_file(&partial) {
        return if is_received(host, path, length, &wanted)? { Ok(result(true)) } else { Err(gone(&partial)) };
    }
    let found = sha256(&host.read(&partial)?);
    if found != wanted {
        host.remove(&partial)?;
        let message = format!("what arrived has the SHA-256 hash {found} instead of {wanted}; nothing was kept");
        return Err(Failure::invalid_input(message));
    }
    std::fs::rename(host.real(&partial)?, host.real(path)?)?;
    host.record("receive_file", json!({ "path": path, "length": length, "sha256": wanted }))?;
    Ok(result(false))
}

fn wanted(call: &Call<'_>) -> Result<String, Failure> {
    let wanted = call.arguments.text("sha256").to_ascii_lowercase();
    assert_hash(&wanted).map(|()| wanted)
}

/// The temporary name beside the path, both of them inside the work folder.
fn partial_of(call: &Call<'_>) -> Result<String, Failure> {
    let path = call.arguments.text("path");
    let partial = format!("{path}.partial");
    assert_inside(call.host, path)?;
    assert_inside(call.host, &partial).map(|()| partial)
}

fn gone(partial: &str) -> Failure {
    Failure::not_found(format!("{partial} is not there; it was removed while the file was sent"))
}
