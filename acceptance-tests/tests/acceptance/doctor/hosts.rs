//! What `doctor` says of hosts that can be reached: healthy ones, and ones that would fail an upgrade later.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::host::error::LabError;
use acceptance_tests::lab::host::state::{SecondHop, State, SystemDrive, WinrmQuotas};
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::record::Listener;
use acceptance_tests::{paths, powershell};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::run::{Doctor, HOST};

fn lab(mode: Mode) -> Lab {
    let estate = demo::temporary().expect("the estate");
    Lab::start_in_background(&estate, mode).expect("the lab")
}

fn change(lab: &Lab, change: impl FnOnce(&mut State)) {
    let host = lab.estate().host(HOST).expect("the host");
    let update = |state: &mut State| -> Result<(), LabError> {
        change(state);
        Ok(())
    };
    host.update(update).expect("the state");
}

/// The report's text without what differs between runs.
fn text(lab: &Lab, doctor: &Doctor) -> String {
    doctor.run().stdout.replace(&lab.proxy_url, "http://proxy:3128")
}

#[test]
fn a_healthy_host_passes_every_check() {
    let lab = lab(Mode::Native);
    let doctor = Doctor::of(&lab);
    expect![[r#"
        mfa01.contoso.com at https://mfa01.contoso.com:5986/wsman as Administrator through the proxy http://proxy:3128 (the setting `proxy` names it)

        ok       name            127.0.0.1 is an address; it is the proxy, which looks mfa01.contoso.com up
                                 itself
        ok       TCP             port 5986 takes connections through the proxy
        ok       TLS             TLS 1.3; the certificate is valid, carries the name, and is trusted by
                                 `ca_certificate`
        ok       WS-Management   https://mfa01.contoso.com:5986/wsman answers and offers Negotiate, Basic
        ok       authentication  Administrator is accepted (NTLM, bound to the TLS channel)
        ok       authorization   the account is an administrator of MFA01
        ok       shell           a shell opens and runs commands
        ok       PowerShell      PowerShell 5.1.14393.5582 in FullLanguage mode on Microsoft Windows Server
                                 2016 Standard
        ok       quotas          MaxMemoryPerShellMB 1024, MaxShellsPerUser 30, MaxProcessesPerShell 25,
                                 MaxConcurrentUsers 10, MaxConcurrentOperationsPerUser 1500,
                                 MaxEnvelopeSizekb 500
        ok       clock           the host's clock and this machine's differ by no more than 60 s
        ok       double hop      this network logon is refused at `\\contoso.com\SYSVOL`, so the host cannot
                                 act elsewhere as the account; files come over https or from this machine,
                                 never from a UNC path
        ok       disk            C: has 40.0 GiB free of 60.0 GiB

        The host can be used; 0 warnings.
    "#]]
    .assert_eq(&text(&lab, &doctor));
    assert_eq!(doctor.run().code, 0);
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new());
}

/// The guide's example is a run straight to the host, with the names of the guide. Lines break where names are as long.
#[test]
fn the_guide_shows_the_report_of_a_host_that_is_ready() {
    let guide = std::fs::read_to_string(paths::root().join("docs/guides/winrm.md")).expect("the guide");
    let shown = guide.split("```text\n").nth(1).and_then(|text| text.split("```").next()).expect("a report");
    let lab = lab(Mode::Native);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = runtime.block_on(lab.wire().open_port(HOST, Listener::Https)).expect("a port").port();
    let mut doctor = Doctor::of(&lab).with("proxy", json!("")).with("ca_certificate", json!(null));
    doctor = doctor.with("port", json!(port)).with("server_name", json!(HOST));
    doctor.host = "127.0.0.1".to_owned();
    doctor.environment.push(("SSL_CERT_FILE".to_owned(), lab.ca_file.display().to_string()));
    let run = doctor.run();
    let mut said = run.stdout.replace(" (without a proxy: the setting `proxy` is empty)", "");
    let names = [
        ("127.0.0.1 is an address".to_owned(), "mfa01.contoso.com is 10.20.0.11"),
        (format!("127.0.0.1:{port}"), "mfa01.contoso.com:5986"),
        (format!("port {port}"), "port 5986"),
        ("127.0.0.1".to_owned(), HOST),
        (doctor.username.clone(), "CONTOSO\\mfa-upgrade"),
    ];
    names.iter().for_each(|(found, name)| said = said.replace(found, name));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(shown), words(&said), "docs/guides/winrm.md shows another report than\n{said}\n{}", run.stderr);
}

