//! `Save-ReleaseFile`, `Get-FileIdentity` and `Remove-WorkFile`.

use std::fs::{File, OpenOptions};

use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::work_folder::{self, PARTS, assert_inside, assert_plain_name, path};
use crate::lab::host::product::release::sha256;

pub fn identity(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = call.arguments.text("path");
    if !call.host.is_file(path) {
        return Ok(json!({ "exists": false, "length": null, "sha256": null }));
    }
    let bytes = call.host.read(path)?;
    Ok(json!({ "exists": true, "length": bytes.len(), "sha256": sha256(&bytes) }))
}

pub fn remove(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, target) = (call.host, call.arguments.text("path"));
    assert_inside(host, target)?;
    if PARTS.iter().any(|part| target.eq_ignore_ascii_case(&path(part))) {
        return Err(Failure::invalid_input(format!("{target} is a part of the work folder and stays")));
    }
    let mut is_there = false;
    for leftover in ["", ".partial", ".new"] {
        let one = format!("{target}{leftover}");
        if host.real(&one)?.exists() {
            host.remove(&one)?;
            is_there = true;
        }
    }
    if is_there {
        host.record("remove_work_file", json!({ "path": target }))?;
    }
    Ok(json!({ "removed": is_there }))
}

pub fn save_release(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let (url, file_name) = (call.arguments.text("url"), call.arguments.text("file_name"));
    let wanted = call.arguments.text("sha256").to_ascii_lowercase();
    assert_plain_name(file_name, "file name")?;
    assert_hash(&wanted)?;
    let Some(address) = Address::parse(url) else {
        let message = "a release file is fetched over https; another kind of address was given";
        return Err(Failure::invalid_input(message));
    };
    let target = path(&format!("staging\\{}\\{file_name}", &wanted[..16]));
    if host.is_file(&target) {
        let bytes = host.read(&target)?;
        if sha256(&bytes) == wanted {
            return Ok(json!({ "path": target, "length": bytes.len(), "already": true }));
        }
    }
    work_folder::initialize(host)?;
    assert_inside(host, &target)?;
    let mut answer = address.open(host)?;
    // A process that is ended from outside leaves what has arrived.
    let partial = format!("{target}.partial");
    host.write(&partial, b"")?;
    std::io::copy(&mut answer, &mut OpenOptions::new().write(true).open(host.real(&partial)?)?)?;
    let (bytes, maximum) = (host.read(&partial)?, call.arguments.number("maximum_length"));
    host.remove(&partial)?;
    if i64::try_from(bytes.len()).unwrap_or(i64::MAX) > maximum {
        let message = format!("{} is longer than the {maximum} bytes that are taken", address.shown());
        return Err(Failure::invalid_input(message));
    }
    let found = sha256(&bytes);
    if found != wanted {
        return Err(Failure::invalid_input(format!(
            "the file that was fetched has the SHA-256 hash {found} instead of {wanted}; it was deleted"
        )));
    }
    host.write(&target, &bytes)?;
    host.record("download", json!({ "url": address.shown(), "path": target }))?;
    Ok(json!({ "path": target, "length": bytes.len(), "already": false }))
}

pub fn assert_hash(hash: &str) -> Result<(), Failure> {
    if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Failure::invalid_input("a SHA-256 hash has 64 hexadecimal digits"))
}

/// An https address without what may be secret in it.
struct Address {
    host: String,
    path: String,
}

impl Address {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &url[8..])?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| Self { host, path: path.to_owned() })
    }

    fn shown(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    /// What the estate's web servers have there.
    fn open(&self, host: &HostFolder) -> Result<File, Failure> {
        let failed =
            |kind, reason: &str| Failure::new(kind, format!("{} could not be fetched: {reason}", self.shown()));
        let server = host.estate().join("releases").join(&self.host);
        if !server.is_dir() {
            let reason = format!("The remote name could not be resolved: '{}'", self.host);
            return Err(failed("unreachable", &reason));
        }
        let below = percent_decode(self.path.trim_start_matches('/'));
        let is_inside = !below.split('/').any(|part| part == "..");
        let file = server.join(below);
        if !is_inside || !file.exists() || file.is_dir() {
            return Err(failed("not_found", "the server answered with status 404"));
        }
        File::open(file).map_err(|_| failed("other", "the server answered with status 500"))
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
