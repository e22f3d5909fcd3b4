//! Puts right how `sspi` says that a channel is bound.
//!
//! The binding itself, a hash in the authenticator's checksum, is as RFC 4121 wants it. The mark beside it by which
//! a host knows that a client binds whatever it can (MS-KILE 3.2.5.8) is not: it is two bytes long and not wrapped as
//! one that may be ignored, and MIT's GSSAPI refuses such a ticket with KRB_AP_ERR_MSG_TYPE. The authenticator is
//! encrypted with the session key, which is known here, and nothing signs the mark.

use picky_krb::constants::key_usages::AP_REQ_AUTHENTICATOR;
use zeroize::Zeroizing;

use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::token::{AP_REQ, KERBEROS};
use crate::winrm::der::{
    self, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, application, element, field, field_of, fields, integer,
    write,
};

const AUTHENTICATOR: u8 = application(2);
const IF_RELEVANT: i64 = 1;
const AP_OPTIONS: i64 = 143;
/// `KERB_AP_OPTIONS_CBT`, little-endian.
const BOUND: [u8; 4] = [0, 0x40, 0, 0];

/// The same first token with the mark as Windows writes it; `None` when the token is not as it is known to be.
pub fn with_mark(token: &[u8], session_key: &Key) -> Option<Vec<u8>> {
    let (content, _) = element(token, application(0))?;
    let (mechanism, rest) = element(content, OBJECT_IDENTIFIER)?;
    let request = rest.strip_prefix(&AP_REQ).filter(|_| mechanism == KERBEROS)?;
    let (request, _) = element(element(request, application(14))?.0, SEQUENCE)?;
    let request = replace(request, 4, &encrypted(field_of(request, 4, SEQUENCE)?, session_key)?)?;
    let request = write(application(14), &write(SEQUENCE, &request));
    Some(write(application(0), &[write(OBJECT_IDENTIFIER, KERBEROS), AP_REQ.to_vec(), request].concat()))
}

/// The authenticator in its encryption, decrypted, corrected and encrypted again.
fn encrypted(part: &[u8], key: &Key) -> Option<Vec<u8>> {
    let cipher = key.suite()?.cipher();
    let secret = field_of(part, 2, OCTET_STRING)?;
    let plain = Zeroizing::new(cipher.decrypt(&key.bytes, AP_REQ_AUTHENTICATOR, secret).ok()?);
    let (authenticator, _) = element(element(&plain, AUTHENTICATOR)?.0, SEQUENCE)?;
    let corrected = Zeroizing::new(replace(authenticator, 8, &mark())?);
    let corrected = Zeroizing::new(write(AUTHENTICATOR, &write(SEQUENCE, &corrected)));
    let secret = cipher.encrypt(&key.bytes, AP_REQ_AUTHENTICATOR, &corrected).ok()?;
    let kind = der::number(field_of(part, 0, INTEGER)?)?;
    Some(fields(&[(0, integer(kind)), (2, write(OCTET_STRING, &secret))]))
}

/// AuthorizationData of RFC 4120 5.2.6 with the mark in AD-IF-RELEVANT.
fn mark() -> Vec<u8> {
    let entry = |kind, data: &[u8]| write(SEQUENCE, &fields(&[(0, integer(kind)), (1, write(OCTET_STRING, data))]));
    entry(IF_RELEVANT, &entry(AP_OPTIONS, &BOUND))
}

/// The fields of a sequence up to the one with this number, which is the last, with another content of that one.
fn replace(sequence: &[u8], number: u8, content: &[u8]) -> Option<Vec<u8>> {
    let old = write(der::context(number), field(sequence, number)?);
    let kept = sequence.strip_suffix(old.as_slice())?;
    Some([kept, &write(der::context(number), content)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [5; 32];

    /// A first token as `sspi` makes it, of the parts that are looked at.
    fn token(mark: &[u8]) -> Vec<u8> {
        let authenticator = fields(&[(0, integer(5)), (2, integer(7)), (8, mark.to_vec())]);
        let cipher = Key::new(18, &KEY).suite().expect("AES").cipher();
        let plain = write(AUTHENTICATOR, &authenticator);
        let secret = cipher.encrypt(&KEY, AP_REQ_AUTHENTICATOR, &plain).expect("encrypted");
        let part = fields(&[(0, integer(18)), (2, write(OCTET_STRING, &secret))]);
        let request = fields(&[(0, integer(5)), (3, write(application(1), b"ticket")), (4, part)]);
        let request = write(application(14), &request);
        write(application(0), &[write(OBJECT_IDENTIFIER, KERBEROS), AP_REQ.to_vec(), request].concat())
    }

    fn opened(token: &[u8]) -> Vec<u8> {
        let (content, _) = element(token, application(0)).expect("a token");
        let (_, rest) = element(content, OBJECT_IDENTIFIER).expect("a mechanism");
        let (request, _) = element(&rest[2..], application(14)).expect("an AP-REQ");
        let (request, _) = element(request, SEQUENCE).expect("fields");
        assert_eq!(field_of(request, 3, application(1)), Some(b"ticket".as_slice()));
        let secret = field_of(field_of(request, 4, SEQUENCE).expect("a part"), 2, OCTET_STRING).expect("a secret");
        let cipher = Key::new(18, &KEY).suite().expect("AES").cipher();
        cipher.decrypt(&KEY, AP_REQ_AUTHENTICATOR, secret).expect("the right key")
    }

    #[test]
    fn replaces_the_mark_alone() {
        let corrected = with_mark(&token(b"whatever"), &Key::new(18, &KEY)).expect("corrected");
        let expected = write(AUTHENTICATOR, &fields(&[(0, integer(5)), (2, integer(7)), (8, mark())]));
        assert_eq!(opened(&corrected), expected);
    }

    #[test]
    fn leaves_other_tokens_alone() {
        let token = token(b"whatever");
        assert_eq!(with_mark(&token, &Key::new(18, &[6; 32])), None);
        for end in 0..token.len() {
            assert_eq!(with_mark(&token[..end], &Key::new(18, &KEY)), None, "{end}");
        }
    }
}