/// What programs read: names, order and values stay as they are.
#[test]
fn the_report_in_json_keeps_its_form() {
    let lab = lab(Mode::Native);
    change(&lab, |state| {
        state.administrator = false;
        state.system_drive = Some(SystemDrive { size: 64 << 30, free: 3 << 30 });
    });
    let mut doctor = Doctor::of(&lab);
    doctor.arguments.push("--json".to_owned());
    let run = doctor.run();
    assert_eq!(run.code, 1);
    expect![[r#"
        {
          "checks": [
            {
              "check": "name",
              "cure": null,
              "finding": "127.0.0.1 is an address; it is the proxy, which looks mfa01.contoso.com up itself",
              "result": "ok"
            },
            {
              "check": "tcp",
              "cure": null,
              "finding": "port 5986 takes connections through the proxy",
              "result": "ok"
            },
            {
              "check": "tls",
              "cure": null,
              "finding": "TLS 1.3; the certificate is valid, carries the name, and is trusted by `ca_certificate`",
              "result": "ok"
            },
            {
              "check": "http",
              "cure": null,
              "finding": "https://mfa01.contoso.com:5986/wsman answers and offers Negotiate, Basic",
              "result": "ok"
            },
            {
              "check": "authentication",
              "cure": null,
              "finding": "Administrator is accepted (NTLM, bound to the TLS channel)",
              "result": "ok"
            },
            {
              "check": "authorization",
              "cure": "Add the account to the host's group Administrators (`Add-LocalGroupMember -Group Administrators -Member 'DOMAIN\\name'`). A local account other than the built-in Administrator also needs `New-ItemProperty -Path HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System -Name LocalAccountTokenFilterPolicy -Value 1 -PropertyType DWord -Force` there.",
              "finding": "checking the rights on mfa01.contoso.com: the account has no administrator rights on MFA01, or they are filtered out of a remote logon",
              "result": "failed"
            },
            {
              "check": "shell",
              "cure": null,
              "finding": "a shell opens and runs commands",
              "result": "ok"
            },
            {
              "check": "powershell",
              "cure": null,
              "finding": "PowerShell 5.1.14393.5582 in FullLanguage mode on Microsoft Windows Server 2016 Standard",
              "result": "ok"
            },
            {
              "check": "quotas",
              "cure": null,
              "finding": "MaxMemoryPerShellMB 1024, MaxShellsPerUser 30, MaxProcessesPerShell 25, MaxConcurrentUsers 10, MaxConcurrentOperationsPerUser 1500, MaxEnvelopeSizekb 500",
              "result": "ok"
            },
            {
              "check": "clock",
              "cure": null,
              "finding": "the host's clock and this machine's differ by no more than 60 s",
              "result": "ok"
            },
            {
              "check": "double_hop",
              "cure": null,
              "finding": "this network logon is refused at `\\\\contoso.com\\SYSVOL`, so the host cannot act elsewhere as the account; files come over https or from this machine, never from a UNC path",
              "result": "ok"
            },
            {
              "check": "disk",
              "cure": "Free space on the system drive: it takes the setups, their logs, and the backups in `%ProgramData%\\terraform-provider-azuremfa`. `cleanmgr.exe` and `Dism.exe /Online /Cleanup-Image /StartComponentCleanup` remove what Windows itself left behind.",
              "finding": "measuring the system drive on mfa01.contoso.com: C: has 3.0 GiB free of 64.0 GiB",
              "result": "warning"
            }
          ],
          "host": "mfa01.contoso.com",
          "proxy": "http://proxy:3128",
          "proxy_reason": "the setting `proxy` names it",
          "result": "failed",
          "url": "https://mfa01.contoso.com:5986/wsman",
          "username": "Administrator"
        }
    "#]].assert_eq(&run.stdout.replace(&lab.proxy_url, "http://proxy:3128"));
}

#[test]
fn real_powershell_gives_the_same_report() {
    if let Err(reason) = powershell::find() {
        acceptance_tests::skip::skipped("doctor under PowerShell", &reason);
        return;
    }
    let reports = [Mode::Native, Mode::PowerShell].map(|mode| {
        let lab = lab(mode);
        change(&lab, worsen);
        Doctor::of(&lab).report()
    });
    // The first checks name the lab's ports. The clocks are read at different moments.
    let later = reports.map(|(code, mut report)| {
        report["checks"][9]["finding"].take();
        (code, report["checks"].as_array().expect("checks")[4..].to_vec())
    });
    let [native, powershell] = later;
    assert_eq!(native, powershell);
    assert_eq!(native.0, 1);
}

fn worsen(state: &mut State) {
    state.administrator = false;
    state.clock_ahead = Some(600);
    state.system_drive = Some(SystemDrive { size: 64 << 30, free: 512 << 20 });
    state.second_hop = Some(SecondHop { error: 258, ..SecondHop::default() });
    state.winrm_quotas = Some(WinrmQuotas {
        max_memory_per_shell_mb: Some(150),
        max_shells_per_user: None,
        max_concurrent_operations_per_user: Some(15),
        ..WinrmQuotas::default()
    });
}

#[test]
fn unverified_certificates_are_warned_of_and_plain_http_is_sealed() {
    let lab = lab(Mode::Native);
    let doctor = Doctor::of(&lab).with("ca_certificate", json!(null));
    let (code, report) = doctor.with("insecure_skip_verify", json!(true)).report();
    assert_eq!((code, &report["checks"][2]["result"]), (0, &json!("warning")));
    let doctor = Doctor::of(&lab).with("ca_certificate", json!(null));
    let (code, report) = doctor.with("use_https", json!(false)).report();
    assert_eq!((code, &report["checks"][2]["result"]), (0, &json!("ok")));
    let finding = report["checks"][4]["finding"].as_str().expect("a finding");
    assert!(finding.ends_with("is accepted (NTLM, with encrypted messages)"), "{finding}");
}

/// A change to a host, and the check that must notice it.
#[track_caller]
fn check(worsen: impl FnOnce(&mut State), subject: &str, code: i32, expected: Expect) {
    let lab = lab(Mode::Native);
    change(&lab, worsen);
    let (found, report) = Doctor::of(&lab).report();
    let checks = report["checks"].as_array().expect("checks");
    let noticed: Vec<&Value> = checks.iter().filter(|check| check["result"] != "ok").collect();
    let [check] = noticed.as_slice() else { panic!("not one check: {noticed:#?}") };
    assert_eq!((check["check"].as_str(), found), (Some(subject), code));
    // A second may pass between the two readings of a clock.
    let finding = check["finding"].to_string().replace("is 91 s", "is 90 s").replace("is 92 s", "is 90 s");
    expected.assert_eq(&format!("{}: {finding}\n{}\n", check["result"], check["cure"]));
}

#[test]
fn what_would_fail_an_upgrade_is_said_with_its_cure() {
    check(
        |state| state.administrator = false,
        "authorization",
        1,
        expect![[r#"
            "failed": "checking the rights on mfa01.contoso.com: the account has no administrator rights on MFA01, or they are filtered out of a remote logon"
            "Add the account to the host's group Administrators (`Add-LocalGroupMember -Group Administrators -Member 'DOMAIN\\name'`). A local account other than the built-in Administrator also needs `New-ItemProperty -Path HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System -Name LocalAccountTokenFilterPolicy -Value 1 -PropertyType DWord -Force` there."
        "#]],
    );
    check(
        |state| state.clock_ahead = Some(-90),
        "clock",
        0,
        expect![[r#"
            "warning": "reading the clock on mfa01.contoso.com: the host's clock is 90 s behind this machine's"
            "Times in logs of both cannot be compared, and Kerberos refuses more than five minutes. Let both take their time from the domain: `w32tm /resync` on the host, and `w32tm /query /status` to see its source; `timedatectl` on a Linux runner."
        "#]],
    );
    check(
        |state| state.system_drive = Some(SystemDrive { size: 64 << 30, free: 3 << 30 }),
        "disk",
        0,
        expect![[r#"
            "warning": "measuring the system drive on mfa01.contoso.com: C: has 3.0 GiB free of 64.0 GiB"
            "Free space on the system drive: it takes the setups, their logs, and the backups in `%ProgramData%\\terraform-provider-azuremfa`. `cleanmgr.exe` and `Dism.exe /Online /Cleanup-Image /StartComponentCleanup` remove what Windows itself left behind."
        "#]],
    );
    let narrow = WinrmQuotas { max_memory_per_shell_mb: Some(150), ..WinrmQuotas::default() };
    check(
        |state| state.winrm_quotas = Some(narrow),
        "quotas",
        0,
        expect![[r#"
            "warning": "reading the quotas on mfa01.contoso.com: MaxMemoryPerShellMB 150, MaxShellsPerUser 30, MaxProcessesPerShell 25, MaxConcurrentUsers 10, MaxConcurrentOperationsPerUser 1500, MaxEnvelopeSizekb 500"
            "Raise MaxMemoryPerShellMB to at least 1024: `winrm set winrm/config/winrs @{MaxMemoryPerShellMB=\"1024\"}`."
        "#]],
    );
}

/// Never more than a note, and the exit status is that of a host that can be used.
#[test]
fn how_far_the_logon_reaches_is_noted() {
    let hop = SecondHop::default;
    check(
        |state| state.second_hop = Some(SecondHop { error: 0, ..hop() }),
        "double_hop",
        0,
        expect![[r#"
            "note": "trying the second hop on mfa01.contoso.com: this network logon opens `\\\\contoso.com\\SYSVOL`, so the host can act elsewhere as the account"
            "Nothing here needs it. UNC paths are no sources all the same: with `delivery = \"pull\"` the host fetches a file over https, with `delivery = \"push\"` this machine sends it over WinRM. Whoever controls the host can use the account elsewhere, so log on by Kerberos or NTLM rather than by Basic, which hands the password to the host, and forbid delegation of the account: `Set-ADUser -Identity 'name' -AccountNotDelegated $true`."
        "#]],
    );
    check(
        |state| state.second_hop = Some(SecondHop { error: 53, ..hop() }),
        "double_hop",
        0,
        expect![[r#"
            "note": "whether the host can act elsewhere as the account is not known, because `\\\\contoso.com\\SYSVOL` could not be tried: The network path was not found (error 53); files come over https or from this machine, never from a UNC path"
            null
        "#]],
    );
    check(
        |state| state.second_hop = Some(SecondHop { domain_role: 2, ..hop() }),
        "double_hop",
        0,
        expect![[r#"
        "note": "the host is in no domain, so no other machine was tried with this network logon; files come over https or from this machine, never from a UNC path"
        null
    "#]],
    );
}

#[test]
fn an_old_powershell_is_named_with_what_to_install() {
    let lab = lab(Mode::Native);
    change(&lab, |state| state.powershell_version = "4.0".to_owned());
    let (code, report) = Doctor::of(&lab).report();
    let results: Vec<_> =
        report["checks"].as_array().expect("checks").iter().map(|check| check["result"].clone()).collect();
    assert_eq!(json!(results[5..10]), json!(["ok", "ok", "failed", "skipped", "skipped"]));
    let check = &report["checks"][7];
    expect![[r#"
        "running PowerShell on mfa01.contoso.com: PowerShell 4.0 was found; Windows PowerShell 5.1 or later is needed. Install Windows Management Framework 5.1, which needs .NET Framework 4.5.2 or later (script Get-Diagnosis)"
        "`wusa.exe Win8.1AndW2K12R2-KB3191564-x64.msu` installs Windows Management Framework 5.1 on Windows Server 2012 R2, KB3191565 on 2012, KB3191566 on 2008 R2. Restart the host afterwards."
    "#]].assert_eq(&format!("{}\n{}\n", check["finding"], check["cure"]));
    assert_eq!(code, 1);
}
