//! Who logs in, and in which realm.

use crate::address::HostAddress;
use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::endpoint::authority;

/// An account as a KDC is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The account's name, or `name@suffix` when the suffix is not the realm's name: Active Directory then looks
    /// for the user principal name.
    pub name: String,
    /// In capitals, as Active Directory spells realms.
    pub realm: String,
}

/// From a user name, the setting `realm`, and the realm that `krb5.conf` has for names without one.
pub fn client(
    username: &str,
    realm: Option<&str>,
    default: impl FnOnce() -> Option<String>,
) -> Result<Client, Failure> {
    let no_realm = || Failure::NoRealm(username.to_owned());
    let realm = realm.map(str::to_ascii_uppercase);
    let default = || default().map(|default| default.to_ascii_uppercase());
    if let Some((domain, name)) = username.split_once('\\') {
        let of_domain = || {
            if domain.contains('.') {
                return Some(domain.to_ascii_uppercase());
            }
            // `CONTOSO` alone is a NetBIOS name, which no DNS leads to. As a rule it is the first part of the realm's.
            let is_of =
                |realm: &String| realm.split('.').next().is_some_and(|first| first.eq_ignore_ascii_case(domain));
            default().filter(is_of)
        };
        return Ok(Client { name: name.to_owned(), realm: realm.or_else(of_domain).ok_or_else(no_realm)? });
    }
    let Some((name, suffix)) = username.rsplit_once('@') else {
        return Ok(Client { name: username.to_owned(), realm: realm.or_else(default).ok_or_else(no_realm)? });
    };
    match realm {
        Some(realm) if !realm.eq_ignore_ascii_case(suffix) => Ok(Client { name: username.to_owned(), realm }),
        _ => Ok(Client { name: name.to_owned(), realm: suffix.to_ascii_uppercase() }),
    }
}

/// A KDC's address with its port.
pub fn with_port(kdc: &str) -> String {
    let address = kdc.parse().unwrap_or_else(|_| HostAddress::named(kdc));
    authority(address.name(), address.port().unwrap_or(PORT))
}

/// Where KDCs listen.
pub const PORT: u16 = 88;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(username: &str, realm: Option<&str>, expected: Option<(&str, &str)>) {
        check_with(username, realm, None, expected);
    }

    #[track_caller]
    fn check_with(username: &str, realm: Option<&str>, default: Option<&str>, expected: Option<(&str, &str)>) {
        let found = client(username, realm, || default.map(str::to_owned)).ok();
        let expected = expected.map(|(name, realm)| Client { name: name.to_owned(), realm: realm.to_owned() });
        assert_eq!(found, expected, "{username} {realm:?}");
    }

    #[test]
    fn finds_the_realm() {
        check("svc@contoso.com", None, Some(("svc", "CONTOSO.COM")));
        check("svc@contoso.com", Some("contoso.com"), Some(("svc", "CONTOSO.COM")));
        check("svc@mail.example", Some("CONTOSO.COM"), Some(("svc@mail.example", "CONTOSO.COM")));
        check("CONTOSO\\svc", Some("contoso.com"), Some(("svc", "CONTOSO.COM")));
        check("contoso.com\\svc", None, Some(("svc", "CONTOSO.COM")));
        check("CONTOSO\\svc", None, None);
        check("svc", Some("CONTOSO.COM"), Some(("svc", "CONTOSO.COM")));
        check("svc", None, None);
    }

    #[test]
    fn a_default_is_for_names_that_tell_no_realm() {
        check_with("svc", None, Some("contoso.com"), Some(("svc", "CONTOSO.COM")));
        check_with("svc", Some("FABRIKAM.COM"), Some("CONTOSO.COM"), Some(("svc", "FABRIKAM.COM")));
        check_with("contoso\\svc", None, Some("CONTOSO.COM"), Some(("svc", "CONTOSO.COM")));
        check_with("FABRIKAM\\svc", None, Some("CONTOSO.COM"), None);
        check_with("svc@fabrikam.com", None, Some("CONTOSO.COM"), Some(("svc", "FABRIKAM.COM")));
    }

    #[test]
    fn a_kdc_has_a_port() {
        for (kdc, expected) in [
            ("contoso.com", "contoso.com:88"),
            ("dc01.contoso.com:8888", "dc01.contoso.com:8888"),
            ("127.0.0.1:8888", "127.0.0.1:8888"),
            ("fd00::1", "[fd00::1]:88"),
            ("[fd00::1]", "[fd00::1]:88"),
            ("[fd00::1]:8888", "[fd00::1]:8888"),
        ] {
            assert_eq!(with_port(kdc), expected);
        }
    }
}
