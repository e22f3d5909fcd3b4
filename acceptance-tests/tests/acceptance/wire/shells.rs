//! The command shell: what commands get and give, its quotas, and its faults by number.

use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::fault::{self, Shape};
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::machine::{Account, ClosureMachine, EXIT_CONTROL_C, EXIT_CRASHED, Process};
use acceptance_tests::lab::wire::server::WireServer;
use acceptance_tests::lab::wire::shells::Quotas;
use hyper::StatusCode;

use crate::wire::client::{Client, Output, ask_proxy};
use crate::wire::{HOST, connect, lab, start};

fn with_quotas(quotas: Quotas) -> Settings {
    Settings { quotas, ..Settings::default() }
}

#[tokio::test]
async fn carries_input_and_output() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "cat").await.expect("command");
    client.send(&shell, &command, b"one ", false).await.expect("send");
    client.send(&shell, &command, &[0, 255, 10], true).await.expect("send");
    let output = client.receive_all(&shell, &command).await.expect("output");
    assert_eq!(output, Output { stdout: b"one \0\xff\n".to_vec(), stderr: Vec::new(), exit_code: Some(0) });
    client.delete(&shell).await.expect("delete");
    assert!(server.host(HOST).open_shells().is_empty());
}

#[tokio::test]
async fn splits_output_that_exceeds_an_envelope() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "big").await.expect("command");
    let first = client.receive(&shell, &command).await.expect("output");
    assert!(first.stdout.len() < 153_600, "{}", first.stdout.len());
    let rest = client.receive_all(&shell, &command).await.expect("output");
    assert_eq!(first.stdout.len() + rest.stdout.len(), 3_000_000);
}

#[tokio::test]
async fn heeds_options_in_the_header_only() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let option = "<w:OptionSet><w:Option Name=\"WINRS_CODEPAGE\">65001</w:Option></w:OptionSet>";
    client.header = option.to_owned();
    let body = "<rsp:Shell><rsp:WorkingDirectory>C:\\x</rsp:WorkingDirectory><rsp:Environment>\
                <rsp:Variable Name=\"A\">b c</rsp:Variable></rsp:Environment></rsp:Shell>";
    let created = client.operate("Create", None, body).await.expect("answer").result().expect("shell");
    client.header = format!("</s:Header>{option}<s:Header>");
    let other = client.create().await.expect("shell");
    client.header.clear();
    let shell = created.text.split("<rsp:ShellId>").nth(1).and_then(|rest| rest.split('<').next()).expect("id");
    for (shell, expected) in [(shell, "{\"A\": \"b c\"} Some(\"C:\\\\x\") 65001"), (&other, "{} None 437")] {
        let command = client.command(shell, "environment").await.expect("command");
        let output = client.receive_all(shell, &command).await.expect("output");
        assert_eq!(String::from_utf8(output.stdout).expect("text"), expected);
    }
}

#[tokio::test]
async fn times_out_and_can_be_asked_again() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "cat").await.expect("command");
    client.timeout = "PT0.2S".to_owned();
    let asked = Instant::now();
    assert_eq!(client.receive(&shell, &command).await, Err(fault::OPERATION_TIMED_OUT));
    assert!(asked.elapsed() >= Duration::from_millis(200));
    client.send(&shell, &command, b"x", true).await.expect("send");
    assert_eq!(client.receive_all(&shell, &command).await.expect("output").stdout, b"x");
}

#[tokio::test]
async fn names_what_does_not_exist() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    assert_eq!(client.command("AAAA", "cat").await, Err(fault::UNEXPECTED_SELECTORS));
    let shell = client.create().await.expect("shell");
    assert_eq!(client.receive(&shell, "BBBB").await, Err(fault::UNEXPECTED_SELECTORS));
    let command = client.command(&shell, "unknown").await.expect("command");
    assert_eq!(client.receive_all(&shell, &command).await.expect("output").stderr, b"unknown?");
    assert_eq!(client.receive(&shell, &command).await, Err(fault::UNEXPECTED_SELECTORS), "received to its end");
    client.signal(&shell, &command, "terminate").await.expect("a signal to an ended command is no error");
    assert_eq!(client.signal(&shell, "BBBB", "terminate").await, Err(fault::UNEXPECTED_SELECTORS));
    client.delete(&shell).await.expect("delete");
    assert_eq!(client.delete(&shell).await, Err(fault::UNEXPECTED_SELECTORS));
}

