//! Backups, release files and files from host to host.

use super::*;
use crate::address::HostAddress;
use crate::backend::error::ScriptErrorKind;
use crate::backend::release::Delivery;
use crate::backend::step::Backup;
use crate::backend::windows::put::{LocalFile, put};
use crate::backend::windows::work::Work;

fn bring() -> Action {
    Action::BringFiles {
        version: "7.0.0.9".to_owned(),
        from: vec![HostAddress::named("mfa02")],
        files: vec!["a.msi".to_owned()],
    }
}

fn identity(exists: bool) -> Value {
    if exists {
        json!({"exists": true, "length": 6, "sha256": SHA256})
    } else {
        json!({"exists": false, "length": null, "sha256": null})
    }
}

#[tokio::test]
async fn backs_up_by_id() {
    let answer = json!({"path": "p", "files": 3, "bytes": 10, "already": true});
    let estate = Estate::new().answer("mfa01", "Backup-Directory", answer);
    let backup = Backup { id: "mfa-eu-7.0.0.9".to_owned(), name: "data".to_owned() };
    let action = Action::BackUp { what: "the data folder", source: "C:\\Data".to_owned(), backup, fresh: true };
    assert!(estate.perform("mfa01", action).await.expect("done").already);
    let expected = json!({"source": "C:\\Data", "backup_id": "mfa-eu-7.0.0.9", "name": "data", "fresh": true});
    assert_eq!(estate.arguments("Backup-Directory"), expected);
}

#[tokio::test]
async fn a_host_fetches_the_stated_file() {
    let answer = json!({"path": "p", "length": 6, "already": false});
    let estate = Estate::new().answer("mfa01", "Save-ReleaseFile", answer);
    estate.perform("mfa01", Action::FetchServerSetup { version: "7.0.0.9".to_owned() }).await.expect("done");
    let expected = json!({
        "url": "https://files.contoso.com/7.0.0.9/Setup.exe", "sha256": SHA256, "file_name": "Setup.exe",
        "maximum_length": 2_147_483_648_u64,
    });
    assert_eq!(estate.arguments("Save-ReleaseFile"), expected);
    let message = estate.failure("mfa01", Action::FetchServerSetup { version: "8.0.1.1".to_owned() }).await;
    assert!(message.contains("releases[\"8.0.1.1\"] has no server_setup"), "{message}");
}

fn fetch() -> Action {
    Action::FetchServerSetup { version: "7.0.0.9".to_owned() }
}

fn delivered_by(delivery: Delivery) -> Estate {
    let mut package = setup();
    package.delivery = Stated::Known(delivery);
    // Nobody is there, and this machine finds out at once.
    package.source = Stated::Known("https://127.0.0.1:1/Setup.exe?sig=marker".to_owned());
    Estate::with(Release::new(BTreeMap::from([(Component::ServerSetup, package)])))
}

fn refused(kind: ScriptErrorKind) -> Answer {
    let message = "no route from the host".to_owned();
    Err(Cause::Script { script: "Save-ReleaseFile".to_owned(), kind, message, line: None })
}

#[tokio::test]
async fn who_fetches_is_what_the_settings_say() {
    let tried = "this machine could not fetch https://127.0.0.1:1/Setup.exe: ";
    // By delivery and the kind of the host's failure: whether this machine tries.
    for (delivery, kind, tries) in [
        (Delivery::Auto, ScriptErrorKind::Unreachable, true),
        (Delivery::Auto, ScriptErrorKind::NotFound, false),
        (Delivery::Auto, ScriptErrorKind::InvalidInput, false),
        (Delivery::Pull, ScriptErrorKind::Unreachable, false),
    ] {
        let estate = delivered_by(delivery)
            .facts("mfa01", &facts())
            .outcome("mfa01", "Save-ReleaseFile", refused(kind))
            .answer("mfa01", "Get-FileIdentity", identity(false));
        let message = estate.failure("mfa01", fetch()).await;
        assert_eq!(message.contains(tried), tries, "{delivery:?} {kind:?}: {message}");
        assert!(message.contains("no route from the host") && !message.contains("marker"), "{message}");
    }
    let estate =
        delivered_by(Delivery::Push).facts("mfa01", &facts()).answer("mfa01", "Get-FileIdentity", identity(false));
    let message = estate.failure("mfa01", fetch()).await;
    assert!(message.contains(tried), "{message}");
    assert_eq!(estate.ran(), ["mfa01 Get-HostFacts", "mfa01 Get-FileIdentity"]);
}

