//! KDC-REP (RFC 4120 5.4.2), with which a KDC gives out a ticket.

use picky_krb::constants::key_usages::{AS_REP_ENC, TGS_REP_ENC_SESSION_KEY};
use picky_krb::crypto::KerberosCryptoError;
use zeroize::Zeroizing;

use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::krb_error::{parse_time, time};
use crate::winrm::auth::kerberos::ticket::{Principal, Ticket, text};
use crate::winrm::der::{
    self, BIT_STRING, GENERAL_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, application, element, field,
    field_of, fields, integer, write,
};

/// Which exchange a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// An account proves itself, and gets a ticket for getting tickets.
    As,
    /// That one is exchanged for a service's.
    Tgs,
}

impl Exchange {
    const fn message(self) -> u8 {
        match self {
            Self::As => 11,
            Self::Tgs => 13,
        }
    }

    const fn secret_part(self) -> u8 {
        match self {
            Self::As => 25,
            Self::Tgs => 26,
        }
    }

    const fn key_usage(self) -> i32 {
        match self {
            Self::As => AS_REP_ENC,
            Self::Tgs => TGS_REP_ENC_SESSION_KEY,
        }
    }
}

/// A reply that has not been opened yet.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    exchange: Exchange,
    fields: &'a [u8],
}

/// An opened reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    pub ticket: Ticket,
    /// That of the request, unless somebody answers with an old reply.
    pub nonce: i64,
}

impl<'a> Reply<'a> {
    /// `None` when the bytes are something else.
    pub fn parse(exchange: Exchange, bytes: &'a [u8]) -> Option<Self> {
        let (message, _) = element(bytes, application(exchange.message()))?;
        let (fields, _) = element(message, SEQUENCE)?;
        Some(Self { exchange, fields })
    }

    /// The encryption type of the key that opens it.
    pub fn encryption_type(self) -> Option<i32> {
        i32::try_from(der::number(field_of(self.secret()?, 0, INTEGER)?)?).ok()
    }

    /// The account.
    pub fn client(self) -> Option<Principal> {
        let realm = text(field_of(self.fields, 3, GENERAL_STRING)?)?;
        Principal::of_der(field_of(self.fields, 4, SEQUENCE)?, realm)
    }

    /// What the KDC says of the account's keys (PA-DATA).
    pub fn pre_authentication(self) -> &'a [u8] {
        field_of(self.fields, 2, SEQUENCE).unwrap_or_default()
    }

    /// The ticket; `None` when the key is another one or the reply is not as it should be. `offset` is how far the KDC's
    /// clock is ahead.
    pub fn open(self, key: &Key, offset: i64) -> Option<Opened> {
        let suite = key.suite().filter(|_| self.encryption_type() == Some(key.kind))?;
        let secret = field_of(self.secret()?, 2, OCTET_STRING)?;
        let plain = Zeroizing::new(suite.cipher().decrypt(&key.bytes, self.exchange.key_usage(), secret).ok()?);
        // MIT's KDC has the other exchange's tag here, and RFC 4120 allows that.
        let tags = [application(self.exchange.secret_part()), application(Exchange::Tgs.secret_part())];
        let (part, _) = tags.into_iter().find_map(|tag| element(&plain, tag))?;
        let (part, _) = element(part, SEQUENCE)?;
        let key = field_of(part, 0, SEQUENCE)?;
        let kind = i32::try_from(der::number(field_of(key, 0, INTEGER)?)?).ok()?;
        let time = |number| field_of(part, number, GENERALIZED_TIME).and_then(parse_time);
        let realm = text(field_of(part, 9, GENERAL_STRING)?)?;
        let ticket = Ticket {
            client: self.client()?,
            server: Principal::of_der(field_of(part, 10, SEQUENCE)?, realm)?,
            session_key: Key::new(kind, field_of(key, 1, OCTET_STRING)?),
            start: time(6).or_else(|| time(5))?,
            end: time(7)?,
            flags: flags(field_of(part, 4, BIT_STRING)?)?,
            bytes: field(self.fields, 5)?.to_vec(),
            offset,
        };
        Some(Opened { ticket, nonce: der::number(field_of(part, 2, INTEGER)?)? })
    }

    fn secret(self) -> Option<&'a [u8]> {
        field_of(self.fields, 6, SEQUENCE)
    }
}

