//! Balancers: how a host is taken out of one and put back into it, as the operator states it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Method, Url};

use crate::address::HostAddress;
use crate::backend::placeholder;
use crate::backend::web_address::{self, InvalidAddress};
use crate::secret::Secret;

/// The placeholders of addresses and bodies: a host's whole name, and its first label.
pub const PLACEHOLDERS: [&str; 2] = ["host", "short_host"];

/// What is said of them where another one was found.
pub const ONLY_PLACEHOLDERS: &str = "{host} and {short_host} are the only placeholders";

/// A balancer that takes its orders over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// As users name it.
    pub name: String,
    pub take_out: Order,
    pub put_back: Order,
    /// Sent with every order, by name.
    pub headers: Vec<(String, Secret)>,
    /// Certificates in PEM that are trusted instead of the system's roots.
    pub ca_certificate: Option<String>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long the connections of a host may go on after it was taken out.
    pub drain_wait: Duration,
}

/// What a balancer is asked for, the same for every host but for the placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// With placeholders.
    pub url: String,
    pub method: Method,
    /// With placeholders. Some balancers take a password in it.
    pub body: Option<Secret>,
    /// The statuses that mean that it was done.
    pub expected_status: Vec<u16>,
}

/// The methods that an order may have.
pub const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The statuses that mean success where none are stated.
pub const EXPECTED_STATUS: [u16; 2] = [200, 204];
pub const TIMEOUT: Duration = Duration::from_secs(10);
pub const DRAIN_WAIT: Duration = Duration::from_secs(30);

/// The balancers that are declared, by name.
#[derive(Debug, Default)]
pub struct Balancers {
    declared: BTreeMap<String, Declared>,
    /// Not even their names are known yet.
    is_unknown: bool,
}

/// A balancer of a name, as far as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    Ready(Box<Balancer>),
    /// Something about it is not known yet; apply knows it.
    NotKnown,
    /// What it lacks, as full sentences.
    Unusable(String),
}

impl Balancers {
    /// These balancers.
    pub fn new(declared: BTreeMap<String, Declared>) -> Self {
        Self { declared, is_unknown: false }
    }

    /// Balancers of which nothing is known yet.
    pub fn unknown() -> Self {
        Self { is_unknown: true, ..Self::default() }
    }

    /// A balancer by its name; none when it is not declared.
    pub fn find(&self, name: &str) -> Option<&Declared> {
        self.declared.get(name).or(self.is_unknown.then_some(&Declared::NotKnown))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(String::as_str)
    }
}

impl Balancer {
    /// Both orders.
    pub fn orders(&self) -> [&Order; 2] {
        [&self.take_out, &self.put_back]
    }
}

impl Order {
    /// Where the order for a host is sent.
    pub fn url_for(&self, host: &str) -> Result<Url, InvalidAddress> {
        let authority = self.url.find("://").map_or(0, |start| start + 3);
        let path = self.url[authority..].find(['/', '?', '#']).map_or(self.url.len(), |end| authority + end);
        let (authority, rest) = self.url.split_at(path);
        // An IPv6 address stands in brackets where it is asked itself, and is data everywhere else.
        let filled = [(authority, as_authority as fn(&str) -> String), (rest, url_encoded)]
            .map(|(part, encode)| fill(part, host, encode))
            .into_iter()
            .collect::<Result<String, _>>();
        web_address::parse(&filled.map_err(|_| InvalidAddress::Placeholder(ONLY_PLACEHOLDERS))?, ONLY_PLACEHOLDERS)
    }

    /// What is sent for a host. A placeholder in it is inside of a JSON text, or of another one that needs no escapes.
    /// The error says which placeholders there are, and not which one was found, which may be a part of a secret.
    pub fn body_for(&self, host: &str) -> Result<Option<Secret>, &'static str> {
        let body = self.body.as_ref().map(|body| fill(body.expose(), host, json_escaped));
        Ok(body.transpose().map_err(|_| ONLY_PLACEHOLDERS)?.map(Secret::new))
    }

    /// Whether something is sent besides headers that may tell who gives the order: a body, or what follows `?` in its
    /// address.
    pub fn carries_more(&self, url: &Url) -> bool {
        self.body.is_some() || url.query().is_some()
    }
}

