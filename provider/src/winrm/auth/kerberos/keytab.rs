//! Keytab files, as MIT's `ktutil` and Windows' `ktpass` write them (format 5.2).

use crate::winrm::auth::kerberos::bytes::Reader;
use crate::winrm::auth::kerberos::enctype::Key;

/// One key of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The principal's names with `/` between them, without the realm.
    pub name: String,
    pub realm: String,
    /// Counts up with each change of the password.
    pub version: u32,
    pub key: Key,
}

/// All entries of a keytab. The error says what is wrong with the file.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
    let rest = bytes.strip_prefix(&[5, 2]).ok_or("it is not a keytab of format 5.2")?;
    let mut reader = Reader::new(rest);
    let mut entries = Vec::new();
    while !reader.is_empty() {
        let length = reader.i32().ok_or(CUT_OFF)?;
        let record = reader.take(usize::try_from(length.unsigned_abs()).map_err(|_| CUT_OFF)?).ok_or(CUT_OFF)?;
        // A negative length marks a hole that a deleted entry left.
        if length > 0 {
            entries.push(entry(record).ok_or("an entry of it is damaged")?);
        }
    }
    Ok(entries)
}

const CUT_OFF: &str = "it is cut off";

fn entry(record: &[u8]) -> Option<Entry> {
    let mut reader = Reader::new(record);
    let components = reader.u16()?;
    let realm = reader.text16()?;
    let names: Vec<String> = (0..components).map(|_| reader.text16()).collect::<Option<_>>()?;
    let (_name_type, _timestamp) = (reader.u32()?, reader.u32()?);
    let short_version = reader.u8()?;
    let kind = reader.u16()?;
    let length = reader.u16()?;
    let key = Key::new(i32::from(kind), reader.take(usize::from(length))?);
    // Newer writers repeat the version here, in full length.
    let version = reader.u32().filter(|version| *version != 0).unwrap_or(u32::from(short_version));
    Some(Entry { name: names.join("/"), realm, version, key })
}

/// The newest key of the strongest usable kind for a principal, or for the file's first one when none is named.
/// `realm` narrows the choice when it is known. The error says what the file lacks.
pub fn choose<'a>(entries: &'a [Entry], name: Option<&str>, realm: Option<&str>) -> Result<&'a Entry, String> {
    let first = entries.first().ok_or("it has no entries")?;
    let wanted = name.unwrap_or(&first.name);
    let of_principal = || {
        entries.iter().filter(|entry| {
            // Active Directory tells neither names nor realms apart by case.
            entry.name.eq_ignore_ascii_case(wanted) && realm.is_none_or(|realm| entry.realm.eq_ignore_ascii_case(realm))
        })
    };
    let best = of_principal().filter(|entry| entry.key.suite().is_some());
    if let Some(entry) = best.max_by_key(|entry| (entry.version, entry.key.kind)) {
        return Ok(entry);
    }
    match of_principal().next() {
        Some(entry) => Err(format!(
            "it has no AES key for {}@{}, only one of encryption type {}",
            entry.name, entry.realm, entry.key.kind
        )),
        None => {
            let realm = realm.map(|realm| format!("@{realm}")).unwrap_or_default();
            Err(format!("it has no key for {wanted}{realm}; its first entry is for {}@{}", first.name, first.realm))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &[&str], realm: &str, version: u8, kind: u16, key: &[u8], long_version: Option<u32>) -> Vec<u8> {
        let text = |text: &str| [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat();
        let mut bytes = u16::try_from(name.len()).expect("few").to_be_bytes().to_vec();
        bytes.extend(text(realm));
        name.iter().for_each(|name| bytes.extend(text(name)));
        bytes.extend([0, 0, 0, 1, 0x67, 0, 0, 0, version]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(u16::try_from(key.len()).expect("short").to_be_bytes());
        bytes.extend(key);
        bytes.extend(long_version.into_iter().flat_map(u32::to_be_bytes));
        let length = i32::try_from(bytes.len()).expect("short").to_be_bytes();
        [length.to_vec(), bytes].concat()
    }

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        [vec![5, 2], records.concat()].concat()
    }

    fn sample() -> Vec<u8> {
        let hole = [(-3_i32).to_be_bytes().to_vec(), vec![0; 3]].concat();
        file(&[
            record(&["svc"], "CONTOSO.COM", 2, 23, &[1; 16], None),
            record(&["svc"], "CONTOSO.COM", 3, 17, &[2; 16], None),
            hole,
            record(&["svc"], "CONTOSO.COM", 3, 18, &[3; 32], None),
            record(&["svc"], "CONTOSO.COM", 2, 18, &[4; 32], None),
            record(&["HTTP", "mfa01.contoso.com"], "CONTOSO.COM", 1, 18, &[5; 32], Some(257)),
            record(&["old"], "CONTOSO.COM", 1, 23, &[6; 16], Some(0)),
        ])
    }

    #[test]
    fn reads_every_entry() {
        let entries = parse(&sample()).expect("a keytab");
        let read: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.version, entry.key.kind)).collect();
        assert_eq!(
            read,
            [
                ("svc", 2, 23),
                ("svc", 3, 17),
                ("svc", 3, 18),
                ("svc", 2, 18),
                ("HTTP/mfa01.contoso.com", 257, 18),
                ("old", 1, 23)
            ]
        );
        assert_eq!(parse(&[5, 2]), Ok(Vec::new()));
    }

    #[track_caller]
    fn check(name: Option<&str>, realm: Option<&str>, expected: Result<(u32, i32), &str>) {
        let entries = parse(&sample()).expect("a keytab");
        match (choose(&entries, name, realm), expected) {
            (Ok(entry), Ok(expected)) => assert_eq!((entry.version, entry.key.kind), expected),
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn chooses_the_newest_and_strongest_key() {
        check(None, None, Ok((3, 18)));
        check(Some("SVC"), Some("contoso.com"), Ok((3, 18)));
        check(Some("http/mfa01.contoso.com"), None, Ok((257, 18)));
        check(Some("old"), None, Err("no AES key for old@CONTOSO.COM, only one of encryption type 23"));
        check(Some("other"), Some("FABRIKAM.COM"), Err("no key for other@FABRIKAM.COM; its first entry is for svc@"));
        assert!(choose(&[], None, None).is_err());
    }

    #[test]
    fn refuses_damage_and_never_prints_a_key() {
        let bytes = sample();
        for end in 3..bytes.len() {
            // Cut between two records the rest is a keytab of its own.
            if let Ok(entries) = parse(&bytes[..end]) {
                assert!(entries.len() < 6, "{end}");
            }
        }
        assert!(parse(b"").is_err() && parse(&[5, 1]).is_err());
        assert!(parse(&[5, 2, 0x80, 0, 0, 0]).is_err());
        assert!(parse(&file(&[vec![0, 0, 0, 2, 0xff, 0xff]])).is_err());
        let printed = format!("{:?}", parse(&bytes));
        assert!(!printed.contains("3, 3, 3"), "{printed}");
    }
}
