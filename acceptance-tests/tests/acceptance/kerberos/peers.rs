//! pypsrp and pywinrm log on to the lab by Kerberos: its acceptor is what others expect of Windows too.

use std::path::PathBuf;
use std::process::Stdio;

use acceptance_tests::lab::kerberos::realm::Realm;
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::record::{Kind, Listener};
use acceptance_tests::lab::wire::server::WireServer;
use acceptance_tests::tools::kerberos::Kerberos;
use acceptance_tests::{skip, tools};

use crate::independent_clients::{HOST, machine};

const PASSWORD: &str = "operator-password";

/// What the clients ask for, by the name in their URL: pypsrp the service that on Windows stands for all of a host,
/// pywinrm that of its web server.
const SERVICES: [&str; 2] = ["host/localhost", "HTTP/localhost"];

/// Runs the client's two commands on this listener.
async fn check(listener: Listener, client: &str) {
    let found = tokio::task::spawn_blocking(|| {
        let programs = Kerberos::find()?;
        let python = programs.python_with_clients()?;
        Ok::<_, tools::Unavailable>((programs, python))
    });
    let (programs, python) = match found.await.expect("the tools") {
        Ok(found) => found,
        Err(reason) => return skip::skipped("Kerberos by other clients", &reason.to_string()),
    };
    let realm = Realm::start(&programs, None).expect("the realm");
    realm.services(&SERVICES);
    realm.account("operator", PASSWORD);
    let cache = realm.ticket("cache", "operator", PASSWORD, &[]);
    let keytab = realm.keytab("host.keytab", &SERVICES);
    let acceptor = realm.acceptor(&keytab, None).expect("the acceptor");
    let settings = Settings { kerberos: Some(acceptor), ..Settings::default() };
    let server = WireServer::builder().host_with(machine(), settings).start().await.expect("server");
    let address = server.open_port(HOST, listener).await.expect("port");
    let authority = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(authority.path(), server.authority_pem()).expect("authority");
    let scheme = if listener == Listener::Https { "https" } else { "http" };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance/independent_clients/client.py");
    let mut program = std::process::Command::new(python);
    realm.configure(&mut program);
    let output = tokio::process::Command::from(program)
        .arg(script)
        .args([&format!("{scheme}://localhost:{}/wsman", address.port()), "operator@CONTOSO.COM"])
        .arg(authority.path())
        .args([client, "kerberos"])
        .env("LAB_PASSWORD", PASSWORD)
        .env("KRB5CCNAME", format!("FILE:{}", cache.display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("python");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let record = server.host(HOST).record();
    assert!(output.status.success(), "{text}\n{record:?}");
    let commands: Vec<_> = record.requests.iter().filter(|request| request.kind == Kind::Command).collect();
    assert_eq!(commands.len(), 2, "{record:?}");
    assert!(commands.iter().all(|command| command.sealed == (listener == Listener::Http)), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_with_encryption() {
    check(Listener::Http, "pypsrp").await;
    check(Listener::Http, "pywinrm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_with_channel_binding() {
    check(Listener::Https, "pypsrp").await;
    check(Listener::Https, "pywinrm").await;
}
