//! Writing SOAP answers, worded like recorded answers of Windows.

use crate::lab::wire::envelope::{Envelope, namespace};
use crate::lab::wire::fault::{Fault, Shape};

const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

/// An answer: HTTP status and SOAP text.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub text: String,
}

/// A successful answer with this action and body.
pub fn success(request: &Envelope, action: &str, body: &str) -> Reply {
    Reply { status: 200, text: envelope(action, Some(&request.message_id), body) }
}

/// Identify has no addressing headers.
pub fn identify(product_version: &str) -> Reply {
    let text = format!(
        "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"{soap}\"><s:Header/><s:Body><wsmid:IdentifyResponse \
         xmlns:wsmid=\"{identity}\"><wsmid:ProtocolVersion>{wsman}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft \
         Corporation</wsmid:ProductVendor><wsmid:ProductVersion>{version}</wsmid:ProductVersion>\
         </wsmid:IdentifyResponse></s:Body></s:Envelope>",
        soap = namespace::SOAP,
        identity = namespace::IDENTITY,
        wsman = namespace::WSMAN,
        version = escape(product_version),
    );
    Reply { status: 200, text }
}

/// A fault, from a machine of this name.
pub fn fault(message_id: Option<&str>, fault: &Fault, machine: &str) -> Reply {
    let detail = fault.detail.map(|name| {
        format!("<w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/{name}</w:FaultDetail>")
    });
    let body = format!(
        "<s:Fault><s:Code><s:Value>s:{role}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>\
         <s:Reason><s:Text xml:lang=\"en-US\">{reason}</s:Text></s:Reason><s:Detail>{detail}{inner}</s:Detail></s:Fault>",
        role = if fault.sender { "Sender" } else { "Receiver" },
        subcode = fault.subcode,
        reason = escape(&fault.reason),
        detail = detail.unwrap_or_default(),
        inner = fault_detail(fault, machine),
    );
    let action = if fault.subcode.starts_with("a:") {
        format!("{}/fault", namespace::ADDRESSING)
    } else {
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault".to_owned()
    };
    Reply { status: 500, text: envelope(&action, message_id, &body) }
}

/// Text for XML content and attribute values.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn fault_detail(fault: &Fault, machine: &str) -> String {
    let message = escape(&fault.reason);
    let code = fault.code;
    let message = match fault.shape {
        Shape::WmiError => return wmi_error(code, &message),
        Shape::WsMan => message,
        Shape::Plugin => format!(
            "<f:ProviderFault provider=\"Shell cmd plugin\" path=\"%systemroot%\\system32\\winrscmd.dll\">{message}\
             </f:ProviderFault>"
        ),
    };
    format!(
        "<f:WSManFault xmlns:f=\"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault\" Code=\"{code}\" \
         Machine=\"{machine}\"><f:Message>{message}</f:Message></f:WSManFault>",
        machine = escape(machine),
    )
}

fn wmi_error(code: u32, message: &str) -> String {
    format!(
        "<p:MSFT_WmiError b:IsCIM_Error=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:b=\"http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd\" \
         xmlns:p=\"http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError\" \
         xmlns:cim=\"http://schemas.dmtf.org/wbem/wscim/1/common\" xsi:type=\"p:MSFT_WmiError_Type\">\
         <p:CIMStatusCode xsi:type=\"cim:cimUnsignedInt\">27</p:CIMStatusCode>\
         <p:Message xsi:type=\"cim:cimString\">{message}</p:Message>\
         <p:MessageID xsi:type=\"cim:cimString\">HRESULT 0x{code:x}</p:MessageID>\
         <p:error_Category xsi:type=\"cim:cimUnsignedInt\">30</p:error_Category>\
         <p:error_Code xsi:type=\"cim:cimUnsignedInt\">{code}</p:error_Code>\
         <p:error_Type xsi:type=\"cim:cimString\">HRESULT</p:error_Type>\
         <p:error_WindowsErrorMessage xsi:type=\"cim:cimString\">{message}</p:error_WindowsErrorMessage>\
         </p:MSFT_WmiError>"
    )
}

fn envelope(action: &str, relates_to: Option<&str>, body: &str) -> String {
    let relates_to = relates_to.map(|id| format!("<a:RelatesTo>{}</a:RelatesTo>", escape(id)));
    format!(
        "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"{soap}\" xmlns:a=\"{addressing}\" xmlns:x=\"{transfer}\" \
         xmlns:w=\"{wsman}\" xmlns:rsp=\"{shell}\" xmlns:p=\"{wsmv}\"><s:Header><a:Action>{action}</a:Action>\
         <a:MessageID>uuid:{id}</a:MessageID><a:To>{ANONYMOUS}</a:To>{relates_to}</s:Header><s:Body>{body}</s:Body>\
         </s:Envelope>",
        soap = namespace::SOAP,
        addressing = namespace::ADDRESSING,
        transfer = namespace::TRANSFER,
        wsman = namespace::WSMAN,
        shell = namespace::SHELL,
        wsmv = namespace::WSMV,
        action = escape(action),
        id = uuid::Uuid::new_v4().to_string().to_uppercase(),
        relates_to = relates_to.unwrap_or_default(),
    )
}
