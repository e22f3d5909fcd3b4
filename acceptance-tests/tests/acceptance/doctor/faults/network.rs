//! Faults on the way to a host, up to its first answer.

use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::faults::Effect;
use acceptance_tests::lab::wire::host::Reachability;
use acceptance_tests::lab::wire::record::Kind;
use expect_test::expect;
use serde_json::json;

use super::{
    Row, Wrong, certificate, direct, full_port, http, on, to_closed_port, to_full_port, to_port_that_says,
    to_silent_port,
};

/// The alert of a TLS server that knows none of the versions it is offered.
const PROTOCOL_VERSION: &[u8] = &[21, 3, 1, 0, 2, 2, 70];

/// What the HTTP service of Windows says for itself.
const HTTP_SYS_UNAVAILABLE: Effect = Effect::Http {
    status: 503,
    content_type: "text/html; charset=us-ascii",
    body: "<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD><BODY><h2>Service Unavailable</h2><hr>\
           <p>HTTP Error 503. The service is unavailable.</p></BODY></HTML>",
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            "name",
            "The DNS of the machine that runs the provider does not know the host.",
            Wrong::Told(|doctor| direct(doctor, "mfa01.contoso.invalid")),
            expect![[r#"
                name: connecting to mfa01.contoso.com: the name `mfa01.contoso.com` could not be resolved: …
                Check the name and the DNS of the machine this runs on.
            "#]],
        ),
        (
            "refused",
            "The host is up, but nothing listens on the port: there is no listener, or the WinRM service is stopped.",
            Wrong::Told(to_closed_port),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 refused the connection
                Check that the host is up and has a WinRM listener on this port (`winrm enumerate winrm/config/listener`); `Enable-PSRemoting` creates the one for HTTP on 5985, HTTPS on 5986 needs a certificate.
            "#]],
        ),
        (
            "unreachable",
            "The network of the machine that runs the provider has no way to the address.",
            Wrong::Told(|doctor| direct(doctor, "255.255.255.255")),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 could not be reached: Network is unreachable (os error 101)
                Check that the host is up and that no firewall on the way or on the host drops the port (5985 for HTTP, 5986 for HTTPS).
            "#]],
        ),
        (
            "no answer",
            "Packets to the port are dropped, or the host is down.",
            Wrong::Told(to_full_port),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 did not answer within 5 s
                Check that the host is up and that no firewall on the way or on the host drops the port (5985 for HTTP, 5986 for HTTPS).
            "#]],
        ),
        (
            "silent TLS",
            "Something takes connections in the host's place, or the port does not speak TLS.",
            Wrong::Told(to_silent_port),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 took the connection and gave no answer within 5 s
                Nothing was started on the host. What takes connections and says nothing is mostly a firewall, a load balancer or a port forward in front of a host that is down: check that the host is up. Otherwise another service has the port, or port and transport do not fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`).
            "#]],
        ),
        (
            "silent HTTP",
            "TLS is set up, by the host or by a gateway, and the first request gets no answer.",
            on(Kind::Authenticate, Effect::Hang),
            expect![[r#"
                http: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 took the connection and gave no answer within 3 s
                Nothing was started on the host. What takes connections and says nothing is mostly a firewall, a load balancer or a port forward in front of a host that is down: check that the host is up. Otherwise another service has the port, or port and transport do not fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`).
            "#]],
        ),
        (
            "silent proxy",
            "Packets to the proxy are dropped, or it is down.",
            Wrong::Told(|doctor| doctor.with("proxy", json!(format!("http://127.0.0.1:{}", full_port())))),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 did not connect to the host: proxy:3128 did not answer within 5 s
                Check the proxy's address, that this machine reaches it, and that it allows CONNECT to this host and port.
            "#]],
        ),
        (
            "waiting proxy",
            "The proxy takes the request for a tunnel, and does not answer it in time.",
            Wrong::Network(Reachability::Silent),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 did not say within 5 s whether it reaches mfa01.contoso.com:5986
                Mostly the proxy waits for the host itself: check that the host is up, that the proxy resolves its name, and that no firewall between the two drops the port (5985 for HTTP, 5986 for HTTPS). Otherwise what listens at the proxy's address is no HTTP proxy, or one that is overloaded.
            "#]],
        ),
        (
            "proxy",
            "The proxy answered the request for a tunnel, and the answer is no.",
            Wrong::Network(Reachability::Unreachable),
            expect![[r#"
                tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 did not connect to the host: it answered `HTTP/1.1 504 Gateway Timeout`
                Check the proxy's address, that this machine reaches it, and that it allows CONNECT to this host and port.
            "#]],
        ),
        (
            "expired",
            "The certificate was valid once.",
            certificate(Certificate::Expired),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: certificate expired: verification … (UNIX), but certificate is not valid … … seconds ago)
                Renew the certificate of the host's HTTPS listener and name the new one there (`Set-WSManInstance -ResourceURI winrm/config/Listener -SelectorSet @{Address='*';Transport='HTTPS'} -ValueSet @{CertificateThumbprint='...'}`). If its dates are right, correct the clock of the machine this runs on.
            "#]],
        ),
        (
            "not yet valid",
            "Seen from here the certificate begins in the future: one of two clocks is wrong.",
            certificate(Certificate::NotYetValid),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: certificate not valid yet: verification … (UNIX), but certificate is not valid … … seconds in future)
                Correct the clock of the machine this runs on (`timedatectl`, `w32tm /resync`). If it is right, the authority that issued the certificate has a wrong one: issue the certificate anew.
            "#]],
        ),
        (
            "other name",
            "The certificate is in order and belongs to another name.",
            certificate(Certificate::OtherName("mfa09.contoso.com".to_owned())),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: certificate not valid for name "mfa01.contoso.com"; certificate is only valid for DnsName("mfa09.contoso.com")
            Name the host as its certificate does, set `server_name` to a name in the certificate, or give the HTTPS listener a certificate with the host's full name as a DNS name.
        "#]],
        ),
        (
            "self-signed",
            "Nobody who is trusted here vouches for the certificate.",
            certificate(Certificate::SelfSigned),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: UnknownIssuer
            Check that the certificate of the host's HTTPS listener comes from an authority that is trusted here, or give the authority's certificate as `ca_certificate` (a self-signed certificate is its own authority).
        "#]],
        ),
        (
            "hung up",
            "The listener has no certificate, or one without its key, or the service behind it does not start.",
            Wrong::Told(|doctor| to_port_that_says(doctor, b"")),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: tls handshake eof
                Check that an HTTPS listener answers on this port (`winrm enumerate winrm/config/listener`), that it has a certificate with a private key, and that TLS 1.2 or 1.3 is enabled on the host.
            "#]],
        ),
        (
            "old TLS",
            "The host knows no newer TLS than 1.1.",
            Wrong::Told(|doctor| to_port_that_says(doctor, PROTOCOL_VERSION)),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: received fatal alert: ProtocolVersion
                Check that an HTTPS listener answers on this port (`winrm enumerate winrm/config/listener`), that it has a certificate with a private key, and that TLS 1.2 or 1.3 is enabled on the host.
            "#]],
        ),
        (
            "HTTPS to the HTTP port",
            "The port speaks plain HTTP, or no TLS that both sides know.",
            Wrong::Told(|doctor| doctor.with("port", json!(5985))),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: received corrupt message of type InvalidContentType
                The port does not speak TLS. Check that port and transport fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`).
            "#]],
        ),
        (
            "HTTP to the HTTPS port",
            "The port speaks TLS and cannot make sense of plain HTTP.",
            Wrong::Told(|doctor| {
                doctor.with("port", json!(5986)).with("use_https", json!(false)).with("ca_certificate", json!(null))
            }),
            expect![[r#"
                http: connecting to mfa01.contoso.com: the answer is not HTTP
                Check that port and transport fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`). Otherwise something else than WinRM answers on this port.
            "#]],
        ),
        (
            "setting",
            "The name cannot stand in a certificate.",
            Wrong::Told(|doctor| doctor.with("server_name", json!("a b"))),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: `a b` is neither a DNS name nor an IP address
            Correct the setting.
        "#]],
        ),
        (
            "another service",
            "The port belongs to a web server, a proxy or a login page, not to WinRM.",
            on(Kind::Authenticate, http(200, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: the answer is not WS-Management (HTTP 200, content type `text/html`)
            Something else answers on this port. Check host, port and path, and whether a proxy answers in the host's place.
        "#]],
        ),
        (
            "no such path",
            "A web server answers, and knows no WinRM at this path.",
            on(Kind::Authenticate, http(404, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 404
            Check the path (`/wsman` on Windows) and the port.
        "#]],
        ),
        (
            "redirect",
            "WinRM never redirects; something else answers.",
            on(Kind::Authenticate, http(302, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 302
                WinRM never redirects: something else answers. Check host, port and path, and whether a proxy or a login page stands in between.
            "#]],
        ),
        (
            "bad request",
            "The host's web server did not understand the request, or finds its headers too long.",
            on(Kind::Authenticate, http(400, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 400
                The host's web server did not take the request. Check that nothing in between changes it. The token of an account in very many groups may be too long: raise `MaxFieldLength` and `MaxRequestBytes` on the host (`HKLM\SYSTEM\CurrentControlSet\Services\HTTP\Parameters`).
            "#]],
        ),
        (
            "proxy wants a login",
            "A proxy stands in the way that the connection does not name.",
            on(Kind::Authenticate, http(407, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 407
                A proxy in between wants a login of its own. Let the connection's `proxy` name it, or take the host out of what that proxy intercepts.
            "#]],
        ),
        (
            "bad gateway",
            "A gateway stands in the way and does not get through to the host.",
            on(Kind::Authenticate, http(502, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 502
                A gateway or proxy answered in the host's place because it does not reach the host. Check that the host is up, and the way from there to it.
            "#]],
        ),
        (
            "gateway timeout",
            "A gateway stands in the way and waited for the host in vain.",
            on(Kind::Authenticate, http(504, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 504
                A gateway or proxy answered in the host's place because it does not reach the host. Check that the host is up, and the way from there to it.
            "#]],
        ),
        (
            "service ill",
            "The host's web server is there, the WinRM service behind it is not.",
            on(Kind::Authenticate, http(503, "text/html")),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 503
                The host's web server has nobody to hand the request to, or as many connections as it may: start the WinRM service there (`Start-Service WinRM`) or wait until it has started; where many clients are connected, raise `MaxConnections` (`winrm set winrm/config/service @{MaxConnections="300"}`). A gateway in between says the same of a host that is down.
            "#]],
        ),
        (
            "connections used up",
            "The host has as many connections open as it may: its HTTP service turns the next ones away by itself.",
            on(Kind::Authenticate, HTTP_SYS_UNAVAILABLE),
            expect![[r#"
                http: connecting to mfa01.contoso.com: HTTP 503
                The host's web server has nobody to hand the request to, or as many connections as it may: start the WinRM service there (`Start-Service WinRM`) or wait until it has started; where many clients are connected, raise `MaxConnections` (`winrm set winrm/config/service @{MaxConnections="300"}`). A gateway in between says the same of a host that is down.
            "#]],
        ),
        (
            "forbidden",
            "The service or something in front of it refuses this machine, whoever logs in.",
            on(Kind::Authenticate, http(403, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 403, the request was refused
            Check the IP filters of the WinRM service (`winrm get winrm/config/service`), and that no proxy or gateway in between refuses the request.
        "#]],
        ),
        (
            "dropped",
            "The connection was opened, and closed without an answer.",
            on(Kind::Authenticate, Effect::DropBefore),
            expect![[r#"
                http: connecting to mfa01.contoso.com: the connection was lost: …
                Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
            "#]],
        ),
    ]
}
