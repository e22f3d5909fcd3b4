//! Which proxy leads to a host: the connection's own, else the one of the environment.

use std::net::IpAddr;

use crate::winrm::proxy::{InvalidProxy, Proxy};

/// What a connection says about proxies.
#[derive(Debug, Clone)]
pub enum ProxyRule {
    Given(Proxy),
    /// None, whatever the environment says.
    Never,
    Environment(ProxyVariables),
}

/// The variables that name proxies on most systems.
#[derive(Debug, Clone, Default)]
pub struct ProxyVariables {
    pub for_https: Option<ProxyVariable>,
    pub for_http: Option<ProxyVariable>,
    /// The hosts that are reached without.
    pub exceptions: Option<Exceptions>,
}

/// A variable that is set.
#[derive(Debug, Clone)]
pub struct ProxyVariable {
    pub name: &'static str,
    pub proxy: Result<Proxy, InvalidProxy>,
}

/// The list of `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct Exceptions {
    pub name: &'static str,
    pub entries: Vec<String>,
}

/// The proxy for a host, and by what it was chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    pub proxy: Option<Proxy>,
    /// Why this one or none; none where there was nothing to choose.
    pub reason: Option<String>,
}

impl Default for ProxyRule {
    fn default() -> Self {
        Self::Environment(ProxyVariables::default())
    }
}

impl ProxyRule {
    /// The proxy for a listener of a host. The error is a full sentence for a person.
    pub fn choose(&self, host: &str, port: u16, https: bool) -> Result<Choice, String> {
        let variables = match self {
            Self::Given(proxy) => return Ok(Choice::of(Some(proxy.clone()), "the setting `proxy` names it")),
            Self::Never => return Ok(Choice::of(None, "the setting `proxy` is empty")),
            Self::Environment(variables) => variables,
        };
        let variable = if https { &variables.for_https } else { &variables.for_http };
        let Some(variable) = variable else { return Ok(Choice { proxy: None, reason: None }) };
        if is_loopback(host) {
            return Ok(Choice::of(None, "proxies of the environment are not used for this machine itself"));
        }
        if let Some(exceptions) = &variables.exceptions
            && let Some(entry) = exceptions.entries.iter().find(|entry| is_excepted(entry, host, port))
        {
            return Ok(Choice::of(None, format!("the environment variable {} holds \"{entry}\"", exceptions.name)));
        }
        match &variable.proxy {
            Ok(proxy) => {
                let reason = format!("the environment variable {} names it", variable.name);
                Ok(Choice::of(Some(proxy.clone()), reason))
            }
            Err(error) => Err(format!(
                "The environment variable {} names no proxy that can be used for {host}: {error}. Correct it, name the \
                 host in NO_PROXY, or set `proxy` on the connection (`proxy = \"\"` for none).",
                variable.name
            )),
        }
    }
}

impl Choice {
    fn of(proxy: Option<Proxy>, reason: impl Into<String>) -> Self {
        Self { proxy, reason: Some(reason.into()) }
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether an entry of `NO_PROXY` means a host, as Go's clients read it, Terraform's own among them. Names are not looked
/// up, so addresses and networks only mean hosts that are written as addresses.
fn is_excepted(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/') {
        let (Ok(network), Ok(length), Some(host)) = (network.parse(), length.parse(), address(host)) else {
            return false;
        };
        return is_within(host, network, length);
    }
    let (name, wanted_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if address(entry).is_none() => match digits.parse::<u16>() {
            Ok(wanted) => (name, Some(wanted)),
            Err(_) => return false,
        },
        _ => (entry, None),
    };
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    match (address(name), address(host)) {
        (Some(name), Some(host)) => name == host,
        (None, None) => is_name(name, host),
        _ => false,
    }
}

/// A name means the host and all below it; with a dot in front only those below.
fn is_name(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    let below = |domain: &str| {
        !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    };
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(domain) => below(domain),
        None => name == host || below(name),
    }
}

