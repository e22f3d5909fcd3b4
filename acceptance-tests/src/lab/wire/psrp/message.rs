//! Messages (MS-PSRP 2.2.1): a kind, whom it is about, and CLIXML.

use uuid::Uuid;

use crate::lab::wire::psrp::Malformed;

/// What a message is for, as its number on the wire.
pub mod kind {
    pub const SESSION_CAPABILITY: u32 = 0x0001_0002;
    pub const INIT_RUNSPACEPOOL: u32 = 0x0001_0004;
    pub const RUNSPACEPOOL_STATE: u32 = 0x0002_1005;
    pub const CREATE_PIPELINE: u32 = 0x0002_1006;
    pub const APPLICATION_PRIVATE_DATA: u32 = 0x0002_1009;
    pub const PIPELINE_INPUT: u32 = 0x0004_1002;
    pub const END_OF_PIPELINE_INPUT: u32 = 0x0004_1003;
    pub const PIPELINE_OUTPUT: u32 = 0x0004_1004;
    pub const PIPELINE_STATE: u32 = 0x0004_1006;
}

const TO_CLIENT: u32 = 1;
const TO_SERVER: u32 = 2;
/// Destination, kind, pool, pipeline.
const HEADER: usize = 4 + 4 + 16 + 16;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u32,
    pub pool: Uuid,
    /// Nil when it is about the pool.
    pub pipeline: Uuid,
    pub data: String,
}

impl Message {
    /// Reads a message of a client.
    ///
    /// # Errors
    /// When it is too short, not for a server, or no text.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, data) =
            bytes.split_at_checked(HEADER).ok_or_else(|| Malformed("a message is too short".to_owned()))?;
        let number =
            |start: usize| u32::from_le_bytes([header[start], header[start + 1], header[start + 2], header[start + 3]]);
        let identifier = |start: usize| {
            let bytes: [u8; 16] = header[start..start + 16].try_into().unwrap_or_default();
            Uuid::from_bytes_le(bytes)
        };
        if number(0) != TO_SERVER {
            return Err(Malformed(format!("a message is for destination {}", number(0))));
        }
        let data = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
        let data = String::from_utf8(data.to_vec()).map_err(|error| Malformed(error.to_string()))?;
        Ok(Self { kind: number(4), pool: identifier(8), pipeline: identifier(24), data })
    }

    /// Writes a message to a client, with a byte order mark as Windows does.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + BYTE_ORDER_MARK.len() + self.data.len());
        bytes.extend(TO_CLIENT.to_le_bytes());
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.pool.to_bytes_le());
        bytes.extend(self.pipeline.to_bytes_le());
        bytes.extend_from_slice(BYTE_ORDER_MARK);
        bytes.extend_from_slice(self.data.as_bytes());
        bytes
    }

    /// Whether this is of that kind, as an error when it is not.
    ///
    /// # Errors
    /// Says what came instead.
    pub fn expect(&self, kind: u32) -> Result<(), Malformed> {
        if self.kind == kind {
            return Ok(());
        }
        Err(Malformed(format!("a message of kind {:#010x} came instead of {kind:#010x}", self.kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a recorded client of Windows Server 2019 sent it.
    const RECORDED: &str = "0200000002100400\
                            3f9b0cfca9cfa648b0089c76557554ee\
                            0cbf9c92152f1b42bae7f618fadc9ecf";

    fn recorded() -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&RECORDED[at..at + 2], 16).expect("a byte");
        let mut bytes: Vec<u8> = (0..RECORDED.len()).step_by(2).map(byte).collect();
        bytes.extend_from_slice("\u{feff}<S>a</S>".as_bytes());
        bytes
    }

    #[test]
    fn reads_what_was_recorded_and_writes_the_same_to_the_other_side() {
        let message = Message::read(&recorded()).expect("a message");
        assert_eq!(message.kind, kind::PIPELINE_INPUT);
        assert_eq!(message.pool.to_string().to_uppercase(), "FC0C9B3F-CFA9-48A6-B008-9C76557554EE");
        assert_eq!(message.data, "<S>a</S>");
        let mut expected = recorded();
        expected[0] = 1;
        assert_eq!(message.write(), expected);
    }

    #[test]
    fn refuses_what_is_not_for_a_server() {
        let mut answer = recorded();
        answer[0] = 1;
        assert_eq!(Message::read(&answer).expect_err("an answer").to_string(), "a message is for destination 1");
        assert_eq!(Message::read(&answer[..30]).expect_err("a part").to_string(), "a message is too short");
    }
}