#[tokio::test]
async fn reports_interrupted_and_crashed_programs() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "sleep").await.expect("command");
    client.signal(&shell, &command, "ctrl_c").await.expect("signal");
    assert_eq!(client.receive_all(&shell, &command).await.expect("output").exit_code, Some(EXIT_CONTROL_C));
    let command = client.command(&shell, "crash").await.expect("command");
    assert_eq!(client.receive_all(&shell, &command).await.expect("output").exit_code, Some(EXIT_CRASHED));
}

#[tokio::test]
async fn terminate_and_delete_abort_a_pending_receive() {
    let server = lab(Settings::default()).await;
    for delete in [false, true] {
        let (mut client, mut other) = (connect(&server).await, connect(&server).await);
        let shell = client.create().await.expect("shell");
        let command = client.command(&shell, "sleep").await.expect("command");
        let ending = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            match delete {
                true => other.delete(&shell).await,
                false => other.signal(&shell, &command, "terminate").await,
            }
        };
        let (received, ended) = tokio::join!(client.receive(&shell, &command), ending);
        assert_eq!((received, ended), (Err(fault::OPERATION_ABORTED), Ok(())));
        assert_eq!(client.receive(&shell, &command).await, Err(fault::UNEXPECTED_SELECTORS));
    }
}

#[tokio::test]
async fn a_second_send_in_flight_is_refused() {
    let server = lab(Settings::default()).await;
    let (mut client, mut other) = (connect(&server).await, connect(&server).await);
    let shell = client.create().await.expect("shell");
    // It never reads: the first chunk waits in the pipe, the second Send waits for room.
    let command = client.command(&shell, "sleep").await.expect("command");
    client.send(&shell, &command, b"fills the pipe", false).await.expect("send");
    client.timeout = "PT0.5S".to_owned();
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.send(&shell, &command, b"too early", false).await
    };
    let (first, second) = tokio::join!(client.send(&shell, &command, b"waits", false), second);
    assert_eq!((first, second), (Err(fault::OPERATION_TIMED_OUT), Err(fault::BUSY)));
}

#[tokio::test]
async fn limits_shells_per_user() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let mut shells = Vec::new();
    for _ in 0..30 {
        shells.push(client.create().await.expect("shell"));
    }
    assert_eq!(client.create().await, Err(fault::TOO_MANY_SHELLS));
    client.delete(&shells[7]).await.expect("delete");
    client.create().await.expect("there is room again");
}

#[tokio::test]
async fn limits_operations_in_the_life_of_a_shell() {
    for shape in [Shape::WmiError, Shape::WsMan] {
        let quotas =
            Quotas { max_concurrent_operations_per_user: 2, operation_quota_shape: shape, ..Quotas::default() };
        let server = lab(with_quotas(quotas)).await;
        let mut client = connect(&server).await;
        let shell = client.create().await.expect("shell");
        for _ in 0..2 {
            let command = client.command(&shell, "cat").await.expect("command");
            client.signal(&shell, &command, "terminate").await.expect("signal");
        }
        assert_eq!(client.command(&shell, "cat").await, Err(fault::TOO_MANY_OPERATIONS));
        let shell = client.create().await.expect("shell");
        client.command(&shell, "cat").await.expect("a new shell counts anew");
    }
}

#[tokio::test]
async fn limits_processes_per_shell() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let mut commands = Vec::new();
    for _ in 0..25 {
        commands.push(client.command(&shell, "cat").await.expect("command"));
    }
    assert_eq!(client.command(&shell, "cat").await, Err(fault::TOO_MANY_COMMANDS_IN_SHELL));
    client.send(&shell, &commands[0], b"", true).await.expect("send");
    client.receive_all(&shell, &commands[0]).await.expect("output");
    client.command(&shell, "cat").await.expect("there is room again");
}

#[tokio::test]
async fn limits_the_size_of_requests() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "cat").await.expect("command");
    client.send(&shell, &command, &[1; 380_000], false).await.expect("fits");
    let body = format!("<!--{}-->", "x".repeat(512_000));
    let answer = client.operate("Delete", Some(&shell), &body).await.expect("answer");
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, ""));
    assert_eq!(server.host(HOST).open_shells(), [shell]);
}

