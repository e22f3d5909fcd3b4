//! Client certificates: where they come from, and what contradicts them.

use crate::backend::windows::connection::Connection;
use crate::config::checks::sentence;
use crate::config::environment::Environment;
use crate::secret::Secret;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;
use crate::winrm::client_certificate::{ClientCertificate, Unusable};

const CERTIFICATE: &str = "client_certificate";
const KEY: &str = "client_key";
const PKCS12: &str = "client_pkcs12";
const PKCS12_PASSWORD: &str = "client_pkcs12_password";

/// Checks what the attributes say together.
pub fn validate(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    match settings.attribute("auth") {
        Value::Unknown => {}
        auth if auth.as_str() == Some("certificate") => {
            validate_transport(settings, path, diagnostics);
            validate_kinds(settings, path, diagnostics);
            validate_texts(settings, path, diagnostics);
        }
        _ => {
            for name in [CERTIFICATE, KEY, PKCS12, PKCS12_PASSWORD].into_iter().filter(|name| is_set(settings, name)) {
                diagnostics.error_at(
                    path.attribute(name),
                    "Client certificate that is never used",
                    format!("`{name}` is used with auth = \"certificate\" only. Set that, or remove `{name}`."),
                );
            }
        }
    }
}

fn validate_transport(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if settings.attribute("use_https").as_bool() == Some(false) {
        diagnostics.error_at(
            path.attribute("auth"),
            "Certificate authentication without HTTPS",
            "A client certificate is shown when a TLS connection is set up, so it needs HTTPS. Remove use_https = \
             false, or use \"ntlm\".",
        );
    }
    for name in ["username", "password"].into_iter().filter(|name| is_set(settings, name)) {
        diagnostics.error_at(
            path.attribute(name),
            "Account that is never used",
            format!(
                "With auth = \"certificate\" the host's own mapping says to which account the certificate belongs. \
                 Remove `{name}`, or use another `auth`."
            ),
        );
    }
}

fn validate_kinds(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let pem = [CERTIFICATE, KEY].into_iter().find(|name| is_set(settings, name));
    let Some(pem) = pem else { return };
    for name in [PKCS12, PKCS12_PASSWORD].into_iter().filter(|name| is_set(settings, name)) {
        diagnostics.error_at(
            path.attribute(name),
            "Two client certificates",
            format!(
                "`{name}` stands beside `{pem}`. Give the certificate either in PEM, as `client_certificate` and \
                 `client_key`, or as PKCS#12, as `client_pkcs12` and `client_pkcs12_password`."
            ),
        );
    }
}

/// What is known of the texts. A part that is absent may come from the environment.
fn validate_texts(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let text = |name| settings.attribute(name).as_str();
    let found = match (text(CERTIFICATE), text(KEY), text(PKCS12), text(PKCS12_PASSWORD)) {
        (Some(certificate), Some(key), _, _) => ClientCertificate::from_pem(certificate, &Secret::new(key)),
        (_, _, Some(file), Some(password)) => {
            ClientCertificate::from_pkcs12(&Secret::new(file), &Secret::new(password))
        }
        _ => return,
    };
    let name = match found {
        Ok(_) => return,
        // The attribute's own check has said so.
        Err(Unusable::Certificate | Unusable::Key | Unusable::EncryptedKey | Unusable::KindOfKey)
            if text(CERTIFICATE).is_some() =>
        {
            return;
        }
        Err(Unusable::Base64) => return,
        Err(Unusable::OtherKey) => KEY,
        Err(Unusable::Password) => PKCS12_PASSWORD,
        Err(_) => PKCS12,
    };
    if let Err(unusable) = found {
        report(unusable, &path.attribute(name), diagnostics);
    }
}

/// Says what is wrong with a certificate or key at its attribute.
pub fn report(unusable: Unusable, path: &Path, diagnostics: &mut Diagnostics) {
    let found = sentence(&unusable.to_string());
    diagnostics.error_at(
        path.clone(),
        "Client certificate that cannot be used",
        format!("{found} {}", unusable.cure()),
    );
}

/// What is not known yet may turn out to be absent.
fn is_set(settings: &Value, name: &str) -> bool {
    let value = settings.attribute(name);
    !value.is_null() && !value.is_unknown()
}

/// The connection's certificate. A setting wins over its variable, and one kind in the settings over the other in the
/// environment. The error is a full sentence for a person.
pub fn read(name: &str, settings: &Value, environment: &dyn Environment) -> Result<ClientCertificate, String> {
    let sources = Sources { name, settings, environment };
    let pem = is_set(settings, CERTIFICATE) || is_set(settings, KEY);
    let pkcs12 = is_set(settings, PKCS12);
    let file = if pem { None } else { sources.text(PKCS12) };
    let (certificate, key) = if pkcs12 { (None, None) } else { (sources.text(CERTIFICATE), sources.text(KEY)) };
    let found = match (certificate, key, file) {
        (None, None, None) => {
            return Err(format!(
                "It has no client certificate. Set the environment variables {} and {} (PEM), or {} (PKCS#12 in base64) \
                 and {}, or the attributes of the same names.",
                sources.variable(CERTIFICATE),
                sources.variable(KEY),
                sources.variable(PKCS12),
                sources.variable(PKCS12_PASSWORD)
            ));
        }
        (Some(_), None, None) => return Err(sources.missing(KEY, "a client certificate without its key")),
        (None, Some(_), None) => return Err(sources.missing(CERTIFICATE, "a client key without its certificate")),
        (Some(certificate), Some(key), None) => ClientCertificate::from_pem(&certificate, &Secret::new(key)),
        (None, None, Some(file)) => {
            let password = sources.text(PKCS12_PASSWORD).unwrap_or_default();
            ClientCertificate::from_pkcs12(&Secret::new(file), &Secret::new(password))
        }
        (_, _, Some(_)) => {
            return Err(format!(
                "It has two client certificates, because {} is set beside {} or {}. Unset one kind.",
                sources.variable(PKCS12),
                sources.variable(CERTIFICATE),
                sources.variable(KEY)
            ));
        }
    };
    found.map_err(|unusable| format!("{} {}", sentence(&unusable.to_string()), unusable.cure()))
}

struct Sources<'a> {
    name: &'a str,
    settings: &'a Value,
    environment: &'a dyn Environment,
}

impl Sources<'_> {
    fn variable(&self, attribute: &str) -> String {
        Connection::variable(self.name, &attribute.to_ascii_uppercase())
    }

    fn text(&self, attribute: &str) -> Option<String> {
        if let Some(text) = self.settings.attribute(attribute).as_str() {
            return Some(text.to_owned());
        }
        let text = self.environment.read(&self.variable(attribute)).filter(|text| !text.is_empty())?;
        // Some places that hold variables have no lines, and write PEM's line ends as `\n`.
        let has_lines = text.contains('\n') || !text.starts_with("-----BEGIN ");
        Some(if has_lines { text } else { text.replace("\\n", "\n") })
    }

    fn missing(&self, attribute: &str, found: &str) -> String {
        format!("It has {found}. Set the environment variable {}, or `{attribute}`.", self.variable(attribute))
    }
}

#[cfg(test)]
mod tests;
