//! A simulated host on disk, made from what a case says about it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use acceptance_tests::powershell;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// An estate of one host.
pub struct Estate {
    folder: TempDir,
    pub host: PathBuf,
}

impl Estate {
    /// Writes the files first and the state last: `<now>` in it is then not before any file.
    pub fn new(description: &Value) -> Self {
        let folder = TempDir::with_prefix("azuremfa-scripts-").expect("a temporary folder");
        let name = description["state"]["name"].as_str().expect("the host has a name");
        let host = folder.path().join("hosts").join(name);
        std::fs::create_dir_all(host.join("C/ProgramData")).expect("the host's folder");
        let estate = Self { folder, host };
        for (path, content) in entries(&description["files"]) {
            estate.write(path, content);
        }
        for (path, text) in entries(&description["releases"]) {
            write(&estate.folder.path().join("releases").join(path), text.as_str().expect("a text").as_bytes());
        }
        let mut state = description["state"].clone();
        for (path, content) in entries(&description["files"]) {
            let version = content.get("assembly").or(content.get("adapter"));
            if let Some(version) = version {
                state["file_versions"][path] = version.clone();
            }
        }
        replace_now(&mut state);
        write(&estate.host.join("state.json"), state.to_string().as_bytes());
        if let Some(farm) = state["adfs"]["farm"].as_str() {
            write(&estate.farm_path(farm), description["farm"].to_string().as_bytes());
        }
        estate
    }

    pub fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.host.join("state.json")).expect("the state")).expect("JSON")
    }

    pub fn farm(&self) -> Value {
        let state = self.state();
        let Some(farm) = state["adfs"]["farm"].as_str() else { return Value::Null };
        serde_json::from_slice(&std::fs::read(self.farm_path(farm)).expect("the farm")).expect("JSON")
    }

    /// What was done on the host, without times and numbers.
    pub fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.host.join("journal.jsonl")).unwrap_or_default();
        let mut last = 0;
        text.lines()
            .map(|line| {
                let mut entry: Value = serde_json::from_str(line).expect("a journal line is JSON");
                let sequence = entry["sequence"].as_i64().expect("a sequence number");
                assert!(sequence > last, "the journal's numbers do not rise: {text}");
                last = sequence;
                let entry = entry.as_object_mut().expect("an object");
                serde_json::json!({ "what": entry["what"].take(), "detail": entry["detail"].take() })
            })
            .collect()
    }

    /// The real file of a path on drive C:.
    pub fn path(&self, windows: &str) -> PathBuf {
        let below = windows.strip_prefix("C:\\").expect("a path on drive C:");
        self.host.join("C").join(below.replace('\\', "/"))
    }

    fn write(&self, windows: &str, content: &Value) {
        let path = self.path(windows);
        // Only real PowerShell needs real ones; the state of a host knows their versions too.
        let assembly = |name: String| {
            std::fs::read(powershell::cache().join("assemblies").join(&name)).unwrap_or_else(|_| name.into_bytes())
        };
        match content {
            Value::Null => {}
            Value::String(text) => write(&path, text.as_bytes()),
            Value::Object(form) => match form.iter().next().map(|(kind, value)| (kind.as_str(), value)) {
                Some(("folder", _)) => std::fs::create_dir_all(path).expect("a folder"),
                Some(("link", target)) => {
                    write_parent(&path);
                    let target = self.path(target.as_str().expect("a target"));
                    std::os::unix::fs::symlink(target, path).expect("a link");
                }
                Some(("assembly", version)) => {
                    write(&path, &assembly(format!("{}.dll", version.as_str().expect("a version"))));
                }
                Some(("adapter", version)) => {
                    let version = version.as_str().expect("a version");
                    write(&path, &assembly(format!("MultiFactorAuthAdfsAdapter-{version}.dll")));
                }
                Some(("base64", text)) => {
                    write(&path, &STANDARD.decode(text.as_str().expect("a text")).expect("base64"));
                }
                other => panic!("{windows}: unknown content {other:?}"),
            },
            other => panic!("{windows}: unknown content {other}"),
        }
    }

    fn farm_path(&self, farm: &str) -> PathBuf {
        self.folder.path().join("farms").join(format!("{farm}.json"))
    }
}

/// Makes the files with versions once for all cases.
pub fn prepare(powershell: &Path) {
    static MADE: OnceLock<Result<(), String>> = OnceLock::new();
    let versions = ["5.8.0.1", "6.3.1.1", "7.0.0.9", "8.0.1.1"];
    let made = MADE.get_or_init(|| powershell::make_assemblies(powershell, &versions, &["6.3.0.17452", "7.0.0.9"]));
    made.as_ref().expect("files with versions");
}

/// Applies a JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().expect("made an object above");
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn replace_now(value: &mut Value) {
    match value {
        Value::String(text) if text == "<now>" => *text = now(),
        Value::Array(items) => items.iter_mut().for_each(replace_now),
        Value::Object(entries) => entries.values_mut().for_each(replace_now),
        _ => {}
    }
}

/// The time as state files write it. The shell's `date` saves a dependency.
fn now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().expect("date");
    String::from_utf8(output.stdout).expect("a time").trim().to_owned()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn write(path: &Path, bytes: &[u8]) {
    write_parent(path);
    std::fs::write(path, bytes).expect("a file");
}

fn write_parent(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
}
