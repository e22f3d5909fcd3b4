//! Answers of real Windows, recorded by the authors of pypsrp, decoded by the provider's own code: first each by itself,
//! then whole conversations, in which the client asks and Windows's recorded words are the answer.

use std::fmt::Write as _;

use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;
use acceptance_tests::skip;
use acceptance_tests::tools::recordings::{self, Exchange, Recorded};
use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::error::{Error, Kind as ErrorKind};
use azuremfa::winrm::session::Output;
use azuremfa::winrm::soap::reply::{command_id, confirmed, parse, received, shell_id};
use azuremfa::winrm::stdin::Stdin;
use bytes::Bytes;
use expect_test::{Expect, expect};
use roxmltree::Document;

use super::{HOST, SCALED, lab, session};

pub fn recorded(test: &str) -> Option<Recorded> {
    recordings::recorded().inspect_err(|reason| skip::skipped(test, &reason.to_string())).ok()
}

/// The last word of a message's action, such as `CreateResponse` or `fault`.
fn action(message: &str) -> String {
    let Ok(document) = Document::parse(message) else { return "no XML".to_owned() };
    let action = document.descendants().find(|node| node.tag_name().name() == "Action");
    let text = action.and_then(|action| action.text()).unwrap_or_default();
    text.rsplit('/').next().unwrap_or_default().to_owned()
}

/// What our code makes of one answer, in one line.
fn read(exchange: &Exchange) -> String {
    let document = match parse(&exchange.response, exchange.status) {
        Ok(document) => document,
        Err(kind) => {
            let text = kind.to_string();
            return format!("{}: {}", variant(&kind), text.split(" (").next().unwrap_or_default());
        }
    };
    let answer = action(&exchange.response);
    let read = match answer.as_str() {
        "CreateResponse" => shell_id(&document).map(|id| format!("a shell of {} characters", id.len())),
        "CommandResponse" => command_id(&document).map(|id| format!("a command of {} characters", id.len())),
        "ReceiveResponse" => received(&document).map(|received| {
            let [stdout, stderr] = [&received.stdout, &received.stderr].map(|bytes| match bytes.len() {
                length if length > 40 => format!("{length} bytes"),
                _ => format!("{:?}", String::from_utf8_lossy(bytes)),
            });
            format!("{:?} {stdout} {stderr}", received.state)
        }),
        "SendResponse" | "SignalResponse" | "DeleteResponse" => {
            confirmed(&document, &answer).map(|()| "done".to_owned())
        }
        _ => Ok("not ours".to_owned()),
    };
    read.unwrap_or_else(|kind| format!("NOT UNDERSTOOD: {kind}"))
}

