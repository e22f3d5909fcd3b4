//! The table of cases: each is one host, one call through the full bootstrap, and everything that must come of it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::estate::{self, Estate};
use super::pattern;
use super::wire::{self, Answer};

#[test]
fn every_case_gives_its_reply() {
    let Some(powershell) = super::powershell_for("script cases") else { return };
    estate::prepare(&powershell);
    let call = |host: &Path, script: &str, arguments: &Value, input: &[u8]| {
        wire::call(&powershell, host, script, arguments, input)
    };
    run_all(&call, &powershell.display().to_string());
}

#[test]
fn native_hosts_give_the_same_replies() {
    run_all(&wire::call_native, "the lab's native hosts");
}

/// Who answers a call: host folder, script, arguments and raw input.
pub type Answering<'a> = &'a (dyn Fn(&Path, &str, &Value, &[u8]) -> Answer + Sync);

fn run_all(call: Answering<'_>, by: &str) {
    let hosts: Value = read(&folder().join("_hosts.json"));
    // One case or one script's at a time, while working on it.
    let wanted = std::env::var("AZUREMFA_TEST_CASES").unwrap_or_default();
    let files: Vec<PathBuf> = case_files().into_iter().filter(|file| name_of(file).starts_with(&wanted)).collect();
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(problem) = run(call, &hosts, file) {
                        problems.lock().expect("no panic").push(format!("{}: {problem}", name_of(file)));
                    }
                }
            });
        }
    });
    let scripts: BTreeSet<String> = files.iter().map(|file| script_of(file)).collect();
    let problems = problems.into_inner().expect("no panic");
    assert!(problems.is_empty(), "{} of {} cases failed\n\n{}", problems.len(), files.len(), problems.join("\n\n"));
    // Past the harness's capture, so that a run says what it ran.
    let line = format!("{} scripts, {} cases run under {by}\n", scripts.len(), files.len());
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[test]
fn every_script_has_a_case_and_every_case_a_script() {
    let scripts = super::script_names();
    let cases: Vec<String> = case_files().iter().map(|file| script_of(file)).collect();
    let without: Vec<_> = scripts.iter().filter(|script| !cases.contains(script)).collect();
    assert!(without.is_empty(), "scripts without a case: {without:?}");
    let unknown: Vec<_> = cases.iter().filter(|case| !scripts.contains(case)).collect();
    assert!(unknown.is_empty(), "cases of no script: {unknown:?}");
}

/// Makes the host, calls the script once or twice, and compares.
fn run(call: Answering<'_>, hosts: &Value, file: &Path) -> Result<(), String> {
    let mut case = read(file);
    let mut description = hosts[case["host"].as_str().expect("a host")].clone();
    for part in ["state", "farm", "files", "releases"] {
        if let Some(patch) = case.get(part) {
            estate::merge(&mut description[part], patch);
        }
    }
    let estate = Estate::new(&description);
    let arguments = case.get("args").cloned().unwrap_or_else(|| serde_json::json!({}));
    let input = case["input"].as_str().unwrap_or_default().to_owned();
    let call = || call(&estate.host, &script_of(file), &arguments, input.as_bytes());
    let answer = call();
    if std::env::var_os("UPDATE_EXPECT").is_some() && case.get("reply").is_none() {
        case["reply"] = without_line(answer.reply.clone().ok_or(answer.stderr)?);
        std::fs::write(file, format!("{}\n", serde_json::to_string_pretty(&case).expect("JSON"))).expect("the case");
        return Ok(());
    }
    check_reply("reply", &case["reply"], &answer)?;
    check_after(&case, &answer, &estate)?;
    match case.get("again") {
        Some(again) => check_reply("again", again, &call()).and_then(|()| check_after(&case, &answer, &estate)),
        None => Ok(()),
    }
}

fn check_reply(what: &str, expected: &Value, answer: &Answer) -> Result<(), String> {
    let Some(reply) = &answer.reply else {
        return Err(format!("no reply\nstdout: {}\nstderr: {}", answer.stdout, answer.stderr));
    };
    let found = without_line(reply.clone());
    if pattern::is(expected, &found) {
        return Ok(());
    }
    Err(format!("{what}\n  expected {expected}\n  found    {found}\n  logs {:?}", answer.logs))
}

fn check_after(case: &Value, answer: &Answer, estate: &Estate) -> Result<(), String> {
    let compare = |what: &str, found: Value| match case.get(what) {
        Some(expected) if !pattern::contains(expected, &found) => {
            Err(format!("{what}\n  expected {expected}\n  found    {found}"))
        }
        _ => Ok(()),
    };
    compare("state_after", estate.state())?;
    compare("farm_after", estate.farm())?;
    compare("journal", Value::Array(estate.journal()))?;
    compare("data", Value::String(String::from_utf8_lossy(&answer.data).into_owned()))?;
    for (path, expected) in case["files_after"].as_object().into_iter().flatten() {
        let found =
            std::fs::read(located(&estate.path(path))).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if !pattern::is(expected, &found.clone().map_or(Value::Null, Value::String)) {
            return Err(format!("{path}\n  expected {expected}\n  found    {found:?}"));
        }
    }
    // A marker stands for every secret of the cases: it stays on the host.
    let shown = [answer.stdout.as_str(), answer.stderr.as_str()].concat();
    let secret = "M4rk3r-Secret";
    if shown.contains(secret) { Err(format!("the secret was shown: {shown}")) } else { Ok(()) }
}

/// The real path of one whose names may have tokens: where such a name fits what is there, that.
fn located(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for part in path.iter() {
        let wanted = Value::String(part.to_string_lossy().into_owned());
        let entries = std::fs::read_dir(&real).into_iter().flatten().filter_map(Result::ok);
        let mut names = entries.map(|entry| entry.file_name());
        let is_pattern = part.to_string_lossy().contains('<');
        let fits = |name: &OsString| pattern::is(&wanted, &Value::String(name.to_string_lossy().into_owned()));
        real.push(is_pattern.then(|| names.find(fits)).flatten().unwrap_or_else(|| part.to_owned()));
    }
    real
}

/// The line is for people; it moves with every edit.
fn without_line(mut reply: Value) -> Value {
    if let Some(error) = reply.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("line");
    }
    reply
}

fn folder() -> PathBuf {
    super::script_folder().join("cases")
}

fn case_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !name_of(path).starts_with('_'))
        .collect();
    files.sort();
    files
}

fn script_of(file: &Path) -> String {
    name_of(file).split('.').next().unwrap_or_default().to_owned()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Value {
    let text = std::fs::read(path).expect("a case");
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
