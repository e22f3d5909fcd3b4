//! Checks of single values of the provider's settings; each names what was found and what is accepted.

use std::ops::RangeInclusive;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::backend::release::{Delivery, file_name};
use crate::backend::windows::pattern::Pattern;
use crate::config::{client_certificate, duration};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;
use crate::winrm::client_certificate::ClientCertificate;
use crate::winrm::proxy::Proxy;

/// The name of a connection or a balancer.
pub fn block_name(what: &str, name: &str, path: &Path, diagnostics: &mut Diagnostics) {
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.bytes().all(accepted) {
        diagnostics.error_at(
            path.clone(),
            format!("Invalid {what} name"),
            format!(
                "Found \"{name}\". A name is made of letters, digits, '-' and '_' and starts with a letter, because \
                 environment variables are named after it."
            ),
        );
    }
}

/// A list of host patterns.
pub fn host_patterns(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let items = value.as_list().unwrap_or_default();
    if items.is_empty() && value.as_list().is_some() {
        diagnostics.error_at(
            path.clone(),
            "No host pattern",
            "The list is empty, so this connection can never be chosen. Name at least one host or pattern, such as \
             \"*.dmz.contoso.com\".",
        );
    }
    for (index, item) in items.iter().enumerate() {
        if item.is_null() {
            diagnostics.error_at(path.index(index), "Invalid host pattern", "A host pattern is a text; found null.");
        }
        if let Some(Err(error)) = item.as_str().map(str::parse::<Pattern>) {
            diagnostics.error_at(path.index(index), "Invalid host pattern", sentence(&error.to_string()));
        }
    }
}

/// `negotiate`, `kerberos`, `ntlm`, `basic` or `certificate`.
pub fn authentication(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    match value.as_str() {
        None | Some("negotiate" | "kerberos" | "ntlm" | "basic" | "certificate") => {}
        Some(found @ "credssp") => diagnostics.error_at(
            path.clone(),
            "Unsupported authentication",
            format!(
                "\"{found}\" is not supported. Accepted are \"negotiate\", \"kerberos\", \"ntlm\", \"basic\" and \"certificate\"."
            ),
        ),
        Some(found) => diagnostics.error_at(
            path.clone(),
            "Unknown authentication",
            format!("Found \"{found}\". Accepted are \"negotiate\", \"kerberos\", \"ntlm\", \"basic\" and \"certificate\"."),
        ),
    }
}

/// A TCP port.
pub fn port(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if !value.as_integer().is_some_and(|port| (1..=65535).contains(&port)) {
        diagnostics.error_at(path.clone(), "Invalid port", "A port is a whole number from 1 to 65535.");
    }
}

/// One or more certificates in PEM.
pub fn certificates(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    let certificates: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if !certificates.is_ok_and(|certificates| !certificates.is_empty()) {
        diagnostics.error_at(
            path.clone(),
            "Invalid certificate",
            "The text holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\"). Give the text itself, as \
             `file(\"ca.pem\")` reads it, not the name of a file.",
        );
    }
}

/// `http://host:port`, or nothing for none.
pub fn proxy(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return };
    if let Err(error) = text.parse::<Proxy>() {
        diagnostics.error_at(
            path.clone(),
            "Invalid proxy",
            format!("{} An empty text means that no proxy is used.", sentence(&error.to_string())),
        );
    }
}

/// The path of a URL.
pub fn url_path(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(accepted) {
        diagnostics.error_at(
            path.clone(),
            "Invalid path",
            format!(
                "Found {text:?}. A path begins with '/' and has letters, digits and \"/-._~\", such as \"/wsman\"."
            ),
        );
    }
}

/// A number of connections to one host.
pub fn connections_to_host(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    whole_number(value, 1..=16, path, diagnostics);
}

/// A number of connections to all hosts.
pub fn connections_in_all(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    whole_number(value, 1..=1024, path, diagnostics);
}

fn whole_number(value: &Value, accepted: RangeInclusive<i64>, path: &Path, diagnostics: &mut Diagnostics) {
    if !value.as_integer().is_some_and(|number| accepted.contains(&number)) {
        diagnostics.error_at(
            path.clone(),
            "Number out of range",
            format!("Accepted are whole numbers from {} to {}.", accepted.start(), accepted.end()),
        );
    }
}

/// A private key in PEM.
pub fn client_key(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(unusable)) = value.as_str().map(ClientCertificate::check_key) {
        client_certificate::report(unusable, path, diagnostics);
    }
}

/// A PKCS#12 file in base64.
pub fn pkcs12(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(unusable)) = value.as_str().map(ClientCertificate::check_base64) {
        client_certificate::report(unusable, path, diagnostics);
    }
}

/// A duration.
pub fn duration(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = value.as_str().map(duration::parse) {
        diagnostics.error_at(path.clone(), "Invalid duration", sentence(&error.to_string()));
    }
}

/// The status of an answer over HTTP.
pub fn status(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if http_status(value).is_none() {
        diagnostics.error_at(
            path.clone(),
            "Invalid status",
            "A status of HTTP is a whole number from 100 to 599, such as 200.",
        );
    }
}

/// Reads such a status.
pub fn http_status(value: &Value) -> Option<u16> {
    value.as_integer().and_then(|status| u16::try_from(status).ok()).filter(|status| (100..600).contains(status))
}

