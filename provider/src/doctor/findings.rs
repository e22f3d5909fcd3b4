//! What a host's own words mean: rights, PowerShell, quotas, clock, second hop and disk, each against what an upgrade
//! needs.

use jiff::Timestamp;

use crate::backend::windows::powershell::CONSTRAINED;
use crate::doctor::diagnosis::{Diagnosis, Drive, HopOutcome, Quotas, SecondHop};
use crate::doctor::report::{Check, Report, Subject};

/// Windows' own defaults since Windows Server 2012; with less, setups and copies are known to fail.
const MEMORY_MB: u64 = 1024;
const SHELLS: u64 = 30;
const PROCESSES: u64 = 25;
const USERS: u64 = 10;
const OPERATIONS: u64 = 1500;
const ENVELOPE_KB: u64 = 500;

/// Clocks further apart are worth a word, in seconds.
const CLOCK_NOTICED: i64 = 60;
/// Kerberos refuses clocks further apart.
const CLOCK_KERBEROS: i64 = 5 * 60;

/// How files get to a host, whatever its logon can do.
const DELIVERIES: &str = "files come over https or from this machine, never from a UNC path";
const HOP_CURE: &str = "Nothing here needs it. UNC paths are no sources all the same: with `delivery = \"pull\"` the host \
    fetches a file over https, with `delivery = \"push\"` this machine sends it over WinRM. Whoever controls the host can use \
    the account elsewhere, so log on by Kerberos or NTLM rather than by Basic, which hands the password to the host, and forbid \
    delegation of the account: `Set-ADUser -Identity 'name' -AccountNotDelegated $true`.";

const GIB: u64 = 1024 * 1024 * 1024;
/// What the setups, their unpacked files and their logs need for certain.
const DISK_NEEDED: u64 = GIB;
/// With less there is no room for the backups of more than an upgrade or two.
const DISK_WANTED: u64 = 5 * GIB;

/// Adds what the host says of itself. `received` is this machine's time when it did.
pub fn add(diagnosis: &Diagnosis, host: &str, received: Timestamp, report: &mut Report) {
    let ahead = diagnosis.now.as_second() - received.as_second();
    report.add(authorization(diagnosis).at(host));
    report.add(powershell(diagnosis).at(host));
    report.add(quotas(&diagnosis.quotas).at(host));
    report.add(clock(ahead).at(host));
    report.add(second_hop(&diagnosis.second_hop).at(host));
    report.add(disk(&diagnosis.system_drive).at(host));
}

fn authorization(diagnosis: &Diagnosis) -> Check {
    let host = &diagnosis.computer_name;
    if diagnosis.administrator {
        return Check::ok(Subject::Authorization, format!("the account is an administrator of {host}"));
    }
    Check::failed(
        Subject::Authorization,
        format!("the account has no administrator rights on {host}, or they are filtered out of a remote logon"),
        "Add the account to the host's group Administrators (`Add-LocalGroupMember -Group Administrators -Member \
         'DOMAIN\\name'`). A local account other than the built-in Administrator also needs `New-ItemProperty -Path \
         HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System -Name LocalAccountTokenFilterPolicy \
         -Value 1 -PropertyType DWord -Force` there.",
    )
}

fn powershell(diagnosis: &Diagnosis) -> Check {
    let Diagnosis { operating_system, powershell_version, language_mode, .. } = diagnosis;
    let finding = format!("PowerShell {powershell_version} in {language_mode} mode on {operating_system}");
    match language_mode.as_str() {
        "FullLanguage" => Check::ok(Subject::Powershell, finding),
        _ => Check::failed(Subject::Powershell, finding, CONSTRAINED),
    }
}