fn is_within(host: IpAddr, network: IpAddr, length: u32) -> bool {
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => (u128::from(host.to_bits()), u128::from(network.to_bits()), 32),
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    // Shifting by the whole width is no shift at all.
    length <= width && (length == 0 || (host ^ network) >> (width - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, host: &str, expected: bool) {
        assert_eq!(is_excepted(entry, host, 5986), expected, "{entry} {host}");
    }

    #[test]
    fn exceptions_are_names_domains_addresses_and_networks() {
        for (entry, host, expected) in [
            ("*", "mfa01.contoso.com", true),
            ("mfa01.contoso.com", "MFA01.contoso.com", true),
            ("mfa01.contoso.com", "mfa02.contoso.com", false),
            ("mfa01", "mfa01.contoso.com", false),
            ("contoso.com", "mfa01.contoso.com", true),
            ("contoso.com", "contoso.com", true),
            ("contoso.com", "notcontoso.com", false),
            (".contoso.com", "mfa01.contoso.com", true),
            (".contoso.com", "contoso.com", false),
            (".contoso.com", "notcontoso.com", false),
            ("*.contoso.com", "mfa01.contoso.com", true),
            ("*.contoso.com", "contoso.com", false),
            ("contoso.com.", "mfa01.contoso.com", true),
            ("contoso.com", "mfa01.contoso.com.", true),
            (".", "mfa01.contoso.com", false),
            ("*.", "mfa01.contoso.com.", false),
            ("contoso.com:5986", "mfa01.contoso.com", true),
            ("contoso.com:5985", "mfa01.contoso.com", false),
            ("contoso.com:x", "mfa01.contoso.com", false),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7:5986", "10.0.0.7", true),
            ("10.0.0.7:5985", "10.0.0.7", false),
            ("10.0.0.7", "10.0.0.70", false),
            ("0.0.7", "10.0.0.7", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("0.0.0.0/0", "10.0.0.1", true),
            ("10.0.0.7/32", "10.0.0.7", true),
            ("10.0.0.0/8", "mfa01.contoso.com", false),
            ("10.0.0.0/8", "fd00::7", false),
            ("fd00::/8", "fd00::7", true),
            ("fd00::/8", "[fd00::7]", true),
            ("fd00::7", "fd00::7", true),
            ("[fd00::7]:5986", "fd00::7", true),
            ("[fd00::7]:5985", "fd00::7", false),
            ("::/0", "fd00::7", true),
            ("10.0.0.0/x", "10.0.0.1", false),
        ] {
            check(entry, host, expected);
        }
    }

    fn variables(exceptions: &str) -> ProxyRule {
        let variable = |name, text: &str| Some(ProxyVariable { name, proxy: text.parse() });
        ProxyRule::Environment(ProxyVariables {
            for_https: variable("HTTPS_PROXY", "http://secure:3128"),
            for_http: variable("http_proxy", "socks5://marker-secret@plain:1080"),
            exceptions: Some(Exceptions {
                name: "NO_PROXY",
                entries: exceptions.split(',').map(str::to_owned).collect(),
            }),
        })
    }

    #[track_caller]
    fn chosen(rule: &ProxyRule, host: &str, proxy: Option<&str>, reason: &str) {
        let choice = rule.choose(host, 5986, true).expect("a choice");
        assert_eq!(choice.proxy.map(|proxy| proxy.to_string()).as_deref(), proxy);
        assert!(choice.reason.as_deref().unwrap_or_default().contains(reason), "{:?}", choice.reason);
    }

    #[test]
    fn says_by_what_it_chose() {
        let rule = variables("dmz.contoso.com,10.0.0.0/8");
        chosen(&rule, "mfa01.contoso.com", Some("http://secure:3128"), "HTTPS_PROXY names it");
        chosen(&rule, "app01.dmz.contoso.com", None, "NO_PROXY holds \"dmz.contoso.com\"");
        chosen(&rule, "10.0.0.9", None, "NO_PROXY holds \"10.0.0.0/8\"");
        chosen(&rule, "localhost", None, "this machine itself");
        chosen(&rule, "127.0.0.1", None, "this machine itself");
        chosen(&ProxyRule::Never, "mfa01.contoso.com", None, "`proxy` is empty");
        let given = ProxyRule::Given("http://own:1".parse().expect("a proxy"));
        chosen(&given, "127.0.0.1", Some("http://own:1"), "the setting `proxy`");
        let nothing = ProxyRule::default().choose("mfa01.contoso.com", 5986, true).expect("a choice");
        assert!(nothing.proxy.is_none() && nothing.reason.is_none());
    }

    #[test]
    fn a_variable_that_cannot_be_used_matters_only_to_its_hosts() {
        let rule = variables("dmz.contoso.com");
        assert!(rule.choose("app01.dmz.contoso.com", 5985, false).is_ok());
        let message = rule.choose("mfa01.contoso.com", 5985, false).expect_err("not usable");
        assert!(message.contains("http_proxy") && message.contains("http://host:port"), "{message}");
        assert!(!message.contains("marker-secret"), "{message}");
    }
}
