//! How long a script may take, and what is said of one that takes longer.

use std::time::Duration;

use crate::backend::error::Cause;
use crate::backend::windows::scripts::Script;

/// A query that hangs must not hang a plan; what copies files takes as long as it takes.
const QUERY_LIMIT: Duration = Duration::from_secs(5 * 60);
const CHANGE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A lease that is not renewed in time is lost, so a host that hangs must leave time for another try.
const LEASE_LIMIT: Duration = Duration::from_secs(60);
const COPY_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// The limit of one script.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    script: Script,
    /// The connection's own, when it is the shorter one.
    overall: Option<Duration>,
}

impl TimeLimit {
    /// `overall` is the connection's setting.
    pub fn new(script: Script, overall: Option<Duration>) -> Self {
        Self { script, overall: overall.filter(|overall| *overall < longest(script)) }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.overall.unwrap_or_else(|| longest(self.script))
    }

    /// What it means that the script has not ended. `sent` tells whether the host can have got it.
    pub fn reached(&self, sent: bool) -> Cause {
        let (reason, advice) = (self.finding(), self.advice(sent));
        if sent && !self.script.only_looks() {
            Cause::Lost { reason: format!("{reason}. {advice}") }
        } else {
            Cause::Unreachable { reason, advice }
        }
    }

    /// What was found.
    fn finding(&self) -> String {
        format!("running PowerShell: no end within {}", in_words(self.length()))
    }

    /// What to do about it.
    fn advice(&self, sent: bool) -> String {
        let done = match (sent, self.script.only_looks()) {
            (false, _) => "Nothing was started on the host. ",
            (true, true) => "Nothing was changed on the host. ",
            (true, false) => "",
        };
        let raise =
            if self.overall.is_some() { "Raise `timeouts.overall` of the connection, or check" } else { "Check" };
        format!(
            "{done}{raise} that the host is not overloaded and that its WMI answers (`Get-CimInstance Win32_LogicalDisk` \
             there)."
        )
    }
}

/// What it means that nobody was logged on by then, and nothing begun.
pub fn no_logon(within: Duration) -> Cause {
    Cause::Unreachable {
        reason: format!("logging in: no end within {}", in_words(within)),
        advice: "Nothing was started on the host. Check that it is not overloaded, or raise `timeouts.overall` of the \
                 connection. Hosts whose account nobody has accepted yet wait for each other: look also at those that do \
                 not answer."
            .to_owned(),
    }
}

/// As a person says it.
fn in_words(limit: Duration) -> String {
    match limit.as_secs() {
        0..120 => format!("{} s", limit.as_secs_f32()),
        seconds => format!("{} minutes", seconds / 60),
    }
}

fn longest(script: Script) -> Duration {
    match script.name {
        "Backup-Directory"
        | "Compare-Directory"
        | "Save-ReleaseFile"
        | "Send-File"
        | "Receive-File"
        | "Receive-PartialFile"
        | "Complete-PartialFile" => COPY_LIMIT,
        "Set-Lease" => LEASE_LIMIT,
        _ if script.only_looks() => QUERY_LIMIT,
        _ => CHANGE_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::windows::scripts::{COMPLETE_BACKUP, GET_HOST_FACTS, SEND_FILE};

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(script: Script, overall: Option<Duration>, sent: bool, is_lost: bool, text: &str) {
        let cause = TimeLimit::new(script, overall).reached(sent);
        assert_eq!(matches!(cause, Cause::Lost { .. }), is_lost, "{cause:?}");
        assert_eq!(matches!(cause, Cause::Unreachable { .. }), !is_lost, "{cause:?}");
        let cause = cause.to_string();
        assert!(
            cause.contains(text) && cause.ends_with("WMI answers (`Get-CimInstance Win32_LogicalDisk` there)."),
            "{cause}"
        );
    }

    #[test]
    fn only_a_change_that_was_sent_may_have_been_done() {
        let looked = "running PowerShell: no end within 5 minutes. Nothing was changed on the host. Check that";
        check(GET_HOST_FACTS, None, true, false, looked);
        let unsent = "no end within 30 minutes. Nothing was started on the host. Check that";
        check(COMPLETE_BACKUP, None, false, false, unsent);
        check(COMPLETE_BACKUP, None, true, true, "no end within 30 minutes. Check that");
        check(SEND_FILE, None, true, true, "no end within 180 minutes. Check that");
    }

    #[test]
    fn a_shorter_setting_is_what_to_raise() {
        let raised = "no end within 1 s. Raise `timeouts.overall` of the connection, or check that";
        check(COMPLETE_BACKUP, Some(SECOND), true, true, raised);
        check(
            GET_HOST_FACTS,
            Some(SECOND * 301),
            true,
            false,
            "no end within 5 minutes. Nothing was changed on the host. Check",
        );
    }
}
