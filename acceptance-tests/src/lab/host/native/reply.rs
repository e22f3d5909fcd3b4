//! Answers of scripts: lines of pure ASCII JSON, and failures of a closed set of kinds.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use crate::lab::host::error::LabError;

/// Why a script failed, as the provider is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("not_found", message)
    }

    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new("invalid_input", message)
    }

    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new("precondition", message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new("busy", message)
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self::new("other", message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => "not_found",
            io::ErrorKind::PermissionDenied => "access_denied",
            _ => "other",
        };
        Self::new(kind, error.to_string())
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::other(error.to_string())
    }
}

/// The reply line of a script.
pub fn line(script: &str, outcome: Result<Value, Failure>) -> String {
    let reply = match outcome {
        Ok(result) => json!({ "ok": true, "script": script, "result": result }),
        Err(failure) => {
            let error = json!({ "kind": failure.kind, "message": failure.message, "line": null });
            json!({ "ok": false, "script": script, "error": error })
        }
    };
    format!("AZUREMFA-REPLY:{}", ascii_json(&reply))
}

/// A reply line as a worker writes it: with the number of the call. Other lines stay as they are.
pub fn numbered(line: &str, call: u64) -> String {
    match line.strip_suffix('}').filter(|_| line.starts_with("AZUREMFA-REPLY:")) {
        Some(reply) => format!("{reply},\"call\":{call}}}"),
        None => line.to_owned(),
    }
}

/// A log line of a script.
pub fn log_line(level: &str, message: &str) -> String {
    format!("AZUREMFA-LOG:{}", ascii_json(&json!({ "level": level, "message": message })))
}

/// JSON in which everything but plain ASCII is escaped, as the scripts write it.
pub fn ascii_json<T: Serialize>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    value.serialize(&mut serializer).expect("a value of ours is JSON");
    String::from_utf8(bytes).expect("ASCII is UTF-8")
}

struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
            } else {
                let mut units = [0; 2];
                character.encode_utf16(&mut units).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: serde_json::ser::CharEscape,
    ) -> io::Result<()> {
        use serde_json::ser::CharEscape;
        let code = match escape {
            CharEscape::Quote => return writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => return writer.write_all(b"\\\\"),
            CharEscape::Solidus => b'/',
            CharEscape::Backspace => 8,
            CharEscape::FormFeed => 12,
            CharEscape::LineFeed => 10,
            CharEscape::CarriageReturn => 13,
            CharEscape::Tab => 9,
            CharEscape::AsciiControl(code) => code,
        };
        write!(writer, "\\u{code:04x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_pure_ascii_and_reads_back() {
        let value = json!({ "text": "a\"b\\c\n\u{1}é😀", "numbers": [1, -2], "none": null });
        let text = ascii_json(&value);
        assert!(text.is_ascii());
        assert!(text.contains("a\\\"b\\\\c\\u000a\\u0001\\u00e9\\ud83d\\ude00"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
