//! The attributes of Kerberos: checks of each, and of how they fit together.

use crate::address::HostAddress;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;
use crate::winrm::auth::kerberos::login::cache_file;

/// A realm's name.
pub fn realm(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(found) = value.as_str() else { return };
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if found.is_empty() || !found.bytes().all(accepted) {
        diagnostics.error_at(
            path.clone(),
            "Invalid realm",
            format!("Found {found:?}. A realm is the name of the Active Directory domain, such as \"CONTOSO.COM\"."),
        );
    }
}

/// The address of a KDC.
pub fn kdc(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = value.as_str().map(str::parse::<HostAddress>) {
        let detail = format!("{error}. A KDC is one domain controller, such as dc01.contoso.com.");
        diagnostics.error_at(path.clone(), "Invalid KDC", detail);
    }
}

/// The name of a credential cache.
pub fn credential_cache(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(found) = value.as_str() else { return };
    if cache_file(found).is_none() {
        diagnostics.error_at(
            path.clone(),
            "Unsupported credential cache",
            format!(
                "Found {found:?}. Only caches in files can be read: give a path, or FILE: and a path, and fetch the \
                 ticket with `kinit -c`."
            ),
        );
    }
}

/// Checks how the attributes of a connection fit together.
pub fn validate(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let is_set = |name: &str| !settings.attribute(name).is_null() && !settings.attribute(name).is_unknown();
    if let Some(scheme @ ("basic" | "ntlm")) = settings.attribute("auth").as_str() {
        for name in ["realm", "kdc", "keytab", "credential_cache"].into_iter().filter(|name| is_set(name)) {
            diagnostics.error_at(
                path.attribute(name),
                "Setting of Kerberos without Kerberos",
                format!(
                    "`{name}` has no effect with auth = \"{scheme}\". Remove it, or use auth = \"kerberos\" or \
                     \"negotiate\"."
                ),
            );
        }
    }
    const CONTRADICTIONS: [(&str, &str, &str); 4] = [
        ("keytab", "credential_cache", "Both say by what the account proves itself."),
        ("keytab", "password", "The keytab's key takes the place of a password."),
        ("credential_cache", "password", "The cache's ticket takes the place of a password."),
        ("credential_cache", "username", "The cache's ticket tells the account."),
    ];
    for (attribute, other, why) in CONTRADICTIONS {
        if is_set(attribute) && is_set(other) {
            diagnostics.error_at(
                path.attribute(attribute),
                "Contradicting credentials",
                format!("`{attribute}` and `{other}` are both set. {why} Remove one of the two."),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&Value, &Path, &mut Diagnostics);

    #[track_caller]
    fn check(check: Check, text: &str, accepted: bool) {
        let mut diagnostics = Diagnostics::default();
        check(&Value::String(text.to_owned()), &Path::of("x"), &mut diagnostics);
        assert_eq!(!diagnostics.has_errors(), accepted, "{text}");
    }

    #[test]
    fn each_attribute_has_a_form() {
        check(realm, "CONTOSO.COM", true);
        check(realm, "corp-1.contoso.com", true);
        check(realm, "", false);
        check(realm, "svc@CONTOSO.COM", false);
        check(kdc, "dc01.contoso.com", true);
        check(kdc, "dc01.contoso.com:88", true);
        check(kdc, "10.0.0.1:8888", true);
        check(kdc, "[fd00::1]", true);
        check(kdc, "fd00::1", false);
        check(kdc, "[fd00::1]:88", true);
        check(kdc, "dc01.contoso.com:", false);
        check(kdc, "dc01.contoso.com:0", false);
        check(kdc, "dc01.contoso.com:99999", false);
        check(kdc, "tcp://dc01.contoso.com", false);
        check(kdc, "dc01,dc02", false);
        check(kdc, ":88", false);
        check(kdc, "", false);
        check(credential_cache, "/tmp/krb5cc_0", true);
        check(credential_cache, "FILE:/tmp/krb5cc_0", true);
        check(credential_cache, "KEYRING:persistent:0", false);
        check(credential_cache, "", false);
    }

    #[track_caller]
    fn check_together(entries: &[(&str, &str)], refused: &[&str]) {
        let settings = Value::object(entries.iter().map(|(name, text)| (*name, Value::from(*text))));
        let mut diagnostics = Diagnostics::default();
        validate(&settings, &Path::of("c"), &mut diagnostics);
        let found: Vec<_> = diagnostics.iter().filter_map(|it| it.path.as_ref().map(ToString::to_string)).collect();
        assert_eq!(found, refused, "{entries:?}");
    }

    #[test]
    fn contradictions_are_refused_at_their_attribute() {
        check_together(&[("auth", "kerberos"), ("realm", "A"), ("kdc", "b"), ("keytab", "c")], &[]);
        check_together(&[("realm", "A"), ("username", "u"), ("password", "p")], &[]);
        check_together(&[("keytab", "k"), ("username", "u")], &[]);
        check_together(&[("auth", "basic"), ("keytab", "k")], &["c.keytab"]);
        check_together(&[("auth", "ntlm"), ("realm", "A"), ("kdc", "b")], &["c.realm", "c.kdc"]);
        check_together(&[("keytab", "k"), ("credential_cache", "c")], &["c.keytab"]);
        check_together(&[("keytab", "k"), ("password", "p")], &["c.keytab"]);
        let cache = [("credential_cache", "c"), ("username", "u"), ("password", "p")];
        check_together(&cache, &["c.credential_cache", "c.credential_cache"]);
        let unknown = Value::object([("keytab", Value::Unknown), ("credential_cache", Value::from("c"))]);
        let mut diagnostics = Diagnostics::default();
        validate(&unknown, &Path::of("c"), &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    }
}
