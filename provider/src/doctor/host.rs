//! The host with an account: log in, open a shell, and let the host say how it is.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::backend::error::Cause;
use crate::backend::windows::script::{ReplyReader, frame, powershell_arguments};
use crate::backend::windows::scripts::{BOOTSTRAP, ENVELOPE, GET_DIAGNOSIS};
use crate::backend::windows::time_limit::{self, TimeLimit};
use crate::backend::windows::worker::judge;
use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::report::{Check, Report, Subject};
use crate::doctor::{findings, interrupt};
use crate::winrm::endpoint::{Authentication, Endpoint, Transport};
use crate::winrm::error::{Error, Kind, Operation};
use crate::winrm::session::{Output, Session};
use crate::winrm::stdin::Stdin;

/// The user asked the program to end.
pub struct Interrupted;

/// How far a run came.
enum Run {
    Ended(Result<Output, Error>),
    /// The time was over.
    Late {
        logged_in: bool,
    },
}

/// Logs in, once, and checks what needs an account, within the time that a script may take. Asked to end, it first closes
/// what it opened; asked twice, it does not even do that.
pub async fn check(endpoint: &Endpoint, overall: Option<Duration>, report: &mut Report) -> Result<(), Interrupted> {
    let session = Session::new(endpoint.clone());
    let limit = TimeLimit::new(GET_DIAGNOSIS, overall);
    let run = tokio::select! {
        run = run_within(limit.length(), &session) => Some(run),
        () = interrupt::asked() => None,
    };
    let received = Timestamp::now();
    tokio::select! {
        () = session.close() => {}
        () = interrupt::asked() => return Err(Interrupted),
    }
    match run.ok_or(Interrupted)? {
        Run::Ended(Ok(output)) => judge_output(endpoint, &output, received, report),
        Run::Ended(Err(error)) => failed_run(endpoint, report, &error),
        Run::Late { logged_in } => late(endpoint, limit, logged_in, report),
    }
    Ok(())
}

async fn run_within(limit: Duration, session: &Session) -> Run {
    let end = Instant::now() + limit;
    match timeout_at(end, session.open()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Run::Ended(Err(error)),
        Err(_) => return Run::Late { logged_in: false },
    }
    timeout_at(end, run_script(session)).await.map_or(Run::Late { logged_in: true }, Run::Ended)
}

fn judge_output(endpoint: &Endpoint, output: &Output, received: Timestamp, report: &mut Report) {
    reached(endpoint, report);
    report.add(Check::ok(Subject::Shell, "a shell opens and runs commands"));
    match read(output) {
        Ok(diagnosis) => findings::add(&diagnosis, &endpoint.host, received, report),
        Err(cause) => {
            report.add(Check::ok(Subject::Authorization, "the account may open a command shell"));
            report.add(powershell_failure(&endpoint.host, &cause));
        }
    }
}

fn late(endpoint: &Endpoint, limit: TimeLimit, logged_in: bool, report: &mut Report) {
    let (subject, place, cause) = if logged_in {
        opened(endpoint, report);
        (Subject::Powershell, "on", limit.reached(true))
    } else {
        (Subject::Authentication, "to", time_limit::no_logon(limit.length()))
    };
    let finding = cause.finding().replacen(':', &format!(" {place} {}:", endpoint.host), 1);
    report.add(Check::failed(subject, finding, cause.advice().unwrap_or_default()));
}

async fn run_script(session: &Session) -> Result<Output, Error> {
    let arguments = powershell_arguments(BOOTSTRAP);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let frame = frame(GET_DIAGNOSIS.name, ENVELOPE, GET_DIAGNOSIS.source, &json!({}));
    session.run("powershell.exe", &arguments, Stdin::Bytes(vec![Bytes::from(frame)])).await
}

fn read(output: &Output) -> Result<Diagnosis, Cause> {
    let mut reader = ReplyReader::new(GET_DIAGNOSIS.name);
    reader.feed(&output.stdout);
    let result = judge(reader, output)?;
    Diagnosis::deserialize(result).map_err(|error| {
        Cause::Unintelligible(format!("the result of the script {} is not as promised: {error}", GET_DIAGNOSIS.name))
    })
}

