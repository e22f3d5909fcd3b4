//! The replies of the Windows remote shell.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use crate::winrm::error::Kind;
use crate::winrm::soap::fault::{Fault, LocalName, child};

/// What a `Receive` brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes of standard output, in order.
    pub stdout: Vec<u8>,
    /// Bytes of standard error, in order.
    pub stderr: Vec<u8>,
    /// Whether and how the command ended.
    pub state: CommandState,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandState {
    /// It has not ended; ask again.
    #[default]
    Running,
    /// It ended with this exit code. Windows codes above `i32::MAX` come out negative.
    Done(i32),
}

/// A reply as a checked tree, or the fault it is.
///
/// `status` is the HTTP status; a reply with an error status that is no fault is an error too.
pub fn parse(text: &str, status: u16) -> Result<Document<'_>, Kind> {
    let document =
        Document::parse(text.trim_start_matches('\u{feff}')).map_err(|_| Kind::Malformed("it is not XML"))?;
    let root = document.root_element();
    if !root.has_tag_name_local("Envelope") || child(root, "Body").is_none() {
        return Err(Kind::Malformed("it is not a SOAP envelope"));
    }
    if let Some(fault) = Fault::find(&document, status) {
        return Err(fault.into_kind());
    }
    if !(200..300).contains(&status) {
        return Err(Kind::HttpStatus { status });
    }
    Ok(document)
}

/// Whether it answers a request whose answer says nothing else, by the last part of its action.
pub fn confirmed(document: &Document<'_>, action: &str) -> Result<(), Kind> {
    let header = child(document.root_element(), "Header");
    let found = header.and_then(|header| child(header, "Action")).and_then(|action| action.text());
    let last = found.and_then(|found| found.trim().rsplit('/').next());
    if last == Some(action) { Ok(()) } else { Err(Kind::Malformed("it answers another request")) }
}

/// The id of a new shell.
pub fn shell_id(document: &Document<'_>) -> Result<String, Kind> {
    let body = body(document)?;
    let from_selector = body
        .descendants()
        .find(|node| node.has_tag_name_local("Selector") && node.attribute("Name") == Some("ShellId"));
    let from_shell = || body.descendants().find(|node| node.has_tag_name_local("ShellId"));
    identifier(from_selector.or_else(from_shell)).ok_or(Kind::Malformed("it names no shell"))
}

/// The id of a new command.
pub fn command_id(document: &Document<'_>) -> Result<String, Kind> {
    let response = child(body(document)?, "CommandResponse");
    identifier(response.and_then(|response| child(response, "CommandId"))).ok_or(Kind::Malformed("it names no command"))
}

/// Output and state of a command.
pub fn received(document: &Document<'_>) -> Result<Received, Kind> {
    let response = child(body(document)?, "ReceiveResponse").ok_or(Kind::Malformed("it carries no output"))?;
    let mut received = Received::default();
    for node in response.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "Stream" => {
                let target = match node.attribute("Name") {
                    Some("stdout") => &mut received.stdout,
                    Some("stderr") => &mut received.stderr,
                    _ => continue,
                };
                decode(node, target)?;
            }
            "CommandState" => received.state = state(node)?,
            _ => {}
        }
    }
    Ok(received)
}

fn body<'a, 'input>(document: &'a Document<'input>) -> Result<Node<'a, 'input>, Kind> {
    child(document.root_element(), "Body").ok_or(Kind::Malformed("it is not a SOAP envelope"))
}

fn identifier(node: Option<Node<'_, '_>>) -> Option<String> {
    let text = node?.text()?.trim();
    (!text.is_empty() && text.len() <= 256).then(|| text.to_owned())
}

fn decode(stream: Node<'_, '_>, target: &mut Vec<u8>) -> Result<(), Kind> {
    let mut text: String = stream.children().filter_map(|node| node.text()).collect();
    text.retain(|character| !character.is_ascii_whitespace());
    STANDARD.decode_vec(text, target).map_err(|_| Kind::Malformed("a stream is not base64"))
}

