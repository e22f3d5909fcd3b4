//! From a connection of the settings to the endpoint of a session.

use crate::backend::windows::connection::{self, Connection};
use crate::winrm::endpoint::{Authentication, DEFAULT_PATH, Endpoint, Timeouts, TlsOptions, Transport};

/// Where and how a host is reached. The error is a full sentence.
pub fn of(host: &str, connection: &Connection) -> Result<Endpoint, String> {
    let (Some(username), Some(password)) = (connection.username.clone(), connection.password.clone()) else {
        return Err(format!("The connection \"{}\" for {host} has no user name or no password.", connection.name));
    };
    let authentication = match connection.authentication {
        connection::Authentication::Basic => Authentication::Basic { username, password },
        // What is negotiated is NTLM until Kerberos comes.
        connection::Authentication::Negotiate | connection::Authentication::Ntlm => {
            Authentication::Ntlm { username, password }
        }
    };
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
        path: DEFAULT_PATH.to_owned(),
        proxy: connection.proxy.clone(),
        authentication,
        timeouts: Timeouts {
            connect: connection.timeouts.connect,
            operation: connection.timeouts.operation,
            ..Timeouts::default()
        },
    })
}
