//! `doctor`: checks a host from this machine, step by step, and says what cures what is wrong.
//!
//! It uses the provider's own settings, client and scripts, so what it finds is what a plan would meet.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::causes;
use crate::config::environment::{Environment, ProcessEnvironment};
use crate::doctor::arguments::{Arguments, HELP, Request, UsageError};
use crate::doctor::host::Interrupted;
use crate::doctor::report::Report;
use crate::doctor::settings::{SettingsError, Way};
use crate::rpc::log;

pub mod arguments;
pub mod diagnosis;
pub mod findings;
pub mod host;
pub mod interrupt;
pub mod report;
pub mod settings;
pub mod way;

/// A check failed.
const FAILED: u8 = 1;
/// Options or settings cannot be used; nothing was checked.
const UNUSABLE: u8 = 2;

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum DoctorError {
    #[error("the command line cannot be understood")]
    Usage(#[source] UsageError),
    #[error("the settings cannot be used")]
    Settings(#[source] SettingsError),
    #[error("the runtime could not start")]
    Runtime(#[source] io::Error),
    #[error("it was asked to end before the checks were done")]
    Interrupted,
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
            ExitCode::from(if matches!(error, DoctorError::Interrupted) { INTERRUPTED } else { UNUSABLE })
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
    let way = settings::read(arguments, environment).map_err(DoctorError::Settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DoctorError::Runtime)?;
    runtime.block_on(examine(&way)).map_err(|Interrupted| DoctorError::Interrupted)
}

/// Makes all checks that can be made.
async fn examine(Way { endpoint, proxy_reason, overall }: &Way) -> Result<Report, Interrupted> {
    let mut report = Report {
        host: endpoint.host.clone(),
        url: endpoint.url(),
        proxy: endpoint.proxy.as_ref().map(ToString::to_string),
        proxy_reason: proxy_reason.clone(),
        username: endpoint.authentication.account(),
        checks: Vec::new(),
    };
    if way::check(endpoint, &mut report).await.is_ok() {
        host::check(endpoint, *overall, &mut report).await?;
    }
    report.complete();
    Ok(report)
}

fn write(text: &str) -> Result<(), DoctorError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(DoctorError::Write)
}
