//! WS-Management faults: the number that tells them apart, and the text Windows gave with it.

use std::fmt;

use roxmltree::{Document, Node};

use crate::winrm::error::Kind;

/// A fault as the host reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status it came with.
    pub status: u16,
    /// The Windows error number (`WSManFault/@Code`), when there is one.
    pub code: Option<u32>,
    /// The SOAP subcode without its prefix, such as `InvalidSelectors`.
    pub subcode: Option<String>,
    /// The text, in the host's words, on one line.
    pub text: String,
}

/// `ERROR_WSMAN_OPERATION_TIMEDOUT`: the host held the request for the whole operation timeout; ask again.
pub const TIMED_OUT: u32 = 2_150_858_793;
/// `ERROR_ACCESS_DENIED`.
pub const ACCESS_DENIED: u32 = 5;

type Meaning = fn(Fault) -> Kind;

/// What each number stands for. The names are those of `wsmerror.h` and `winerror.h`.
const MEANINGS: [(u32, Meaning); 27] = [
    (TIMED_OUT, Kind::TimedOut),
    (2_150_858_843, Kind::ShellGone), // ERROR_WSMAN_UNEXPECTED_SELECTORS: a shell or command that is unknown
    (2_150_859_173, Kind::QuotaShells), // ERROR_WSMAN_QUOTA_MAX_SHELLS
    (2_150_859_236, Kind::QuotaShells), // ERROR_WSMAN_QUOTA_MAX_SHELLS_PPQ
    (2_150_859_238, Kind::QuotaShells), // ERROR_WSMAN_QUOTA_MAX_PLUGINSHELLS_PPQ
    (2_150_859_174, Kind::QuotaOperations), // ERROR_WSMAN_QUOTA_MAX_OPERATIONS; terminated commands still count
    (2_150_859_239, Kind::QuotaOperations), // ERROR_WSMAN_QUOTA_MAX_PLUGINOPERATIONS_PPQ
    (2_150_859_240, Kind::QuotaOperations), // ERROR_WSMAN_QUOTA_MAX_OPERATIONS_USER_PPQ
    (2_150_859_241, Kind::QuotaCommands), // ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ
    (2_150_859_179, Kind::QuotaUsers), // ERROR_WSMAN_QUOTA_MAX_SHELLUSERS
    (2_150_859_237, Kind::QuotaUsers), // ERROR_WSMAN_QUOTA_MAX_USERS_PPQ
    (2_150_859_175, Kind::QuotaRequests), // ERROR_WSMAN_QUOTA_USER
    (2_150_859_176, Kind::QuotaRequests), // ERROR_WSMAN_QUOTA_SYSTEM
    (8, Kind::QuotaMemory),           // ERROR_NOT_ENOUGH_MEMORY
    (14, Kind::QuotaMemory),          // ERROR_OUTOFMEMORY
    (1455, Kind::QuotaMemory),        // ERROR_COMMITMENT_LIMIT
    (1816, Kind::QuotaMemory),        // ERROR_NOT_ENOUGH_QUOTA: what a job object says at its limit
    (2_150_858_790, Kind::TooLarge),  // ERROR_WSMAN_ENVELOPE_TOO_LARGE
    (2_150_858_805, Kind::TooLarge),  // ERROR_WSMAN_ENCODING_LIMIT
    (2_150_858_824, Kind::TooLarge),  // ERROR_WSMAN_MAX_ENVELOPE_SIZE_EXCEEDED
    (2_150_859_180, Kind::ShellsRefused), // ERROR_WSMAN_REMOTESHELLS_NOT_ALLOWED
    (2_150_859_229, Kind::ShellsRefused), // ERROR_WSMAN_SERVICE_REMOTE_ACCESS_DISABLED
    (995, Kind::Aborted),             // ERROR_OPERATION_ABORTED: shell, service or host goes down
    (1115, Kind::Aborted),            // ERROR_SHUTDOWN_IN_PROGRESS
    (2_150_858_883, Kind::Aborted),   // ERROR_WSMAN_PLUGIN_FAILED
    (170, Kind::Busy),                // ERROR_BUSY: an earlier `Send` to the same command is not yet taken
    (ACCESS_DENIED, Kind::AccessDenied),
];

/// The numbers that stand for something of their own, those of one cause after another.
pub fn known_codes() -> impl Iterator<Item = u32> {
    MEANINGS.iter().map(|(code, _)| *code)
}

impl Fault {
    /// Reads the fault of a reply, if it is one.
    pub fn find(document: &Document<'_>, status: u16) -> Option<Self> {
        let fault = child(child(document.root_element(), "Body")?, "Fault")?;
        let subcode = child(fault, "Code")
            .and_then(|code| child(code, "Subcode"))
            .and_then(|subcode| child(subcode, "Value"))
            .map(|value| local_part(&all_text(value)).to_owned());
        let reason = child(fault, "Reason").map(all_text).unwrap_or_default();
        let (code, message) = child(fault, "Detail").map(detail).unwrap_or_default();
        let text = message.filter(|text| !text.is_empty()).unwrap_or(reason);
        Some(Self { status, code, subcode, text })
    }

    /// The number, or the one that the subcode stands for when Windows gave none.
    pub fn meaning(&self) -> Option<u32> {
        if let Some(code) = self.code {
            // An HRESULT of the Win32 facility means the Win32 number.
            return Some(if code >> 16 == 0x8007 { code & 0xffff } else { code });
        }
        match self.subcode.as_deref()? {
            "TimedOut" => Some(TIMED_OUT),
            "AccessDenied" => Some(ACCESS_DENIED),
            _ => None,
        }
    }