fn variant(kind: &ErrorKind) -> String {
    let text = format!("{kind:?}");
    text.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Every recorded answer is understood; those of the command shell are what they say.
#[test]
fn recorded_answers_are_understood() {
    let Some(recorded) = recorded("recorded_answers_are_understood") else { return };
    let mut shell = String::new();
    let mut count = 0;
    for (test, exchanges) in &recorded.conversations {
        for exchange in exchanges.iter().filter(|exchange| !exchange.response.is_empty()) {
            let line = read(exchange);
            assert!(
                !line.starts_with("NOT UNDERSTOOD") && !line.starts_with("Malformed"),
                "{test}: {line}\n{exchange:?}"
            );
            count += 1;
            if test.starts_with("test_winrs")
                || line.starts_with(|first: char| first.is_uppercase()) && action(&exchange.response) == "fault"
            {
                let _ =
                    writeln!(shell, "{}: {} -> {line}", test.trim_start_matches("test_"), action(&exchange.request));
            }
        }
    }
    assert!(count > 500, "only {count} answers were found");
    expect![[r#"
        psrp_is_alive_invalid_selectors: Get -> ShellGone: the shell or its command is gone: fault 2150858843
        psrp_is_alive_other_wsman_error: Get -> Fault: fault 2150858767
        psrp_long_running_cmdlet: Receive -> TimedOut: the host had no answer within the operation timeout: fault 2150858793
        psrp_long_running_cmdlet: Receive -> TimedOut: the host had no answer within the operation timeout: fault 2150858793
        psrp_receive_failure: Receive -> ShellGone: the shell or its command is gone: fault 2150858843
        winrs_bad_cmd_id: Create -> a shell of 36 characters
        winrs_bad_cmd_id: Command -> a command of 36 characters
        winrs_bad_cmd_id: Receive -> ShellGone: the shell or its command is gone: fault 2150858843
        winrs_bad_cmd_id: Signal -> done
        winrs_bad_cmd_id: Delete -> done
        winrs_environment: Create -> a shell of 36 characters
        winrs_environment: Command -> a command of 36 characters
        winrs_environment: Receive -> Done(0) 1534 bytes ""
        winrs_environment: Signal -> done
        winrs_environment: Delete -> done
        winrs_extra_opts: Create -> a shell of 36 characters
        winrs_extra_opts: Command -> a command of 36 characters
        winrs_extra_opts: Receive -> Done(0) "C:\\Windows\r\n" ""
        winrs_extra_opts: Signal -> done
        winrs_extra_opts: Delete -> done
        winrs_fail_poll_process: Create -> a shell of 36 characters
        winrs_fail_poll_process: Receive -> Fault: fault 87
        winrs_fail_poll_process: Delete -> done
        winrs_no_cmd_shell: Create -> a shell of 36 characters
        winrs_no_cmd_shell: Command -> Fault: fault 2147942402
        winrs_no_cmd_shell: Command -> a command of 36 characters
        winrs_no_cmd_shell: Receive -> Done(0) "hi\n" ""
        winrs_no_cmd_shell: Signal -> done
        winrs_no_cmd_shell: Delete -> done
        winrs_noprofile: Create -> a shell of 36 characters
        winrs_noprofile: Command -> a command of 36 characters
        winrs_noprofile: Receive -> Done(0) 1214 bytes ""
        winrs_noprofile: Signal -> done
        winrs_noprofile: Delete -> done
        winrs_open_already_opened: Create -> a shell of 36 characters
        winrs_open_already_opened: Delete -> done
        winrs_operation_timeout: Create -> a shell of 36 characters
        winrs_operation_timeout: Command -> a command of 36 characters
        winrs_operation_timeout: Receive -> Running "hi\n" ""
        winrs_operation_timeout: Receive -> TimedOut: the host had no answer within the operation timeout: fault 2150858793
        winrs_operation_timeout: Receive -> TimedOut: the host had no answer within the operation timeout: fault 2150858793
        winrs_operation_timeout: Receive -> Done(0) "hi again\n" ""
        winrs_operation_timeout: Signal -> done
        winrs_operation_timeout: Delete -> done
        winrs_send: Create -> a shell of 36 characters
        winrs_send: Command -> a command of 36 characters
        winrs_send: Send -> done
        winrs_send: Send -> done
        winrs_send: Receive -> Done(0) "output 1\noutput 2\n" ""
        winrs_send: Signal -> done
        winrs_send: Delete -> done
        winrs_standard: Create -> a shell of 36 characters
        winrs_standard: Command -> a command of 36 characters
        winrs_standard: Receive -> Done(0) "hi\r\n" ""
        winrs_standard: Signal -> done
        winrs_standard: Delete -> done
        winrs_stderr_rc: Create -> a shell of 36 characters
        winrs_stderr_rc: Command -> a command of 36 characters
        winrs_stderr_rc: Receive -> Done(1) "out \r\n" "err \r\n"
        winrs_stderr_rc: Signal -> done
        winrs_stderr_rc: Delete -> done
        winrs_unicode: Create -> a shell of 36 characters
        winrs_unicode: Command -> a command of 36 characters
        winrs_unicode: Receive -> Done(0) "こんにちは\n" ""
        winrs_unicode: Signal -> done
        winrs_unicode: Delete -> done
    "#]].assert_eq(&shell);
}

/// Of PowerShell's standard error only the errors are left, as text.
#[test]
fn recorded_errors_of_powershell_are_text() {
    let Some(recorded) = recorded("recorded_errors_of_powershell_are_text") else { return };
    let mut text = String::new();
    for (name, clixml) in &recorded.errors {
        let errors = error_text(clixml.as_bytes());
        let _ = writeln!(text, "{name}:");
        for line in errors.lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    expect![[r#"
        test_sanitise_clixml_with_error:
        fake : The term 'fake' is not recognized as the name of a cmdlet, function, script file, or operable program. Check
        the spelling of the name, or if a path was included, verify that the path is correct and try again.
        At line:1 char:1
        + fake cmdlet
        + ~~~~
            + CategoryInfo          : ObjectNotFound: (fake:String) [], CommandNotFoundException
            + FullyQualifiedErrorId : CommandNotFoundException
        test_sanitise_clixml_with_no_errors:
    "#]].assert_eq(&text);
}

/// One command of our client, answered in the words of a recording.
async fn replay(exchanges: &[Exchange], input: bool) -> Result<Output, Error> {
    let server = lab().await;
    for exchange in exchanges {
        let kind = match action(&exchange.request).as_str() {
            "Create" => Kind::Create,
            "Command" => Kind::Command,
            "Send" => Kind::Send,
            "Receive" => Kind::Receive,
            "Signal" => Kind::Signal,
            "Delete" => Kind::Delete,
            other => panic!("an unknown request: {other}"),
        };
        // The client asks in its own order, so each kind has a queue of its own.
        let before = exchanges.iter().take_while(|other| !std::ptr::eq(*other, exchange));
        let position = before.filter(|other| action(&other.request) == action(&exchange.request)).count() + 1;
        let effect = Effect::Http {
            status: exchange.status,
            content_type: "application/soap+xml;charset=UTF-8",
            body: Box::leak(exchange.response.clone().into_boxed_str()),
        };
        server.host(HOST).inject(Injection::on(kind, effect).at(position));
    }
    let session = session(&server, true, SCALED);
    let stdin = if input { Stdin::Bytes(vec![Bytes::from_static(b"input")]) } else { Stdin::None };
    let result = session.run("recorded", &[], stdin).await;
    session.close().await;
    assert_eq!(server.host(HOST).open_shells(), Vec::<String>::new(), "the client asked the lab itself");
    result
}

async fn check(recorded: &Recorded, test: &str, input: bool, expected: Expect) {
    let exchanges = recorded.conversations.get(test).unwrap_or_else(|| panic!("{test} is not recorded"));
    let text = match replay(exchanges, input).await {
        Ok(output) => format!(
            "exit code {}\nstdout {:?}\nstderr {:?}\n",
            output.exit_code,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => format!("{}: {}\n", variant(&error.kind), error.operation),
    };
    expected.assert_eq(&text);
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_conversations_are_held_again() {
    let find = || recorded("recorded_conversations_are_held_again");
    let Some(recorded) = tokio::task::spawn_blocking(find).await.expect("recordings") else { return };
    check(
        &recorded,
        "test_winrs_standard",
        false,
        expect![[r#"
        exit code 0
        stdout "hi\r\n"
        stderr ""
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_stderr_rc",
        false,
        expect![[r#"
        exit code 1
        stdout "out \r\n"
        stderr "err \r\n"
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_unicode",
        false,
        expect![[r#"
        exit code 0
        stdout "こんにちは\n"
        stderr ""
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_operation_timeout",
        false,
        expect![[r#"
        exit code 0
        stdout "hi\nhi again\n"
        stderr ""
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_send",
        true,
        expect![[r#"
        exit code 0
        stdout "output 1\noutput 2\n"
        stderr ""
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_bad_cmd_id",
        false,
        expect![[r#"
        ShellGone: waiting for a command
    "#]],
    )
    .await;
    check(
        &recorded,
        "test_winrs_no_cmd_shell",
        false,
        expect![[r#"
        Fault: starting a command
    "#]],
    )
    .await;
}
