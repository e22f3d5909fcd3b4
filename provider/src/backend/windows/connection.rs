//! Which way and which account lead to a host: the connections of the provider's settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::HostAddress;
use crate::backend::windows::pattern::Pattern;
use crate::backend::windows::proxies::{Choice, ProxyRule};
use crate::secret::Secret;
use crate::winrm::auth::kerberos::login;
use crate::winrm::auth::kerberos::tickets::Tickets;
use crate::winrm::client_certificate::ClientCertificate;
use crate::winrm::endpoint::DEFAULT_PATH;
use crate::winrm::limits::Limits;

/// The name of the connection that takes every host no other one matches.
pub const DEFAULT: &str = "default";

/// All connections, and the hosts that may be reached at all.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    pub connections: Vec<Connection>,
    /// Some connections or their patterns are not known yet, so nothing can be chosen.
    pub undecided: bool,
    /// Set outside of the configuration; none allows every host.
    pub allowed_hosts: Option<Vec<Pattern>>,
}

/// One connection.
#[derive(Debug, Clone)]
pub struct Connection {
    pub name: String,
    /// Empty for `default`.
    pub hosts: Vec<Pattern>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// What certificate authentication shows, or why it cannot, as full sentences.
    pub client_certificate: Option<Result<ClientCertificate, String>>,
    pub authentication: Authentication,
    /// The Kerberos realm of the account.
    pub realm: Option<String>,
    /// The KDC, as `host` or `host:port`.
    pub kdc: Option<String>,
    /// The files that tell of realms.
    pub krb5_conf: Vec<PathBuf>,
    /// A file with the account's key.
    pub keytab: Option<String>,
    /// A file with the account's ticket.
    pub credential_cache: Option<String>,
    /// The credential cache that `KRB5CCNAME` names.
    pub ambient_cache: Option<String>,
    pub use_https: bool,
    /// Of every host that is named without one.
    pub port: u16,
    /// Of the URL.
    pub path: String,
    /// Trusted instead of the system's roots.
    pub ca_certificate: Option<String>,
    pub insecure_skip_verify: bool,
    /// The name the certificate must carry, when it is not the host's.
    pub server_name: Option<String>,
    pub proxy: ProxyRule,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// The Kerberos tickets, which all connections share.
    pub tickets: Tickets,
    /// An attribute that is not known yet.
    pub unknown_attribute: Option<&'static str>,
}

/// How the account proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Kerberos when something says that it can be had, else NTLM.
    Negotiate,
    Kerberos,
    Ntlm,
    Basic,
    /// A client certificate, which the host maps to an account.
    Certificate,
}

/// By what an account proves itself to a KDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KerberosCredentials<'a> {
    /// The connection's user name and password.
    Password,
    /// A keytab's path.
    Keytab(&'a str),
    /// A credential cache's name.
    Cache(&'a str),
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For name, TCP, proxy and TLS together.
    pub connect: Duration,
    /// How long one request may take.
    pub operation: Duration,
    /// How long one script may take, from logging on to its end, when that is less than what its kind is allowed.
    pub overall: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), operation: Duration::from_secs(60), overall: None }
    }
}

impl Connections {
    /// The connection of a host, ready to be used. The error is a full sentence for a person.
    pub fn connection_for(&self, address: &HostAddress) -> Result<&Connection, String> {
        let connection = self.chosen_for(address.name())?;
        connection.credentials(address.name())?;
        connection.proxy_for(address)?;
        Ok(connection)
    }

    /// The connection of a host, whether or not it has what it takes to log in.
    pub fn chosen_for(&self, host: &str) -> Result<&Connection, String> {
        self.check_allowed(host)?;
        if self.undecided {
            return Err(format!("The connection for {host} cannot be chosen, because `connections` is not known yet."));
        }
        let connection = self.choose(host)?;
        if let Some(attribute) = connection.unknown_attribute {
            return Err(format!(
                "The connection \"{}\" for {host} cannot be used, because its `{attribute}` is not known yet.",
                connection.name
            ));
        }
        self.check_detours(host, connection)?;
        Ok(connection)
    }

