//! How the process is started and who gets in.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use azuremfa::rpc::generated::tfplugin6 as wire;

use crate::client::{BINARY, COOKIE, Identity, PATIENCE, Plugin, call, command, connect, wait};

const SCHEMA: &str = "/tfplugin6.Provider/GetProviderSchema";

async fn schema(channel: &tonic::transport::Channel) -> Result<wire::get_provider_schema::Response, tonic::Status> {
    call(channel, SCHEMA, wire::get_provider_schema::Request {}).await
}

#[tokio::test]
async fn a_client_like_terraform_gets_in() {
    let plugin = Plugin::start();
    assert_eq!(plugin.handshake.network, "unix");
    assert_eq!(plugin.handshake.line.matches('|').count(), 5, "older clients split into six parts");
    assert!(!plugin.handshake.certificate.contains('='), "no padding");
    let response = schema(&plugin.connect().await).await.unwrap();
    let capabilities = response.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional);
    assert!(!capabilities.move_resource_state && !capabilities.generate_resource_config);
    assert_eq!(response.diagnostics, []);
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let plugin = Plugin::start();
    let stranger = Identity::like_go_plugin();
    for identity in [None, Some(&stranger)] {
        // TLS 1.3 tells a client of a refused certificate only after the handshake.
        let refused = match connect(&plugin.handshake, identity).await {
            Err(_) => true,
            Ok(channel) => schema(&channel).await.is_err(),
        };
        assert!(refused);
    }
    // Without TLS there is no way in either, and the one who may still can.
    let mut plain = plugin.handshake.clone();
    plain.certificate.clear();
    let refused = match connect(&plain, None).await {
        Err(_) => true,
        Ok(channel) => schema(&channel).await.is_err(),
    };
    assert!(refused);
    assert!(schema(&plugin.connect().await).await.is_ok());
    let mode = std::fs::metadata(&plugin.handshake.address).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn tls_is_off_when_the_client_has_no_certificate() {
    let plugin = Plugin::start_with(None, command());
    assert_eq!(plugin.handshake.certificate, "");
    assert!(schema(&plugin.connect().await).await.is_ok());
}

#[tokio::test]
async fn a_long_socket_path_gives_way_to_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let mut command = command();
    command.env("TMPDIR", &long).env("PLUGIN_MIN_PORT", "32000").env("PLUGIN_MAX_PORT", "32100");
    let plugin = Plugin::start_with(Some(Identity::like_go_plugin()), command);
    assert_eq!(plugin.handshake.network, "tcp");
    let port: u16 = plugin.handshake.address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert!((32000..=32100).contains(&port));
    assert!(schema(&plugin.connect().await).await.is_ok());
}

#[tokio::test]
async fn the_client_chooses_the_sockets_folder_and_group() {
    let folder = tempfile::tempdir().unwrap();
    let group = Command::new("id").arg("-gn").output().unwrap().stdout;
    let mut command = command();
    command.env("PLUGIN_UNIX_SOCKET_DIR", folder.path());
    command.env("PLUGIN_UNIX_SOCKET_GROUP", String::from_utf8(group).unwrap().trim());
    let mut plugin = Plugin::start_with(None, command);
    let socket = std::path::PathBuf::from(&plugin.handshake.address);
    assert_eq!(socket.parent().unwrap(), folder.path());
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    plugin.signal("-TERM");
    assert!(plugin.wait(PATIENCE).unwrap().success());
    assert!(!socket.exists(), "the socket is removed at the end");
}

#[test]
fn a_seventh_field_comes_only_when_asked_for() {
    let mut command = command();
    command.env("PLUGIN_MULTIPLEX_GRPC", "true");
    let plugin = Plugin::start_with(None, command);
    assert!(plugin.handshake.line.ends_with("|grpc||false\n"), "{}", plugin.handshake.line);
}

#[test]
fn a_client_without_version_six_learns_what_there_is() {
    let mut command = command();
    command.env("PLUGIN_PROTOCOL_VERSIONS", "4,5");
    assert!(Plugin::start_with(None, command).handshake.line.starts_with("1|6|"));
}

#[tokio::test]
async fn a_large_message_fits() {
    let plugin = Plugin::start();
    let json = format!(r#"{{"filler":"{}"}}"#, "x".repeat(24 << 20)).into_bytes();
    let request = wire::upgrade_resource_state::Request {
        type_name: "azuremfa_absent".to_owned(),
        raw_state: Some(wire::RawState { json, ..Default::default() }),
        ..Default::default()
    };
    let path = "/tfplugin6.Provider/UpgradeResourceState";
    let response: wire::upgrade_resource_state::Response = call(&plugin.connect().await, path, request).await.unwrap();
    assert_eq!(response.diagnostics[0].summary, "No such resource type");
}

/// What a person sees who starts the binary.
#[track_caller]
fn check_by_hand(arguments: &[&str], cookie: Option<&str>, code: i32, output: &str, error: &str) {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_remove(COOKIE.0).envs(cookie.map(|cookie| (COOKIE.0, cookie)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = wait(&mut child, PATIENCE).expect("it does not wait for anything");
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(code));
    assert!(stdout.contains(output) && stdout.is_empty() == output.is_empty(), "{stdout}");
    assert!(stderr.contains(error) && stderr.is_empty() == error.is_empty(), "{stderr}");
}

#[test]
fn a_person_learns_what_it_is() {
    check_by_hand(&[], None, 1, "", "It is a plugin: Terraform or OpenTofu starts it.");
    check_by_hand(&[], Some("wrong"), 1, "", "It is a plugin: Terraform or OpenTofu starts it.");
    check_by_hand(
        &["--version"],
        None,
        0,
        concat!("terraform-provider-azuremfa ", env!("CARGO_PKG_VERSION"), "\n"),
        "",
    );
    check_by_hand(&["--help"], None, 0, "--debug", "");
}

#[test]
fn a_client_certificate_that_is_none_is_refused() {
    let mut command = command();
    command.env("PLUGIN_CLIENT_CERT", "nonsense");
    let mut child = command.spawn().unwrap();
    assert_eq!(wait(&mut child, PATIENCE).unwrap().code(), Some(1));
    let mut error = String::new();
    child.stderr.unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains("PLUGIN_CLIENT_CERT holds no certificate in PEM"), "{error}");
}

/// Every run of Terraform starts the process three to five times. The best of many, because the machine has other work.
#[test]
fn it_starts_fast() {
    let fast = (0..50).any(|_| {
        let start = Instant::now();
        let _plugin = Plugin::start_with(None, command());
        start.elapsed() < Duration::from_millis(50)
    });
    assert!(fast);
}
