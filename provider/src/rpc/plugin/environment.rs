//! What the client tells its plugin through environment variables.

use std::path::PathBuf;

/// The value that proves that the parent is Terraform or OpenTofu, and not a person at a prompt.
const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The client's wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Whether a Terraform or OpenTofu client started this process.
    pub has_cookie: bool,
    /// The certificate the client will show, in PEM. Absent when TLS is switched off.
    pub client_certificate: Option<String>,
    /// Where the socket goes.
    pub socket_folder: PathBuf,
    /// The group that may use the socket.
    pub socket_group: Option<String>,
    /// The ports that may be used where sockets cannot be, first and last.
    pub ports: (u16, u16),
    /// Whether the client asks if connections can be multiplexed.
    pub asks_for_multiplexing: bool,
}

impl Environment {
    /// Reads the variables. What is absent or no number has go-plugin's default.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).filter(|text| !text.is_empty());
        let port = |name: &str, otherwise| text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
        Self {
            has_cookie: text(COOKIE_NAME).is_some_and(|cookie| cookie == COOKIE),
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_folder: text("PLUGIN_UNIX_SOCKET_DIR").map_or_else(std::env::temp_dir, PathBuf::from),
            socket_group: text("PLUGIN_UNIX_SOCKET_GROUP"),
            ports: (port("PLUGIN_MIN_PORT", 10_000), port("PLUGIN_MAX_PORT", 25_000)),
            asks_for_multiplexing: text("PLUGIN_MULTIPLEX_GRPC").is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_terraform_sets() {
        let set =
            [(COOKIE_NAME, COOKIE), ("PLUGIN_MIN_PORT", "1"), ("PLUGIN_MAX_PORT", "x"), ("PLUGIN_CLIENT_CERT", "")];
        let find = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned());
        let environment = Environment::read(find);
        assert!(environment.has_cookie && !environment.asks_for_multiplexing);
        assert_eq!(environment.ports, (1, 25_000));
        assert_eq!(environment.client_certificate, None);
        assert_eq!(environment.socket_folder, std::env::temp_dir());
        assert!(!Environment::read(|_| Some("1".to_owned())).has_cookie);
    }
}
