//! WinRM's message encryption over plain HTTP (MS-WSMV 2.2.9.1): a two-part MIME body around one sealed message.

use crate::lab::wire::ntlm::session::{SIGNATURE_LENGTH, Session};

const PROTOCOL: &str = "application/HTTP-SPNEGO-session-encrypted";
const BOUNDARY: &str = "Encrypted Boundary";

/// A sealed body that is not as Windows wants it; answered with HTTP 400.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    #[error("malformed encrypted body: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Signature(#[from] crate::lab::wire::ntlm::session::WrongSignature),
    #[error("the announced length is {announced}, the message has {actual} bytes")]
    Length { announced: usize, actual: usize },
}

/// Whether a request's content type announces a sealed body.
pub fn is_sealed(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().starts_with("multipart/encrypted")
}

/// Content type of sealed answers.
pub fn content_type() -> String {
    format!("multipart/encrypted;protocol=\"{PROTOCOL}\";boundary=\"{BOUNDARY}\"")
}

/// Opens a sealed body. Part headers may be indented by a tab, as Windows and most clients write them, or not.
pub fn open(body: &[u8], session: &mut Session) -> Result<Vec<u8>, NotSealed> {
    let malformed = NotSealed::Malformed;
    let delimiter = format!("--{BOUNDARY}\r\n");
    let close = format!("--{BOUNDARY}--\r\n");
    let body = body.strip_prefix(delimiter.as_bytes()).ok_or(malformed("no boundary at the start"))?;
    // Nothing may stand between the sealed bytes and the closing boundary, not even a line end: Windows answers 400.
    let body = body.strip_suffix(close.as_bytes()).ok_or(malformed("no closing boundary at the end"))?;
    let middle = find(body, delimiter.as_bytes()).ok_or(malformed("no second part"))?;
    let header = std::str::from_utf8(&body[..middle]).map_err(|_| malformed("part header"))?;
    let announced = announced_length(header)?;
    let data = &body[middle + delimiter.len()..];
    let line = find(data, b"\r\n").ok_or(malformed("no header in the second part"))?;
    if !data[..line].trim_ascii().eq_ignore_ascii_case(b"Content-Type: application/octet-stream") {
        return Err(malformed("content type of the second part"));
    }
    let sealed = &data[line + 2..];
    let (length, sealed) = sealed.split_first_chunk::<4>().ok_or(malformed("no signature length"))?;
    if u32::from_le_bytes(*length) as usize != SIGNATURE_LENGTH {
        return Err(malformed("signature length"));
    }
    let (signature, sealed) = sealed.split_at_checked(SIGNATURE_LENGTH).ok_or(malformed("signature"))?;
    let message = session.unseal(signature, sealed)?;
    if message.len() == announced { Ok(message) } else { Err(NotSealed::Length { announced, actual: message.len() }) }
}

/// Seals an answer.
pub fn close(message: &[u8], session: &mut Session) -> Vec<u8> {
    let (signature, sealed) = session.seal(message);
    let mut body = format!(
        "--{BOUNDARY}\r\n\tContent-Type: {PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;\
         Length={}\r\n--{BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n",
        message.len()
    )
    .into_bytes();
    body.extend((SIGNATURE_LENGTH as u32).to_le_bytes());
    body.extend(signature);
    body.extend(sealed);
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

fn announced_length(header: &str) -> Result<usize, NotSealed> {
    let lines: Vec<&str> = header.lines().map(str::trim).collect();
    let value = |name: &str| {
        lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if !value("Content-Type").is_some_and(|protocol| protocol.eq_ignore_ascii_case(PROTOCOL)) {
        return Err(NotSealed::Malformed("protocol of the first part"));
    }
    let original = value("OriginalContent").ok_or(NotSealed::Malformed("no OriginalContent"))?;
    let length = original.split(';').find_map(|part| part.trim().strip_prefix("Length="));
    length.and_then(|length| length.trim().parse().ok()).ok_or(NotSealed::Malformed("no Length"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