#[tokio::test]
async fn what_the_host_has_is_not_fetched_here() {
    let estate =
        delivered_by(Delivery::Push).facts("mfa01", &facts()).answer("mfa01", "Get-FileIdentity", identity(true));
    let report = estate.perform("mfa01", fetch()).await.expect("done");
    assert!(report.already && report.notes.is_empty());
    let path = "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\0123456789abcdef\\Setup.exe";
    assert_eq!(estate.arguments("Get-FileIdentity"), json!({"path": path}));
}

#[tokio::test]
async fn a_file_is_streamed_from_host_to_host() {
    let estate = Estate::new()
        .facts("mfa02", &server("7.0.0.9"))
        .facts("portal01", &facts())
        .answer("mfa02", "Get-FileIdentity", identity(true))
        .answer("portal01", "Get-FileIdentity", identity(false))
        .answer("mfa02", "Send-File", json!({"length": 6, "sha256": SHA256}))
        .answer("portal01", "Receive-File", json!({"already": false, "length": 6, "sha256": SHA256}));
    // More pieces than the channel holds: both sides must run at once.
    *estate.recorder.sends.lock().expect("no panic") = vec![Bytes::from_static(b"piece "); 100];
    let report = estate.perform("portal01", bring()).await.expect("done");
    assert!(!report.already);
    assert_eq!(*estate.recorder.received.lock().expect("no panic"), b"piece ".repeat(100));
    let path = "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\7.0.0.9\\a.msi";
    assert_eq!(estate.arguments("Receive-File"), json!({"path": path, "length": 6, "sha256": SHA256}));
    let source = "C:\\Program Files\\Multi-Factor Authentication Server\\a.msi";
    assert_eq!(estate.arguments("Send-File"), json!({"path": source, "maximum_length": 6}));
}

#[tokio::test]
async fn both_hosts_are_reached_at_their_ports() {
    let estate = Estate::new()
        .facts("mfa02:5002", &server("7.0.0.9"))
        .facts("portal01:5003", &facts())
        .answer("mfa02:5002", "Get-FileIdentity", identity(true))
        .answer("portal01:5003", "Get-FileIdentity", identity(false))
        .answer("mfa02:5002", "Send-File", json!({"length": 6, "sha256": SHA256}))
        .answer("portal01:5003", "Receive-File", json!({"already": false, "length": 6, "sha256": SHA256}));
    let Action::BringFiles { version, files, .. } = bring() else { unreachable!() };
    let from = vec!["mfa02:5002".parse().expect("a host")];
    let action = Action::BringFiles { version, from, files };
    assert_eq!(action.to_string(), "bring a.msi 7.0.0.9 from mfa02");
    assert!(!estate.perform("portal01:5003", action).await.expect("done").already);
}

#[tokio::test]
async fn a_file_of_this_machine_goes_to_the_port_of_the_host() {
    let estate = Estate::new().answer("mfa01:5001", "Initialize-PartialFile", json!({"already": true, "kept": false}));
    let (at, operation) = ("mfa01:5001".parse().expect("a host"), "put a file".to_owned());
    let work = Work { backend: &estate.backend, host: "mfa01", at: &at, operation, stop: &estate.stop };
    let file = LocalFile { path: "Setup.exe".into(), length: 1, sha256: SHA256.to_owned() };
    assert!(put(&work, &file, "C:\\staging\\Setup.exe", 1).await.expect("it is there"));
}

