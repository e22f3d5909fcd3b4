//! The requests of the Windows remote shell, as XML text.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::winrm::error::Kind;

/// What every request to one host has in common.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The URL of the service.
    pub url: String,
    /// One identifier per session, by which the host groups its log entries.
    pub session: Uuid,
    /// How long the host may hold a request.
    pub operation_timeout: Duration,
    /// How long an unused shell lives.
    pub idle_timeout: Duration,
}

/// The largest reply to ask for: the default limit of current Windows (`MaxEnvelopeSizekb` 500).
const MAXIMUM_ENVELOPE: u32 = 512_000;

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
const TERMINATE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate";

impl Sender {
    /// Opens a shell: UTF-8 code page, no user profile. It is to have the identifier `id`, when one is given.
    pub fn create_shell(&self, id: Option<Uuid>) -> String {
        let id = id.map(|id| format!(r#" ShellId="{}""#, upper(id))).unwrap_or_default();
        let body = format!(
            "<rsp:Shell{id}><rsp:InputStreams>stdin</rsp:InputStreams>\
             <rsp:OutputStreams>stdout stderr</rsp:OutputStreams>\
             <rsp:IdleTimeOut>{}</rsp:IdleTimeOut></rsp:Shell>",
            seconds(self.idle_timeout)
        );
        // The options are honoured only inside the SOAP header.
        let options = options(&[("WINRS_NOPROFILE", "TRUE"), ("WINRS_CODEPAGE", "65001")]);
        self.envelope(&format!("{TRANSFER}/Create"), None, &options, &body)
    }

    /// Starts a command; Windows joins command and arguments with blanks.
    pub fn command(&self, shell: &str, command: &str, arguments: &[String]) -> Result<String, Kind> {
        let mut body = format!("<rsp:CommandLine><rsp:Command>{}</rsp:Command>", escape(command)?);
        for argument in arguments {
            let _ = write!(body, "<rsp:Arguments>{}</rsp:Arguments>", escape(argument)?);
        }
        body.push_str("</rsp:CommandLine>");
        let options = options(&[("WINRS_CONSOLEMODE_STDIN", "FALSE"), ("WINRS_SKIP_CMD_SHELL", "FALSE")]);
        Ok(self.envelope(&format!("{SHELL}/Command"), Some(shell), &options, &body))
    }

    /// Sends a piece of standard input; `end` closes it.
    pub fn send(&self, shell: &str, command: &str, input: &[u8], end: bool) -> String {
        let end = if end { r#" End="true""# } else { "" };
        let mut body = format!(r#"<rsp:Send><rsp:Stream Name="stdin" CommandId="{}"{end}>"#, attribute(command));
        body.reserve(input.len() / 3 * 4 + 64);
        STANDARD.encode_string(input, &mut body);
        body.push_str("</rsp:Stream></rsp:Send>");
        self.envelope(&format!("{SHELL}/Send"), Some(shell), "", &body)
    }

    /// Asks for output, and waits for it on the host up to the operation timeout.
    pub fn receive(&self, shell: &str, command: &str) -> String {
        let body = format!(
            r#"<rsp:Receive><rsp:DesiredStream CommandId="{}">stdout stderr</rsp:DesiredStream></rsp:Receive>"#,
            attribute(command)
        );
        self.envelope(&format!("{SHELL}/Receive"), Some(shell), "", &body)
    }

    /// Ends a command and what it started.
    pub fn terminate(&self, shell: &str, command: &str) -> String {
        let body =
            format!(r#"<rsp:Signal CommandId="{}"><rsp:Code>{TERMINATE}</rsp:Code></rsp:Signal>"#, attribute(command));
        self.envelope(&format!("{SHELL}/Signal"), Some(shell), "", &body)
    }

    /// Closes a shell with all its commands.
    pub fn delete_shell(&self, shell: &str) -> String {
        self.envelope(&format!("{TRANSFER}/Delete"), Some(shell), "", "")
    }

    fn envelope(&self, action: &str, shell: Option<&str>, options: &str, body: &str) -> String {
        let selectors = shell
            .map(|id| {
                format!(r#"<w:SelectorSet><w:Selector Name="ShellId">{}</w:Selector></w:SelectorSet>"#, attribute(id))
            })
            .unwrap_or_default();
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="{SHELL}"><s:Header><a:To>{to}</a:To><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><w:MaxEnvelopeSize s:mustUnderstand="true">{MAXIMUM_ENVELOPE}</w:MaxEnvelopeSize><a:MessageID>uuid:{message}</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/><p:SessionId s:mustUnderstand="false">uuid:{session}</p:SessionId><w:OperationTimeout>{timeout}</w:OperationTimeout><a:Action s:mustUnderstand="true">{action}</a:Action><w:ResourceURI s:mustUnderstand="true">{SHELL}/cmd</w:ResourceURI>{options}{selectors}</s:Header><s:Body>{body}</s:Body></s:Envelope>"#,
            to = attribute(&self.url),
            message = upper(Uuid::new_v4()),
            session = upper(self.session),
            timeout = seconds(self.operation_timeout),
        )
    }
}

fn options(pairs: &[(&str, &str)]) -> String {
    let mut set = String::from(r#"<w:OptionSet s:mustUnderstand="true">"#);
    for (name, value) in pairs {
        let _ = write!(set, r#"<w:Option Name="{name}">{value}</w:Option>"#);
    }
    set.push_str("</w:OptionSet>");
    set
}

fn seconds(duration: Duration) -> String {
    format!("PT{}.{:03}S", duration.as_secs(), duration.subsec_millis())
}

/// As Windows writes identifiers of shells and messages.
pub fn upper(uuid: Uuid) -> String {
    uuid.hyphenated().to_string().to_uppercase()
}

/// Text for an element, or the first character that XML 1.0 cannot carry.
///
/// `\r` goes as a reference: a parser turns a literal one into `\n`.
pub fn escape(text: &str) -> Result<String, Kind> {
    if let Some(forbidden) = text.chars().find(|character| is_forbidden(*character)) {
        return Err(Kind::ControlCharacter(forbidden));
    }
    Ok(attribute(text))
}

fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Escapes text that came from a URL or from the host; forbidden characters are left out.
fn attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            character if is_forbidden(character) => {}
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    fn sender() -> Sender {
        Sender {
            url: "https://mfa01.contoso.com:5986/wsman".to_owned(),
            session: Uuid::nil(),
            operation_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(900),
        }
    }

    fn text_of(xml: &str, name: &str) -> Vec<String> {
        let document = Document::parse(xml).expect("well-formed");
        document
            .descendants()
            .filter(|node| node.tag_name().name() == name)
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn shell_options_are_inside_the_header() {
        let xml = sender().create_shell(None);
        let document = Document::parse(&xml).expect("well-formed");
        let set = document.descendants().find(|node| node.tag_name().name() == "OptionSet").expect("options");
        assert_eq!(set.parent().map(|node| node.tag_name().name()), Some("Header"));
        assert_eq!(text_of(&xml, "Option"), ["TRUE", "65001"]);
        assert_eq!(text_of(&xml, "IdleTimeOut"), ["PT900.000S"]);
        assert_eq!(text_of(&xml, "OperationTimeout"), ["PT60.000S"]);
    }

    #[test]
    fn a_shell_is_asked_for_by_a_name_of_our_own() {
        let xml = sender().create_shell(Some(Uuid::from_u128(0xabcd)));
        let document = Document::parse(&xml).expect("well-formed");
        let shell = document.descendants().find(|node| node.tag_name().name() == "Shell").expect("a shell");
        assert_eq!(shell.attribute("ShellId"), Some("00000000-0000-0000-0000-00000000ABCD"));
    }

    #[test]
    fn command_text_survives_xml() {
        let hostile = "a & <b> \"c\" 'd' ]]> \r\n\t\u{e4}\u{1f600}";
        let xml = sender().command("S-1", hostile, &[hostile.to_owned()]).expect("allowed characters");
        assert_eq!(text_of(&xml, "Command"), [hostile]);
        assert_eq!(text_of(&xml, "Arguments"), [hostile]);
        assert_eq!(text_of(&xml, "Selector"), ["S-1"]);
        assert_eq!(text_of(&xml, "Option"), ["FALSE", "FALSE"]);
    }

    #[test]
    fn refuses_what_xml_cannot_carry() {
        for text in ["\0", "a\u{1b}b", "\u{ffff}"] {
            let result = sender().command("S-1", text, &[]);
            assert!(matches!(result, Err(Kind::ControlCharacter(_))), "{text:?}");
        }
    }

    #[test]
    fn the_last_piece_of_input_carries_the_end() {
        let sender = sender();
        assert!(!sender.send("s", "c", b"abc", false).contains("End="));
        let xml = sender.send("s", "c", b"abc", true);
        assert!(xml.contains(r#"End="true">YWJj</rsp:Stream>"#), "{xml}");
    }

    #[test]
    fn ids_from_a_host_cannot_break_out() {
        let xml = sender().terminate("\"><x/>", "\"/><y/>");
        let document = Document::parse(&xml).expect("well-formed");
        assert!(document.descendants().all(|node| !["x", "y"].contains(&node.tag_name().name())));
    }
}