#[tokio::test]
async fn long_command_lines_run_nothing_or_are_refused() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, &"x".repeat(8192)).await.expect("command");
    let output = client.receive_all(&shell, &command).await.expect("output");
    assert_eq!(output, Output { exit_code: Some(0), ..Output::default() });
    client.header = "<w:OptionSet><w:Option Name=\"WINRS_SKIP_CMD_SHELL\">TRUE</w:Option></w:OptionSet>".to_owned();
    client.command(&shell, &"x".repeat(8192)).await.expect("allowed without cmd.exe");
    assert_eq!(client.command(&shell, &"x".repeat(32_768)).await, Err(fault::FILE_NAME_TOO_LONG));
}

#[tokio::test]
async fn only_administrators_open_shells() {
    let account = Account { administrator: false, ..Account::administrator("reader", "pw") };
    let machine = ClosureMachine { name: HOST.to_owned(), account, start };
    let server = WireServer::builder().host(std::sync::Arc::new(machine)).start().await.expect("server");
    let mut client = Client::connect(&server, HOST, "reader", "pw").await;
    assert_eq!(client.create().await, Err(fault::ACCESS_DENIED));
}

#[tokio::test]
async fn a_closed_shell_ends_real_processes() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "local sleep 600 &amp; echo $!; wait").await.expect("command");
    let output = client.receive(&shell, &command).await.expect("output");
    let child = String::from_utf8(output.stdout).expect("text");
    let folder = std::path::Path::new("/proc").join(child.trim());
    assert!(folder.exists());
    client.delete(&shell).await.expect("delete");
    let asked = Instant::now();
    // A killed process of which nobody has taken notice yet still has a folder, but no memory.
    while std::fs::read_to_string(folder.join("cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(asked.elapsed() < Duration::from_secs(10), "process {child} still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn real_processes_run() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "local cat; echo bad >&amp;2; exit 3").await.expect("command");
    client.send(&shell, &command, b"in", true).await.expect("send");
    let output = client.receive_all(&shell, &command).await.expect("output");
    assert_eq!(output, Output { stdout: b"in".to_vec(), stderr: b"bad\n".to_vec(), exit_code: Some(3) });
}

#[tokio::test]
async fn a_process_ends_though_what_it_left_behind_holds_its_output() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "local echo out; sleep 30 &amp; exit 4").await.expect("command");
    let asked = Instant::now();
    let output = client.receive_all(&shell, &command).await.expect("output");
    assert_eq!(output, Output { stdout: b"out\n".to_vec(), stderr: Vec::new(), exit_code: Some(4) });
    assert!(asked.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn the_proxy_knows_its_hosts() {
    let server = lab(Settings::default()).await;
    let check = async |request: &str, status: &str| {
        let (_, answer) = ask_proxy(&server, request).await;
        assert!(answer.contains(status), "{request}: {answer}");
    };
    check(&format!("CONNECT {HOST}:5985 HTTP/1.1"), " 200 ").await;
    check("CONNECT Portal01.DMZ.contoso.com:5986 HTTP/1.1\r\nHost: x", " 200 ").await;
    check("CONNECT portal09.dmz.contoso.com:5986 HTTP/1.1", " 502 ").await;
    check(&format!("CONNECT {HOST}:443 HTTP/1.1"), " 200 ").await;
    check(&format!("CONNECT {HOST}:80 HTTP/1.1"), " 502 ").await;
    check(&format!("GET http://{HOST}/nothing HTTP/1.1"), " 404 ").await;
    check("GET http://example.com/ HTTP/1.1", " 502 ").await;
    check(&format!("POST http://{HOST}/ HTTP/1.1"), " 405 ").await;
}

#[tokio::test]
async fn dropping_the_server_ends_what_it_started() {
    let (ended, mut watch) = tokio::sync::watch::channel(());
    let machine = ClosureMachine {
        name: HOST.to_owned(),
        account: Account::administrator("a", "b"),
        start: move |_| {
            let ended = ended.clone();
            Process::spawn(move |_| async move {
                let _kept_until_the_end = ended;
                std::future::pending::<()>().await;
            })
        },
    };
    let server = WireServer::builder().host(std::sync::Arc::new(machine)).start().await.expect("server");
    let mut client = Client::connect(&server, HOST, "a", "b").await;
    let shell = client.create().await.expect("shell");
    client.command(&shell, "x").await.expect("command");
    drop(server);
    let gone = tokio::time::timeout(Duration::from_secs(10), watch.changed()).await;
    assert!(gone.expect("in time").is_err(), "every process is gone");
}
