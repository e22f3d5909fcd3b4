//! From a connection of the settings to the endpoint of a session.

use crate::address::HostAddress;
use crate::backend::windows::connection::{self, Connection};
use crate::secret::Secret;
use crate::winrm::auth::kerberos::login::cache_file;
use crate::winrm::endpoint::{
    Authentication, Endpoint, HttpScheme, KerberosCredentials, KerberosLogin, Timeouts, TlsOptions, Transport,
};

/// Where and how a host is reached. The error is a full sentence.
pub fn of(address: &HostAddress, connection: &Connection) -> Result<Endpoint, String> {
    let host = address.name();
    let authentication = authentication(host, connection)?;
    let transport = if connection.use_https {
        Transport::Https(TlsOptions {
            ca_certificate: connection.ca_certificate.clone(),
            insecure_skip_verify: connection.insecure_skip_verify,
            server_name: connection.server_name.clone(),
        })
    } else {
        Transport::Http
    };
    Ok(Endpoint {
        host: host.to_owned(),
        port: connection.port_of(address),
        transport,
        path: connection.path.clone(),
        proxy: connection.proxy_for(address)?.proxy,
        authentication,
        timeouts: Timeouts::new(connection.timeouts.connect, connection.timeouts.operation),
        limits: connection.limits.clone(),
    })
}

fn authentication(host: &str, connection: &Connection) -> Result<Authentication, String> {
    if let Some(credentials) = connection.credentials(host)? {
        return kerberos(host, connection, credentials);
    }
    if connection.authentication == connection::Authentication::Certificate {
        let certificate = connection.client_certificate.clone().and_then(Result::ok);
        let lacks = || format!("The connection \"{}\" for {host} has no client certificate.", connection.name);
        return certificate.map(Authentication::Certificate).ok_or_else(lacks);
    }
    let (username, password) = username_and_password(host, connection)?;
    Ok(match connection.authentication {
        connection::Authentication::Basic => Authentication::Basic { username, password },
        _ => Authentication::Ntlm { username, password },
    })
}

fn kerberos(
    host: &str,
    connection: &Connection,
    credentials: connection::KerberosCredentials<'_>,
) -> Result<Authentication, String> {
    let credentials = match credentials {
        connection::KerberosCredentials::Password => {
            let (username, password) = username_and_password(host, connection)?;
            KerberosCredentials::Password { username, password }
        }
        connection::KerberosCredentials::Keytab(file) => {
            KerberosCredentials::Keytab { file: file.into(), username: connection.username.clone() }
        }
        connection::KerberosCredentials::Cache(name) => {
            let file = cache_file(name).ok_or_else(|| {
                format!(
                    "The connection \"{}\" for {host} cannot use the credential cache `{name}`: only caches in files \
                     can be read. Fetch the ticket with `kinit -c FILE:/path` and set KRB5CCNAME to that.",
                    connection.name
                )
            })?;
            KerberosCredentials::Cache { file: file.into() }
        }
    };
    let scheme = match connection.authentication {
        connection::Authentication::Kerberos => HttpScheme::Kerberos,
        _ => HttpScheme::Negotiate,
    };
    let (realm, kdc, krb5_conf) = (connection.realm.clone(), connection.kdc.clone(), connection.krb5_conf.clone());
    let tickets = connection.tickets.clone();
    Ok(Authentication::Kerberos(KerberosLogin { credentials, realm, kdc, krb5_conf, scheme, tickets }))
}

