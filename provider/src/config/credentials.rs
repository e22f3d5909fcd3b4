//! User names and passwords from settings, else from the environment.

use crate::backend::windows::connection::{Authentication, Connection};
use crate::config::client_certificate;
use crate::config::environment::{AMBIENT_CACHE, DEFAULT_KRB5_CONFIG, Environment, KRB5_CONFIG};
use crate::secret::Secret;
use crate::tf::value::Value;

/// Fills a connection's user name and password in, or its certificate. A setting wins; an empty variable counts as not
/// set.
pub fn read(connection: &mut Connection, settings: &Value, environment: &dyn Environment) {
    if connection.authentication == Authentication::Certificate {
        connection.client_certificate = Some(client_certificate::read(&connection.name, settings, environment));
        return;
    }
    let variable = |suffix| {
        let text = environment.read(&Connection::variable(&connection.name, suffix));
        text.filter(|text| !text.is_empty())
    };
    let username = text(settings, "username").or_else(|| variable("USERNAME"));
    let password = text(settings, "password").or_else(|| variable("PASSWORD"));
    connection.username = username;
    connection.password = password.map(Secret::new);
    connection.ambient_cache = environment.read(AMBIENT_CACHE).filter(|text| !text.is_empty());
    let files = environment.read(KRB5_CONFIG).filter(|text| !text.is_empty());
    connection.krb5_conf = std::env::split_paths(files.as_deref().unwrap_or(DEFAULT_KRB5_CONFIG)).collect();
}

fn text(settings: &Value, name: &str) -> Option<String> {
    settings.attribute(name).as_str().map(str::to_owned)
}
