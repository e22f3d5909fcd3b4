//! SOAP faults shaped and worded like those of Windows, with the numeric code clients go by.

/// One fault. Sent with HTTP status 500.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `Code` of `f:WSManFault`: a Windows error number.
    pub code: u32,
    /// The client is to blame (`s:Sender`), else the service (`s:Receiver`).
    pub sender: bool,
    /// With prefix, for instance `w:TimedOut`.
    pub subcode: &'static str,
    pub reason: String,
    /// Last part of the `w:FaultDetail` address, when there is one.
    pub detail: Option<&'static str>,
    pub shape: Shape,
}

/// How the detail of a fault is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `f:WSManFault` with the message as text.
    WsMan,
    /// `f:WSManFault` whose message comes from the shell plug-in.
    Plugin,
    /// `p:MSFT_WmiError` without any `f:WSManFault`: so Windows Server 2012 and later report the operation quota
    /// (WinRb/winrm-fs issue 15).
    WmiError,
}

pub const OPERATION_TIMED_OUT: u32 = 2_150_858_793;
/// Unknown shell and unknown command alike ("unexpected selectors").
pub const UNEXPECTED_SELECTORS: u32 = 2_150_858_843;
pub const TOO_MANY_SHELLS: u32 = 2_150_859_173;
pub const TOO_MANY_OPERATIONS: u32 = 2_150_859_174;
pub const TOO_MANY_COMMANDS_IN_SHELL: u32 = 2_150_859_241;
pub const ACCESS_DENIED: u32 = 5;
pub const INVALID_PARAMETER: u32 = 87;
pub const BROKEN_PIPE: u32 = 109;
pub const BUSY: u32 = 170;
pub const FILE_NAME_TOO_LONG: u32 = 206;
pub const OPERATION_ABORTED: u32 = 995;

impl Fault {
    /// A fault of the service with this code.
    pub fn receiver(code: u32, subcode: &'static str, reason: impl Into<String>) -> Self {
        Self { code, sender: false, subcode, reason: reason.into(), detail: None, shape: Shape::WsMan }
    }

    fn sender(code: u32, subcode: &'static str, detail: &'static str, reason: impl Into<String>) -> Self {
        Self { sender: true, detail: Some(detail), ..Self::receiver(code, subcode, reason) }
    }

    fn plugin(code: u32, reason: &str) -> Self {
        Self { shape: Shape::Plugin, ..Self::receiver(code, "w:InternalError", reason) }
    }

    pub fn timed_out() -> Self {
        let reason =
            "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ";
        Self::receiver(OPERATION_TIMED_OUT, "w:TimedOut", reason)
    }

    pub fn shell_not_found(shell_id: &str) -> Self {
        let reason = format!(
            "The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on \
             the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the \
             server. Provide the correct ShellId or create a new shell and retry the operation. "
        );
        Self::sender(UNEXPECTED_SELECTORS, "w:InvalidSelectors", "UnexpectedSelectors", reason)
    }

    pub fn command_not_found() -> Self {
        let reason = "The Windows Remote Shell received a request to perform an operation on a command identifier that \
                      does not exist. Either the command has completed execution or the client specified an invalid \
                      command identifier. ";
        Self::sender(UNEXPECTED_SELECTORS, "w:InvalidSelectors", "UnexpectedSelectors", reason)
    }

    pub fn too_many_shells(maximum: usize) -> Self {
        let reason = format!(
            "The WS-Management service cannot process the request. This user is allowed a maximum number of {maximum} \
             concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. "
        );
        Self::receiver(TOO_MANY_SHELLS, "w:QuotaLimit", reason)
    }

    pub fn too_many_operations(maximum: usize, shape: Shape) -> Self {
        let reason = format!(
            "The WS-Management service cannot process the request. This user is allowed a maximum number of {maximum} \
             concurrent operations, which has been exceeded. Close existing operations for this user, or raise the \
             quota for this user. "
        );
        Self { shape, ..Self::receiver(TOO_MANY_OPERATIONS, "w:InternalError", reason) }
    }

    /// The code is the nearest that is known; which one Windows sends for MaxProcessesPerShell has not been recorded.
    pub fn too_many_processes() -> Self {
        let reason = "The WS-Management service cannot process the request. The maximum number of concurrent commands \
                      per shell has been exceeded. Retry the request later or raise the Maximum Commands per Shell \
                      quota. ";
        Self::receiver(TOO_MANY_COMMANDS_IN_SHELL, "w:InternalError", reason)
    }

    pub fn access_denied() -> Self {
        Self { detail: None, ..Self::sender(ACCESS_DENIED, "w:AccessDenied", "", "Access is denied. ") }
    }

    pub fn invalid_parameter() -> Self {
        let fault =
            Self::sender(INVALID_PARAMETER, "w:InvalidParameter", "InvalidValue", "The parameter is incorrect. ");
        Self { shape: Shape::Plugin, ..fault }
    }

    pub fn busy() -> Self {
        Self::plugin(BUSY, "The requested resource is in use. ")
    }

    pub fn broken_pipe() -> Self {
        Self::plugin(BROKEN_PIPE, "The pipe has been ended. ")
    }

    pub fn command_line_too_long() -> Self {
        Self::plugin(FILE_NAME_TOO_LONG, "The filename or extension is too long. ")
    }

    pub fn aborted() -> Self {
        let reason = "The I/O operation has been aborted because of either a thread exit or an application request. ";
        Self::receiver(OPERATION_ABORTED, "w:InternalError", reason)
    }

    pub fn unknown_action(action: &str) -> Self {
        let reason = format!(
            "The WS-Management service cannot process the request. The action \"{action}\" is not supported by the \
             service. "
        );
        Self { subcode: "a:ActionNotSupported", detail: None, ..Self::sender(2_150_858_753, "", "", reason) }
    }

    pub fn unknown_resource(resource: &str) -> Self {
        let reason = format!(
            "The WS-Management service cannot process the request. The resource URI \"{resource}\" was not found in the \
             WS-Management catalog. "
        );
        Self { subcode: "a:DestinationUnreachable", ..Self::sender(2_150_858_811, "", "InvalidResourceURI", reason) }
    }

    pub fn header_required(header: &str) -> Self {
        let reason = format!("A required message information header, {header}, is missing or blank. ");
        Self { detail: None, ..Self::sender(2_150_858_769, "a:MessageInformationHeaderRequired", "", reason) }
    }

    pub fn schema(what: &str) -> Self {
        let reason =
            format!("The SOAP XML in the message does not match the corresponding XML schema definition: {what}. ");
        Self { detail: None, ..Self::sender(2_150_858_817, "w:SchemaValidationError", "", reason) }
    }

    pub fn invalid_xml(error: &dyn std::fmt::Display) -> Self {
        let reason = format!("The WS-Management service cannot process the request; the XML is invalid: {error}. ");
        Self { detail: None, ..Self::sender(2_150_858_819, "w:SchemaValidationError", "", reason) }
    }
}
