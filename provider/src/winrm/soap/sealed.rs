//! `multipart/encrypted`: the frame around a message that the authentication has sealed.
//!
//! Each message is two MIME parts: one names the type and length of the original, the other is
//! the 32-bit length of the signature, the signature and the ciphertext. There is no blank line
//! after the headers. Windows starts header lines with a tab, other servers refuse tabs: none are
//! sent, both are read.

use crate::winrm::auth::SecurityContext;
use crate::winrm::endpoint::HttpScheme;
use crate::winrm::error::Kind;

/// The content type of a sealed message under the Negotiate scheme.
pub const CONTENT_TYPE: &str =
    "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";
const KERBEROS_CONTENT_TYPE: &str =
    "multipart/encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\";boundary=\"Encrypted Boundary\"";

const BOUNDARY: &str = "Encrypted Boundary";
const PROTOCOL: &str = "application/HTTP-SPNEGO-session-encrypted";
const KERBEROS_PROTOCOL: &str = "application/HTTP-Kerberos-session-encrypted";
const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// The content type of messages that a login under this scheme seals.
pub fn content_type(scheme: HttpScheme) -> &'static str {
    match scheme {
        HttpScheme::Negotiate => CONTENT_TYPE,
        HttpScheme::Kerberos => KERBEROS_CONTENT_TYPE,
    }
}

/// Seals a message into a body of the type that [`content_type`] tells.
pub fn seal(context: &mut dyn SecurityContext, message: &[u8]) -> Result<Vec<u8>, Kind> {
    let mut data = message.to_vec();
    let signature = context.seal(&mut data)?;
    let length = u32::try_from(signature.len()).map_err(|_| Kind::Malformed("a signature is too long"))?;
    let protocol = match context.scheme() {
        HttpScheme::Negotiate => PROTOCOL,
        HttpScheme::Kerberos => KERBEROS_PROTOCOL,
    };
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Type: {protocol}\r\nOriginalContent: type={SOAP};Length={}\r\n\
         --{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n",
        message.len()
    )
    .into_bytes();
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&signature);
    body.extend_from_slice(&data);
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Ok(body)
}

/// Whether a content type announces a sealed message.
pub fn is_sealed(content_type: &str) -> bool {
    content_type.trim_start().get(..19).is_some_and(|start| start.eq_ignore_ascii_case("multipart/encrypted"))
}

