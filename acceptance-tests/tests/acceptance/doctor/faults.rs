//! The table of faults: what goes wrong on the wire, and what a person then reads. Each text names the host, what was
//! being done, what was found, and what to do about it.
//!
//! Four of the client's errors are none of the wire's and not here: a command line that is too long, a control
//! character, and input that cannot be read are never met by `doctor`; basic authentication without HTTPS is refused
//! with the settings.

use std::net::TcpListener;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Builder, Lab, Mode};
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::fault::{Fault, OPERATION_ABORTED, Shape};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Reachability, Settings};
use acceptance_tests::lab::wire::record::Kind;
use expect_test::{Expect, expect};
use regex::Regex;
use serde_json::json;

use super::run::{Doctor, HOST};

/// What is wrong with the host or the way to it.
enum Wrong {
    /// With WinRM's settings on the host, for this connection.
    Setup(Settings, fn(Doctor) -> Doctor),
    /// With requests.
    Wire(Vec<Injection>),
    /// With the network.
    Network(Reachability),
    /// With what this side was told.
    Told(fn(Doctor) -> Doctor),
}

/// One fault: its name, what is wrong, and what is said.
type Row = (&'static str, Wrong, Expect);

#[track_caller]
fn check(rows: Vec<Row>) {
    // The rows wait more than they work.
    let found: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = rows.iter().map(|(name, wrong, _)| scope.spawn(move || said(name, wrong))).collect();
        runs.into_iter().map(|run| run.join().expect("a row")).collect()
    });
    for ((_, _, expected), found) in rows.iter().zip(&found) {
        expected.assert_eq(found);
    }
}

/// The one check that failed, as text.
fn said(name: &str, wrong: &Wrong) -> String {
    let estate = demo::temporary().expect("the estate");
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let start = |builder: Builder| builder.start_in_background().expect("the lab");
    let lab = match wrong {
        Wrong::Setup(settings, _) => start(builder.winrm(HOST, settings.clone())),
        _ => start(builder),
    };
    let mut doctor = Doctor::of(&lab);
    match wrong {
        Wrong::Wire(injections) => injections.iter().cloned().for_each(|injection| lab.host(HOST).inject(injection)),
        Wrong::Network(reachability) => lab.set_reachability(HOST, *reachability),
        Wrong::Setup(_, told) | Wrong::Told(told) => doctor = told(doctor),
    }
    let host = doctor.host.clone();
    let port = doctor.connection["port"].as_u64();
    let (code, report) = doctor.report();
    let checks = report["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
    let [failed] = failed.as_slice() else { panic!("{name}: not one failure: {report:#}") };
    assert_eq!(code, 1, "{name}");
    let text = |part: &str| failed[part].as_str().unwrap_or_else(|| panic!("{name}: no {part}")).to_owned();
    assert!(text("finding").contains(&host), "{name} does not name the host: {failed}");
    let finding = text("finding").replace(lab.proxy_url.trim_start_matches("http://"), "proxy:3128");
    let finding = port.map_or(finding.clone(), |port| finding.replace(&port.to_string(), "PORT"));
    // Times and names differ between runs, and so does how a closed connection is noticed.
    let differs = r"(?:time|after|\() ?\d{9,}|ShellId [0-9A-F-]{36}|connection error: .*";
    let finding = Regex::new(differs).expect("a pattern").replace_all(&finding, "…").into_owned();
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new(), "{name} left a shell behind");
    format!("{}: {finding}\n{}\n", text("check"), text("cure"))
}

fn on(kind: Kind, effect: Effect) -> Wrong {
    Wrong::Wire(vec![Injection::on(kind, effect).times(4)])
}

fn http(status: u16, content_type: &'static str) -> Effect {
    Effect::Http { status, content_type, body: "<html>no</html>" }
}

fn certificate(certificate: Certificate) -> Wrong {
    Wrong::Setup(Settings { certificate, ..Settings::default() }, |doctor| doctor)
}

/// Straight to this address, past the lab's proxy.
fn direct(doctor: Doctor, host: &str) -> Doctor {
    let doctor = doctor.with("proxy", json!(null));
    Doctor { host: host.to_owned(), ..doctor }
}

fn to_closed_port(doctor: Doctor) -> Doctor {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    direct(doctor, "127.0.0.1").with("port", json!(port))
}

fn wrong_password(doctor: Doctor) -> Doctor {
    Doctor { password: "not-the-password".to_owned(), ..doctor }
}

