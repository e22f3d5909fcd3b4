//! Tickets, as KDCs give them out and caches hold them.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::der::{self, GENERAL_STRING, INTEGER, SEQUENCE, element, field_of, fields, integer, write};

/// A ticket with its session key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub client: Principal,
    pub server: Principal,
    pub session_key: Key,
    pub start: Timestamp,
    pub end: Timestamp,
    pub flags: u32,
    /// The ticket in DER.
    pub bytes: Vec<u8>,
    /// How far the KDC's clock was ahead of this machine's when it was fetched, in seconds.
    pub offset: i64,
}

/// A name in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub kind: i32,
    pub realm: String,
    pub names: Vec<String>,
}

/// A ticket is not used up to its very end: a request takes time, and clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

impl Ticket {
    /// The time on the KDC's clock.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(SignedDuration::from_secs(self.offset)).unwrap_or(now)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.end <= self.now()
    }

    /// Whether it can be used for a while yet. Short tickets are used for nine tenths of their time.
    pub fn lasts(&self) -> bool {
        let margin = MARGIN.min(self.start.duration_until(self.end) / 10);
        self.now().duration_until(self.end) > margin
    }

    /// The realm whose KDC takes it, when it is one for getting others.
    pub fn granted_by(&self) -> Option<&str> {
        match self.server.names.as_slice() {
            [service, realm] if service == GRANTING => Some(realm),
            _ => None,
        }
    }
}

/// The service that gives out tickets.
pub const GRANTING: &str = "krbtgt";

impl Principal {
    /// The names with `/` between them.
    pub fn name(&self) -> String {
        self.names.join("/")
    }

    /// PrincipalName of RFC 4120 5.2.2, which leaves the realm out.
    pub fn to_der(&self) -> Vec<u8> {
        let names: Vec<u8> = self.names.iter().flat_map(|name| write(GENERAL_STRING, name.as_bytes())).collect();
        fields(&[(0, integer(i64::from(self.kind))), (1, write(SEQUENCE, &names))])
    }

    /// From the contents of a PrincipalName.
    pub fn of_der(content: &[u8], realm: String) -> Option<Self> {
        let kind = i32::try_from(der::number(field_of(content, 0, INTEGER)?)?).ok()?;
        let mut rest = field_of(content, 1, SEQUENCE)?;
        let mut names = Vec::new();
        while !rest.is_empty() {
            let (name, after) = element(rest, GENERAL_STRING)?;
            names.push(text(name)?);
            rest = after;
        }
        Some(Self { kind, realm, names })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name(), self.realm)
    }
}

/// The contents of a KerberosString.
pub fn text(content: &[u8]) -> Option<String> {
    std::str::from_utf8(content).ok().map(str::to_owned)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A ticket that begins now.
    pub fn sample(service: &[&str], seconds: i64) -> Ticket {
        let principal = |names: &[&str]| Principal {
            kind: 1,
            realm: "CONTOSO.COM".to_owned(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        let start = Timestamp::now();
        Ticket {
            client: principal(&["svc"]),
            server: principal(service),
            session_key: Key::new(18, &[7; 32]),
            start,
            end: start.checked_add(SignedDuration::from_secs(seconds)).expect("in range"),
            flags: 0,
            bytes: write(0x61, b"ticket"),
            offset: 0,
        }
    }

    #[track_caller]
    fn check(life: i64, age: i64, offset: i64, lasts: bool, has_ended: bool) {
        let mut ticket = Ticket { offset, ..sample(&["krbtgt", "CONTOSO.COM"], life) };
        ticket.start -= SignedDuration::from_secs(age);
        ticket.end -= SignedDuration::from_secs(age);
        assert_eq!((ticket.lasts(), ticket.has_ended()), (lasts, has_ended), "{life} {age} {offset}");
    }

    #[test]
    fn is_renewed_before_it_ends() {
        check(36_000, 0, 0, true, false);
        check(36_000, 35_600, 0, true, false);
        check(36_000, 35_800, 0, false, false);
        check(36_000, 36_001, 0, false, true);
        check(60, 50, 0, true, false);
        check(60, 56, 0, false, false);
        // By the clock that will judge it.
        check(36_000, 35_800, -600, true, false);
        check(36_000, 35_000, 1_200, false, true);
    }

    #[test]
    fn names_are_read_as_they_were_written() {
        let name = Principal { kind: -128, realm: "R".to_owned(), names: vec!["a".to_owned(), "b".to_owned()] };
        let written = name.to_der();
        let (content, _) = element(&written, SEQUENCE).expect("a sequence");
        assert_eq!(Principal::of_der(content, "R".to_owned()), Some(name));
        for end in 0..content.len() {
            assert_eq!(Principal::of_der(&content[..end], "R".to_owned()), None, "{end}");
        }
    }
}
