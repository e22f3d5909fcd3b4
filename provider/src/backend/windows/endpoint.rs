//! From a connection of the settings to the endpoint of a session.

use crate::backend::windows::connection::{self, Connection};
use crate::winrm::endpoint::{Authentication, Endpoint, Timeouts, TlsOptions, Transport};

/// Where and how a host is reached. The error is a full sentence.
pub fn of(host: &str, connection: &Connection) -> Result<Endpoint, String> {
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
        port: connection.port,
        transport,
        path: connection.path.clone(),
        proxy: connection.proxy_for(host)?.proxy,
        authentication,
        timeouts: Timeouts {
            connect: connection.timeouts.connect,
            operation: connection.timeouts.operation,
            ..Timeouts::default()
        },
        limits: connection.limits.clone(),
    })
}

fn authentication(host: &str, connection: &Connection) -> Result<Authentication, String> {
    let lacks = |what| format!("The connection \"{}\" for {host} has no {what}.", connection.name);
    if connection.authentication == connection::Authentication::Certificate {
        let certificate = connection.client_certificate.clone().and_then(Result::ok);
        return Ok(Authentication::Certificate(certificate.ok_or_else(|| lacks("client certificate"))?));
    }
    let (Some(username), Some(password)) = (connection.username.clone(), connection.password.clone()) else {
        return Err(lacks("user name or no password"));
    };
    Ok(match connection.authentication {
        connection::Authentication::Basic => Authentication::Basic { username, password },
        // What is negotiated is NTLM until Kerberos comes.
        _ => Authentication::Ntlm { username, password },
    })
}
