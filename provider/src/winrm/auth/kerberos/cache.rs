//! Credential caches in files, as MIT's and Heimdal's `kinit` write them (format 5.4).

use jiff::Timestamp;

use crate::winrm::auth::kerberos::bytes::Reader;
use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::ticket::{GRANTING, Principal, Ticket};

/// What a cache holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Whose tickets they are.
    pub client: Principal,
    pub tickets: Vec<Ticket>,
}

/// The header's field with the offset of the clocks.
const OFFSET: u16 = 1;

/// Reads a cache. The error says what is wrong with the file.
pub fn parse(bytes: &[u8]) -> Result<Cache, &'static str> {
    let rest = bytes.strip_prefix(&[5, 4]).ok_or("it is not a credential cache of format 5.4")?;
    read(&mut Reader::new(rest)).ok_or("it is cut off or damaged")
}

fn read(reader: &mut Reader<'_>) -> Option<Cache> {
    let length = reader.u16()?;
    let offset = offset(Reader::new(reader.take(usize::from(length))?))?;
    let client = principal(reader)?;
    let mut tickets = Vec::new();
    while !reader.is_empty() {
        tickets.push(ticket(reader, offset)?);
    }
    Some(Cache { client, tickets })
}

fn offset(mut header: Reader<'_>) -> Option<i64> {
    let mut offset = 0;
    while !header.is_empty() {
        let (field, length) = (header.u16()?, header.u16()?);
        let content = header.take(usize::from(length))?;
        if field == OFFSET {
            offset = i64::from(Reader::new(content).i32()?);
        }
    }
    Some(offset)
}

fn principal(reader: &mut Reader<'_>) -> Option<Principal> {
    let kind = reader.i32()?;
    let components = reader.u32()?;
    let realm = reader.text32()?;
    // Each component takes bytes, so a count that lies ends the loop soon.
    let names = (0..components).map(|_| reader.text32()).collect::<Option<_>>()?;
    Some(Principal { kind, realm, names })
}

fn ticket(reader: &mut Reader<'_>, offset: i64) -> Option<Ticket> {
    let (client, server) = (principal(reader)?, principal(reader)?);
    let session_key = Key::new(i32::from(reader.u16()?), reader.data32()?);
    let (authenticated, start, end, _renewable) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
    let _in_session_key = reader.u8()?;
    let flags = reader.u32()?;
    for _of_addresses_then_of_authorization in 0..2 {
        for _ in 0..reader.u32()? {
            reader.u16()?;
            reader.data32()?;
        }
    }
    let bytes = reader.data32()?.to_vec();
    let _second = reader.data32()?;
    let time = |seconds: u32| Timestamp::from_second(i64::from(seconds)).ok();
    // A ticket that could be used at once may have no beginning of its own.
    let (start, end) = (time(if start == 0 { authenticated } else { start })?, time(end)?);
    Some(Ticket { client, server, session_key, start, end, flags, bytes, offset })
}

impl Cache {
    /// The ticket with which the client's own realm gives out tickets for services; the one that ends last.
    pub fn ticket_granting(&self) -> Option<&Ticket> {
        let realm = &self.client.realm;
        self.tickets
            .iter()
            .filter(|ticket| &ticket.server.realm == realm && ticket.server.names == [GRANTING, realm])
            .max_by_key(|ticket| ticket.end)
    }
}

