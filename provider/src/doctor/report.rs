//! What was looked at on a host, what was found, and what cures it: as text for a person, as JSON for a program.

use std::fmt;

use serde::Serialize;

use crate::causes;
use crate::winrm::error::Error;

/// The checks, in the order in which each needs the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The host's name, or the proxy's, leads to an address.
    Name,
    /// The port takes connections, through the proxy when one is set.
    Tcp,
    /// The certificate is trusted.
    Tls,
    /// WS-Management answers.
    Http,
    /// The credentials are accepted.
    Authentication,
    /// The account is an administrator.
    Authorization,
    /// A shell opens.
    Shell,
    /// PowerShell runs scripts, in a version and language mode that will do.
    Powershell,
    /// The limits of WinRM are wide enough.
    Quotas,
    /// The clocks agree.
    Clock,
    /// Whether the host can act on other machines as the account.
    DoubleHop,
    /// The system drive has room.
    Disk,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// Works, but will not under load or is not safe.
    Warning,
    Failed,
    /// Not looked at, because a check before it failed.
    Skipped,
    /// Worth knowing, and nothing wrong.
    Note,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    #[serde(rename = "check")]
    pub subject: Subject,
    #[serde(rename = "result")]
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What to do about it: full sentences, naming settings and commands.
    pub cure: Option<String>,
}

/// Everything found about one host.
#[derive(Debug, Serialize)]
pub struct Report {
    pub host: String,
    /// Where WS-Management was looked for.
    pub url: String,
    pub proxy: Option<String>,
    /// By what the proxy, or none, was chosen.
    pub proxy_reason: Option<String>,
    pub username: String,
    /// In the order of [`Subject::ALL`], once complete.
    pub checks: Vec<Check>,
}

impl Subject {
    pub const ALL: [Self; 12] = [
        Self::Name,
        Self::Tcp,
        Self::Tls,
        Self::Http,
        Self::Authentication,
        Self::Authorization,
        Self::Shell,
        Self::Powershell,
        Self::Quotas,
        Self::Clock,
        Self::DoubleHop,
        Self::Disk,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Http => "WS-Management",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Shell => "shell",
            Self::Powershell => "PowerShell",
            Self::Quotas => "quotas",
            Self::Clock => "clock",
            Self::DoubleHop => "double hop",
            Self::Disk => "disk",
        }
    }
}

impl Verdict {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Note => "note",
        }
    }
}

impl Check {
    pub fn ok(subject: Subject, finding: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Ok, finding: finding.into(), cure: None }
    }

    pub fn warning(subject: Subject, finding: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warning, finding: finding.into(), cure: Some(cure.into()) }
    }

    pub fn failed(subject: Subject, finding: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Failed, finding: finding.into(), cure: Some(cure.into()) }
    }

    pub fn note(subject: Subject, finding: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Note, finding: finding.into(), cure: None }
    }

    /// With what was being done and where, as errors have it, when there is something to do about it.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        if self.cure.is_some() {
            let doing = match self.subject {
                Subject::Authorization => "checking the rights",
                Subject::Powershell => "running PowerShell",
                Subject::Quotas => "reading the quotas",
                Subject::Clock => "reading the clock",
                Subject::DoubleHop => "trying the second hop",
                Subject::Disk => "measuring the system drive",
                other => other.label(),
            };
            self.finding = format!("{doing} on {host}: {}", self.finding);
        }
        self
    }

    /// What the client reported: operation, host, finding and causes, and its advice.
    pub fn of_error(subject: Subject, error: &Error) -> Self {
        Self::failed(subject, causes::in_one_line(error), error.advice())
    }
}

impl Report {
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Whether something failed.
    pub fn has_failed(&self) -> bool {
        self.count(Verdict::Failed) > 0
    }

    /// Puts the checks in order, and says of those that were not made that they were not.
    pub fn complete(&mut self) {
        for subject in Subject::ALL {
            if !self.checks.iter().any(|check| check.subject == subject) {
                let finding = "not checked, because a check before it failed".to_owned();
                self.checks.push(Check { subject, verdict: Verdict::Skipped, finding, cure: None });
            }
        }
        self.checks.sort_by_key(|check| check.subject);
    }

