//! How a script travels: one header line, then envelope, script and arguments, then raw bytes for scripts that take some.

use std::ops::Range;

use bytes::Bytes;

use crate::lab::wire::machine::ProcessHost;

/// A header line longer than this is none.
const LONGEST_HEADER: usize = 1024;

/// What the header line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub script: String,
    envelope: usize,
    script_text: usize,
    arguments: usize,
}

/// A whole call as it arrived.
#[derive(Clone, Debug)]
pub struct Frame {
    pub header: Header,
    pub script_text: String,
    pub argument_text: String,
    /// What of the raw bytes has arrived together with the frame.
    pub input: Bytes,
    /// The frame as it was sent.
    pub raw: Bytes,
}

/// Standard input did not have the form of a call.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("the header ended early")]
    HeaderEnded,
    #[error("unknown header")]
    UnknownHeader,
    #[error("a part ended early")]
    PartEnded,
}

impl Header {
    /// Reads a header line, without its end.
    pub fn parse(line: &[u8]) -> Result<Self, FrameError> {
        let line = std::str::from_utf8(line).map_err(|_| FrameError::UnknownHeader)?;
        let fields: Vec<_> = line.split(' ').collect();
        let [_, _, script, sizes @ ..] = fields.as_slice() else { return Err(FrameError::UnknownHeader) };
        let sizes: Option<Vec<usize>> = sizes.iter().map(|size| size.parse().ok()).collect();
        match (fields.as_slice(), sizes.as_deref()) {
            (["azuremfa", "1", ..], Some(&[envelope, script_text, arguments])) => {
                Ok(Self { script: (*script).to_owned(), envelope, script_text, arguments })
            }
            _ => Err(FrameError::UnknownHeader),
        }
    }

    fn part(&self, number: usize) -> Range<usize> {
        let sizes = [self.envelope, self.script_text, self.arguments];
        let start: usize = sizes[..number].iter().sum();
        start..start + sizes[number]
    }
}

/// Reads from a process's standard input until the header line is whole; gives everything read so far.
pub async fn read_header(process: &mut ProcessHost) -> Result<(Header, Vec<u8>), FrameError> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.iter().position(|&byte| byte == b'\n') {
            return Header::parse(&read[..end]).map(|header| (header, read));
        }
        if read.len() > LONGEST_HEADER {
            return Err(FrameError::UnknownHeader);
        }
        read.extend_from_slice(&process.read_stdin().await.ok_or(FrameError::HeaderEnded)?);
    }
}

/// Reads the rest of a call; no further than its end, as nobody may have closed standard input.
pub async fn read(process: &mut ProcessHost, header: Header, mut read: Vec<u8>) -> Result<Frame, FrameError> {
    let start = read.iter().position(|&byte| byte == b'\n').map_or(read.len(), |end| end + 1);
    let end = start + header.part(2).end;
    while read.len() < end {
        read.extend_from_slice(&process.read_stdin().await.ok_or(FrameError::PartEnded)?);
    }
    let text = |number: usize| {
        let part = header.part(number);
        String::from_utf8_lossy(&read[start + part.start..start + part.end]).into_owned()
    };
    let (script_text, argument_text) = (text(1), text(2));
    let mut raw = Bytes::from(read);
    let input = raw.split_off(end);
    Ok(Frame { header, script_text, argument_text, input, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_strictly() {
        let header = Header::parse(b"azuremfa 1 Get-HostFacts 10 20 3").expect("a header");
        assert_eq!(header.script, "Get-HostFacts");
        assert_eq!((header.part(0), header.part(1), header.part(2)), (0..10, 10..30, 30..33));
        for line in ["", "azuremfa 2 X 1 2 3", "azuremfa 1 X 1 2", "azuremfa 1 X 1 2 3 4", "azuremfa 1 X a 2 3"] {
            assert_eq!(Header::parse(line.as_bytes()), Err(FrameError::UnknownHeader), "{line}");
        }
    }
}