    /// The error this fault is.
    pub fn into_kind(self) -> Kind {
        let meaning = self.meaning();
        match MEANINGS.iter().find(|(code, _)| Some(*code) == meaning) {
            Some((_, kind)) => kind(self),
            // Several numbers come with this subcode, and not all are known.
            None if self.subcode.as_deref() == Some("EncodingLimit") => Kind::TooLarge(self),
            None => Kind::Fault(self),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, &self.subcode) {
            (Some(code), _) => write!(formatter, "fault {code}")?,
            (None, Some(subcode)) => write!(formatter, "fault {subcode}")?,
            (None, None) => formatter.write_str("fault without a number")?,
        }
        if !self.text.is_empty() {
            write!(formatter, " ({})", self.text)?;
        }
        Ok(())
    }
}

/// Number and message of a fault's detail, in either of the shapes Windows has for them.
fn detail(detail: Node<'_, '_>) -> (Option<u32>, Option<String>) {
    let find = |name: &str| detail.descendants().find(|node| node.has_tag_name_local(name));
    if let Some(fault) = find("WSManFault") {
        let code = fault.attribute("Code").and_then(|code| code.trim().parse().ok());
        return (code, child(fault, "Message").map(all_text));
    }
    // Windows Server 2012 and later report the quota of operations as an error of WMI.
    let Some(error) = find("MSFT_WmiError") else {
        return (None, None);
    };
    let text = |name| child(error, name).map(all_text);
    let result = || {
        let identifier = text("MessageID")?;
        u32::from_str_radix(identifier.strip_prefix("HRESULT 0x")?, 16).ok()
    };
    let code = text("error_Code").and_then(|code| code.parse().ok()).filter(|code| *code != 0);
    (code.or_else(result), text("Message"))
}

/// The first child element with this name, whatever its namespace prefix.
pub(crate) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name_local(name))
}

/// Matching by local name: hosts differ in prefixes, and only one vocabulary is in play.
pub(crate) trait LocalName {
    /// Whether this is an element of that local name.
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn all_text(node: Node<'_, '_>) -> String {
    let text: String = node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn local_part(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, code: Option<u32>, subcode: Option<&str>, text: &str) -> Kind {
        let xml = format!(
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>{body}</s:Body></s:Envelope>"#
        );
        let document = Document::parse(&xml).expect("well-formed");
        let fault = Fault::find(&document, 500).expect("a fault");
        assert_eq!((fault.code, fault.subcode.as_deref()), (code, subcode));
        assert_eq!(fault.text, text);
        fault.into_kind()
    }

    #[test]
    fn reads_windows_faults() {
        let kind = check(
            r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value xmlns:w="w">w:TimedOut</s:Value></s:Subcode></s:Code>
               <s:Reason><s:Text xml:lang="en-US">The operation took too long.</s:Text></s:Reason>
               <s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858793" Machine="m">
               <f:Message>The WS-Management service
                   cannot complete it.</f:Message></f:WSManFault></s:Detail></s:Fault>"#,
            Some(TIMED_OUT),
            Some("TimedOut"),
            "The WS-Management service cannot complete it.",
        );
        assert!(matches!(kind, Kind::TimedOut(_)));

        let kind = check(
            r#"<q:Fault xmlns:q="http://www.w3.org/2003/05/soap-envelope"><q:Detail>
               <WSManFault xmlns="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150859174">
               <Message><ProviderFault><WSManFault Code="170"><Message>inner</Message></WSManFault></ProviderFault></Message>
               </WSManFault></q:Detail></q:Fault>"#,
            Some(2_150_859_174),
            None,
            "inner",
        );
        assert!(matches!(kind, Kind::QuotaOperations(_)));
    }

    #[test]
    fn reads_errors_of_wmi() {
        let error = |inner: &str| {
            format!(
                r#"<s:Fault><s:Code><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Detail>
                   <p:MSFT_WmiError xmlns:p="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError">
                   <p:CIMStatusCode>27</p:CIMStatusCode><p:Message>too many operations</p:Message>{inner}
                   </p:MSFT_WmiError></s:Detail></s:Fault>"#
            )
        };
        for inner in ["<p:error_Code>2150859174</p:error_Code>", "<p:MessageID>HRESULT 0x803381a6</p:MessageID>"] {
            let kind = check(&error(inner), Some(2_150_859_174), Some("InternalError"), "too many operations");
            assert!(matches!(kind, Kind::QuotaOperations(_)));
        }
        let denied = error("<p:MessageID>HRESULT 0x80070005</p:MessageID>");
        let kind = check(&denied, Some(0x8007_0005), Some("InternalError"), "too many operations");
        assert!(matches!(kind, Kind::AccessDenied(_)));
        check(&error(""), None, Some("InternalError"), "too many operations");
    }

    #[test]
    fn knows_faults_without_a_number_by_their_subcode() {
        let kind = check(
            r"<s:Fault><s:Code><s:Subcode><s:Value>wsman:AccessDenied</s:Value></s:Subcode></s:Code>
              <s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>",
            None,
            Some("AccessDenied"),
            "no",
        );
        assert!(matches!(kind, Kind::AccessDenied(_)));
        let kind = check("<s:Fault/>", None, None, "");
        assert_eq!(kind.to_string(), "fault without a number");
    }
}