fn quotas(quotas: &Quotas) -> Check {
    let rows = [
        ("MaxMemoryPerShellMB", quotas.max_memory_per_shell_mb, MEMORY_MB, "winrm/config/winrs"),
        ("MaxShellsPerUser", quotas.max_shells_per_user, SHELLS, "winrm/config/winrs"),
        ("MaxProcessesPerShell", quotas.max_processes_per_shell, PROCESSES, "winrm/config/winrs"),
        ("MaxConcurrentUsers", quotas.max_concurrent_users, USERS, "winrm/config/winrs"),
        (
            "MaxConcurrentOperationsPerUser",
            quotas.max_concurrent_operations_per_user,
            OPERATIONS,
            "winrm/config/service",
        ),
        ("MaxEnvelopeSizekb", quotas.max_envelope_size_kb, ENVELOPE_KB, "winrm/config"),
    ];
    let found = rows.map(|(name, value, ..)| match value {
        Some(value) => format!("{name} {value}"),
        None => format!("{name} not readable"),
    });
    let mut cures = Vec::new();
    for (name, value, least, place) in rows {
        match value {
            Some(value) if value < least => {
                cures.push(format!("Raise {name} to at least {least}: `winrm set {place} @{{{name}=\"{least}\"}}`."));
            }
            Some(_) => {}
            None => cures.push(format!("Look at {name} on the host itself: `winrm get {place}`.")),
        }
    }
    let finding = found.join(", ");
    if cures.is_empty() {
        Check::ok(Subject::Quotas, finding)
    } else {
        Check::warning(Subject::Quotas, finding, cures.join(" "))
    }
}

