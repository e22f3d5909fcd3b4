//! Faults of shells and commands.

use acceptance_tests::lab::wire::fault::{Fault, Shape};
use acceptance_tests::lab::wire::faults::Effect;
use acceptance_tests::lab::wire::record::Kind;
use expect_test::expect;
use serde_json::json;

use super::{Row, http, on, on_way};
use crate::doctor::run::Doctor;

/// A fault whose words do not matter.
fn windows(code: u32, subcode: &'static str) -> Fault {
    Fault::receiver(code, subcode, "words of Windows")
}

pub(super) fn rows() -> Vec<Row> {
    let fault = |kind, fault| on(kind, Effect::Fault(fault));
    vec![
        (
            "access denied",
            "The account is known, and may not open a command shell.",
            fault(Kind::Create, Fault::access_denied()),
            expect![[r#"
            authorization: opening a shell on mfa01.contoso.com: access is denied: fault 5 (Access is denied.)
            Use an account that is an administrator of the host. A local account other than the built-in Administrator also needs `LocalAccountTokenFilterPolicy=1` there.
        "#]],
        ),
        (
            "quota of shells",
            "The account has as many shells open as it may have. The provider waits and tries three times.",
            fault(Kind::Create, Fault::too_many_shells(30)),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the account's quota of shells on the host is used up: fault 2150859173 (The WS-Management service cannot process the request. This user is allowed a maximum number of 30 concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.)
                Close left-over shells of the account on the host (`Get-WSManInstance -ResourceURI shell -Enumerate`) or raise `MaxShellsPerUser` (`winrm set winrm/config/winrs @{MaxShellsPerUser="30"}`).
            "#]],
        ),
        (
            "quota of users",
            "As many accounts have shells on the host as may have some. The provider waits and tries three times.",
            fault(Kind::Create, windows(2_150_859_179, "w:QuotaLimit")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host's quota of accounts with shells is used up: fault 2150859179 (words of Windows)
                Wait until other accounts have closed their shells, or raise `MaxConcurrentUsers` (`winrm set winrm/config/winrs @{MaxConcurrentUsers="10"}`).
            "#]],
        ),
        (
            "quota of requests",
            "The account sends more requests than the host allows in a while. The provider waits and tries three times.",
            fault(Kind::Create, windows(2_150_859_175, "w:QuotaLimit")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host gets more requests than it allows: fault 2150859175 (words of Windows)
                Wait a minute, then try again with less `-parallelism`; other clients of the host count too.
            "#]],
        ),
        (
            "shells refused",
            "The host or a policy over it forbids remote shells to everybody.",
            fault(Kind::Create, windows(2_150_859_180, "w:InternalError")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host is set to refuse remote shells: fault 2150859180 (words of Windows)
                Allow remote shells on the host (`winrm set winrm/config/winrs @{AllowRemoteShellAccess="true"}`), and look whether a group policy forbids them (`Allow Remote Shell Access`) or WinRM itself (`Enable-PSRemoting`).
            "#]],
        ),
        (
            "remote access off",
            "WinRM takes requests from the host itself only.",
            fault(Kind::Create, windows(2_150_859_229, "w:InternalError")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host is set to refuse remote shells: fault 2150859229 (words of Windows)
                Allow remote shells on the host (`winrm set winrm/config/winrs @{AllowRemoteShellAccess="true"}`), and look whether a group policy forbids them (`Allow Remote Shell Access`) or WinRM itself (`Enable-PSRemoting`).
            "#]],
        ),
        (
            "going down",
            "The host or its WinRM service is about to stop.",
            fault(Kind::Create, windows(1115, "w:InternalError")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host broke the request off: fault 1115 (words of Windows)
                The shell, the WinRM service or the host was going down. Look into the event logs System and Microsoft-Windows-WinRM there, and find out what the command has done before it is run again.
            "#]],
        ),
        (
            "any fault",
            "Windows has a number for it that the provider has no words of its own for.",
            fault(Kind::Create, windows(87, "w:InvalidParameter")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: fault 87 (words of Windows)
                The number and text are those of Windows; `winrm helpmsg <number>` explains it on the host.
            "#]],
        ),
        (
            "timed out",
            "The host was given the operation timeout, and needed more. While a command runs this is usual and no error.",
            fault(Kind::Create, Fault::timed_out()),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host had no answer within the operation timeout: fault 2150858793 (The WS-Management service cannot complete the operation within the time specified in OperationTimeout.)
                Check that the host is not overloaded, then try again.
            "#]],
        ),
        (
            "too large",
            "The web server of the host takes smaller messages only. Input is halved and sent again by itself.",
            on(Kind::Create, http(413, "text/html")),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: HTTP 413
            Raise `MaxEnvelopeSizekb` on the host (`winrm set winrm/config @{MaxEnvelopeSizekb="500"}`).
        "#]],
        ),
        (
            "too large (fault)",
            "The WinRM service takes smaller messages only. Input is halved and sent again by itself.",
            fault(Kind::Create, windows(2_150_858_805, "w:EncodingLimit")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the message is larger than the host takes: fault 2150858805 (words of Windows)
                Raise `MaxEnvelopeSizekb` on the host (`winrm set winrm/config @{MaxEnvelopeSizekb="500"}`).
            "#]],
        ),
        (
            "another service later",
            "A proxy or a login page answers in the host's place.",
            on(Kind::Create, http(200, "text/html")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the answer is not WS-Management (HTTP 200, content type `text/html`)
                Something else answers on this port. Check host, port and path, and whether a proxy answers in the host's place.
            "#]],
        ),
        (
            "unsealed error",
            "The service gave up without saying why.",
            on(Kind::Create, http(500, "text/html")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: HTTP 500
                Check the WinRM service on the host (`winrm quickconfig`, event log Microsoft-Windows-WinRM).
            "#]],
        ),
        (
            "no reply",
            "The connection is open and the host says nothing for the whole operation timeout.",
            on(Kind::Create, Effect::Hang),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: no reply within 3 s
            Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
        "#]],
        ),
        (
            "no logon in time",
            "The host takes longer to log on to than the connection's `timeouts.overall` allows.",
            on_way(Kind::Create, Effect::Hang, within_two_seconds),
            expect![[r#"
                authentication: logging in to mfa01.contoso.com: no end within 2 s
                Nothing was started on the host. Check that it is not overloaded, or raise `timeouts.overall` of the connection. Hosts whose account nobody has accepted yet wait for each other: look also at those that do not answer.
            "#]],
        ),
        (
            "changed on the way",
            "Something in between has changed what the host encrypted over HTTP.",
            on_way(Kind::Create, Effect::Damage, over_http),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the host's encrypted answer cannot be trusted: a sealed message does not open with the login's key, or is not the next one
                Something between this machine and the host changes answers or repeats earlier ones: look for what reads HTTP on the way (a proxy, a balancer, an inspecting firewall), or use HTTPS. If a command can have started, find out what it has done before it is run again.
            "#]],
        ),
        (
            "repeated on the way",
            "Something in between gives an earlier answer of the host's for the one that was asked for.",
            on_way(Kind::Command, Effect::Repeat, over_http),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the host's encrypted answer cannot be trusted: a sealed message does not open with the login's key, or is not the next one
                Something between this machine and the host changes answers or repeats earlier ones: look for what reads HTTP on the way (a proxy, a balancer, an inspecting firewall), or use HTTPS. If a command can have started, find out what it has done before it is run again.
            "#]],
        ),
        (
            "not XML",
            "Something answers as WinRM would, and the content is something else.",
            on(Kind::Create, http(200, "application/soap+xml")),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: the answer cannot be understood: it is not a SOAP envelope
            Check that the answer comes from the WinRM service of Windows and not from something in between.
        "#]],
        ),
        (
            "lost at start",
            "The connection broke before the shell was open; nothing was started.",
            on(Kind::Create, Effect::DropBefore),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the connection was lost: …
                Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
            "#]],
        ),
        (
            "quota of operations",
            "The account has used up its operations. The provider opens another shell and tries once more.",
            fault(Kind::Command, Fault::too_many_operations(1500, Shape::WmiError)),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the quota of operations on the host is used up: fault 2150859174 (The WS-Management service cannot process the request. This user is allowed a maximum number of 1500 concurrent operations, which has been exceeded. Close existing operations for this user, or raise the quota for this user.)
                Wait until other sessions of the account have ended, or raise `MaxConcurrentOperationsPerUser` (`winrm set winrm/config/service @{MaxConcurrentOperationsPerUser="1500"}`).
            "#]],
        ),
        (
            "quota of commands",
            "The shell runs as many commands as it may. The provider opens another shell and tries once more.",
            fault(Kind::Command, Fault::too_many_processes()),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the shell's quota of commands is used up: fault 2150859241 (The WS-Management service cannot process the request. The maximum number of concurrent commands per shell has been exceeded. Retry the request later or raise the Maximum Commands per Shell quota.)
                Raise `MaxProcessesPerShell` on the host (`winrm set winrm/config/winrs @{MaxProcessesPerShell="25"}`).
            "#]],
        ),
        (
            "memory",
            "The processes of the shell have used up the memory that it may have.",
            fault(Kind::Command, windows(1816, "w:InternalError")),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the shell or the host is out of memory: fault 1816 (words of Windows)
                Raise `MaxMemoryPerShellMB` on the host (`winrm set winrm/config/winrs @{MaxMemoryPerShellMB="1024"}`) and restart its WinRM service, or free memory there. Find out what the command has done before it is run again.
            "#]],
        ),
        (
            "plug-in failed",
            "The part of WinRM that serves shells has failed.",
            fault(Kind::Command, windows(2_150_858_883, "w:InternalError")),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the host broke the request off: fault 2150858883 (words of Windows)
                The shell, the WinRM service or the host was going down. Look into the event logs System and Microsoft-Windows-WinRM there, and find out what the command has done before it is run again.
            "#]],
        ),
        (
            "shell gone",
            "The shell was closed on the host. The provider opens another one and tries once more.",
            on(Kind::Command, Effect::LoseShell),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the shell or its command is gone: fault 2150858843 (The request for the Windows Remote Shell with … failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation.)
                The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. Find out whether the command had finished before it is run again.
            "#]],
        ),
        (
            "lost under way",
            "The connection broke while a command was being started: it may run or not.",
            on(Kind::Command, Effect::DropAfter),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the connection was lost: …
                Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
            "#]],
        ),
        (
            "busy",
            "The host has not taken the input before. The provider waits and tries three times.",
            fault(Kind::Send, Fault::busy()),
            expect![[r#"
            powershell: sending input to a command on mfa01.contoso.com: the host is busy: fault 170 (The requested resource is in use.)
            Wait until the host has worked off what was sent before, then try again.
        "#]],
        ),
        (
            "shell lost",
            "The shell was closed on the host while a command ran in it.",
            on(Kind::Receive, Effect::LoseShell),
            expect![[r#"
                powershell: waiting for a command on mfa01.contoso.com: the shell or its command is gone: fault 2150858843 (The request for the Windows Remote Shell with … failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation.)
                The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. Find out whether the command had finished before it is run again.
            "#]],
        ),
        (
            "aborted",
            "The shell, the service or the host went down under the command.",
            fault(Kind::Receive, Fault::aborted()),
            expect![[r#"
                powershell: waiting for a command on mfa01.contoso.com: the host broke the request off: fault 995 (The I/O operation has been aborted because of either a thread exit or an application request.)
                The shell, the WinRM service or the host was going down. Look into the event logs System and Microsoft-Windows-WinRM there, and find out what the command has done before it is run again.
            "#]],
        ),
        (
            "reset",
            "The connection broke while a command ran, and did not hold when it was opened again, three times over.",
            on(Kind::Receive, Effect::DropBefore),
            expect![[r#"
                powershell: waiting for a command on mfa01.contoso.com: the connection was lost: …
                Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
            "#]],
        ),
        (
            "time limit",
            "A script takes longer than it may: 5 minutes for a question, 30 for a change, 3 hours for what copies files, or the connection's `timeouts.overall`.",
            on_way(Kind::Receive, Effect::Hang, within_two_seconds),
            expect![[r#"
                powershell: running PowerShell on mfa01.contoso.com: no end within 2 s
                Nothing was changed on the host. Raise `timeouts.overall` of the connection, or check that the host is not overloaded and that its WMI answers (`Get-CimInstance Win32_LogicalDisk` there).
            "#]],
        ),
    ]
}

fn over_http(doctor: Doctor) -> Doctor {
    doctor.with("use_https", json!(false)).with("ca_certificate", json!(null))
}

/// The time for all ends before that for one answer.
fn within_two_seconds(doctor: Doctor) -> Doctor {
    doctor.with("timeouts", json!({ "connect": "5s", "operation": "30s", "overall": "2s" }))
}