/// A text that is not empty.
pub fn not_empty(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        diagnostics.error_at(path.clone(), "Empty text", "The text is empty. Leave the attribute out instead.");
    }
}

/// An https URL that ends with a file name.
pub fn https_source(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    let Some(rest) = text.strip_prefix("https://") else {
        diagnostics.error_at(
            path.clone(),
            "Invalid source",
            "A source is an https:// URL that the host itself can fetch. Other ways are not supported yet.",
        );
        return;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty()
        || authority.contains('@')
        || text.contains(char::is_whitespace)
        || file_name(text).is_none()
    {
        diagnostics.error_at(
            path.clone(),
            "Invalid source",
            "A source is an https:// URL without a user name, a password or spaces, and it ends with the name of an \
             .exe or .msi file.",
        );
    }
}

/// A SHA-256 in hexadecimal.
pub fn sha256(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        diagnostics.error_at(
            path.clone(),
            "Invalid hash",
            format!(
                "A SHA-256 is 64 hexadecimal digits; found {} characters. `Get-FileHash FILE` prints it.",
                text.chars().count()
            ),
        );
    }
}

/// `error` or `warn`.
pub fn error_or_warn(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    match value.as_str() {
        None | Some("error" | "warn") => {}
        Some(found) => diagnostics.error_at(
            path.clone(),
            "Unknown value",
            format!("Found \"{found}\". Accepted are \"error\" and \"warn\"."),
        ),
    }
}

/// `auto`, `pull` or `push`.
pub fn delivery(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(found) = value.as_str().filter(|found| Delivery::parse(found).is_none()) {
        diagnostics.error_at(
            path.clone(),
            "Unknown delivery",
            format!(
                "Found \"{found}\". Accepted are \"auto\" (the host fetches the file, else this machine does), \"pull\" (the \
                 host alone) and \"push\" (this machine, which sends it)."
            ),
        );
    }
}

/// An error's text as a full sentence.
pub fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&Value, &Path, &mut Diagnostics);

    #[track_caller]
    fn check(check: Check, value: &str, accepted: bool) {
        let mut diagnostics = Diagnostics::default();
        check(&Value::from(value), &Path::of("it"), &mut diagnostics);
        assert_eq!(!diagnostics.has_errors(), accepted, "{value}: {diagnostics:?}");
    }

    #[test]
    fn sources_are_https_files() {
        check(https_source, "https://files.contoso.com/mfa/8.0.1.1/Setup.exe", true);
        check(https_source, "https://files.contoso.com/mfa/Setup.msi?token=x", true);
        for refused in [
            "http://files.contoso.com/Setup.exe",
            "https://files.contoso.com/",
            "https://files.contoso.com",
            "https:///Setup.exe",
            "https://u:p@files.contoso.com/Setup.exe",
            "https://files.contoso.com/set up.exe",
            "https://files.contoso.com/Setup.zip",
            "https://files.contoso.com/..%5CSetup.exe",
            "https://Setup.exe",
            "\\\\server\\share\\Setup.exe",
        ] {
            check(https_source, refused, false);
        }
    }

    #[test]
    fn hashes_have_64_digits() {
        check(sha256, &"aB1".repeat(22)[..64], true);
        check(sha256, &"a".repeat(63), false);
        check(sha256, &"g".repeat(64), false);
    }

    #[test]
    fn proxies_are_read_as_they_are_used() {
        for accepted in ["", "http://127.0.0.1:3128", "http://proxy", "http://u:p@proxy.contoso.com:3128/"] {
            check(proxy, accepted, true);
        }
        for refused in ["proxy:3128", "https://proxy:3128", "http://proxy:0", "http://proxy:80/path", " "] {
            check(proxy, refused, false);
        }
    }

    #[test]
    fn a_refused_proxy_is_not_shown() {
        let mut diagnostics = Diagnostics::default();
        proxy(&Value::from("socks5://u:marker-secret@proxy"), &Path::of("it"), &mut diagnostics);
        assert!(diagnostics.has_errors() && !format!("{diagnostics:?}").contains("marker-secret"));
    }

    #[test]
    fn paths_begin_with_a_slash() {
        check(url_path, "/wsman", true);
        check(url_path, "/a/b-c._~9", true);
        for refused in ["", "wsman", "/ws man", "/wsman?x", "/wsman#x", "/\u{e4}", "/%41"] {
            check(url_path, refused, false);
        }
    }

    #[test]
    fn a_delivery_is_one_of_three() {
        for accepted in ["auto", "pull", "push"] {
            check(delivery, accepted, true);
        }
        check(delivery, "Push", false);
        check(delivery, "", false);
    }

    #[test]
    fn later_schemes_are_named() {
        check(authentication, "ntlm", true);
        check(authentication, "certificate", true);
        check(authentication, "kerberos", true);
        check(authentication, "credssp", false);
        check(authentication, "NTLM", false);
    }

    #[test]
    fn certificates_are_text_and_not_a_file_name() {
        check(certificates, "dmz-ca.pem", false);
        let key = rcgen::generate_simple_self_signed(["contoso.com".to_owned()]).expect("a certificate");
        check(certificates, &key.cert.pem(), true);
    }
}
