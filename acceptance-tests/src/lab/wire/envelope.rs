//! Reading a client's SOAP envelope: addressing headers, and the body of each operation the command shell knows.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use roxmltree::{Document, Node};

use crate::lab::wire::fault::Fault;

pub mod namespace {
    pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
    pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
    pub const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
    pub const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
    pub const WSMV: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
    pub const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
    pub const IDENTITY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
    pub const CONFIG: &str = "http://schemas.microsoft.com/wbem/wsman/1/config";
    pub const POWERSHELL: &str = "http://schemas.microsoft.com/powershell";
}

/// Resource of the command shell.
pub const COMMAND_SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd";
/// `MaxTimeoutms` of the service: no operation waits longer.
pub const MAXIMUM_TIMEOUT: Duration = Duration::from_secs(60);

/// One request.
#[derive(Debug)]
pub struct Envelope {
    pub message_id: String,
    /// Address the client sent the request to, repeated in the answer to Create.
    pub to: String,
    pub resource: String,
    pub operation_timeout: Duration,
    /// Largest answer the client accepts, in bytes.
    pub max_envelope_size: usize,
    pub shell_id: Option<String>,
    /// Options of the header, names in upper case. An option set anywhere else has no effect, as on Windows.
    pub options: BTreeMap<String, String>,
    pub operation: Operation,
}

/// What the request asks for.
#[derive(Debug)]
pub enum Operation {
    Identify,
    Get,
    Create(Create),
    /// The identifier is there when the client chose one.
    Command {
        id: Option<String>,
        program: String,
        arguments: Vec<String>,
    },
    Send {
        command_id: String,
        input: Vec<u8>,
        end: bool,
    },
    Receive {
        command_id: Option<String>,
    },
    Signal {
        command_id: String,
        code: String,
    },
    Delete,
}

/// Body of Create.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// The identifier that the client wants the shell to have.
    pub shell_id: Option<String>,
    pub input_streams: String,
    pub output_streams: String,
    pub environment: BTreeMap<String, String>,
    pub working_directory: Option<String>,
    pub idle_timeout: Option<String>,
    /// What a PowerShell session begins with, in base64.
    pub creation: Option<String>,
}

impl Envelope {
    /// Parses a request; the fault says what Windows would say.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| Fault::invalid_xml(&error))?;
        let document = Document::parse(text).map_err(|error| Fault::invalid_xml(&error))?;
        let root = document.root_element();
        if !root.has_tag_name((namespace::SOAP, "Envelope")) {
            return Err(Fault::schema("the root element is not a SOAP 1.2 envelope"));
        }
        let body = child(root, namespace::SOAP, "Body").ok_or_else(|| Fault::schema("there is no SOAP body"))?;
        if child(body, namespace::IDENTITY, "Identify").is_some() {
            return Ok(Self::identify());
        }
        let header = child(root, namespace::SOAP, "Header").ok_or_else(|| Fault::header_required("Header"))?;
        let required = |namespace, name| {
            child_text(header, namespace, name)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| Fault::header_required(name))
        };
        let action = required(namespace::ADDRESSING, "Action")?;
        if child(header, namespace::ADDRESSING, "ReplyTo").is_none() {
            return Err(Fault::header_required("ReplyTo"));
        }
        let size = child_text(header, namespace::WSMAN, "MaxEnvelopeSize").and_then(|size| size.parse().ok());
        Ok(Self {
            message_id: required(namespace::ADDRESSING, "MessageID")?,
            to: required(namespace::ADDRESSING, "To")?,
            resource: required(namespace::WSMAN, "ResourceURI")?,
            operation_timeout: operation_timeout(header)?,
            max_envelope_size: size.unwrap_or(153_600),
            shell_id: named(header, "SelectorSet", "Selector").remove("SHELLID"),
            options: named(header, "OptionSet", "Option"),
            operation: Operation::parse(&action, body)?,
        })
    }

    fn identify() -> Self {
        Self {
            message_id: String::new(),
            to: String::new(),
            resource: String::new(),
            operation_timeout: MAXIMUM_TIMEOUT,
            max_envelope_size: 153_600,
            shell_id: None,
            options: BTreeMap::new(),
            operation: Operation::Identify,
        }
    }

    /// Whether the option is in the header and true.
    pub fn option_is_true(&self, name: &str) -> bool {
        self.options.get(name).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1"))
    }
}

impl Operation {
    fn parse(action: &str, body: Node<'_, '_>) -> Result<Self, Fault> {
        let shell = |name| child(body, namespace::SHELL, name).ok_or_else(|| Fault::schema(name));
        if let Some(name) = action.strip_prefix(namespace::TRANSFER) {
            return match name {
                "/Get" => Ok(Self::Get),
                "/Delete" => Ok(Self::Delete),
                "/Create" => Ok(Self::Create(Create::parse(shell("Shell")?))),
                _ => Err(Fault::unknown_action(action)),
            };
        }
        match action.strip_prefix(namespace::SHELL).unwrap_or_default() {
            "/Command" => {
                let line = shell("CommandLine")?;
                let words = |name| children(line, name).map(|node| text_of(node)).collect::<Vec<_>>();
                let program = words("Command").into_iter().next().ok_or_else(|| Fault::schema("Command"))?;
                let id = line.attribute("CommandId").map(str::to_owned);
                Ok(Self::Command { id, program, arguments: words("Arguments") })
            }
            "/Send" => parse_send(shell("Send")?),
            "/Receive" => {
                let streams = child(shell("Receive")?, namespace::SHELL, "DesiredStream");
                let streams = streams.ok_or_else(|| Fault::schema("DesiredStream"))?;
                Ok(Self::Receive { command_id: streams.attribute("CommandId").map(str::to_owned) })
            }
            "/Signal" => {
                let signal = shell("Signal")?;
                let code = child_text(signal, namespace::SHELL, "Code").ok_or_else(|| Fault::schema("Code"))?;
                Ok(Self::Signal { command_id: attribute(signal, "CommandId")?, code })
            }
            _ => Err(Fault::unknown_action(action)),
        }
    }
}