    /// What `AZUREMFA_ALLOWED_HOSTS` has against the machines that a connection names on the way to a host. A KDC gets what a
    /// password can be guessed by, and a proxy all that is sent. Those that the environment, `krb5.conf` or DNS tell of
    /// are this machine's own affair.
    fn check_detours(&self, host: &str, connection: &Connection) -> Result<(), String> {
        let kdc = connection.kdc.as_ref().map(|kdc| match kdc.parse::<HostAddress>() {
            Ok(address) => address.name().to_owned(),
            Err(_) => kdc.clone(),
        });
        let proxy = match &connection.proxy {
            ProxyRule::Given(proxy) => Some(proxy.host.clone()),
            ProxyRule::Never | ProxyRule::Environment(_) => None,
        };
        let named = [("kdc", kdc), ("proxy", proxy)];
        named.into_iter().filter_map(|(attribute, named)| Some((attribute, named?))).try_for_each(
            |(attribute, named)| {
                self.check_allowed(&named).map_err(|reason| {
                    let name = &connection.name;
                    format!(
                        "The connection \"{name}\" for {host} cannot be used, because of its `{attribute}`: {reason}"
                    )
                })
            },
        )
    }

    /// What stands against reaching a host, as far as it is known: no error when the settings are not known yet.
    pub fn check(&self, address: &HostAddress) -> Result<(), String> {
        self.check_allowed(address.name())?;
        if self.is_deferred(address.name()) { Ok(()) } else { self.connection_for(address).map(|_| ()) }
    }

    /// Whether a host cannot be reached yet because its settings are not known.
    pub fn is_deferred(&self, host: &str) -> bool {
        self.undecided || self.choose(host).is_ok_and(|connection| connection.unknown_attribute.is_some())
    }

    /// What `AZUREMFA_ALLOWED_HOSTS` has against reaching a host, whatever for. An IPv6 address may have brackets.
    pub fn check_allowed(&self, host: &str) -> Result<(), String> {
        let host = host.trim_matches(['[', ']']);
        match &self.allowed_hosts {
            Some(allowed) if !allowed.iter().any(|pattern| pattern.matches(host)) => {
                let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
                Err(format!(
                    "{host} may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only {}.",
                    allowed.join(", ")
                ))
            }
            _ => Ok(()),
        }
    }

    /// An exact name wins, then the longest pattern, then `default`.
    fn choose(&self, host: &str) -> Result<&Connection, String> {
        let weighed = self.connections.iter().filter_map(|connection| {
            let best = connection.hosts.iter().filter(|pattern| pattern.matches(host)).max_by_key(|it| it.weight())?;
            Some((best, connection))
        });
        let weighed: Vec<_> = weighed.collect();
        let Some(best) = weighed.iter().map(|(pattern, _)| pattern.weight()).max() else {
            return self.fallback(host);
        };
        let winners: Vec<_> = weighed.iter().filter(|(pattern, _)| pattern.weight() == best).collect();
        match winners.as_slice() {
            [(_, connection)] => Ok(connection),
            several => {
                let several: Vec<_> = several
                    .iter()
                    .map(|(pattern, connection)| format!("\"{}\" ({pattern})", connection.name))
                    .collect();
                Err(format!(
                    "{host} matches the connections {} equally. Make one of their patterns longer, or name the host \
                     itself in the `hosts` of one of them.",
                    several.join(" and ")
                ))
            }
        }
    }

    fn fallback(&self, host: &str) -> Result<&Connection, String> {
        self.connections.iter().find(|connection| connection.name == DEFAULT).ok_or_else(|| {
            let names: Vec<_> = self.connections.iter().map(|it| format!("\"{}\"", it.name)).collect();
            format!(
                "No connection matches {host}, and there is no connection \"default\". Declared are {}. Add the host or \
                 a pattern to the `hosts` of one of them in the provider's `connections`, or add `default = {{}}`.",
                names.join(", ")
            )
        })
    }
}