/// The file that a cache's name stands for: `FILE:path` or a bare path. Other kinds of caches are not files.
pub fn file(name: &str) -> Option<&str> {
    let path = match name.split_once(':') {
        Some(("FILE", path)) => path,
        // A drive letter, as in C:\temp\krb5cc.
        Some((kind, _)) if kind.len() > 1 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return None,
        _ => name,
    };
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn data(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
    }

    fn principal(names: &[&str], realm: &str) -> Vec<u8> {
        let count = u32::try_from(names.len()).expect("few").to_be_bytes();
        let names = names.iter().flat_map(|name| data(name.as_bytes()));
        [[0, 0, 0, 1].to_vec(), count.to_vec(), data(realm.as_bytes()), names.collect()].concat()
    }

    fn ticket(server: &[&str], realm: &str, end: u32) -> Vec<u8> {
        let mut bytes = principal(&["svc"], "CONTOSO.COM");
        bytes.extend(principal(server, realm));
        bytes.extend([0, 18]);
        bytes.extend(data(&[3; 32]));
        for time in [1, 2, end, 4] {
            bytes.extend(time.to_be_bytes());
        }
        bytes.extend([0, 0x40, 0xe1, 0, 0]);
        bytes.extend([0, 0, 0, 1, 0, 2]);
        bytes.extend(data(&[127, 0, 0, 1]));
        bytes.extend([0; 4]);
        bytes.extend(data(b"ticket"));
        bytes.extend(data(b""));
        bytes
    }

    /// A cache with an entry of configuration, a foreign ticket and two ticket-granting ones.
    pub(in crate::winrm::auth::kerberos) fn sample() -> Vec<u8> {
        let mut bytes = vec![5, 4, 0, 12, 0, 1, 0, 8];
        bytes.extend((-7_i32).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(principal(&["svc"], "CONTOSO.COM"));
        bytes.extend(ticket(&["krb5_ccache_conf_data", "fast_avail"], "X-CACHECONF:", 0));
        bytes.extend(ticket(&["krbtgt", "CONTOSO.COM"], "CONTOSO.COM", 2_000_000_000));
        bytes.extend(ticket(&["krbtgt", "CONTOSO.COM"], "CONTOSO.COM", 1_900_000_000));
        bytes.extend(ticket(&["krbtgt", "FABRIKAM.COM"], "CONTOSO.COM", 2_100_000_000));
        bytes
    }

    #[test]
    fn reads_every_ticket() {
        let cache = parse(&sample()).expect("a cache");
        assert_eq!(cache.client.to_string(), "svc@CONTOSO.COM");
        assert_eq!(cache.tickets.len(), 4);
        let granting = cache.ticket_granting().expect("a ticket");
        assert_eq!((granting.start.as_second(), granting.end.as_second()), (2, 2_000_000_000));
        assert_eq!((granting.bytes.as_slice(), granting.flags), (b"ticket".as_slice(), 0x40e1_0000));
        assert_eq!(granting.offset, -7);
        assert!(granting.session_key.suite().is_some());
        assert!(!format!("{cache:?}").contains("3, 3, 3"));
    }

    #[test]
    fn refuses_damage() {
        let bytes = sample();
        let whole = parse(&bytes).expect("a cache");
        for end in 0..bytes.len() {
            // Cut between two tickets the rest is a cache of its own.
            if let Ok(cut) = parse(&bytes[..end]) {
                assert!(cut.tickets.len() < whole.tickets.len(), "{end}");
            }
        }
        assert!(parse(&[5, 3]).is_err());
        // A count of components that the bytes cannot hold.
        let mut lying = bytes.clone();
        lying[20..24].fill(0xff);
        assert!(parse(&lying).is_err());
        for index in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[index] ^= 0xff;
            let _ = parse(&bent);
        }
    }

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(file(name), expected, "{name}");
    }

    #[test]
    fn knows_caches_in_files() {
        check("FILE:/tmp/krb5cc_0", Some("/tmp/krb5cc_0"));
        check("/tmp/krb5cc_0", Some("/tmp/krb5cc_0"));
        check("krb5cc", Some("krb5cc"));
        check("C:\\temp\\krb5cc", Some("C:\\temp\\krb5cc"));
        check("./a:b", Some("./a:b"));
        check("KEYRING:persistent:0", None);
        check("KCM:", None);
        check("DIR:/tmp/caches", None);
        check("FILE:", None);
        check("", None);
    }
}