impl Create {
    fn parse(shell: Node<'_, '_>) -> Self {
        let text = |name| child_text(shell, namespace::SHELL, name);
        let variables = child(shell, namespace::SHELL, "Environment").into_iter().flat_map(|environment| {
            let variables: Vec<_> = children(environment, "Variable").collect();
            variables
        });
        Self {
            shell_id: shell.attribute("ShellId").map(str::to_owned),
            input_streams: text("InputStreams").unwrap_or_default(),
            output_streams: text("OutputStreams").unwrap_or_default(),
            environment: variables
                .filter_map(|variable| Some((variable.attribute("Name")?.to_owned(), text_of(variable))))
                .collect(),
            working_directory: text("WorkingDirectory"),
            idle_timeout: text("IdleTimeOut"),
            creation: child_text(shell, namespace::POWERSHELL, "creationXml"),
        }
    }
}

fn parse_send(send: Node<'_, '_>) -> Result<Operation, Fault> {
    let mut streams = children(send, "Stream");
    let stream = streams.next().ok_or_else(|| Fault::schema("Stream"))?;
    let mut input = Vec::new();
    let mut end = false;
    for part in std::iter::once(stream).chain(streams) {
        if part.attribute("Name") != Some("stdin") {
            return Err(Fault::invalid_parameter());
        }
        let encoded: String = text_of(part).split_ascii_whitespace().collect();
        let decoded = BASE64_STANDARD.decode(encoded).map_err(|_| Fault::schema("Stream is not base64"))?;
        input.extend(decoded);
        end |= part.attribute("End").is_some_and(|end| matches!(end.to_ascii_lowercase().as_str(), "true" | "1"));
    }
    Ok(Operation::Send { command_id: attribute(stream, "CommandId")?, input, end })
}

/// `w:OperationTimeout`, at most [`MAXIMUM_TIMEOUT`].
fn operation_timeout(header: Node<'_, '_>) -> Result<Duration, Fault> {
    let Some(text) = child_text(header, namespace::WSMAN, "OperationTimeout") else {
        return Ok(MAXIMUM_TIMEOUT);
    };
    duration(&text).map(|timeout| timeout.min(MAXIMUM_TIMEOUT)).ok_or_else(|| Fault::schema("OperationTimeout"))
}

/// Reads the part of xs:duration that clients use: days, hours, minutes, seconds with decimals.
fn duration(text: &str) -> Option<Duration> {
    let (days, time) = text.strip_prefix('P')?.split_once('T')?;
    let days: u64 = if days.is_empty() { 0 } else { days.strip_suffix('D')?.parse().ok()? };
    let mut seconds = days as f64 * 86_400.0;
    let mut rest = time;
    while !rest.is_empty() {
        let unit = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let number: f64 = rest[..unit].parse().ok()?;
        let factor = match &rest[unit..=unit] {
            "H" => 3600.0,
            "M" => 60.0,
            "S" => 1.0,
            _ => return None,
        };
        seconds += number * factor;
        rest = &rest[unit + 1..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// `Name` and text of each child of the header's set, names in upper case.
fn named(header: Node<'_, '_>, set: &str, item: &str) -> BTreeMap<String, String> {
    let set = child(header, namespace::WSMAN, set);
    let items = set.into_iter().flat_map(|set| set.children().collect::<Vec<_>>());
    items
        .filter(|node| node.has_tag_name((namespace::WSMAN, item)))
        .filter_map(|node| Some((node.attribute("Name")?.to_ascii_uppercase(), text_of(node))))
        .collect()
}

fn attribute(node: Node<'_, '_>, name: &'static str) -> Result<String, Fault> {
    node.attribute(name).map(str::to_owned).ok_or_else(|| Fault::schema(name))
}

fn child<'a, 'input>(node: Node<'a, 'input>, namespace: &str, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name((namespace, name)))
}

fn children<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name((namespace::SHELL, name)))
}

fn child_text(node: Node<'_, '_>, namespace: &str, name: &str) -> Option<String> {
    child(node, namespace, name).map(|node| text_of(node).trim().to_owned())
}

fn text_of(node: Node<'_, '_>) -> String {
    let mut parts = node.children().filter(Node::is_text).filter_map(|text| text.text());
    let first = parts.next().unwrap_or_default();
    parts.fold(first.to_owned(), |text, part| text + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, milliseconds: Option<u64>) {
        assert_eq!(duration(text), milliseconds.map(Duration::from_millis));
    }

    #[test]
    fn reads_durations() {
        check("PT60S", Some(60_000));
        check("PT60.000S", Some(60_000));
        check("PT0.5S", Some(500));
        check("PT1M5S", Some(65_000));
        check("P0DT0H0M2S", Some(2_000));
        check("60", None);
        check("PT5", None);
    }
}