/// How far a run came that failed, by what was under way.
fn failed_run(endpoint: &Endpoint, report: &mut Report, error: &Error) {
    let subject = match (&error.kind, error.operation) {
        // Basic authentication has no step of its own: the first request carries it.
        (Kind::Unauthorized { .. } | Kind::Authentication { .. } | Kind::Kerberos(_) | Kind::Forbidden, _)
        | (_, Operation::Connect | Operation::Authenticate) => Subject::Authentication,
        (Kind::AccessDenied(_), _) => Subject::Authorization,
        (_, Operation::CreateShell) => Subject::Shell,
        _ => Subject::Powershell,
    };
    match subject {
        Subject::Authorization => reached(endpoint, report),
        Subject::Shell => may_open(endpoint, report),
        Subject::Powershell => opened(endpoint, report),
        _ => {}
    }
    report.add(Check::of_error(subject, error));
}

fn opened(endpoint: &Endpoint, report: &mut Report) {
    may_open(endpoint, report);
    report.add(Check::ok(Subject::Shell, "a shell opens"));
}

fn may_open(endpoint: &Endpoint, report: &mut Report) {
    reached(endpoint, report);
    report.add(Check::ok(Subject::Authorization, "the account may open a command shell"));
}

fn reached(endpoint: &Endpoint, report: &mut Report) {
    let how = match &endpoint.authentication {
        Authentication::Basic { .. } => return accepted(endpoint, "Basic".to_owned(), report),
        Authentication::Ntlm { .. } => "NTLM",
        Authentication::Kerberos(_) => "Kerberos",
        Authentication::Certificate(_) => {
            return report.add(Check::ok(Subject::Authentication, "the client certificate is accepted"));
        }
    };
    let protection = match &endpoint.transport {
        Transport::Http => "with encrypted messages",
        Transport::Https(_) => "bound to the TLS channel",
    };
    accepted(endpoint, format!("{how}, {protection}"), report);
}

fn accepted(endpoint: &Endpoint, scheme: String, report: &mut Report) {
    let username = endpoint.authentication.account();
    report.add(Check::ok(Subject::Authentication, format!("{username} is accepted ({scheme})")));
}

/// What keeps PowerShell from running a script. A plan that meets it says the same.
fn powershell_failure(host: &str, cause: &Cause) -> Check {
    let cure = cause.advice().unwrap_or(match cause {
        Cause::Lost { .. } => "Check again; if it happens again, look for what breaks connections on the way.",
        Cause::Script { .. } => "Correct what the script names, then check again.",
        _ => "Check that nothing on the host or in between adds to what PowerShell writes, then check again.",
    });
    Check::failed(Subject::Powershell, format!("running PowerShell on {host}: {}", cause.finding()), cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stdout: &str, stderr: &str, cure: &str) {
        let output = Output { exit_code: 1, stdout: stdout.into(), stderr: stderr.into(), may_lack_output: false };
        let cause = read(&output).expect_err("no diagnosis");
        let check = powershell_failure("mfa01.contoso.com", &cause);
        assert!(check.finding.contains("mfa01.contoso.com"), "{check:?}");
        assert!(check.cure.as_deref().is_some_and(|text| text.contains(cure)), "{check:?}");
    }

    #[test]
    fn a_powershell_that_runs_no_script_is_told_apart() {
        let old = r#"AZUREMFA-REPLY:{"ok":false,"script":"Get-Diagnosis","error":{"kind":"powershell_too_old","message":"PowerShell 4.0 was found","line":null}}"#;
        check(old, "", "KB3191564");
        let constrained = "Cannot invoke method. Method invocation is supported only on core types in this language mode.\n\
             + FullyQualifiedErrorId : MethodInvocationNotSupportedInConstrainedLanguage";
        check("", constrained, "FullLanguage");
        check("", "Access is denied.", "AppLocker");
        check(
            "AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-Diagnosis\",\"result\":{}}",
            "",
            "adds to what PowerShell writes",
        );
    }
}