fn flags(bits: &[u8]) -> Option<u32> {
    bits.get(1..5)?.try_into().ok().map(u32::from_be_bytes)
}

/// The reply with which a KDC would give out this ticket to whoever has this key.
pub fn write_reply(exchange: Exchange, ticket: &Ticket, key: &Key, nonce: i64) -> Result<Vec<u8>, KerberosCryptoError> {
    let suite = key.suite().ok_or(KerberosCryptoError::AlgorithmIdentifier(0))?;
    let plain = Zeroizing::new(secret_part(exchange, ticket, nonce));
    let encrypted = suite.cipher().encrypt(&key.bytes, exchange.key_usage(), &plain)?;
    let encrypted = fields(&[(0, integer(i64::from(key.kind))), (2, write(OCTET_STRING, &encrypted))]);
    let reply = fields(&[
        (0, integer(5)),
        (1, integer(i64::from(exchange.message()))),
        (3, write(GENERAL_STRING, ticket.client.realm.as_bytes())),
        (4, ticket.client.to_der()),
        (5, ticket.bytes.clone()),
        (6, encrypted),
    ]);
    Ok(write(application(exchange.message()), &reply))
}

/// EncKDCRepPart.
fn secret_part(exchange: Exchange, ticket: &Ticket, nonce: i64) -> Vec<u8> {
    let key = fields(&[
        (0, integer(i64::from(ticket.session_key.kind))),
        (1, write(OCTET_STRING, &ticket.session_key.bytes)),
    ]);
    let flags = [[0].as_slice(), &ticket.flags.to_be_bytes()].concat();
    let part = fields(&[
        (0, key),
        (1, write(SEQUENCE, &[])),
        (2, integer(nonce)),
        (4, write(BIT_STRING, &flags)),
        (5, time(ticket.start)),
        (7, time(ticket.end)),
        (9, write(GENERAL_STRING, ticket.server.realm.as_bytes())),
        (10, ticket.server.to_der()),
    ]);
    write(application(exchange.secret_part()), &part)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::winrm::auth::kerberos::ticket::tests::sample;

    #[test]
    fn opens_what_it_writes_with_the_right_key_alone() {
        let key = Key::new(17, &[9; 16]);
        let mut ticket = sample(&["WSMAN", "mfa01.contoso.com"], 600);
        // Times are whole seconds on the wire.
        let in_seconds = |time: Timestamp| Timestamp::from_second(time.as_second()).expect("in range");
        (ticket.start, ticket.end) = (in_seconds(ticket.start), in_seconds(ticket.end));
        for exchange in [Exchange::As, Exchange::Tgs] {
            let bytes = write_reply(exchange, &ticket, &key, 77).expect("a reply");
            let reply = Reply::parse(exchange, &bytes).expect("a reply");
            assert_eq!(reply.encryption_type(), Some(17));
            assert_eq!(reply.open(&key, 0), Some(Opened { ticket: ticket.clone(), nonce: 77 }));
            assert_eq!(reply.open(&Key::new(17, &[8; 16]), 0), None);
            assert_eq!(reply.open(&Key::new(18, &[9; 32]), 0), None);
        }
        let bytes = write_reply(Exchange::As, &ticket, &key, 77).expect("a reply");
        assert!(Reply::parse(Exchange::Tgs, &bytes).is_none());
    }

    #[test]
    fn damage_is_never_a_ticket() {
        let key = Key::new(18, &[9; 32]);
        let bytes = write_reply(Exchange::Tgs, &sample(&["HTTP", "h"], 600), &key, 1).expect("a reply");
        for end in 0..bytes.len() {
            assert!(Reply::parse(Exchange::Tgs, &bytes[..end]).is_none(), "{end}");
        }
        let begin = bytes.len() - 40;
        for index in begin..bytes.len() {
            let mut bent = bytes.clone();
            bent[index] ^= 0x55;
            let opened = Reply::parse(Exchange::Tgs, &bent).and_then(|reply| reply.open(&key, 0));
            assert_eq!(opened, None, "{index}");
        }
    }
}