    /// The report as one JSON object.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        json["result"] = if self.has_failed() { "failed" } else { "ok" }.into();
        format!("{json:#}\n")
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }
}

/// The widest line of the text, in characters, as far as its words allow.
const WIDTH: usize = 100;
/// Where findings begin.
const INDENTATION: usize = 25;

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {} as {}", self.host, self.url, self.username)?;
        if let Some(proxy) = &self.proxy {
            write!(formatter, " through the proxy {proxy}")?;
        }
        if let Some(reason) = &self.proxy_reason {
            let without = if self.proxy.is_none() { "without a proxy: " } else { "" };
            write!(formatter, " ({without}{reason})")?;
        }
        formatter.write_str("\n\n")?;
        for check in &self.checks {
            let head = format!("{:<9}{:<16}", check.verdict.label(), check.subject.label());
            paragraph(formatter, &head, &check.finding)?;
            if let Some(cure) = &check.cure {
                paragraph(formatter, &" ".repeat(INDENTATION), &format!("Cure: {cure}"))?;
            }
        }
        let (failed, warnings) = (self.count(Verdict::Failed), self.count(Verdict::Warning));
        let plural = if warnings == 1 { "" } else { "s" };
        match failed {
            0 => writeln!(formatter, "\nThe host can be used; {warnings} warning{plural}."),
            _ => writeln!(formatter, "\nThe host cannot be used: {failed} failed, {warnings} warning{plural}."),
        }
    }
}

/// Writes words after a head, and breaks lines between words.
fn paragraph(formatter: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    formatter.write_str(head)?;
    let mut column = INDENTATION;
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index == 0 {
            column += length;
        } else if column + 1 + length > WIDTH {
            write!(formatter, "\n{:INDENTATION$}", "")?;
            column = INDENTATION + length;
        } else {
            formatter.write_str(" ")?;
            column += 1 + length;
        }
        formatter.write_str(word)?;
    }
    formatter.write_str("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn report() -> Report {
        Report {
            host: "mfa01.contoso.com".to_owned(),
            url: "https://mfa01.contoso.com:5986/wsman".to_owned(),
            proxy: None,
            proxy_reason: None,
            username: "CONTOSO\\admin".to_owned(),
            checks: Vec::new(),
        }
    }

    #[test]
    fn what_was_not_made_is_skipped_and_lines_are_broken() {
        let mut report = report();
        report.add(Check::failed(Subject::Tcp, "it was refused ".repeat(8).trim(), "Do this."));
        report.add(Check::ok(Subject::Name, "found"));
        report.complete();
        expect![[r#"
            mfa01.contoso.com at https://mfa01.contoso.com:5986/wsman as CONTOSO\admin

            ok       name            found
            failed   TCP             it was refused it was refused it was refused it was refused it was refused
                                     it was refused it was refused it was refused
                                     Cure: Do this.
            skipped  TLS             not checked, because a check before it failed
            skipped  WS-Management   not checked, because a check before it failed
            skipped  authentication  not checked, because a check before it failed
            skipped  authorization   not checked, because a check before it failed
            skipped  shell           not checked, because a check before it failed
            skipped  PowerShell      not checked, because a check before it failed
            skipped  quotas          not checked, because a check before it failed
            skipped  clock           not checked, because a check before it failed
            skipped  double hop      not checked, because a check before it failed
            skipped  disk            not checked, because a check before it failed

            The host cannot be used: 1 failed, 0 warnings.
        "#]]
        .assert_eq(&report.to_string());
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
        assert_eq!(json["result"], "failed");
        assert_eq!(json["checks"][1]["check"], "tcp");
        assert_eq!(json["checks"][1]["cure"], "Do this.");
        assert_eq!(json["checks"].as_array().map(Vec::len), Some(Subject::ALL.len()));
    }
}
