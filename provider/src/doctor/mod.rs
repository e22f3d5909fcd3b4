//! `doctor`: checks a host from this machine, step by step, and says what cures what is wrong.
//!
//! It uses the provider's own settings, client and scripts, so what it finds is what a plan would meet.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::causes;
use crate::config::environment::{Environment, ProcessEnvironment};
use crate::doctor::arguments::{Arguments, HELP, Request, UsageError};
use crate::doctor::report::Report;
use crate::doctor::settings::SettingsError;
use crate::rpc::log;
use crate::winrm::endpoint::Endpoint;

pub mod arguments;
pub mod diagnosis;
pub mod findings;
pub mod host;
pub mod report;
pub mod settings;
pub mod way;

/// A check failed.
const FAILED: u8 = 1;
/// Options or settings cannot be used; nothing was checked.
const UNUSABLE: u8 = 2;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
enum DoctorError {
    #[error("the command line cannot be understood")]
    Usage(#[source] UsageError),
    #[error("the settings cannot be used")]
    Settings(#[source] SettingsError),
    #[error("the runtime could not start")]
    Runtime(#[source] io::Error),
    #[error("the report could not be written")]
    Write(#[source] io::Error),
}

/// Runs `doctor` with the arguments that follow the word.
pub fn run(arguments: impl Iterator<Item = OsString>, variable: impl Fn(&str) -> Option<String>) -> ExitCode {
    log::start(variable);
    match answer(arguments, &ProcessEnvironment) {
        Ok(code) => code,
        Err(error) => {
            // There is nowhere left to say that this failed.
            let _ = writeln!(io::stderr().lock(), "{} doctor: {}", env!("CARGO_PKG_NAME"), causes::in_one_line(&error));
            ExitCode::from(UNUSABLE)
        }
    }
}

fn answer(arguments: impl Iterator<Item = OsString>, environment: &dyn Environment) -> Result<ExitCode, DoctorError> {
    let arguments = match arguments::parse(arguments).map_err(DoctorError::Usage)? {
        Request::Help => return write(HELP).map(|()| ExitCode::SUCCESS),
        Request::Check(arguments) => arguments,
    };
    let report = check(&arguments, environment)?;
    let text = if arguments.json { report.to_json() } else { report.to_string() };
    write(&text)?;
    Ok(if report.has_failed() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn check(arguments: &Arguments, environment: &dyn Environment) -> Result<Report, DoctorError> {
    let endpoint = settings::read(arguments, environment).map_err(DoctorError::Settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DoctorError::Runtime)?;
    Ok(runtime.block_on(examine(&endpoint)))
}

/// Makes all checks that can be made.
async fn examine(endpoint: &Endpoint) -> Report {
    let mut report = Report {
        host: endpoint.host.clone(),
        url: endpoint.url(),
        proxy: endpoint.proxy.clone(),
        username: endpoint.authentication.account(),
        checks: Vec::new(),
    };
    if way::check(endpoint, &mut report).await.is_ok() {
        host::check(endpoint, &mut report).await;
    }
    report.complete();
    report
}

fn write(text: &str) -> Result<(), DoctorError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(DoctorError::Write)
}
