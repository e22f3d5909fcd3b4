//! Answers of real Windows that the authors of pypsrp recorded for its tests (MIT licence): read from the package's
//! source as its registry has it, so that nothing of it lies here.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use crate::paths;
use crate::tools::{Unavailable, once, output_of, python_environment};

/// One exchange, with the messages unsealed.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    pub request: String,
    pub response: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// What was recorded, by the name of the test that it was recorded for.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    /// Exchanges in order.
    pub conversations: BTreeMap<String, Vec<Exchange>>,
    /// CLIXML of PowerShell's standard error.
    pub errors: BTreeMap<String, String>,
}

const PACKAGE: &str = "pypsrp==0.9.1";
const YAML: &str = "PyYAML==6.0.2";

/// All that was recorded.
///
/// # Errors
/// Says why they cannot be had on this machine.
pub fn recorded() -> Result<Recorded, Unavailable> {
    let python = python_environment("python-yaml", &[YAML])?;
    let folder = once("recorded-answers", |folder| {
        let download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary"];
        output_of(Command::new(&python).args(download).args(["pypsrp", PACKAGE, "--dest"]).arg(folder))?;
        let problem = |error: std::io::Error| Unavailable(format!("{}: {error}", folder.display()));
        let mut found = fs::read_dir(folder).map_err(problem)?.filter_map(Result::ok).map(|entry| entry.path());
        let package = found.find(|path| path.extension().is_some_and(|extension| extension == "gz"));
        let package = package.ok_or_else(|| Unavailable(format!("{PACKAGE} has no source package")))?;
        let script = paths::root().join("acceptance-tests/tools/recorded-answers.py");
        let printed = output_of(Command::new(&python).arg(script).arg(package))?;
        fs::write(folder.join("answers.json"), printed).map_err(problem)
    })?;
    let file = folder.join("answers.json");
    let text = fs::read_to_string(&file).map_err(|error| Unavailable(format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| Unavailable(format!("{}: {error}", file.display())))
}
