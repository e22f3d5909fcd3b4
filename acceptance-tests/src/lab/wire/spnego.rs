//! The little of SPNEGO (RFC 4178) that WinRM clients use to wrap NTLM.

/// DER of the object identifier 1.3.6.1.4.1.311.2.2.10 (NTLM), without tag and length.
const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
/// DER of the object identifier 1.3.6.1.5.5.2 (SPNEGO), without tag and length.
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// DER of the object identifier 1.2.840.113554.1.2.2 (Kerberos), without tag and length.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const INITIAL_CONTEXT: u8 = 0x60;

/// The state a server reports.
#[derive(Clone, Copy)]
pub enum State {
    Completed = 0,
    Incomplete = 1,
    RequestMic = 3,
}

/// First token of a client.
pub struct Init {
    /// The mechanism list exactly as sent; signatures cover it.
    pub mechanisms: Vec<u8>,
    /// NTLM is in the list.
    pub offers_ntlm: bool,
    /// NTLM is the first of the list, so that [`Init::token`] is for it.
    pub prefers_ntlm: bool,
    pub token: Option<Vec<u8>>,
}

/// Later token of a client.
pub struct Response {
    pub token: Option<Vec<u8>>,
    pub signature: Option<Vec<u8>>,
}

/// Whether the bytes are a SPNEGO token and not, say, plain NTLM.
pub fn is_spnego(token: &[u8]) -> bool {
    matches!(token.first(), Some(&INITIAL_CONTEXT | 0xa0 | 0xa1))
}

/// Whether the bytes are a Kerberos token that is not wrapped in SPNEGO.
pub fn is_kerberos(token: &[u8]) -> bool {
    let mechanism = expect(token, INITIAL_CONTEXT).and_then(|(content, _)| expect(content, OBJECT_IDENTIFIER));
    mechanism.is_some_and(|(mechanism, _)| mechanism == KERBEROS)
}

pub fn parse_init(token: &[u8]) -> Option<Init> {
    let inner = match token.first()? {
        &INITIAL_CONTEXT => {
            let (content, _) = expect(token, INITIAL_CONTEXT)?;
            let (mechanism, rest) = expect(content, OBJECT_IDENTIFIER)?;
            (mechanism == SPNEGO).then_some(rest)?
        }
        _ => token,
    };
    let fields = expect(expect(inner, 0xa0)?.0, SEQUENCE)?.0;
    let mechanisms = tagged(fields, 0xa0)?;
    let mut list = expect(mechanisms, SEQUENCE)?.0;
    let mut names = Vec::new();
    while !list.is_empty() {
        let (name, rest) = expect(list, OBJECT_IDENTIFIER)?;
        names.push(name);
        list = rest;
    }
    Some(Init {
        mechanisms: mechanisms.to_vec(),
        offers_ntlm: names.contains(&NTLM),
        prefers_ntlm: names.first() == Some(&NTLM),
        token: octets(fields, 0xa2),
    })
}

pub fn parse_response(token: &[u8]) -> Option<Response> {
    let fields = expect(expect(token, 0xa1)?.0, SEQUENCE)?.0;
    Some(Response { token: octets(fields, 0xa2), signature: octets(fields, 0xa3) })
}

/// A server's token. Names NTLM as the mechanism when `choose` is set (only in the first one).
pub fn response(state: State, choose: bool, token: Option<&[u8]>, signature: Option<&[u8]>) -> Vec<u8> {
    let mut fields = element(0xa0, &element(ENUMERATED, &[state as u8]));
    if choose {
        fields.extend(element(0xa1, &element(OBJECT_IDENTIFIER, NTLM)));
    }
    if let Some(token) = token {
        fields.extend(element(0xa2, &element(OCTET_STRING, token)));
    }
    if let Some(signature) = signature {
        fields.extend(element(0xa3, &element(OCTET_STRING, signature)));
    }
    element(0xa1, &element(SEQUENCE, &fields))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let length = length.to_be_bytes();
        let significant = &length[length.iter().position(|&byte| byte != 0).unwrap_or(0)..];
        bytes.push(0x80 | significant.len() as u8);
        bytes.extend(significant);
    }
    bytes.extend(content);
    bytes
}

fn octets(fields: &[u8], tag: u8) -> Option<Vec<u8>> {
    expect(tagged(fields, tag)?, OCTET_STRING).map(|(content, _)| content.to_vec())
}

/// Content of the field with this context tag, if present.
fn tagged(mut fields: &[u8], tag: u8) -> Option<&[u8]> {
    while let Some((found, content, rest)) = read(fields) {
        if found == tag {
            return Some(content);
        }
        fields = rest;
    }
    None
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    read(bytes).and_then(|(found, content, rest)| (found == tag).then_some((content, rest)))
}

/// One element: tag, content, and what follows it.
fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        ..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