/// `ahead` is by how many seconds the host's clock is ahead of this machine's.
fn clock(ahead: i64) -> Check {
    let apart = ahead.unsigned_abs();
    if apart <= CLOCK_NOTICED.unsigned_abs() {
        let finding = format!("the host's clock and this machine's differ by no more than {CLOCK_NOTICED} s");
        return Check::ok(Subject::Clock, finding);
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let finding = format!("the host's clock is {apart} s {direction} this machine's");
    let cure = "Let both take their time from the domain: `w32tm /resync` on the host, and `w32tm /query /status` to \
        see its source; `timedatectl` on a Linux runner.";
    let consequence = if apart > CLOCK_KERBEROS.unsigned_abs() {
        "Kerberos refuses more than five minutes, and certificates and AD FS tokens may seem out of date."
    } else {
        "Times in logs of both cannot be compared, and Kerberos refuses more than five minutes."
    };
    Check::warning(Subject::Clock, finding, format!("{consequence} {cure}"))
}

/// Nothing here needs a second hop, so none of this is a failure.
fn second_hop(hop: &SecondHop) -> Check {
    let logon = if hop.network_logon { "this network logon" } else { "this logon" };
    let share = hop.share.as_deref().unwrap_or_default();
    let untried = |reason: &str| {
        let finding = format!("{reason}, so no other machine was tried with {logon}; {DELIVERIES}");
        Check::note(Subject::DoubleHop, finding)
    };
    match hop.outcome {
        HopOutcome::Refused => {
            let finding = format!(
                "{logon} is refused at `{share}`, so the host cannot act elsewhere as the account; {DELIVERIES}"
            );
            Check::ok(Subject::DoubleHop, finding)
        }
        HopOutcome::Opened => {
            let finding = format!("{logon} opens `{share}`, so the host can act elsewhere as the account");
            Check { cure: Some(HOP_CURE.to_owned()), ..Check::note(Subject::DoubleHop, finding) }
        }
        HopOutcome::Unreachable => {
            let problem = hop.problem.as_deref().unwrap_or_default();
            let finding = format!(
                "whether the host can act elsewhere as the account is not known, because `{share}` could not be tried: \
                 {problem}; {DELIVERIES}"
            );
            Check::note(Subject::DoubleHop, finding)
        }
        HopOutcome::NoDomain => untried("the host is in no domain"),
        HopOutcome::DomainController => untried("the host is a domain controller itself"),
        HopOutcome::LocalAccount => untried("the account is the host's own"),
    }
}

fn disk(drive: &Drive) -> Check {
    let finding = format!("{} has {} free of {}", drive.name, gibibytes(drive.free), gibibytes(drive.size));
    let cure = "Free space on the system drive: it takes the setups, their logs, and the backups in \
        `%ProgramData%\\terraform-provider-azuremfa`. `cleanmgr.exe` and `Dism.exe /Online /Cleanup-Image \
        /StartComponentCleanup` remove what Windows itself left behind.";
    match drive.free {
        ..DISK_NEEDED => Check::failed(Subject::Disk, finding, cure),
        DISK_NEEDED..DISK_WANTED => Check::warning(Subject::Disk, finding, cure),
        _ => Check::ok(Subject::Disk, finding),
    }
}

fn gibibytes(bytes: u64) -> String {
    let tenths = bytes / (GIB / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;
    use crate::winrm::endpoint::Timeouts;
    use crate::winrm::limits::{DEFAULT_IN_ALL, DEFAULT_PER_HOST};

    #[track_caller]
    fn expect(check: &Check, verdict: Verdict, finding: &str, cure: &str) {
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.finding.contains(finding), "{check:?}");
        assert!(check.cure.as_deref().unwrap_or_default().contains(cure), "{check:?}");
    }

    #[test]
    fn clocks_are_compared_both_ways() {
        expect(&clock(60), Verdict::Ok, "no more than 60 s", "");
        expect(&clock(-60), Verdict::Ok, "no more than 60 s", "");
        expect(&clock(61), Verdict::Warning, "61 s ahead", "Times in logs");
        expect(&clock(-301), Verdict::Warning, "301 s behind", "tokens may seem out of date");
    }

    #[test]
    fn drives_have_room_or_not() {
        let drive = |free| Drive { name: "C:".to_owned(), size: 60 * GIB, free };
        expect(&disk(&drive(DISK_NEEDED - 1)), Verdict::Failed, "C: has 1.0 GiB free of 60.0 GiB", "Free space");
        expect(&disk(&drive(DISK_NEEDED)), Verdict::Warning, "1.0 GiB free", "Free space");
        expect(&disk(&drive(DISK_WANTED)), Verdict::Ok, "5.0 GiB free", "");
    }

    #[test]
    fn a_narrower_language_mode_fails() {
        let found = |mode: &str| Diagnosis {
            computer_name: "MFA01".to_owned(),
            operating_system: "Windows Server 2019".to_owned(),
            powershell_version: "5.1.17763.1".to_owned(),
            language_mode: mode.to_owned(),
            administrator: true,
            quotas: Quotas::default(),
            now: Timestamp::UNIX_EPOCH,
            system_drive: Drive { name: "C:".to_owned(), size: 60 * GIB, free: 40 * GIB },
            second_hop: hop(HopOutcome::Refused),
        };
        expect(&powershell(&found("FullLanguage")), Verdict::Ok, "PowerShell 5.1.17763.1 in FullLanguage mode", "");
        for mode in ["ConstrainedLanguage", "RestrictedLanguage", "NoLanguage"] {
            expect(&powershell(&found(mode)), Verdict::Failed, mode, "FullLanguage mode for this account");
        }
    }

    /// What the guide says in words of its own is what is so.
    #[test]
    fn the_guide_names_the_limits_as_they_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/winrm.md");
        let guide = std::fs::read_to_string(path).expect("the guide");
        let guide = guide.split_whitespace().collect::<Vec<_>>().join(" ");
        let (timeouts, clock) = (Timeouts::default(), CLOCK_NOTICED);
        for said in [
            format!("at most {DEFAULT_PER_HOST} connections a host (`max_connections` of the connection)"),
            format!("at most {DEFAULT_IN_ALL} to all hosts together (`max_connections` of the provider)"),
            format!("for {} s to set a connection up", timeouts.connect.as_secs()),
            format!("{} s for each answer", timeouts.operation.as_secs()),
            format!("Shell\\MaxMemoryPerShellMB -Value {MEMORY_MB}"),
            format!("Shell\\MaxShellsPerUser -Value {SHELLS}"),
            format!("Shell\\MaxProcessesPerShell -Value {PROCESSES}"),
            format!("Shell\\MaxConcurrentUsers -Value {USERS}"),
            format!("Service\\MaxConcurrentOperationsPerUser -Value {OPERATIONS}"),
            format!("MaxEnvelopeSizekb -Value {ENVELOPE_KB}"),
            format!("`doctor` warns from {clock} s on"),
            format!("Clocks within {} minutes of each other", CLOCK_KERBEROS / 60),
            format!("`doctor` warns below {} GiB and fails below {} GiB", DISK_WANTED / GIB, DISK_NEEDED / GIB),
        ] {
            assert!(guide.contains(&said), "the guide does not say: {said}");
        }
    }

    fn hop(outcome: HopOutcome) -> SecondHop {
        SecondHop { network_logon: true, share: Some("\\\\contoso.com\\SYSVOL".to_owned()), outcome, problem: None }
    }

    #[test]
    fn a_second_hop_is_no_failure_either_way() {
        let share = "\\\\contoso.com\\SYSVOL";
        let refused = second_hop(&hop(HopOutcome::Refused));
        expect(&refused, Verdict::Ok, &format!("this network logon is refused at `{share}`, so"), "");
        let other = second_hop(&SecondHop { network_logon: false, ..hop(HopOutcome::Refused) });
        expect(&other, Verdict::Ok, &format!("this logon is refused at `{share}`, so"), "");
        expect(&second_hop(&hop(HopOutcome::Opened)), Verdict::Note, "can act elsewhere", "AccountNotDelegated");
        let silent = SecondHop { problem: Some("no answer within 15 s".to_owned()), ..hop(HopOutcome::Unreachable) };
        expect(
            &second_hop(&silent),
            Verdict::Note,
            &format!("`{share}` could not be tried: no answer within 15 s;"),
            "",
        );
        for (outcome, reason) in [
            (HopOutcome::NoDomain, "the host is in no domain, so"),
            (HopOutcome::DomainController, "the host is a domain controller itself, so"),
            (HopOutcome::LocalAccount, "the account is the host's own, so"),
        ] {
            let check = second_hop(&SecondHop { share: None, ..hop(outcome) });
            expect(&check, Verdict::Note, reason, "");
            assert!(check.finding.ends_with(DELIVERIES), "{check:?}");
        }
    }

    #[test]
    fn each_quota_has_its_command() {
        let wide = Quotas {
            max_memory_per_shell_mb: Some(2_147_483_647),
            max_shells_per_user: Some(SHELLS),
            max_processes_per_shell: Some(PROCESSES),
            max_concurrent_users: Some(USERS),
            max_concurrent_operations_per_user: Some(OPERATIONS),
            max_envelope_size_kb: Some(ENVELOPE_KB),
        };
        expect(&quotas(&wide), Verdict::Ok, "MaxMemoryPerShellMB 2147483647, MaxShellsPerUser 30", "");
        let narrow = Quotas { max_memory_per_shell_mb: Some(150), max_envelope_size_kb: None, ..wide };
        let check = quotas(&narrow);
        expect(&check, Verdict::Warning, "MaxEnvelopeSizekb not readable", "MaxMemoryPerShellMB=\"1024\"");
        expect(&check, Verdict::Warning, "MaxMemoryPerShellMB 150", "`winrm get winrm/config`");
        let narrow = Quotas { max_concurrent_operations_per_user: Some(15), max_concurrent_users: Some(5), ..wide };
        let check = quotas(&Quotas { max_processes_per_shell: Some(5), ..narrow });
        let operations = "`winrm set winrm/config/service @{MaxConcurrentOperationsPerUser=\"1500\"}`";
        expect(&check, Verdict::Warning, "MaxConcurrentOperationsPerUser 15", operations);
        expect(&check, Verdict::Warning, "MaxConcurrentUsers 5", "winrs @{MaxConcurrentUsers=\"10\"}`");
        expect(&check, Verdict::Warning, "MaxProcessesPerShell 5", "winrs @{MaxProcessesPerShell=\"25\"}`");
    }
}
