//! The three NTLM messages on the wire, little endian, each field a (length, offset) pair into a payload.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::lab::wire::ntlm::keys::utf16;

pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Negotiate flags this acceptor looks at.
pub mod flags {
    pub const UNICODE: u32 = 0x0000_0001;
    pub const REQUEST_TARGET: u32 = 0x0000_0004;
    pub const SIGN: u32 = 0x0000_0010;
    pub const SEAL: u32 = 0x0000_0020;
    pub const NTLM: u32 = 0x0000_0200;
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
    pub const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    pub const TARGET_INFO: u32 = 0x0080_0000;
    pub const VERSION: u32 = 0x0200_0000;
    pub const KEY_128: u32 = 0x2000_0000;
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub const KEY_56: u32 = 0x8000_0000;
}

/// Identifiers of attribute/value pairs in target information.
pub mod av {
    pub const END: u16 = 0;
    pub const COMPUTER_NAME: u16 = 1;
    pub const DOMAIN_NAME: u16 = 2;
    pub const DNS_COMPUTER_NAME: u16 = 3;
    pub const DNS_DOMAIN_NAME: u16 = 4;
    pub const FLAGS: u16 = 6;
    pub const TIMESTAMP: u16 = 7;
    pub const CHANNEL_BINDINGS: u16 = 10;
    /// In [`FLAGS`]: the client sent a message integrity code.
    pub const FLAG_INTEGRITY: u32 = 2;
}

/// A message that is not what MS-NLMP says it should be.
#[derive(Debug, thiserror::Error)]
#[error("malformed NTLM message: {0}")]
pub struct Malformed(pub &'static str);

/// Type 1.
pub struct Negotiate {
    pub flags: u32,
}

/// Type 3, with what the check of a logon needs.
pub struct Authenticate {
    pub flags: u32,
    pub domain: String,
    pub user: String,
    /// Proof of the password: the first 16 bytes of the NTLMv2 response.
    pub proof: [u8; 16],
    /// What the proof was computed over, together with the server challenge.
    pub client_blob: Vec<u8>,
    pub target_information: BTreeMap<u16, Vec<u8>>,
    pub encrypted_session_key: Vec<u8>,
    pub integrity_code: [u8; 16],
}

/// Offset of the message integrity code in Type 3 (it follows the 8 bytes of version).
pub const INTEGRITY_OFFSET: usize = 72;

/// The message's number, 1 to 3.
pub fn message_type(message: &[u8]) -> Result<u32, Malformed> {
    if !message.starts_with(SIGNATURE) {
        return Err(Malformed("signature"));
    }
    read_u32(message, 8)
}

impl Negotiate {
    pub fn parse(message: &[u8]) -> Result<Self, Malformed> {
        Ok(Self { flags: read_u32(message, 12)? })
    }
}

impl Authenticate {
    /// Parses Type 3; only Unicode and NTLMv2 responses are accepted, as on a host with the usual policy.
    pub fn parse(message: &[u8]) -> Result<Self, Malformed> {
        let flags = read_u32(message, 60)?;
        if flags & flags::UNICODE == 0 {
            return Err(Malformed("strings are not Unicode"));
        }
        let response = field(message, 20)?;
        if response.len() < 16 + 28 {
            return Err(Malformed("not an NTLMv2 response"));
        }
        let (proof, client_blob) = response.split_at(16);
        if !client_blob.starts_with(&[1, 1]) {
            return Err(Malformed("response version"));
        }
        let integrity_code = match message.get(INTEGRITY_OFFSET..INTEGRITY_OFFSET + 16) {
            Some(code) => code.try_into().map_err(|_| Malformed("integrity code"))?,
            None => [0; 16],
        };
        Ok(Self {
            flags,
            domain: text(field(message, 28)?)?,
            user: text(field(message, 36)?)?,
            proof: proof.try_into().map_err(|_| Malformed("proof"))?,
            client_blob: client_blob.to_vec(),
            target_information: parse_pairs(&client_blob[28..])?,
            encrypted_session_key: field(message, 52)?.to_vec(),
            integrity_code,
        })
    }
}

/// Names a server gives in its challenge.
pub struct TargetNames<'a> {
    pub computer: &'a str,
    pub domain: &'a str,
    pub dns_computer: &'a str,
    pub dns_domain: &'a str,
}

/// Builds Type 2.
pub fn challenge(flags: u32, server_challenge: &[u8; 8], names: &TargetNames<'_>) -> Vec<u8> {
    let target = utf16(names.domain);
    let information = target_information(names);
    let payload = 56;
    let mut message = Vec::with_capacity(payload + target.len() + information.len());
    message.extend(SIGNATURE);
    message.extend(2_u32.to_le_bytes());
    push_field(&mut message, target.len(), payload);
    message.extend(flags.to_le_bytes());
    message.extend(server_challenge);
    message.extend([0; 8]);
    push_field(&mut message, information.len(), payload + target.len());
    // Version: 10.0.17763, NTLM revision 15.
    message.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    message.extend(target);
    message.extend(information);
    message
}

fn target_information(names: &TargetNames<'_>) -> Vec<u8> {
    let mut pairs = Vec::new();
    let mut push = |id: u16, value: &[u8]| {
        pairs.extend(id.to_le_bytes());
        pairs.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        pairs.extend(value);
    };
    push(av::DOMAIN_NAME, &utf16(names.domain));
    push(av::COMPUTER_NAME, &utf16(names.computer));
    push(av::DNS_DOMAIN_NAME, &utf16(names.dns_domain));
    push(av::DNS_COMPUTER_NAME, &utf16(names.dns_computer));
    // The timestamp obliges clients to send the integrity code.
    push(av::TIMESTAMP, &file_time(SystemTime::now()).to_le_bytes());
    push(av::END, &[]);
    pairs
}

/// 100-nanosecond intervals since 1601-01-01.
fn file_time(time: SystemTime) -> u64 {
    const SECONDS_FROM_1601_TO_1970: u64 = 11_644_473_600;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (SECONDS_FROM_1601_TO_1970 + since.as_secs()) * 10_000_000 + u64::from(since.subsec_nanos() / 100)
}

fn parse_pairs(mut bytes: &[u8]) -> Result<BTreeMap<u16, Vec<u8>>, Malformed> {
    let mut pairs = BTreeMap::new();
    loop {
        let id = read_u16(bytes, 0)?;
        let length = usize::from(read_u16(bytes, 2)?);
        if id == av::END {
            return Ok(pairs);
        }
        let value = bytes.get(4..4 + length).ok_or(Malformed("target information"))?;
        pairs.insert(id, value.to_vec());
        bytes = &bytes[4 + length..];
    }
}

fn push_field(message: &mut Vec<u8>, length: usize, offset: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
    message.extend(length);
    message.extend(length);
    message.extend(u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
}

fn field(message: &[u8], at: usize) -> Result<&[u8], Malformed> {
    let length = usize::from(read_u16(message, at)?);
    let offset = read_u32(message, at + 4)? as usize;
    offset.checked_add(length).and_then(|end| message.get(offset..end)).ok_or(Malformed("field outside the message"))
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_err(|_| Malformed("text"))
}

fn read_u16(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let read = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    read.map(u16::from_le_bytes).ok_or(Malformed("too short"))
}

fn read_u32(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let read = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    read.map(u32::from_le_bytes).ok_or(Malformed("too short"))
}
