//! What a password is salted with before it becomes a key (RFC 4120 5.2.7.5).

use crate::winrm::auth::kerberos::ticket::{Principal, text};
use crate::winrm::der::{self, GENERAL_STRING, INTEGER, OCTET_STRING, SEQUENCE, element, field_of};

const ETYPE_INFO2: i64 = 19;

/// The salt for keys of an encryption type. `told` are PA-DATA of the KDC, the best first.
pub fn of<const PLACES: usize>(client: &Principal, kind: i32, told: [&[u8]; PLACES]) -> String {
    let told = told.into_iter().find_map(|data| of_data(data, kind)).flatten();
    told.unwrap_or_else(|| format!("{}{}", client.realm, client.names.concat()))
}

/// The encryption types of which the KDC says that the account has keys, the preferred one first. It names those alone that it
/// was asked for, or leaves this out.
pub fn kinds(told: &[u8]) -> Vec<i64> {
    infos(told).map(|(kind, _)| kind).collect()
}

/// `Some(None)` where the KDC says that the salt is the usual one.
fn of_data(data: &[u8], kind: i32) -> Option<Option<String>> {
    infos(data).find(|(found, _)| *found == i64::from(kind)).map(|(_, salt)| salt)
}

/// Encryption types with their salts.
fn infos(data: &[u8]) -> impl Iterator<Item = (i64, Option<String>)> {
    let of_info = |data: &[u8]| field_of(data, 1, INTEGER).and_then(der::number) == Some(ETYPE_INFO2);
    let entries = sequences(data).filter(move |data| of_info(data)).filter_map(|data| {
        let (entries, _) = element(field_of(data, 2, OCTET_STRING)?, SEQUENCE)?;
        Some(entries)
    });
    entries.flat_map(sequences).filter_map(|entry| {
        let kind = field_of(entry, 0, INTEGER).and_then(der::number)?;
        Some((kind, field_of(entry, 1, GENERAL_STRING).and_then(text)))
    })
}

/// The contents of sequences that stand one after another.
fn sequences(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (content, rest) = element(data, SEQUENCE)?;
        data = rest;
        Some(content)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::winrm::der::{fields, integer, write};

    pub(in crate::winrm::auth::kerberos) fn data(salts: &[(i64, Option<&str>)]) -> Vec<u8> {
        let info = |(kind, salt): &(i64, Option<&str>)| {
            let mut entry = vec![(0, integer(*kind))];
            entry.extend(salt.map(|salt| (1, write(GENERAL_STRING, salt.as_bytes()))));
            fields(&entry)
        };
        let infos = write(SEQUENCE, &salts.iter().flat_map(info).collect::<Vec<_>>());
        let other = fields(&[(1, integer(2)), (2, write(OCTET_STRING, b""))]);
        [other, fields(&[(1, integer(ETYPE_INFO2)), (2, write(OCTET_STRING, &infos))])].concat()
    }

    #[track_caller]
    fn check(reply: &[(i64, Option<&str>)], demand: &[(i64, Option<&str>)], expected: &str) {
        let names = vec!["svc".to_owned(), "a".to_owned()];
        let client = Principal { kind: 1, realm: "CONTOSO.COM".to_owned(), names };
        assert_eq!(of(&client, 18, [&data(reply), &data(demand)]), expected);
    }

    #[test]
    fn what_the_kdc_says_goes_before_what_is_usual() {
        check(&[], &[], "CONTOSO.COMsvca");
        check(&[(18, Some("reply"))], &[(18, Some("demand"))], "reply");
        check(&[], &[(18, Some("demand"))], "demand");
        check(&[(17, Some("other"))], &[(17, Some("other")), (18, Some("demand"))], "demand");
        check(&[(18, None)], &[(18, Some("demand"))], "CONTOSO.COMsvca");
        check(&[(18, Some(""))], &[], "");
    }

    #[test]
    fn encryption_types_are_named_in_order() {
        assert_eq!(kinds(&data(&[(18, None), (23, Some("x"))])), [18, 23]);
        assert!(kinds(&data(&[])).is_empty() && kinds(b"").is_empty() && kinds(&[SEQUENCE, 5, 0]).is_empty());
    }
}
