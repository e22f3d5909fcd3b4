//! A cached ticket instead of a password.
//!
//! `sspi` begins each login with a request for a ticket-granting ticket (AS exchange) and takes none from a cache.
//! The KDC's answers reach it through this crate, though: so the answers that a KDC would have given are made here
//! of the cached ticket, and the reply's secret part is encrypted with the ticket's own session key, which `sspi`
//! is given as the account's key. Nothing made here leaves the process.

use jiff::Timestamp;
use picky_krb::constants::key_usages::AS_REP_ENC;
use picky_krb::crypto::KerberosCryptoError;

use crate::winrm::auth::kerberos::cache::{CachedTicket, Principal};
use crate::winrm::auth::kerberos::krb_error::{self, PREAUTH_REQUIRED, SKEW, time};
use crate::winrm::der::{BIT_STRING, GENERAL_STRING, OCTET_STRING, SEQUENCE, application, fields, integer, write};

const AS_REP: u8 = 11;
const ENC_AS_REP_PART: u8 = 25;

/// What a KDC whose clock is ahead by `offset` seconds would answer to the requests of the AS exchange, in order.
pub fn answers(ticket: &CachedTicket, offset: i64) -> Result<Vec<Vec<u8>>, KerberosCryptoError> {
    let now = Timestamp::now();
    let mut answers = vec![krb_error::write(PREAUTH_REQUIRED, now, &ticket.client.realm)];
    if offset != 0 {
        // This is how a client learns the KDC's time.
        let there = now.checked_add(jiff::SignedDuration::from_secs(offset)).unwrap_or(now);
        answers.push(krb_error::write(SKEW, there, &ticket.client.realm));
    }
    answers.push(as_rep(ticket)?);
    Ok(answers)
}

fn as_rep(ticket: &CachedTicket) -> Result<Vec<u8>, KerberosCryptoError> {
    let suite = ticket.session_key.suite().ok_or(KerberosCryptoError::AlgorithmIdentifier(0))?;
    let key = &ticket.session_key;
    let plain = zeroize::Zeroizing::new(secret_part(ticket));
    let encrypted = suite.cipher().encrypt(&key.bytes, AS_REP_ENC, &plain)?;
    let encrypted = fields(&[(0, integer(i64::from(key.kind))), (2, write(OCTET_STRING, &encrypted))]);
    let reply = fields(&[
        (0, integer(5)),
        (1, integer(i64::from(AS_REP))),
        (3, write(GENERAL_STRING, ticket.client.realm.as_bytes())),
        (4, name(&ticket.client)),
        (5, ticket.ticket.clone()),
        (6, encrypted),
    ]);
    Ok(write(application(AS_REP), &reply))
}

/// EncASRepPart of RFC 4120 5.4.2.
fn secret_part(ticket: &CachedTicket) -> Vec<u8> {
    let key = fields(&[
        (0, integer(i64::from(ticket.session_key.kind))),
        (1, write(OCTET_STRING, &ticket.session_key.bytes)),
    ]);
    let flags = [[0].as_slice(), &ticket.flags.to_be_bytes()].concat();
    let part = fields(&[
        (0, key),
        (1, write(SEQUENCE, &[])),
        (2, integer(0)),
        (4, write(BIT_STRING, &flags)),
        (5, time(Timestamp::now())),
        (7, time(ticket.end)),
        (9, write(GENERAL_STRING, ticket.server.realm.as_bytes())),
        (10, name(&ticket.server)),
    ]);
    write(application(ENC_AS_REP_PART), &part)
}

fn name(principal: &Principal) -> Vec<u8> {
    let names: Vec<u8> = principal.names.iter().flat_map(|name| write(GENERAL_STRING, name.as_bytes())).collect();
    fields(&[(0, integer(i64::from(principal.kind))), (1, write(SEQUENCE, &names))])
}

#[cfg(test)]
mod tests {
    use picky_krb::constants::key_usages::AS_REP_ENC;

    use super::*;
    use crate::winrm::auth::kerberos::cache::{parse, tests::sample};
    use crate::winrm::der::{self, element, field_of};

    #[test]
    fn the_reply_opens_with_the_session_key() {
        let cache = parse(&sample()).expect("a cache");
        let ticket = cache.ticket_granting().expect("a ticket");
        let answers = answers(ticket, cache.offset).expect("answers");
        assert_eq!(answers.len(), 3);
        let (reply, _) = element(&answers[2], application(AS_REP)).expect("an AS-REP");
        let (reply, _) = element(reply, SEQUENCE).expect("fields");
        assert_eq!(der::field(reply, 5), Some(b"ticket".as_slice()));
        let encrypted = field_of(field_of(reply, 6, SEQUENCE).expect("fields"), 2, OCTET_STRING).expect("cipher");
        let cipher = ticket.session_key.suite().expect("AES").cipher();
        let plain = cipher.decrypt(&ticket.session_key.bytes, AS_REP_ENC, encrypted).expect("the right key");
        let (part, _) = element(&plain, application(ENC_AS_REP_PART)).expect("EncASRepPart");
        let key = field_of(element(part, SEQUENCE).expect("fields").0, 0, SEQUENCE).expect("a key");
        assert_eq!(field_of(key, 1, OCTET_STRING), Some([3; 32].as_slice()));
    }
}
