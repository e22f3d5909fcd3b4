//! Addresses of web servers, as messages show them and as patterns of hosts know them.

use reqwest::Url;

use crate::address::HostAddress;

/// An address without what may be secret in it: user, password, query and fragment.
pub fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}

/// The host of an address by the name that patterns know, an IPv6 address without its brackets.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.parse::<HostAddress>().map_or_else(|_| host.to_owned(), |address| address.name().to_owned())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
