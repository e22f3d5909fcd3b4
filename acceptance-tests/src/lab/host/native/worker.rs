//! What a worker reads: calls one after the other, with the texts that it does not have yet.

use std::collections::HashMap;

use crate::lab::host::native::frame::FrameError;
use crate::lab::wire::machine::ProcessHost;

/// The name under which the provider introduces a worker.
pub const NAME: &str = "Worker";

/// A header line longer than this is none.
const LONGEST_HEADER: usize = 1024;

/// What a worker is to do next, with the bytes that said so.
#[derive(Debug)]
pub struct Order {
    pub raw: Vec<u8>,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Call(Call),
    /// Say the reply of that call once more.
    Repeat(u64),
}

/// A call with its texts.
#[derive(Debug)]
pub struct Call {
    pub number: u64,
    pub script: String,
    pub script_text: String,
    pub argument_text: String,
    /// The worker says that it begins.
    pub announced: bool,
}

/// The orders of one worker.
pub struct Orders {
    read: Vec<u8>,
    scripts: HashMap<String, String>,
    has_envelope: bool,
}

impl Orders {
    /// `read` is what came after the introduction.
    pub fn new(read: &[u8]) -> Self {
        Self { read: read.to_vec(), scripts: HashMap::new(), has_envelope: false }
    }

    /// The next order; none at the end of standard input.
    pub async fn next(&mut self, process: &mut ProcessHost) -> Result<Option<Order>, FrameError> {
        let end = loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                break end + 1;
            }
            if self.read.len() > LONGEST_HEADER {
                return Err(FrameError::UnknownHeader);
            }
            match process.read_stdin().await {
                Some(bytes) => self.read.extend_from_slice(&bytes),
                None if self.read.is_empty() => return Ok(None),
                None => return Err(FrameError::HeaderEnded),
            }
        };
        let header = String::from_utf8(self.read[..end - 1].to_vec()).map_err(|_| FrameError::UnknownHeader)?;
        let fields: Vec<&str> = header.split(' ').collect();
        let kind = match fields[..] {
            ["repeat", number] => Kind::Repeat(parse(number)?),
            ["call", number, script, envelope, source, arguments, manner] => {
                let lengths = [parse(envelope)?, parse(source)?, parse(arguments)?];
                let whole = end + lengths.iter().sum::<u64>() as usize;
                while self.read.len() < whole {
                    self.read.extend_from_slice(&process.read_stdin().await.ok_or(FrameError::PartEnded)?);
                }
                return self.call(end, parse(number)?, script, lengths, manner).map(Some);
            }
            _ => return Err(FrameError::UnknownHeader),
        };
        Ok(Some(Order { raw: self.read.drain(..end).collect(), kind }))
    }

    fn call(
        &mut self,
        mut start: usize,
        number: u64,
        script: &str,
        lengths: [u64; 3],
        manner: &str,
    ) -> Result<Order, FrameError> {
        let [envelope, source, argument_text] = lengths.map(|length| {
            let end = start + length as usize;
            let text = String::from_utf8_lossy(&self.read[start..end]).into_owned();
            start = end;
            text
        });
        self.has_envelope |= !envelope.is_empty();
        if !source.is_empty() {
            self.scripts.insert(script.to_owned(), source);
        }
        let script_text = self.scripts.get(script).filter(|_| self.has_envelope).cloned();
        let call = Call {
            number,
            script: script.to_owned(),
            // Nothing can run a text that never came.
            script_text: script_text.ok_or(FrameError::PartEnded)?,
            argument_text,
            announced: match manner {
                "announced" => true,
                "silent" => false,
                _ => return Err(FrameError::UnknownHeader),
            },
        };
        Ok(Order { raw: self.read.drain(..start).collect(), kind: Kind::Call(call) })
    }
}

fn parse(number: &str) -> Result<u64, FrameError> {
    number.parse().map_err(|_| FrameError::UnknownHeader)
}