/// Opens a sealed body. Large replies may come as several sealed messages in a row.
pub fn unseal(context: &mut dyn SecurityContext, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Kind> {
    let boundary = format!("--{}", boundary(content_type).unwrap_or(BOUNDARY));
    let mut reader = Reader { rest: body };
    let mut message = Vec::new();
    reader.delimiter(&boundary)?;
    loop {
        let length = reader.original_length(&boundary)?;
        reader.skip_headers_of_data()?;
        let signature_length = reader.number()?;
        let signature = reader.take(signature_length)?;
        let data = reader.take(length)?;
        message.extend(context.unseal(signature, data)?);
        if reader.delimiter(&boundary)? {
            return Ok(message);
        }
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let start = content_type.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let value = content_type.get(start..)?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(';').next().map(str::trim),
    }
    .filter(|boundary| !boundary.is_empty())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Passes a delimiter line; true when it was the closing one.
    fn delimiter(&mut self, boundary: &str) -> Result<bool, Kind> {
        while let Some(rest) = self.rest.strip_prefix(b"\r\n") {
            self.rest = rest;
        }
        self.rest = self
            .rest
            .strip_prefix(boundary.as_bytes())
            .ok_or(Kind::Malformed("a boundary of the sealed message is missing"))?;
        if self.rest.starts_with(b"--") {
            return Ok(true);
        }
        self.rest = self
            .rest
            .strip_prefix(b"\r\n")
            .ok_or(Kind::Malformed("a boundary line of the sealed message does not end"))?;
        Ok(false)
    }

    /// Reads the first part's headers up to and including the delimiter after them.
    fn original_length(&mut self, boundary: &str) -> Result<usize, Kind> {
        let mut length = None;
        while !self.rest.starts_with(boundary.as_bytes()) {
            let line = self.line()?;
            if let Some(value) = header(line, "OriginalContent") {
                length = value
                    .split(';')
                    .filter_map(|part| part.trim().split_once('='))
                    .find(|(name, _)| name.eq_ignore_ascii_case("length"))
                    .and_then(|(_, value)| value.trim().parse().ok());
            }
        }
        self.delimiter(boundary)?;
        length.ok_or(Kind::Malformed("the sealed message has no length"))
    }

    fn skip_headers_of_data(&mut self) -> Result<(), Kind> {
        let line = self.line()?;
        header(line, "Content-Type")
            .filter(|value| value.eq_ignore_ascii_case("application/octet-stream"))
            .map(|_| ())
            .ok_or(Kind::Malformed("the sealed message has no data"))
    }

    fn line(&mut self) -> Result<&'a [u8], Kind> {
        let end = self
            .rest
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .ok_or(Kind::Malformed("a header of the sealed message does not end"))?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[2..];
        Ok(line)
    }

    fn number(&mut self) -> Result<usize, Kind> {
        let bytes = self.take(4)?;
        let number = bytes.iter().rev().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        Ok(number)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Kind> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(Kind::Malformed("the sealed message is shorter than it says"))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn header<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let (found, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::winrm::auth::tests::Inverting;

    #[track_caller]
    fn check(body: &[u8], content_type: &str, expected: Option<&[u8]>) {
        let opened = unseal(&mut Inverting, content_type, body).ok();
        assert_eq!(opened.as_deref(), expected);
    }

    /// As Windows writes it: tabs, and a message in which the boundary itself occurs.
    fn windows(messages: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        for message in messages {
            body.extend_from_slice(
                format!(
                    "--Encrypted Boundary\r\n\tContent-Type: {PROTOCOL}\r\n\tOriginalContent: type={SOAP};Length={}\r\n\
                     --Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
                    message.len()
                )
                .as_bytes(),
            );
            body.extend_from_slice(&[2, 0, 0, 0, b'o', b'k']);
            body.extend(message.iter().map(|byte| !byte));
        }
        body.extend_from_slice(b"--Encrypted Boundary--\r\n");
        body
    }

    #[test]
    fn opens_what_it_sealed() {
        let message = b"<a>--Encrypted Boundary\r\n--Encrypted Boundary--</a>";
        let body = seal(&mut Inverting, message).expect("sealed");
        assert!(!body.contains(&b'\t'));
        check(&body, CONTENT_TYPE, Some(message));
    }

    #[test]
    fn opens_what_windows_seals() {
        check(&windows(&[b"<a/>"]), CONTENT_TYPE, Some(b"<a/>"));
        check(&windows(&[b"<a>", b"", b"</a>"]), CONTENT_TYPE, Some(b"<a></a>"));
        check(&windows(&[b"x"]), "Multipart/Encrypted; boundary=Encrypted Boundary; protocol=x", Some(b"x"));
    }

    #[test]
    fn refuses_damage() {
        let body = windows(&[b"<abc/>"]);
        for end in 0..body.len() - 4 {
            check(&body[..end], CONTENT_TYPE, None);
        }
        check(&body, "multipart/encrypted;boundary=\"other\"", None);
    }

    /// [`Inverting`] under the Kerberos scheme, with a signature as long as Kerberos makes them.
    struct Long;

    impl SecurityContext for Long {
        fn scheme(&self) -> HttpScheme {
            HttpScheme::Kerberos
        }

        fn step(&mut self, token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
            Inverting.step(token)
        }

        fn is_complete(&self) -> bool {
            true
        }

        fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
            Inverting.seal(message)?;
            Ok(vec![b'-'; 60])
        }

        fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
            assert_eq!(signature, [b'-'; 60]);
            Inverting.unseal(b"ok", message)
        }
    }

    #[test]
    fn kerberos_has_a_name_and_a_length_of_its_own() {
        let body = seal(&mut Long, b"<a/>").expect("sealed");
        let first = format!("--{BOUNDARY}\r\nContent-Type: application/HTTP-Kerberos-session-encrypted\r\n");
        assert!(body.starts_with(first.as_bytes()));
        let content_type = content_type(HttpScheme::Kerberos);
        assert!(content_type.contains("protocol=\"application/HTTP-Kerberos-session-encrypted\""));
        assert_eq!(unseal(&mut Long, content_type, &body).ok().as_deref(), Some(b"<a/>".as_slice()));
        assert!(
            seal(&mut Inverting, b"<a/>")
                .expect("sealed")
                .starts_with(b"--Encrypted Boundary\r\nContent-Type: application/HTTP-SPNEGO")
        );
    }

    #[test]
    fn knows_its_content_type() {
        assert!(is_sealed(CONTENT_TYPE));
        assert!(is_sealed(KERBEROS_CONTENT_TYPE));
        assert!(!is_sealed("application/soap+xml"));
        assert!(!is_sealed("multipart/encrypte\u{e4}"));
    }
}
