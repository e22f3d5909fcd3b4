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

/// From a user name and the setting `realm`.
pub fn client(username: &str, realm: Option<&str>) -> Result<Client, Failure> {
    let no_realm = || Failure::NoRealm(username.to_owned());
    let realm = realm.map(str::to_ascii_uppercase);
    if let Some((domain, name)) = username.split_once('\\') {
        // `CONTOSO` alone is a NetBIOS name, which no DNS leads to.
        let of_domain = || domain.contains('.').then(|| domain.to_ascii_uppercase());
        return Ok(Client { name: name.to_owned(), realm: realm.or_else(of_domain).ok_or_else(no_realm)? });
    }
    let Some((name, suffix)) = username.rsplit_once('@') else {
        return Ok(Client { name: username.to_owned(), realm: realm.ok_or_else(no_realm)? });
    };
    match realm {
        Some(realm) if !realm.eq_ignore_ascii_case(suffix) => Ok(Client { name: username.to_owned(), realm }),
        _ => Ok(Client { name: name.to_owned(), realm: suffix.to_ascii_uppercase() }),
    }
}

/// Where the KDC of a realm is asked: the setting, else the realm's own name, which Active Directory's DNS resolves
/// to the domain controllers.
pub fn kdc(setting: Option<&str>, realm: &str) -> String {
    let host = setting.map_or_else(|| realm.to_ascii_lowercase(), str::to_owned);
    let address = host.parse().unwrap_or_else(|_| HostAddress::named(&host));
    authority(address.name(), address.port().unwrap_or(PORT))
}

const PORT: u16 = 88;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(username: &str, realm: Option<&str>, expected: Option<(&str, &str)>) {
        let found = client(username, realm).ok();
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

    #[track_caller]
    fn check_kdc(setting: Option<&str>, expected: &str) {
        assert_eq!(kdc(setting, "CONTOSO.COM"), expected);
    }

    #[test]
    fn finds_the_kdc() {
        check_kdc(None, "contoso.com:88");
        check_kdc(Some("dc01.contoso.com"), "dc01.contoso.com:88");
        check_kdc(Some("dc01.contoso.com:8888"), "dc01.contoso.com:8888");
        check_kdc(Some("127.0.0.1:8888"), "127.0.0.1:8888");
        check_kdc(Some("fd00::1"), "[fd00::1]:88");
        check_kdc(Some("[fd00::1]"), "[fd00::1]:88");
        check_kdc(Some("[fd00::1]:8888"), "[fd00::1]:8888");
    }
}