fn username_and_password(host: &str, connection: &Connection) -> Result<(String, Secret), String> {
    match (connection.username.clone(), connection.password.clone()) {
        (Some(username), Some(password)) => Ok((username, password)),
        _ => Err(format!("The connection \"{}\" for {host} has no user name or no password.", connection.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::windows::connection::Connections;

    fn connection(change: impl FnOnce(&mut Connection)) -> Connection {
        let mut connection = Connection::new("default");
        change(&mut connection);
        connection
    }

    fn with_password(connection: &mut Connection) {
        connection.username = Some("svc@contoso.com".to_owned());
        connection.password = Some(Secret::new("marker-password"));
    }

    /// What is chosen, or the sentence that says why nothing can be.
    fn chosen(change: impl FnOnce(&mut Connection)) -> String {
        let connections = Connections { connections: vec![connection(change)], ..Connections::default() };
        let host = HostAddress::named("mfa01");
        let endpoint = connections.connection_for(&host).and_then(|connection| of(&host, connection));
        match endpoint.map(|endpoint| endpoint.authentication) {
            Ok(Authentication::Basic { .. }) => "basic".to_owned(),
            Ok(Authentication::Ntlm { .. }) => "ntlm".to_owned(),
            Ok(Authentication::Certificate(_)) => "certificate".to_owned(),
            Ok(Authentication::Kerberos(login)) => {
                let by = match login.credentials {
                    KerberosCredentials::Password { .. } => "password".to_owned(),
                    KerberosCredentials::Keytab { file, .. } => format!("keytab {}", file.display()),
                    KerberosCredentials::Cache { file } => format!("cache {}", file.display()),
                };
                format!("{} {by}", login.scheme.name())
            }
            Err(sentence) => sentence,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Connection), expected: &str) {
        let found = chosen(change);
        assert!(found == expected || expected.ends_with('.') && found.contains(expected), "{found}");
    }

    #[track_caller]
    fn check_url(host: &str, expected: &str) {
        let address = host.parse().expect("a host");
        assert_eq!(of(&address, &connection(with_password)).expect("an endpoint").url(), expected);
    }

    #[test]
    fn the_port_of_a_host_goes_before_the_connection_s() {
        check_url("mfa01.contoso.com", "https://mfa01.contoso.com:5986/wsman");
        check_url("mfa01.contoso.com:6001", "https://mfa01.contoso.com:6001/wsman");
        check_url("[fd00::7]", "https://[fd00::7]:5986/wsman");
        check_url("[fd00::7]:6001", "https://[fd00::7]:6001/wsman");
    }

    #[test]
    fn negotiate_is_kerberos_where_something_says_so() {
        check(with_password, "ntlm");
        check(
            |it| {
                with_password(it);
                it.realm = Some("CONTOSO.COM".to_owned());
            },
            "Negotiate password",
        );
        check(|it| it.keytab = Some("k".to_owned()), "Negotiate keytab k");
        check(|it| it.credential_cache = Some("FILE:c".to_owned()), "Negotiate cache c");
        // A cache that is not there is none, and the words are those for a missing user name.
        check(
            |it| it.ambient_cache = Some("FILE:/nowhere/cache".to_owned()),
            "AZUREMFA_USERNAME, or `username` in the provider's connections[\"default\"].",
        );
        check(
            |it| {
                with_password(it);
                it.authentication = connection::Authentication::Ntlm;
                it.ambient_cache = Some("c".to_owned());
            },
            "ntlm",
        );
    }

    #[test]
    fn kerberos_takes_what_is_named_before_what_lies_about() {
        let kerberos = |it: &mut Connection| it.authentication = connection::Authentication::Kerberos;
        let ambient = |it: &mut Connection| it.ambient_cache = Some("FILE:a".to_owned());
        check(
            |it| {
                kerberos(it);
                ambient(it);
            },
            "Kerberos cache a",
        );
        check(
            |it| {
                kerberos(it);
                ambient(it);
                with_password(it);
            },
            "Kerberos password",
        );
        check(
            |it| {
                kerberos(it);
                with_password(it);
                it.keytab = Some("k".to_owned());
            },
            "Kerberos keytab k",
        );
        check(kerberos, "Kerberos also takes a `keytab`, a `credential_cache` or KRB5CCNAME.");
        check(
            |it| {
                kerberos(it);
                it.ambient_cache = Some("KCM:0".to_owned());
            },
            "cannot use the credential cache `KCM:0`: only caches in files can be read. Fetch the ticket with `kinit -c FILE:/path` and set KRB5CCNAME to that.",
        );
    }
}
