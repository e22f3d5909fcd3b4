//! Groups of checks that a machine cannot run: said with the reason and counted, never silent.

use std::fs::OpenOptions;
use std::io::Write;

use crate::paths;

/// Says that a group of checks is skipped, and why.
///
/// The line goes to the process's real standard error, which the test harness does not capture, and to
/// `target/skipped.log`, from which the summary counts.
pub fn skipped(group: &str, reason: &str) {
    let line = format!("skipped: {group}: {reason}\n");
    // Nothing useful can be done when standard error is closed.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let log = OpenOptions::new().create(true).append(true).open(paths::target().join("skipped.log"));
    if let Ok(mut log) = log {
        let _ = log.write_all(line.as_bytes());
    }
}