#[test]
fn the_way_to_a_host() {
    check(vec![
        (
            "name",
            Wrong::Told(|doctor| direct(doctor, "mfa01..contoso.com")),
            expect![[r#"
            name: connecting to mfa01..contoso.com: the name `mfa01..contoso.com` could not be resolved: failed to lookup address information: Name or service not known
            Check the host's name and the DNS of the machine this runs on.
        "#]],
        ),
        (
            "refused",
            Wrong::Told(to_closed_port),
            expect![[r#"
            tcp: connecting to 127.0.0.1: 127.0.0.1:PORT refused the connection
            Check that the host is up and has a WinRM listener on this port (`winrm enumerate winrm/config/listener`); `Enable-PSRemoting` creates the one for HTTP on 5985, HTTPS on 5986 needs a certificate.
        "#]],
        ),
        (
            "unreachable",
            Wrong::Told(|doctor| direct(doctor, "255.255.255.255")),
            expect![[r#"
            tcp: connecting to 255.255.255.255: 255.255.255.255:5986 could not be reached: Network is unreachable (os error 101)
            Check that the host is up and that no firewall on the way or on the host drops the port (5985 for HTTP, 5986 for HTTPS).
        "#]],
        ),
        (
            "no answer",
            Wrong::Network(Reachability::Silent),
            expect![[r#"
            tcp: connecting to mfa01.contoso.com: mfa01.contoso.com:5986 did not answer within 2 s
            Check that the host is up and that no firewall on the way or on the host drops the port (5985 for HTTP, 5986 for HTTPS).
        "#]],
        ),
        (
            "proxy",
            Wrong::Network(Reachability::Unreachable),
            expect![[r#"
            tcp: connecting to mfa01.contoso.com: the proxy proxy:3128 did not connect to the host: it answered `HTTP/1.1 504 Gateway Timeout`
            Check the proxy's address, and that it allows CONNECT to this host and port.
        "#]],
        ),
        (
            "expired",
            certificate(Certificate::Expired),
            expect![[r#"
                tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: certificate expired: verification … (UNIX), but certificate is not valid … … seconds ago)
                Renew the certificate of the host's HTTPS listener and name the new one there (`Set-WSManInstance -ResourceURI winrm/config/Listener -SelectorSet @{Address='*';Transport='HTTPS'} -ValueSet @{CertificateThumbprint='...'}`). If its dates are right, correct the clock of the machine this runs on.
            "#]],
        ),
        (
            "other name",
            certificate(Certificate::OtherName("mfa09.contoso.com".to_owned())),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: certificate not valid for name "mfa01.contoso.com"; certificate is only valid for DnsName("mfa09.contoso.com")
            Name the host as its certificate does, set `server_name` to a name in the certificate, or give the HTTPS listener a certificate with the host's full name as a DNS name.
        "#]],
        ),
        (
            "self-signed",
            certificate(Certificate::SelfSigned),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: the TLS connection could not be set up: invalid peer certificate: UnknownIssuer
            Check that the certificate of the host's HTTPS listener comes from an authority that is trusted here, or give the authority's certificate as `ca_certificate` (a self-signed certificate is its own authority).
        "#]],
        ),
        (
            "setting",
            Wrong::Told(|doctor| doctor.with("server_name", json!("a b"))),
            expect![[r#"
            tls: connecting to mfa01.contoso.com: `a b` is neither a DNS name nor an IP address
            Correct the setting.
        "#]],
        ),
        (
            "another service",
            on(Kind::Authenticate, http(200, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: the answer is not WS-Management (HTTP 200, content type `text/html`)
            Something else answers on this port. Check host, port and path, and whether a proxy answers in the host's place.
        "#]],
        ),
        (
            "no such path",
            on(Kind::Authenticate, http(404, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 404
            Check the path (`/wsman` on Windows) and the port.
        "#]],
        ),
        (
            "service ill",
            on(Kind::Authenticate, http(503, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 503
            Check the WinRM service on the host (`winrm quickconfig`, event log Microsoft-Windows-WinRM).
        "#]],
        ),
        (
            "forbidden",
            on(Kind::Authenticate, http(403, "text/html")),
            expect![[r#"
            http: connecting to mfa01.contoso.com: HTTP 403, the request was refused
            Check the IP filters of the WinRM service (`winrm get winrm/config/service`), and that no proxy or gateway in between refuses the request.
        "#]],
        ),
        (
            "dropped",
            on(Kind::Authenticate, Effect::DropBefore),
            expect![[r#"
            http: connecting to mfa01.contoso.com: the connection was lost: …
            Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
        "#]],
        ),
    ]);
}

#[test]
fn logging_in() {
    let second = |effect| Wrong::Wire(vec![Injection::on(Kind::Authenticate, effect).at(2)]);
    let no_basic = Settings { no_basic: true, ..Settings::default() };
    check(vec![
        (
            "not offered",
            Wrong::Setup(no_basic, |doctor| doctor.with("auth", json!("basic"))),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication scheme is not offered (the server offers Negotiate)
            Use an authentication scheme that the host offers, or allow this one there (`winrm get winrm/config/service/auth`).
        "#]],
        ),
        (
            "broken off",
            second(http(401, "text/html")),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication was broken off (the server offers Negotiate, Basic)
            Check that the host's policy does not forbid incoming NTLM ("Network security: Restrict NTLM"), and that no proxy in between spreads requests over several connections.
        "#]],
        ),
        (
            "rejected",
            Wrong::Told(wrong_password),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)
            Check the user name (`DOMAIN\name` for a domain account) and the password, that the account is not locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens TLS also leads here, because the channel binding then does not match.
        "#]],
        ),
        (
            "unknown form",
            Wrong::Told(|doctor| Doctor { username: "a\\b\\c".to_owned(), ..doctor }),
            expect![[r#"
            authentication: connecting to mfa01.contoso.com: the authentication could not be carried on: the user name has no known form: mixed username format
            Check the user name's form (`DOMAIN\name`, `name@realm` or a local `name`), and that the answer comes from Windows itself and not from something in between.
        "#]],
        ),
        (
            "rejected (basic)",
            Wrong::Told(|doctor| wrong_password(doctor).with("auth", json!("basic"))),
            expect![[r#"
            authentication: opening a shell on mfa01.contoso.com: HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)
            Check the user name (`DOMAIN\name` for a domain account) and the password, that the account is not locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens TLS also leads here, because the channel binding then does not match.
        "#]],
        ),
    ]);
}

#[test]
fn working_on_a_host() {
    let fault = |kind, fault| on(kind, Effect::Fault(fault));
    check(vec![
        (
            "access denied",
            fault(Kind::Create, Fault::access_denied()),
            expect![[r#"
            authorization: opening a shell on mfa01.contoso.com: access is denied: fault 5 (Access is denied.)
            Use an account that is an administrator of the host. A local account other than the built-in Administrator also needs `LocalAccountTokenFilterPolicy=1` there.
        "#]],
        ),
        (
            "quota of shells",
            fault(Kind::Create, Fault::too_many_shells(30)),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: the account's quota of shells on the host is used up: fault 2150859173 (The WS-Management service cannot process the request. This user is allowed a maximum number of 30 concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.)
                Close left-over shells of the account on the host (`Get-WSManInstance -ResourceURI shell -Enumerate`) or raise `MaxShellsPerUser` (`winrm set winrm/config/winrs @{MaxShellsPerUser="30"}`).
            "#]],
        ),
        (
            "any fault",
            fault(Kind::Create, Fault::receiver(OPERATION_ABORTED, "w:InternalError", "Aborted.")),
            expect![[r#"
                shell: opening a shell on mfa01.contoso.com: fault 995 (Aborted.)
                The number and text are those of Windows; `winrm helpmsg <number>` explains it on the host.
            "#]],
        ),
        (
            "timed out",
            fault(Kind::Create, Fault::timed_out()),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: the host had no answer within the operation timeout
            Check that the host is not overloaded, then try again.
        "#]],
        ),
        (
            "too large",
            on(Kind::Create, http(413, "text/html")),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: HTTP 413
            Raise `MaxEnvelopeSizekb` on the host (`winrm set winrm/config @{MaxEnvelopeSizekb="500"}`).
        "#]],
        ),
        (
            "no reply",
            on(Kind::Create, Effect::Hang),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: no reply within 21 s
            Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
        "#]],
        ),
        (
            "not XML",
            on(Kind::Create, http(200, "application/soap+xml")),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: the answer cannot be understood: it is not a SOAP envelope
            Check that the answer comes from the WinRM service of Windows and not from something in between.
        "#]],
        ),
        (
            "lost at start",
            on(Kind::Create, Effect::DropBefore),
            expect![[r#"
            shell: opening a shell on mfa01.contoso.com: the connection was lost: …
            Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
        "#]],
        ),
        (
            "quota of operations",
            fault(Kind::Command, Fault::too_many_operations(1500, Shape::WmiError)),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the quota of operations on the host is used up: fault 2150859174 (The WS-Management service cannot process the request. This user is allowed a maximum number of 1500 concurrent operations, which has been exceeded. Close existing operations for this user, or raise the quota for this user.)
                Wait until other sessions of the account have ended, or raise `MaxConcurrentOperationsPerUser` (`winrm set winrm/config/service @{MaxConcurrentOperationsPerUser="1500"}`).
            "#]],
        ),
        (
            "shell gone",
            on(Kind::Command, Effect::LoseShell),
            expect![[r#"
                powershell: starting a command on mfa01.contoso.com: the shell or its command is gone: fault 2150858843 (The request for the Windows Remote Shell with … failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation.)
                The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. Find out whether the command had finished before it is run again.
            "#]],
        ),
        (
            "lost under way",
            on(Kind::Command, Effect::DropAfter),
            expect![[r#"
            powershell: starting a command on mfa01.contoso.com: the connection was lost: …
            Check whether the host restarted or the network was interrupted. If the command can have started, find out what it has done before it is run again.
        "#]],
        ),
        (
            "busy",
            fault(Kind::Send, Fault::busy()),
            expect![[r#"
            powershell: sending input to a command on mfa01.contoso.com: the host is busy: fault 170 (The requested resource is in use.)
            Wait until the host has worked off what was sent before, then try again.
        "#]],
        ),
        (
            "shell lost",
            on(Kind::Receive, Effect::LoseShell),
            expect![[r#"
                powershell: waiting for a command on mfa01.contoso.com: the shell or its command is gone: fault 2150858843 (The request for the Windows Remote Shell with … failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation.)
                The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. Find out whether the command had finished before it is run again.
            "#]],
        ),
    ]);
}
