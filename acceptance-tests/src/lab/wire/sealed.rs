//! WinRM's message encryption over plain HTTP (MS-WSMV 2.2.9.1): a two-part MIME body around one sealed message.

use crate::lab::kerberos::acceptor::{Context, Refused};
use crate::lab::wire::ntlm::session::{SIGNATURE_LENGTH, Session};

const BOUNDARY: &str = "Encrypted Boundary";

/// A sealed body that is not as Windows wants it; answered with HTTP 400.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    #[error("malformed encrypted body: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Signature(#[from] crate::lab::wire::ntlm::session::WrongSignature),
    #[error(transparent)]
    Kerberos(#[from] Refused),
    #[error("the announced length is {announced}, the message has {actual} bytes")]
    Length { announced: usize, actual: usize },
}

/// What messages of a logon are sealed with.
pub enum Keys<'a> {
    Ntlm(&'a mut Session),
    Kerberos { context: &'a Context, scheme: Scheme },
}

/// The HTTP scheme of a logon, which also names the sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Negotiate,
    Kerberos,
}

impl Keys<'_> {
    /// Whether the client negotiated sealing.
    pub fn sealing(&self) -> bool {
        match self {
            Self::Ntlm(session) => session.sealing(),
            Self::Kerberos { .. } => true,
        }
    }

    fn protocol(&self) -> &'static str {
        match self {
            Self::Ntlm(_) | Self::Kerberos { scheme: Scheme::Negotiate, .. } => {
                "application/HTTP-SPNEGO-session-encrypted"
            }
            Self::Kerberos { scheme: Scheme::Kerberos, .. } => "application/HTTP-Kerberos-session-encrypted",
        }
    }

    fn unseal(&mut self, signature: &[u8], data: &[u8]) -> Result<Vec<u8>, NotSealed> {
        match self {
            Self::Ntlm(_) if signature.len() != SIGNATURE_LENGTH => Err(NotSealed::Malformed("signature length")),
            Self::Ntlm(session) => Ok(session.unseal(signature, data)?),
            Self::Kerberos { context, .. } => Ok(context.unseal(signature, data)?),
        }
    }

    fn seal(&mut self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), NotSealed> {
        match self {
            Self::Ntlm(session) => {
                let (signature, data) = session.seal(message);
                Ok((signature.to_vec(), data))
            }
            Self::Kerberos { context, .. } => Ok(context.seal(message)?),
        }
    }
}

/// Whether a request's content type announces a sealed body.
pub fn is_sealed(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().starts_with("multipart/encrypted")
}

/// Content type of sealed answers.
pub fn content_type(keys: &Keys<'_>) -> String {
    format!("multipart/encrypted;protocol=\"{}\";boundary=\"{BOUNDARY}\"", keys.protocol())
}

/// Opens a sealed body. Part headers may be indented by a tab, as Windows and most clients write them, or not.
pub fn open(body: &[u8], keys: &mut Keys<'_>) -> Result<Vec<u8>, NotSealed> {
    let malformed = NotSealed::Malformed;
    let delimiter = format!("--{BOUNDARY}\r\n");
    let close = format!("--{BOUNDARY}--\r\n");
    let body = body.strip_prefix(delimiter.as_bytes()).ok_or(malformed("no boundary at the start"))?;
    // Nothing may stand between the sealed bytes and the closing boundary, not even a line end: Windows answers 400.
    let body = body.strip_suffix(close.as_bytes()).ok_or(malformed("no closing boundary at the end"))?;
    let middle = find(body, delimiter.as_bytes()).ok_or(malformed("no second part"))?;
    let header = std::str::from_utf8(&body[..middle]).map_err(|_| malformed("part header"))?;
    let announced = announced_length(header, keys.protocol())?;
    let data = &body[middle + delimiter.len()..];
    let line = find(data, b"\r\n").ok_or(malformed("no header in the second part"))?;
    if !data[..line].trim_ascii().eq_ignore_ascii_case(b"Content-Type: application/octet-stream") {
        return Err(malformed("content type of the second part"));
    }
    let sealed = &data[line + 2..];
    let (length, sealed) = sealed.split_first_chunk::<4>().ok_or(malformed("no signature length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (signature, sealed) = sealed.split_at_checked(length).ok_or(malformed("signature length"))?;
    let message = keys.unseal(signature, sealed)?;
    if message.len() == announced { Ok(message) } else { Err(NotSealed::Length { announced, actual: message.len() }) }
}

/// Seals an answer.
pub fn close(message: &[u8], keys: &mut Keys<'_>) -> Result<Vec<u8>, NotSealed> {
    let (signature, sealed) = keys.seal(message)?;
    let protocol = keys.protocol();
    let mut body = format!(
        "--{BOUNDARY}\r\n\tContent-Type: {protocol}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;\
         Length={}\r\n--{BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n",
        message.len()
    )
    .into_bytes();
    body.extend((signature.len() as u32).to_le_bytes());
    body.extend(signature);
    body.extend(sealed);
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    Ok(body)
}

fn announced_length(header: &str, expected: &str) -> Result<usize, NotSealed> {
    let lines: Vec<&str> = header.lines().map(str::trim).collect();
    let value = |name: &str| {
        lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if !value("Content-Type").is_some_and(|protocol| protocol.eq_ignore_ascii_case(expected)) {
        return Err(NotSealed::Malformed("protocol of the first part"));
    }
    let original = value("OriginalContent").ok_or(NotSealed::Malformed("no OriginalContent"))?;
    let length = original.split(';').find_map(|part| part.trim().strip_prefix("Length="));
    length.and_then(|length| length.trim().parse().ok()).ok_or(NotSealed::Malformed("no Length"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
