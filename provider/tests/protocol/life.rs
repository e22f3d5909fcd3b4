//! How the process lives and ends.

use std::io::{BufReader, Read};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use azuremfa::rpc::generated::{plugin as plugin_wire, tfplugin6 as wire};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use crate::client::{BINARY, Handshake, PATIENCE, Plugin, call, command, connect, ready, wait};

async fn shutdown(channel: &Channel) {
    let path = "/plugin.GRPCController/Shutdown";
    let _: plugin_wire::Empty = call(channel, path, plugin_wire::Empty {}).await.unwrap();
}

async fn answers(channel: &Channel) -> bool {
    let request = wire::get_metadata::Request {};
    call::<_, wire::get_metadata::Response>(channel, "/tfplugin6.Provider/GetMetadata", request).await.is_ok()
}

/// Opens the stream that Terraform opens on each connection, and keeps it open.
async fn open_standard_streams(channel: &Channel) -> tonic::Streaming<plugin_wire::StdioData> {
    let codec = tonic_prost::ProstCodec::<(), plugin_wire::StdioData>::default();
    let path = PathAndQuery::from_static("/plugin.GRPCStdio/StreamStdio");
    let mut client = ready(channel).await.unwrap();
    client.server_streaming(tonic::Request::new(()), path, codec).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_the_process_at_once() {
    let mut plugin = Plugin::start();
    let channel = plugin.connect().await;
    let mut streams = open_standard_streams(&channel).await;
    let start = Instant::now();
    shutdown(&channel).await;
    let last = tokio::time::timeout(PATIENCE, streams.message()).await.expect("the stream ends");
    assert_eq!(last.unwrap_or(None), None);
    // Terraform kills after two seconds.
    let status = plugin.wait(Duration::from_secs(2)).expect("it ends");
    assert!(status.success());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(!std::path::Path::new(&plugin.handshake.address).exists(), "the socket is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_follows_the_handshake_on_standard_output() {
    let plugin = Plugin::start();
    let channel = plugin.connect().await;
    assert!(answers(&channel).await);
    shutdown(&channel).await;
    assert_eq!(plugin.rest(), (String::new(), String::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_ignored() {
    let mut plugin = Plugin::start();
    let channel = plugin.connect().await;
    plugin.signal("-INT");
    plugin.signal("-INT");
    assert!(answers(&channel).await);
    assert_eq!(plugin.wait(Duration::from_millis(100)), None);
    assert!(answers(&channel).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_terminate_is_followed() {
    for signal in ["-TERM", "-HUP"] {
        let mut plugin = Plugin::start();
        let channel = plugin.connect().await;
        assert!(answers(&channel).await);
        plugin.signal(signal);
        assert!(plugin.wait(Duration::from_secs(2)).expect("it ends").success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_is_answered_and_serving_goes_on() {
    let plugin = Plugin::start();
    let channel = plugin.connect().await;
    for _ in 0..2 {
        let request = wire::stop_provider::Request {};
        let response: wire::stop_provider::Response =
            call(&channel, "/tfplugin6.Provider/StopProvider", request).await.unwrap();
        assert_eq!(response.error, "");
        assert!(answers(&channel).await);
    }
}

/// As when Terraform is killed: nobody sends Shutdown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_ends_when_its_parent_dies() {
    let mut shell = command_of_shell().spawn().unwrap();
    let mut output = BufReader::new(shell.stdout.take().unwrap());
    let handshake = Handshake::read(&mut output);
    let channel = connect(&handshake, None).await.unwrap();
    assert!(answers(&channel).await);
    shell.kill().unwrap();
    shell.wait().unwrap();
    // Standard output ends when the last process that holds it does.
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        sender.send(rest).unwrap();
    });
    assert_eq!(ended.recv_timeout(PATIENCE).expect("it ends"), "");
    drop(channel);
}

fn command_of_shell() -> Command {
    let plugin = command();
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" & wait", BINARY]);
    for (name, value) in plugin.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    shell
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_ends_when_nobody_is_connected() {
    let mut plugin = Plugin::start();
    let channel = plugin.connect().await;
    assert!(answers(&channel).await);
    drop(channel);
    assert!(plugin.wait(PATIENCE).expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debugged_process_serves_many_and_ends_by_hand() {
    let mut command = command();
    command.env_remove(crate::client::COOKIE.0).arg("--debug");
    let mut child = command.spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let attach = reattach(&mut output);
    let addresses = ["registry.terraform.io/azuremfa/azuremfa", "registry.opentofu.org/azuremfa/azuremfa"];
    for address in addresses {
        let provider = &attach[address];
        assert_eq!(provider["Protocol"], "grpc");
        assert_eq!(provider["ProtocolVersion"], 6);
        assert_eq!(provider["Test"], true);
        assert_eq!(provider["Pid"], child.id());
    }
    let address = &attach[addresses[0]]["Addr"];
    let handshake = Handshake {
        line: String::new(),
        network: address["Network"].as_str().unwrap().to_owned(),
        address: address["String"].as_str().unwrap().to_owned(),
        certificate: String::new(),
    };
    for _ in 0..3 {
        assert!(answers(&connect(&handshake, None).await.unwrap()).await);
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(wait(&mut child, PATIENCE).expect("it ends").success());
}

fn reattach(output: &mut impl std::io::BufRead) -> serde_json::Value {
    loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "no TF_REATTACH_PROVIDERS");
        if let Some(json) = line.trim_end().strip_prefix("TF_REATTACH_PROVIDERS='") {
            return serde_json::from_str(json.strip_suffix('\'').unwrap()).unwrap();
        }
    }
}
