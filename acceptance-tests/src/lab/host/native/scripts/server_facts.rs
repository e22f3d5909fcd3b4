//! MFA Server's part of the host query.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::server::{SERVICE, program};
use crate::lab::host::native::scripts::products::Products;
use crate::lab::host::registry;
use crate::lab::host::state::{Service, State};
use crate::lab::host::windows_path::{join, parent};

/// Where the product's key may be: the 32-bit view first.
const KEYS: [&str; 2] = [registry::PRODUCT, "HKLM:\\SOFTWARE\\Positive Networks\\PhoneFactor"];
static PACKAGES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^MultiFactorAuthentication\w*Setup\w*\.msi$|^(Unr|R)egister-MultiFactorAuthenticationAdfsAdapter\.ps1$|^MultiFactorAuthenticationAdfsAdapter\.config$").expect("a pattern of ours")
});

/// The facts, or null where neither service nor uninstall entry is.
pub fn read(host: &HostFolder, state: &State, products: &Products) -> Value {
    let service = state.service(SERVICE);
    let product = products.find("server");
    if service.is_none() && product.is_none() {
        return Value::Null;
    }
    let executable = service.and_then(|service| program(&service.path_name));
    let stated = [install_path(state), product.map(|product| product.location.clone())];
    let path = stated.into_iter().flatten().find(|path| !path.is_empty());
    let path = path.or_else(|| executable.as_deref().map(|executable| parent(executable).to_owned()));
    let path = path.map(|path| format!("{}\\", path.trim_end_matches('\\'))).unwrap_or_default();
    let port = KEYS.into_iter().find_map(|key| registry::number(&state.registry, key, "Pfsvc_ncan_ip_tcp_port"));
    json!({
        "install_path": path,
        "data_folder": format!("{path}Data"),
        "data_file_exists": !path.is_empty() && host.is_file(&format!("{path}Data\\PhoneFactor.pfdata")),
        "product_version": products.version("server"),
        "product_name": product.map(|product| product.name.clone()),
        "file_version": executable.and_then(|executable| file_version(host, state, &executable)),
        "service_state": service.map(|service| service.state.clone()),
        "service_start_mode": service.map(|service| service.start_mode.clone()),
        "replication_port": port,
        "packages": if path.is_empty() { Vec::new() } else { packages(host, &path) },
        "role_evidence": role_evidence(state, service, port),
    })
}

/// `InstallPath` of the product's key, with a backslash at its end.
pub fn install_path(state: &State) -> Option<String> {
    let paths = KEYS.into_iter().map(|key| registry::text(&state.registry, key, "InstallPath"));
    paths.into_iter().find(|path| !path.is_empty()).map(|path| format!("{}\\", path.trim_end_matches('\\')))
}

/// The version in a file, or none when there is no file or no version in it.
pub fn file_version(host: &HostFolder, state: &State, path: &str) -> Option<String> {
    state.file_version(path).filter(|_| host.is_file(path)).map(str::to_owned)
}

fn packages(host: &HostFolder, folder: &str) -> Vec<String> {
    host.file_names(&join(folder, "")).into_iter().filter(|name| PACKAGES.is_match(name)).collect()
}

/// A subordinate connects to its master's replication port.
fn role_evidence(state: &State, service: Option<&Service>, port: Option<i64>) -> Value {
    let running = service.filter(|service| service.state == "Running");
    let (Some(service), Some(port)) = (running, port) else { return json!({ "outbound": 0, "inbound": 0 }) };
    let own = |connection: &&crate::lab::host::state::Connection| {
        connection.state == "Established" && Some(connection.process_id) == service.process_id
    };
    let connections: Vec<_> = state.connections.iter().filter(own).collect();
    json!({
        "outbound": connections.iter().filter(|connection| connection.remote_port == port).count(),
        "inbound": connections.iter().filter(|connection| connection.local_port == port).count(),
    })
}
