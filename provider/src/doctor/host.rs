//! The host with an account: log in, open a shell, and let the host say how it is.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::json;
use tokio::time::timeout;

use crate::backend::error::{Cause, ScriptErrorKind};
use crate::backend::windows::script::{ReplyReader, frame, powershell_arguments};
use crate::backend::windows::scripts::{BOOTSTRAP, ENVELOPE, GET_DIAGNOSIS};
use crate::backend::windows::worker::judge;
use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::report::{Check, Report, Subject};
use crate::doctor::{findings, interrupt};
use crate::winrm::clixml;
use crate::winrm::endpoint::{Authentication, Endpoint, Transport};
use crate::winrm::error::{Error, Kind, Operation};
use crate::winrm::session::{Output, Session};
use crate::winrm::stdin::Stdin;

/// How long logging in and the script may take together. A host that answers slowly takes seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// The user asked the program to end.
pub struct Interrupted;

/// Logs in, once, and checks what needs an account. Asked to end, it first closes what it opened; asked twice, it does
/// not even do that.
pub async fn check(endpoint: &Endpoint, report: &mut Report) -> Result<(), Interrupted> {
    let session = Session::new(endpoint.clone());
    let run = tokio::select! {
        run = timeout(LIMIT, run_script(&session)) => Some(run),
        () = interrupt::asked() => None,
    };
    let received = Timestamp::now();
    tokio::select! {
        () = session.close() => {}
        () = interrupt::asked() => return Err(Interrupted),
    }
    match run.ok_or(Interrupted)? {
        Ok(Ok(output)) => judge_output(endpoint, &output, received, report),
        Ok(Err(error)) => failed_run(endpoint, report, &error),
        Err(_) => report.add(endless(&endpoint.host)),
    }
    Ok(())
}

fn judge_output(endpoint: &Endpoint, output: &Output, received: Timestamp, report: &mut Report) {
    reached(endpoint, report);
    report.add(Check::ok(Subject::Shell, "a shell opens and runs commands"));
    let stderr = clixml::error_text(&output.stderr);
    match read(output) {
        Ok(diagnosis) => findings::add(&diagnosis, received, report),
        Err(cause) => {
            report.add(Check::ok(Subject::Authorization, "the account may open a command shell"));
            report.add(powershell_failure(&endpoint.host, &cause, &stderr));
        }
    }
}

fn endless(host: &str) -> Check {
    let finding = format!("running PowerShell on {host}: no end within {} minutes", LIMIT.as_secs() / 60);
    let cure =
        "Check that the host is not overloaded and that its WMI answers (`Get-CimInstance Win32_LogicalDisk` there).";
    Check::failed(Subject::Powershell, finding, cure)
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
    if subject > Subject::Authentication {
        reached(endpoint, report);
    }
    if subject > Subject::Authorization {
        report.add(Check::ok(Subject::Authorization, "the account may open a command shell"));
    }
    if subject > Subject::Shell {
        report.add(Check::ok(Subject::Shell, "a shell opens"));
    }
    report.add(Check::of_error(subject, error));
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

/// What keeps PowerShell from running a script. Policies that lock it down end it before it can say so itself.
fn powershell_failure(host: &str, cause: &Cause, stderr: &str) -> Check {
    let finding = format!("running PowerShell on {host}: {cause}");
    let cure = match cause {
        Cause::Script { kind: ScriptErrorKind::PowershellTooOld, .. } => {
            "Install Windows Management Framework 5.1 (`wusa.exe Win8.1AndW2K12R2-KB3191564-x64.msu` on Windows Server \
             2012 R2, KB3191565 on 2012, KB3191566 on 2008 R2), which needs .NET Framework 4.5.2, and restart the host."
        }
        _ if stderr.contains("ConstrainedLanguage") || stderr.contains("language mode") => CONSTRAINED,
        Cause::Lost { .. } => "Check again; if it happens again, look for what breaks connections on the way.",
        Cause::Script { .. } => "Correct what the script names, then check again.",
        _ => {
            "Run `powershell.exe -NoProfile -Command $PSVersionTable` on the host under this account, and check that \
             no policy (AppLocker, Windows Defender Application Control, an antivirus product) keeps it from starting."
        }
    };
    Check::failed(Subject::Powershell, finding, cure)
}

/// The cure for PowerShell's language modes that no script of the provider can run in.
pub const CONSTRAINED: &str = "PowerShell must run in FullLanguage mode for this account. Exempt its administrators \
    from the AppLocker or Windows Defender Application Control policy that applies to scripts, and remove the machine's \
    environment variable `__PSLockdownPolicy` if it is set.";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stdout: &str, stderr: &str, cure: &str) {
        let output = Output { exit_code: 1, stdout: stdout.into(), stderr: stderr.into(), may_lack_output: false };
        let cause = read(&output).expect_err("no diagnosis");
        let check = powershell_failure("mfa01.contoso.com", &cause, stderr);
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
        check("AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-Diagnosis\",\"result\":{}}", "", "antivirus");
    }
}
