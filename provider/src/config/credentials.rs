//! User names and passwords from settings, else from the environment.

use crate::backend::windows::connection::Connection;
use crate::config::environment::{AMBIENT_CACHE, Environment};
use crate::secret::Secret;
use crate::tf::value::Value;

/// Fills a connection's user name and password in. A setting wins; an empty variable counts as not set.
pub fn read(connection: &mut Connection, settings: &Value, environment: &dyn Environment) {
    let variable = |suffix| {
        let text = environment.read(&Connection::variable(&connection.name, suffix));
        text.filter(|text| !text.is_empty())
    };
    let username = text(settings, "username").or_else(|| variable("USERNAME"));
    let password = text(settings, "password").or_else(|| variable("PASSWORD"));
    connection.username = username;
    connection.password = password.map(Secret::new);
    connection.ambient_cache = environment.read(AMBIENT_CACHE).filter(|text| !text.is_empty());
}

fn text(settings: &Value, name: &str) -> Option<String> {
    settings.attribute(name).as_str().map(str::to_owned)
}
