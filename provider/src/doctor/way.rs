//! The way to the host without an account: name, TCP, TLS, and whether WS-Management answers.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use hyper::StatusCode;
use rustls::ProtocolVersion;

use crate::doctor::report::{Check, Report, Subject};
use crate::winrm::endpoint::{Authentication, Endpoint, TlsOptions, Transport};
use crate::winrm::error::{Error, Kind, Operation, Refusal};
use crate::winrm::http::{Failure, Http};
use crate::winrm::tls::{Secured, Tls};
use crate::winrm::transport::{self, Limit, Stream};

/// A check failed, so that the next ones cannot be made. The report says which.
#[derive(Debug)]
pub struct Blocked;

/// What a check found, or why it failed.
type Found<T> = Result<(T, Check), Kind>;

const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// Checks the way, over one connection.
pub async fn check(endpoint: &Endpoint, report: &mut Report) -> Result<(), Blocked> {
    let ((), check) = name(endpoint).await.map_err(|kind| block(report, endpoint, Subject::Name, kind))?;
    report.add(check);
    let (stream, check) = tcp(endpoint).await.map_err(|kind| block(report, endpoint, Subject::Tcp, kind))?;
    report.add(check);
    let (stream, check) = tls(endpoint, stream).await.map_err(|kind| block(report, endpoint, Subject::Tls, kind))?;
    report.add(check);
    let showed_certificate = stream.showed_certificate;
    let (offered, check) = http(endpoint, stream).await.map_err(|kind| block(report, endpoint, Subject::Http, kind))?;
    report.add(check);
    scheme(endpoint, offered, showed_certificate).map_err(|kind| block(report, endpoint, Subject::Authentication, kind))
}

fn block(report: &mut Report, endpoint: &Endpoint, subject: Subject, kind: Kind) -> Blocked {
    let operation = if subject == Subject::Authentication { Operation::Authenticate } else { Operation::Connect };
    report.add(Check::of_error(subject, &Error::new(&endpoint.host, operation, kind)));
    Blocked
}

async fn name(endpoint: &Endpoint) -> Found<()> {
    let host = endpoint.host.as_str();
    let (name, port) = match &endpoint.proxy {
        Some(proxy) => (proxy.host.as_str(), proxy.port),
        None => (host, endpoint.port),
    };
    let found = transport::resolve(name, port, &Limit::new(endpoint.timeouts.connect)).await?;
    let addresses = found.iter().map(SocketAddr::ip).collect();
    let found = addresses_text(name, addresses);
    let finding = match &endpoint.proxy {
        Some(_) => format!("{found}; it is the proxy, which looks {host} up itself"),
        None => found,
    };
    Ok(((), Check::ok(Subject::Name, finding)))
}

fn addresses_text(name: &str, mut addresses: Vec<IpAddr>) -> String {
    if name.parse::<IpAddr>().is_ok() {
        return format!("{name} is an address");
    }
    addresses.sort_unstable();
    addresses.dedup();
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!("{name} is {}", addresses.join(", "))
}

async fn tcp(endpoint: &Endpoint) -> Found<Stream> {
    let stream = transport::open(endpoint, None).await?;
    let through = if endpoint.proxy.is_some() { " through the proxy" } else { "" };
    Ok((stream, Check::ok(Subject::Tcp, format!("port {} takes connections{through}", endpoint.port))))
}

async fn tls(endpoint: &Endpoint, stream: Stream) -> Found<Stream> {
    let Transport::Https(options) = &endpoint.transport else {
        return Ok((stream, unused(&endpoint.authentication)));
    };
    let tls = Tls::new(&endpoint.host, options, endpoint.client_certificate())?;
    let limit = Limit::new(endpoint.timeouts.connect);
    let Secured { stream, showed_certificate } = transport::secure(endpoint, &tls, stream.bytes, &limit).await?;
    let version = match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    let check = certificate(options, version);
    Ok((Stream { bytes: Box::new(stream), binding: None, showed_certificate }, check))
}

fn unused(authentication: &Authentication) -> Check {
    let scheme = if matches!(authentication, Authentication::Kerberos(_)) { "Kerberos" } else { "NTLM" };
    Check::ok(Subject::Tls, format!("not used: over HTTP the messages are encrypted by {scheme} itself"))
}

fn certificate(options: &TlsOptions, version: &str) -> Check {
    if options.insecure_skip_verify {
        return Check::warning(
            Subject::Tls,
            format!("{version}; the certificate was not verified (`insecure_skip_verify`)"),
            "Whoever can stand in between can read and change what is sent. Give the authority's certificate as \
             `ca_certificate` and remove `insecure_skip_verify`.",
        );
    }
    let trusted = if options.ca_certificate.is_some() { "by `ca_certificate`" } else { "by this machine's roots" };
    Check::ok(Subject::Tls, format!("{version}; the certificate is valid, carries the name, and is trusted {trusted}"))
}

/// Asks without an account. WS-Management refuses that, and names the schemes it takes.
async fn http(endpoint: &Endpoint, stream: Stream) -> Found<Vec<String>> {
    let mut http = Http::new(endpoint, stream, None).await?;
    let answered = http.post(None, SOAP, Bytes::new()).await;
    let answer = answered.map_err(|(Failure::NotSent(kind) | Failure::Sent(kind))| kind)?;
    match answer.status {
        StatusCode::UNAUTHORIZED => {
            let offered = answer.offered();
            let list = if offered.is_empty() { "no authentication".to_owned() } else { offered.join(", ") };
            let finding = format!("{} answers and offers {list}", endpoint.url());
            Ok((offered, Check::ok(Subject::Http, finding)))
        }
        StatusCode::FORBIDDEN => Err(Kind::Forbidden),
        _ => Err(answer.without_message()),
    }
}

/// Credentials are not shown to a service that does not offer their scheme.
fn scheme(endpoint: &Endpoint, offered: Vec<String>, showed_certificate: bool) -> Result<(), Kind> {
    let Some(wanted) = endpoint.authentication.scheme() else {
        // No challenge names a certificate. A host that takes certificates asks for them.
        return if showed_certificate { Ok(()) } else { Err(Kind::CertificateNotAsked) };
    };
    if offered.iter().any(|scheme| scheme.eq_ignore_ascii_case(wanted)) {
        Ok(())
    } else {
        Err(Kind::Unauthorized { offered, refusal: Refusal::NotOffered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::winrm::auth::kerberos::tickets::Tickets;
    use crate::winrm::endpoint::{HttpScheme, KerberosCredentials, KerberosLogin};

    #[test]
    fn what_encrypts_messages_over_http_is_what_logs_in() {
        let (username, password) = ("svc@CONTOSO.COM".to_owned(), Secret::new("x"));
        let ntlm = Authentication::Ntlm { username: username.clone(), password: password.clone() };
        assert!(unused(&ntlm).finding.ends_with("encrypted by NTLM itself"));
        let kerberos = Authentication::Kerberos(KerberosLogin {
            credentials: KerberosCredentials::Password { username, password },
            realm: None,
            kdc: None,
            krb5_conf: Vec::new(),
            scheme: HttpScheme::Negotiate,
            tickets: Tickets::default(),
        });
        assert!(unused(&kerberos).finding.ends_with("encrypted by Kerberos itself"));
    }
}