impl Connection {
    /// A connection with everything at its default.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hosts: Vec::new(),
            username: None,
            password: None,
            client_certificate: None,
            authentication: Authentication::Negotiate,
            realm: None,
            kdc: None,
            krb5_conf: Vec::new(),
            keytab: None,
            credential_cache: None,
            ambient_cache: None,
            use_https: true,
            port: 5986,
            path: DEFAULT_PATH.to_owned(),
            ca_certificate: None,
            insecure_skip_verify: false,
            server_name: None,
            proxy: ProxyRule::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            tickets: Tickets::default(),
            unknown_attribute: None,
        }
    }

    /// The environment variable that holds a connection's user name or password.
    pub fn variable(name: &str, suffix: &str) -> String {
        if name == DEFAULT {
            format!("AZUREMFA_{suffix}")
        } else {
            format!("AZUREMFA_{}_{suffix}", name.to_ascii_uppercase().replace('-', "_"))
        }
    }

    /// The proxy that leads to a host, and by what it was chosen. The error is a full sentence for a person.
    pub fn proxy_for(&self, address: &HostAddress) -> Result<Choice, String> {
        self.proxy.choose(address.name(), self.port_of(address), self.use_https)
    }

    /// The port at which a host is reached: its own, else the connection's.
    pub fn port_of(&self, address: &HostAddress) -> u16 {
        address.port().unwrap_or(self.port)
    }

    /// By what Kerberos is done, when it is, and that there is what else it takes to log in. Reads the ambient credential
    /// cache. The error is a full sentence for a person.
    pub fn credentials(&self, host: &str) -> Result<Option<KerberosCredentials<'_>>, String> {
        if self.authentication == Authentication::Certificate {
            let cannot = |reason: &String| {
                format!("The connection \"{}\" for {host} cannot log in with a certificate. {reason}", self.name)
            };
            return match &self.client_certificate {
                Some(Err(reason)) => Err(cannot(reason)),
                Some(Ok(_)) => Ok(None),
                None => Err(cannot(&"It has none.".to_owned())),
            };
        }
        let kerberos = self.kerberos(login::is_usable);
        if kerberos.is_some_and(|credentials| credentials != KerberosCredentials::Password) {
            return Ok(kerberos);
        }
        let missing = match (&self.username, &self.password) {
            (Some(_), Some(_)) => return Ok(kerberos),
            (None, _) => ("user name", "USERNAME", "username"),
            (_, None) => ("password", "PASSWORD", "password"),
        };
        let (what, suffix, attribute) = missing;
        let ticket = match self.authentication {
            Authentication::Kerberos => " Kerberos also takes a `keytab`, a `credential_cache` or KRB5CCNAME.",
            _ => "",
        };
        Err(format!(
            "The connection \"{name}\" for {host} has no {what}. Set the environment variable {variable}, or \
             `{attribute}` in the provider's connections[\"{name}\"].{ticket}",
            name = self.name,
            variable = Self::variable(&self.name, suffix)
        ))
    }

    /// Whether the account is one of Kerberos. Nothing is read: where the ambient cache is of no use there is no account.
    pub fn is_of_kerberos(&self) -> bool {
        self.kerberos(|_| true).is_some()
    }

    /// What the settings name goes before what happens to be there.
    fn kerberos(&self, is_usable: impl FnOnce(&Path) -> bool) -> Option<KerberosCredentials<'_>> {
        if !matches!(self.authentication, Authentication::Kerberos | Authentication::Negotiate) {
            return None;
        }
        if let Some(file) = &self.keytab {
            return Some(KerberosCredentials::Keytab(file));
        }
        if let Some(file) = &self.credential_cache {
            return Some(KerberosCredentials::Cache(file));
        }
        let must_be = self.authentication == Authentication::Kerberos;
        if self.username.is_some() && self.password.is_some() {
            return (must_be || self.realm.is_some()).then_some(KerberosCredentials::Password);
        }
        let ambient = self.ambient_cache.as_deref()?;
        let usable = || login::cache_file(ambient).is_some_and(|file| is_usable(Path::new(file)));
        (must_be || usable()).then_some(KerberosCredentials::Cache(ambient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::windows::proxies::{ProxyVariable, ProxyVariables};

    fn connection(name: &str, hosts: &[&str]) -> Connection {
        Connection {
            hosts: hosts.iter().map(|text| text.parse().expect("a pattern")).collect(),
            username: Some("CONTOSO\\admin".to_owned()),
            password: Some(Secret::new("marker-password")),
            ..Connection::new(name)
        }
    }

    fn estate() -> Connections {
        Connections {
            connections: vec![
                connection("default", &[]),
                connection("dmz", &["*.dmz.contoso.com"]),
                connection("all", &["*.contoso.com", "mfa0?.contoso.com"]),
                connection("one", &["mfa02.contoso.com"]),
                connection("twin", &["mfa0*.contoso.com"]),
            ],
            ..Connections::default()
        }
    }

    #[track_caller]
    fn check(host: &str, expected: &str) {
        assert_eq!(
            estate().connection_for(&HostAddress::named(host)).map(|it| it.name.clone()).as_deref(),
            Ok(expected)
        );
    }

    #[test]
    fn chooses_the_most_exact() {
        check("portal01.dmz.contoso.com", "dmz");
        check("app.contoso.com", "all");
        check("MFA02.CONTOSO.COM", "one");
        check("elsewhere.example", "default");
    }

    #[test]
    fn two_equal_matches_are_an_error() {
        let message = estate().connection_for(&HostAddress::named("mfa01.contoso.com")).expect_err("ambiguous");
        assert!(message.contains("\"all\" (mfa0?.contoso.com) and \"twin\" (mfa0*.contoso.com)"), "{message}");
        assert!(estate().check(&HostAddress::named("mfa01.contoso.com")).is_err());
    }

    #[test]
    fn no_match_says_what_is_declared() {
        let connections = Connections { connections: vec![connection("dmz", &["*.dmz"])], ..Connections::default() };
        let message = connections.check(&HostAddress::named("mfa01")).expect_err("no connection");
        assert!(message.contains("No connection matches mfa01") && message.contains("\"dmz\""), "{message}");
    }

    #[test]
    fn the_allow_list_comes_first() {
        let allowed = Some(vec!["*.contoso.com".parse().expect("a pattern")]);
        let connections = Connections { allowed_hosts: allowed, undecided: true, ..estate() };
        assert!(connections.check(&HostAddress::named("mfa01.contoso.com")).is_ok());
        let message = connections.check(&HostAddress::named("elsewhere.example")).expect_err("not allowed");
        assert!(message.contains("AZUREMFA_ALLOWED_HOSTS allows only *.contoso.com"), "{message}");
    }

    /// What is wrong with the way to a host when these hosts alone are allowed.
    fn detour(allowed: &[&str], change: impl FnOnce(&mut Connection)) -> Option<String> {
        let mut connections = Connections { connections: vec![connection("default", &[])], ..Connections::default() };
        connections.allowed_hosts = Some(allowed.iter().map(|text| text.parse().expect("a pattern")).collect());
        change(&mut connections.connections[0]);
        connections.check(&HostAddress::named("mfa01.contoso.com")).err()
    }

    #[test]
    fn the_allow_list_counts_for_what_a_connection_names_on_the_way() {
        let given = |url: &str| ProxyRule::Given(url.parse().expect("a proxy"));
        let environment = |text: &str| {
            let variable = ProxyVariable { name: "https_proxy", proxy: text.parse() };
            ProxyRule::Environment(ProxyVariables { for_https: Some(variable), ..ProxyVariables::default() })
        };
        let only = "AZUREMFA_ALLOWED_HOSTS allows only *.contoso.com";
        for kdc in ["dc01.elsewhere.example", "dc01.elsewhere.example:88"] {
            let message = detour(&["*.contoso.com"], |it| it.kdc = Some(kdc.to_owned())).expect("not allowed");
            let start = "The connection \"default\" for mfa01.contoso.com cannot be used, because of its `kdc`: \
                         dc01.elsewhere.example may not be reached";
            assert!(message.starts_with(start) && message.contains(only), "{message}");
        }
        let url = "http://runner:marker@proxy.elsewhere.example:3128";
        let message = detour(&["*.contoso.com"], |it| it.proxy = given(url)).expect("not allowed");
        assert!(message.contains("`proxy`: proxy.elsewhere.example may not be reached"), "{message}");
        assert!(message.contains(only) && !message.contains("marker"), "{message}");
        assert_eq!(detour(&["*.contoso.com"], |it| it.kdc = Some("dc01.contoso.com:88".to_owned())), None);
        assert_eq!(detour(&["*.contoso.com", "fd00::3"], |it| it.kdc = Some("[fd00::3]".to_owned())), None);
        assert_eq!(detour(&["*.contoso.com"], |it| it.proxy = given("http://proxy.contoso.com:3128")), None);
        assert_eq!(detour(&["*.contoso.com"], |it| it.proxy = environment(url)), None, "of this machine");
    }

    #[test]
    fn missing_credentials_name_their_variable() {
        let mut connections = Connections { connections: vec![Connection::new("dmz-east")], ..Connections::default() };
        connections.connections[0].hosts = vec!["*".parse().expect("a pattern")];
        let message = connections.check(&HostAddress::named("h")).expect_err("no user name");
        assert!(message.contains("AZUREMFA_DMZ_EAST_USERNAME"), "{message}");
        connections.connections[0].unknown_attribute = Some("username");
        assert!(connections.check(&HostAddress::named("h")).is_ok());
        assert!(connections.is_deferred("h"));
        assert!(connections.connection_for(&HostAddress::named("h")).is_err());
    }

    #[test]
    fn never_prints_a_password() {
        assert!(!format!("{:?}", estate()).contains("marker-password"));
    }
}