/// Fills the placeholders in. The error is one that there is not.
fn fill(text: &str, host: &str, encode: fn(&str) -> String) -> Result<String, String> {
    placeholder::fill_by(text, |name| match name {
        "host" => Some(encode(host)),
        "short_host" => Some(encode(short(host))),
        _ => None,
    })
}

/// The first label of a name; an address as it is.
fn short(host: &str) -> &str {
    if host.parse::<IpAddr>().is_ok() { host } else { host.split('.').next().unwrap_or(host) }
}

fn as_authority(host: &str) -> String {
    HostAddress::named(host).to_string()
}

fn url_encoded(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The inside of a JSON text.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(url: &str, body: &str) -> Order {
        let expected_status = EXPECTED_STATUS.to_vec();
        Order { url: url.to_owned(), method: Method::PATCH, body: Some(Secret::new(body)), expected_status }
    }

    #[track_caller]
    fn check(url: &str, host: &str, expected: &str) {
        let found = order(url, "").url_for(host);
        assert_eq!(found.map(|url| url.to_string()).map_err(|error| error.to_string()), Ok(expected.to_owned()));
    }

    #[test]
    fn the_host_is_filled_in_as_its_place_takes_it() {
        let lb = "https://lb/api/pools/mfa/members/{host}:443?name={short_host}";
        check(lb, "mfa01.contoso.com", "https://lb/api/pools/mfa/members/mfa01.contoso.com:443?name=mfa01");
        check("https://lb/{short_host}", "10.0.0.7", "https://lb/10.0.0.7");
        check("https://lb/{host}", "fd00::7", "https://lb/fd00%3A%3A7");
        check("https://{host}:8443/drain/{host}", "fd00::7", "https://[fd00::7]:8443/drain/fd00%3A%3A7");
        check("https://{short_host}.agents.contoso.com/out", "mfa01", "https://mfa01.agents.contoso.com/out");
        check("https://lb?member={host}", "mfa01", "https://lb/?member=mfa01");
        let body =
            order("", r#"{"name": "{host}", "list": {}, "short": ["{short_host}"]}"#).body_for("mfa01.contoso.com");
        let expected = r#"{"name": "mfa01.contoso.com", "list": {}, "short": ["mfa01"]}"#;
        assert_eq!(body.expect("filled").expect("a body").expose(), expected);
    }

    /// No name of a host holds such characters; whatever comes, it stays inside of its place.
    #[test]
    fn what_is_filled_in_cannot_leave_its_place() {
        check("https://lb/{host}/out", "a/../b?c#d", "https://lb/a%2F..%2Fb%3Fc%23d/out");
        let body = order("", r#"{"name": "{host}"}"#).body_for("a\", \"b\\").expect("filled").expect("a body");
        let read: serde_json::Value = serde_json::from_str(body.expose()).expect("still JSON");
        assert_eq!(read, serde_json::json!({"name": "a\", \"b\\"}));
    }

    #[test]
    fn other_placeholders_are_refused() {
        let refused = Err(InvalidAddress::Placeholder(ONLY_PLACEHOLDERS));
        for url in ["https://lb/{name}", "https://lb/{", "https://lb/{host", "https://{member}/"] {
            assert_eq!(order(url, "").url_for("mfa01"), refused, "{url}");
        }
        assert_eq!(order("", "{hostname}").body_for("mfa01").expect_err("unknown"), ONLY_PLACEHOLDERS);
    }

    #[test]
    fn a_balancer_is_found_by_its_name_or_may_still_come() {
        let declared = BTreeMap::from([("lb".to_owned(), Declared::NotKnown)]);
        assert_eq!(Balancers::new(declared).find("lb2"), None);
        assert_eq!(Balancers::unknown().find("lb2"), Some(&Declared::NotKnown));
    }
}
