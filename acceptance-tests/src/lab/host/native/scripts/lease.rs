//! `Set-Lease`: who may change the host.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};

use crate::lab::host::file_lock;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::parameters::Arguments;
use crate::lab::host::native::reply::{Failure, ascii_json};
use crate::lab::host::native::script::Call;
use crate::lab::host::native::work_folder::{self, WORK, assert_inside, path};
use crate::lab::host::product::release::sha256;
use crate::lab::host::time;

/// What of a lease is told to others.
const TOLD: [&str; 5] = ["owner", "set", "taken_at", "renewed_at", "expires_at"];

/// How long somebody else may keep the lock.
const BUSY: Duration = Duration::from_secs(10);

/// A lease file.
struct Lease {
    identity: String,
    /// None when it is damaged.
    says: Option<Map<String, Value>>,
    left: i64,
}

pub fn set(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, file) = (call.host, path("lease.json"));
    let (action, run) = (call.arguments.text("action").to_ascii_lowercase(), call.arguments.text("run"));
    if action == "take" {
        work_folder::initialize(host)?;
    }
    let mut answer =
        json!({"held": false, "found": "nothing", "path": file, "other": null, "identity": null, "seconds_left": null});
    if !host.is_folder(WORK) {
        return Ok(answer);
    }
    assert_inside(host, &file)?;
    let _lock = lock(host, &path("lease.lock"))?;
    let lease = read(host, &file, call.arguments.number("seconds"))?;
    let says = lease.as_ref().and_then(|lease| lease.says.as_ref());
    let is_own = says.is_some_and(|says| says["run"] == run);
    if is_own {
        answer["found"] = json!("own");
    } else if let Some(lease) = &lease {
        answer["found"] = json!(match (says, lease.left) {
            (None, _) => "damaged",
            (Some(_), 0) => "ended",
            (Some(_), _) => "other",
        });
        answer["identity"] = json!(lease.identity);
        answer["seconds_left"] = json!(lease.left);
        answer["other"] =
            says.map_or(Value::Null, |says| TOLD.map(|name| (name, says[name].clone())).into_iter().collect());
    }
    let is_abandoned = answer["identity"] == call.arguments.text("abandoned");
    let is_free = !matches!(answer["found"].as_str(), Some("other" | "damaged")) || is_abandoned;
    if (action == "take" && is_free) || (action == "renew" && is_own) {
        let taken_at = says.filter(|_| is_own).and_then(|says| says["taken_at"].as_str());
        host.write(&file, text(&call.arguments, taken_at))?;
        answer["held"] = json!(true);
    } else if action == "release" && is_own {
        host.remove(&file)?;
    }
    Ok(answer)
}

fn lock(host: &HostFolder, windows: &str) -> Result<File, Failure> {
    assert_inside(host, windows)?;
    let (real, begin) = (host.real(windows)?, Instant::now());
    loop {
        match file_lock::try_lock(&real)? {
            Some(lock) => return Ok(lock),
            None if begin.elapsed() > BUSY => {
                let reason = "The process cannot access the file because it is being used by another process.";
                return Err(Failure::busy(format!("{windows} cannot be used: {reason}")));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn read(host: &HostFolder, windows: &str, otherwise: i64) -> Result<Option<Lease>, Failure> {
    if !host.real(windows)?.exists() {
        return Ok(None);
    }
    let bytes = host.read(windows)?;
    let said = says(&bytes);
    let left = said.as_ref().map_or(otherwise, |(_, left)| *left);
    Ok(Some(Lease { identity: sha256(&bytes), says: said.map(|(says, _)| says), left }))
}

/// What a lease says, and the seconds that it has left.
fn says(bytes: &[u8]) -> Option<(Map<String, Value>, i64)> {
    let says: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let is_whole = ["run", "owner", "set", "taken_at"].iter().all(|name| says.get(*name).is_some_and(Value::is_string));
    let time = |name: &str| time::seconds(says.get(name)?.as_str()?);
    let (renewed, expires) = (time("renewed_at")?, time("expires_at")?);
    let lasts = expires - renewed;
    if !is_whole || says.get("format")?.as_i64() != Some(1) || !(1..=3600).contains(&lasts) {
        return None;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let left = (expires as f64 - now.as_secs_f64()).max(0.0).ceil() as i64;
    Some((says, left.min(lasts)))
}

/// The file that the run writes.
fn text(arguments: &Arguments, taken_at: Option<&str>) -> String {
    let now = time::now();
    let string = |text: &str| ascii_json(&text);
    format!(
        "{{\"format\":1,\"run\":{},\"owner\":{},\"set\":{},\"taken_at\":{},\"renewed_at\":{},\"expires_at\":{}}}",
        string(arguments.text("run")),
        string(arguments.text("owner")),
        string(arguments.text("set")),
        string(taken_at.unwrap_or(&now)),
        string(&now),
        string(&time::ahead(arguments.number("seconds"))),
    )
}
