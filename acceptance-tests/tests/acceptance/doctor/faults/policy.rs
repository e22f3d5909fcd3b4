//! What is wrong with a host that can be reached and logged in to: the account's rights, PowerShell, quotas, clock,
//! second hop, disk.

use acceptance_tests::lab::host::state::{SecondHop, SystemDrive, WinrmQuotas};
use expect_test::expect;

use super::{Row, Wrong};

/// As PowerShell reports what a script may not do in this mode.
const CONSTRAINED: &str = "Cannot invoke method. Method invocation is supported only on core types in this language mode.\r\n    \
    + FullyQualifiedErrorId : MethodInvocationNotSupportedInConstrainedLanguage";
/// As `cmd.exe` reports a program that may not start.
const BLOCKED: &str =
    "This program is blocked by group policy. For more information, contact your system administrator.";

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            "no administrator",
            "The account is a local one with filtered rights, or no member of the group Administrators.",
            Wrong::Host(|state| state.administrator = false),
            expect![[r#"
                authorization: checking the rights on mfa01.contoso.com: the account has no administrator rights on MFA01, or they are filtered out of a remote logon
                Add the account to the host's group Administrators (`Add-LocalGroupMember -Group Administrators -Member 'DOMAIN\name'`). A local account other than the built-in Administrator also needs `New-ItemProperty -Path HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System -Name LocalAccountTokenFilterPolicy -Value 1 -PropertyType DWord -Force` there.
            "#]],
        ),
        (
            "old PowerShell",
            "The host has a Windows before Windows Server 2016, without Windows Management Framework 5.1.",
            Wrong::Host(|state| state.powershell_version = "4.0".to_owned()),
            expect![[r#"
                powershell: running PowerShell on mfa01.contoso.com: PowerShell 4.0 was found; Windows PowerShell 5.1 or later is needed. Install Windows Management Framework 5.1, which needs .NET Framework 4.5.2 or later (script Get-Diagnosis)
                `wusa.exe Win8.1AndW2K12R2-KB3191564-x64.msu` installs Windows Management Framework 5.1 on Windows Server 2012 R2, KB3191565 on 2012, KB3191566 on 2008 R2. Restart the host afterwards.
            "#]],
        ),
        (
            "constrained PowerShell",
            "A policy lets PowerShell run for this account in ConstrainedLanguage mode only.",
            Wrong::Host(|state| state.powershell_refusal = Some(CONSTRAINED.to_owned())),
            expect![[r#"
                powershell: running PowerShell on mfa01.contoso.com: the host's answer could not be used: the script Get-Diagnosis ended without a reply (exit code 1), and said: Cannot invoke method. Method invocation is supported only on core types in this language mode (MethodInvocationNotSupportedInConstrainedLanguage)
                PowerShell must run in FullLanguage mode for this account. Exempt its administrators from the AppLocker or Windows Defender Application Control policy that applies to scripts, and remove the machine's environment variable `__PSLockdownPolicy` if it is set.
            "#]],
        ),
        (
            "blocked PowerShell",
            "A policy or a security product keeps PowerShell from starting.",
            Wrong::Host(|state| state.powershell_refusal = Some(BLOCKED.to_owned())),
            expect![[r#"
                powershell: running PowerShell on mfa01.contoso.com: the host's answer could not be used: the script Get-Diagnosis ended without a reply (exit code 1), and said: This program is blocked by group policy. For more information, contact your system administrator
                Run `powershell.exe -NoProfile -Command $PSVersionTable` on the host under this account, and check that no policy (AppLocker, Windows Defender Application Control, an antivirus product) keeps it from starting.
            "#]],
        ),
        (
            "narrow quotas",
            "Limits of WinRM are below Windows' own defaults; setups and copies are known to fail then.",
            Wrong::Host(|state| {
                let (memory, shells, envelope) = (Some(150), Some(5), Some(150));
                state.winrm_quotas = Some(WinrmQuotas {
                    max_memory_per_shell_mb: memory,
                    max_shells_per_user: shells,
                    max_processes_per_shell: Some(5),
                    max_concurrent_users: Some(5),
                    max_concurrent_operations_per_user: Some(15),
                    max_envelope_size_kb: envelope,
                });
            }),
            expect![[r#"
                quotas: reading the quotas on mfa01.contoso.com: MaxMemoryPerShellMB 150, MaxShellsPerUser 5, MaxProcessesPerShell 5, MaxConcurrentUsers 5, MaxConcurrentOperationsPerUser 15, MaxEnvelopeSizekb 150
                Raise MaxMemoryPerShellMB to at least 1024: `winrm set winrm/config/winrs @{MaxMemoryPerShellMB="1024"}`. Raise MaxShellsPerUser to at least 30: `winrm set winrm/config/winrs @{MaxShellsPerUser="30"}`. Raise MaxProcessesPerShell to at least 25: `winrm set winrm/config/winrs @{MaxProcessesPerShell="25"}`. Raise MaxConcurrentUsers to at least 10: `winrm set winrm/config/winrs @{MaxConcurrentUsers="10"}`. Raise MaxConcurrentOperationsPerUser to at least 1500: `winrm set winrm/config/service @{MaxConcurrentOperationsPerUser="1500"}`. Raise MaxEnvelopeSizekb to at least 500: `winrm set winrm/config @{MaxEnvelopeSizekb="500"}`.
            "#]],
        ),
        (
            "hidden quotas",
            "The account may not read the configuration of WinRM.",
            Wrong::Host(|state| {
                state.winrm_quotas = Some(WinrmQuotas {
                    max_memory_per_shell_mb: None,
                    max_shells_per_user: None,
                    max_processes_per_shell: None,
                    max_concurrent_users: None,
                    max_concurrent_operations_per_user: None,
                    max_envelope_size_kb: None,
                });
            }),
            expect![[r#"
                quotas: reading the quotas on mfa01.contoso.com: MaxMemoryPerShellMB not readable, MaxShellsPerUser not readable, MaxProcessesPerShell not readable, MaxConcurrentUsers not readable, MaxConcurrentOperationsPerUser not readable, MaxEnvelopeSizekb not readable
                Look at MaxMemoryPerShellMB on the host itself: `winrm get winrm/config/winrs`. Look at MaxShellsPerUser on the host itself: `winrm get winrm/config/winrs`. Look at MaxProcessesPerShell on the host itself: `winrm get winrm/config/winrs`. Look at MaxConcurrentUsers on the host itself: `winrm get winrm/config/winrs`. Look at MaxConcurrentOperationsPerUser on the host itself: `winrm get winrm/config/service`. Look at MaxEnvelopeSizekb on the host itself: `winrm get winrm/config`.
            "#]],
        ),
        (
            "clock, by little",
            "The host does not take its time from where this machine does.",
            Wrong::Host(|state| state.clock_ahead = Some(-90)),
            expect![[r#"
                clock: reading the clock on mfa01.contoso.com: the host's clock is 90 s behind this machine's
                Times in logs of both cannot be compared, and Kerberos refuses more than five minutes. Let both take their time from the domain: `w32tm /resync` on the host, and `w32tm /query /status` to see its source; `timedatectl` on a Linux runner.
            "#]],
        ),
        (
            "second hop",
            "The logon can go on from the host: by Basic, by delegation, or because the share takes anybody.",
            Wrong::Host(|state| state.second_hop = Some(SecondHop { error: 0, ..SecondHop::default() })),
            expect![[r#"
                double_hop: trying the second hop on mfa01.contoso.com: this network logon opens `\\contoso.com\SYSVOL`, so the host can act elsewhere as the account
                Nothing here needs it. UNC paths are no sources all the same: with `delivery = "pull"` the host fetches a file over https, with `delivery = "push"` this machine sends it over WinRM. Whoever controls the host can use the account elsewhere, so log on by Kerberos or NTLM rather than by Basic, which hands the password to the host, and forbid delegation of the account: `Set-ADUser -Identity 'name' -AccountNotDelegated $true`.
            "#]],
        ),
        (
            "little room",
            "The setups and the backups of an upgrade or two still fit.",
            Wrong::Host(|state| state.system_drive = Some(SystemDrive { size: 60 << 30, free: 3 << 30 })),
            expect![[r#"
                disk: measuring the system drive on mfa01.contoso.com: C: has 3.0 GiB free of 60.0 GiB
                Free space on the system drive: it takes the setups, their logs, and the backups in `%ProgramData%\terraform-provider-azuremfa`. `cleanmgr.exe` and `Dism.exe /Online /Cleanup-Image /StartComponentCleanup` remove what Windows itself left behind.
            "#]],
        ),
        (
            "no room",
            "Not even the setups and their logs fit.",
            Wrong::Host(|state| state.system_drive = Some(SystemDrive { size: 60 << 30, free: 512 << 20 })),
            expect![[r#"
                disk: measuring the system drive on mfa01.contoso.com: C: has 0.5 GiB free of 60.0 GiB
                Free space on the system drive: it takes the setups, their logs, and the backups in `%ProgramData%\terraform-provider-azuremfa`. `cleanmgr.exe` and `Dism.exe /Online /Cleanup-Image /StartComponentCleanup` remove what Windows itself left behind.
            "#]],
        ),
    ]
}