#[tokio::test]
async fn nothing_is_sent_when_the_file_is_there() {
    let estate = Estate::new()
        .facts("mfa02", &server("7.0.0.9"))
        .facts("portal01", &facts())
        .answer("mfa02", "Get-FileIdentity", identity(true))
        .answer("portal01", "Get-FileIdentity", identity(true));
    assert!(estate.perform("portal01", bring()).await.expect("done").already);
    assert!(!estate.ran().iter().any(|ran| ran.contains("Send-File") || ran.contains("Receive-File")));
}

#[tokio::test]
async fn a_failure_names_the_host_that_failed() {
    let refuse = |script: &str| {
        let kind = ScriptErrorKind::Other;
        Err(Cause::Script { script: script.to_owned(), kind, message: "the disk is full".to_owned(), line: None })
    };
    let estate = || {
        Estate::new()
            .facts("mfa02", &server("7.0.0.9"))
            .facts("portal01", &facts())
            .answer("mfa02", "Get-FileIdentity", identity(true))
            .answer("portal01", "Get-FileIdentity", identity(false))
    };
    let target = estate().answer("mfa02", "Send-File", json!({"length": 6, "sha256": SHA256})).outcome(
        "portal01",
        "Receive-File",
        refuse("Receive-File"),
    );
    assert!(
        target.failure("portal01", bring()).await.starts_with("portal01: could not bring a.msi 7.0.0.9 from mfa02")
    );
    let source = estate().outcome("mfa02", "Send-File", refuse("Send-File")).outcome(
        "portal01",
        "Receive-File",
        refuse("Receive-File"),
    );
    assert!(source.failure("portal01", bring()).await.starts_with("mfa02: could not bring"));
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_not_heard() {
    let silent = || Cause::Unreachable { reason: "nothing answers".to_owned(), advice: "Look.".to_owned() };
    let estate = || {
        Estate::new()
            .facts("mfa03", &server("7.0.0.9"))
            .facts("portal01", &facts())
            .answer("mfa03", "Get-FileIdentity", identity(true))
            .answer("portal01", "Get-FileIdentity", identity(true))
    };
    let action = |from: [&str; 2]| Action::BringFiles {
        version: "7.0.0.9".to_owned(),
        from: from.map(HostAddress::named).to_vec(),
        files: vec!["a.msi".to_owned()],
    };
    let one_is_away = estate().outcome("mfa02", "Get-HostFacts", Err(silent()));
    let report = one_is_away.perform("portal01", action(["mfa02", "mfa03"])).await.expect("done");
    assert!(
        report.already && report.notes.len() == 1 && report.notes[0].starts_with("mfa02 was not heard"),
        "{report:?}"
    );
    // The last one's failure is the step's, and a server of another version is no silent one.
    let both =
        estate().outcome("mfa02", "Get-HostFacts", Err(silent())).outcome("mfa04", "Get-HostFacts", Err(silent()));
    let message = both.failure("portal01", action(["mfa02", "mfa04"])).await;
    assert!(message.starts_with("mfa04: "), "{message}");
    let older = estate().facts("mfa02", &server("6.3.1.1"));
    assert!(older.failure("portal01", action(["mfa02", "mfa03"])).await.starts_with("mfa02: "));
    // Nor is a silent target the server's fault.
    let target = Estate::new()
        .facts("mfa02", &server("7.0.0.9"))
        .outcome("portal01", "Get-HostFacts", Err(silent()))
        .answer("mfa02", "Get-FileIdentity", identity(true));
    assert!(target.failure("portal01", action(["mfa02", "mfa03"])).await.starts_with("portal01: "));
}

#[tokio::test]
async fn files_come_only_from_a_server_of_the_version() {
    let estate = Estate::new().facts("mfa02", &server("6.3.1.1")).facts("portal01", &facts());
    let message = estate.failure("portal01", bring()).await;
    assert!(message.starts_with("mfa02: ") && message.contains("it runs 6.3.1.1"), "{message}");
    let mut estate = Estate::new().facts("mfa02", &server("7.0.0.9")).facts("portal01", &facts());
    for host in ["mfa02", "portal01"] {
        estate = estate.answer(host, "Get-FileIdentity", identity(false));
    }
    let message = estate.failure("portal01", bring()).await;
    assert!(message.starts_with("mfa02: ") && message.contains("a.msi is not there"), "{message}");
}

/// What ended a script, and whether it can have left something: one that fails cleans up by itself.
fn ends() -> [(Cause, bool); 6] {
    let failed = |kind| {
        let (script, message) = ("Receive-File".to_owned(), "the disk is full".to_owned());
        Cause::Script { script, kind, message, line: None }
    };
    [
        (Cause::Lost { reason: "no end within 3 hours".to_owned() }, true),
        (Cause::Unintelligible("it ended without a reply".to_owned()), true),
        (Cause::Stopped, true),
        (failed(ScriptErrorKind::Other), false),
        (Cause::Unreachable { reason: "refused".to_owned(), advice: String::new() }, false),
        (Cause::Denied { reason: "HTTP 401".to_owned(), advice: String::new() }, false),
    ]
}

#[tokio::test]
async fn a_fetch_that_was_cut_off_is_cleaned_up() {
    for (cause, cleans) in ends() {
        let estate = delivered_by(Delivery::Pull)
            .facts("mfa01", &facts())
            .outcome("mfa01", "Save-ReleaseFile", Err(cause.clone()))
            .answer("mfa01", "Remove-WorkFile", json!({"removed": true}));
        estate.failure("mfa01", fetch()).await;
        assert_eq!(estate.ran().contains(&"mfa01 Remove-WorkFile".to_owned()), cleans, "{cause:?}");
        if cleans {
            let path = "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\0123456789abcdef\\Setup.exe.partial";
            assert_eq!(estate.arguments("Remove-WorkFile"), json!({"path": path}));
        }
    }
}

#[tokio::test]
async fn a_file_from_host_to_host_that_was_cut_off_is_cleaned_up_where_it_goes() {
    for (cause, cleans) in ends() {
        let estate = Estate::new()
            .facts("mfa02", &server("7.0.0.9"))
            .facts("portal01", &facts())
            .answer("mfa02", "Get-FileIdentity", identity(true))
            .answer("portal01", "Get-FileIdentity", identity(false))
            .answer("mfa02", "Send-File", json!({"length": 6, "sha256": SHA256}))
            .outcome("portal01", "Receive-File", Err(cause.clone()))
            // Something still has the file open.
            .outcome(
                "portal01",
                "Remove-WorkFile",
                Err(Cause::Script {
                    script: "Remove-WorkFile".to_owned(),
                    kind: ScriptErrorKind::Busy,
                    message: "the file is in use".to_owned(),
                    line: None,
                }),
            )
            .answer("portal01", "Remove-WorkFile", json!({"removed": true}));
        estate.failure("portal01", bring()).await;
        let removals = estate.ran().iter().filter(|ran| *ran == "portal01 Remove-WorkFile").count();
        assert_eq!(removals, if cleans { 2 } else { 0 }, "{cause:?}: {:?}", estate.ran());
    }
}

/// A host may take hours, for which nobody who has asked for the end waits.
#[tokio::test]
async fn a_stop_does_not_wait_for_a_transfer() {
    let estate = delivered_by(Delivery::Pull).facts("mfa01", &facts()).answer(
        "mfa01",
        "Remove-WorkFile",
        json!({"removed": true}),
    );
    estate.recorder.hangs.lock().expect("no panic").push("Save-ReleaseFile");
    let stop = async {
        while estate.ran().is_empty() {
            tokio::task::yield_now().await;
        }
        estate.stop.cancel();
    };
    let (message, ()) = tokio::join!(estate.failure("mfa01", fetch()), stop);
    assert!(message.contains("asked to stop"), "{message}");
    assert_eq!(estate.ran(), ["mfa01 Save-ReleaseFile", "mfa01 Get-HostFacts", "mfa01 Remove-WorkFile"]);
}