fn state(node: Node<'_, '_>) -> Result<CommandState, Kind> {
    let name = node.attribute("State").unwrap_or_default();
    if !name.ends_with("/CommandState/Done") {
        return Ok(CommandState::Running);
    }
    let code = child(node, "ExitCode").and_then(|code| code.text());
    let code = match code.map(str::trim) {
        // Seen after a terminate. Without a code nothing may count as success.
        None | Some("") => return Err(Kind::Malformed("a command ended without an exit code")),
        Some(code) => code.parse::<i64>().map_err(|_| Kind::Malformed("an exit code is not a number"))?,
    };
    // The wire carries the DWORD; callers compare with the signed numbers Windows documents.
    i32::try_from(code)
        .or_else(|_| u32::try_from(code).map(u32::cast_signed))
        .map(CommandState::Done)
        .map_err(|_| Kind::Malformed("an exit code is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header/><s:Body>"#;
    const TAIL: &str = "</s:Body></s:Envelope>";

    fn receive(streams: &str) -> Result<Received, Kind> {
        let xml = format!("{HEAD}<rsp:ReceiveResponse>{streams}</rsp:ReceiveResponse>{TAIL}");
        received(&parse(&xml, 200)?)
    }

    #[test]
    fn concatenates_streams_as_bytes() {
        // "ä" is split between two elements; only the bytes can be joined.
        let received = receive(
            r#"<rsp:Stream Name="stdout" CommandId="c">YcM=</rsp:Stream>
               <rsp:Stream Name="stderr" CommandId="c">ZQ==</rsp:Stream>
               <rsp:Stream Name="stdout" CommandId="c">pA
               ==</rsp:Stream><rsp:Stream Name="stdout" CommandId="c" End="true"/>
               <rsp:CommandState CommandId="c" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Running"/>"#,
        )
        .expect("valid");
        assert_eq!(received.stdout, "a\u{e4}".as_bytes());
        assert_eq!(received.stderr, b"e");
        assert_eq!(received.state, CommandState::Running);
    }

    #[track_caller]
    fn check_exit_code(text: &str, expected: Option<i32>) {
        let state = format!(
            r#"<rsp:CommandState State="http://x/CommandState/Done"><rsp:ExitCode>{text}</rsp:ExitCode></rsp:CommandState>"#
        );
        let found = receive(&state).ok().map(|received| received.state);
        assert_eq!(found, expected.map(CommandState::Done), "{text:?}");
    }

    #[test]
    fn reads_exit_codes() {
        check_exit_code("0", Some(0));
        check_exit_code(" 3010 ", Some(3010));
        check_exit_code("-196608", Some(-196_608));
        check_exit_code("3221225786", Some(-1_073_741_510));
        check_exit_code("", None);
        check_exit_code("x", None);
        check_exit_code("99999999999", None);
    }

    #[test]
    fn finds_ids_under_any_prefix() {
        let xml = format!(
            r#"{HEAD}<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><q:SelectorSet xmlns:q="w"><q:Selector Name="ShellId"> AB-1 </q:Selector></q:SelectorSet></x:ResourceCreated>{TAIL}"#
        );
        assert_eq!(shell_id(&parse(&xml, 200).expect("valid")).ok().as_deref(), Some("AB-1"));
        let xml = format!(
            r#"{HEAD}<CommandResponse xmlns="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><CommandId>C-1</CommandId></CommandResponse>{TAIL}"#
        );
        assert_eq!(command_id(&parse(&xml, 200).expect("valid")).ok().as_deref(), Some("C-1"));
    }

    #[track_caller]
    fn check_confirmed(header: &str, expected: bool) {
        let xml = format!(r#"<s:Envelope xmlns:s="s"><s:Header>{header}</s:Header><s:Body/></s:Envelope>"#);
        let document = parse(&xml, 200).expect("an envelope");
        assert_eq!(confirmed(&document, "DeleteResponse").is_ok(), expected, "{header}");
    }

    #[test]
    fn an_answer_without_a_body_is_known_by_its_action() {
        check_confirmed("<Action> http://schemas.xmlsoap.org/ws/2004/09/transfer/DeleteResponse\n</Action>", true);
        check_confirmed("<Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete</Action>", false);
        check_confirmed("<Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/fault</Action>", false);
        check_confirmed("<Action/>", false);
        check_confirmed("", false);
    }

    #[test]
    fn empty_or_foreign_answers_are_never_success() {
        for text in ["", "<html/>", "<s:Envelope/>", "{}", "\u{feff}<a"] {
            assert!(parse(text, 200).is_err(), "{text:?}");
        }
        let xml = format!("{HEAD}{TAIL}");
        let document = parse(&xml, 200).expect("an envelope");
        assert!(shell_id(&document).is_err());
        assert!(command_id(&document).is_err());
        assert!(received(&document).is_err());
        assert!(matches!(parse(&xml, 500), Err(Kind::HttpStatus { status: 500 })));
    }
}
