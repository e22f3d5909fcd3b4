//! What an operator can do about each kind of failure: full sentences, naming settings and commands.

use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::winrm::error::{Kind, Refusal};

/// The cure for a failure of this kind.
pub(crate) fn advice(kind: &Kind) -> &'static str {
    match kind {
        Kind::Name { .. }
        | Kind::Refused { .. }
        | Kind::ConnectTimeout { .. }
        | Kind::Silent { .. }
        | Kind::Unreachable { .. }
        | Kind::Proxy { .. }
        | Kind::ProxySilent { .. }
        | Kind::ProxyLogin { .. }
        | Kind::Tls(_) => to_connect(kind),
        Kind::Kerberos(failure) => failure.advice(),
        Kind::UnencryptedBasic
        | Kind::CertificateNotAsked
        | Kind::Unauthorized { .. }
        | Kind::Authentication { .. }
        | Kind::Forbidden
        | Kind::AccessDenied(_) => to_log_in(kind),
        Kind::NotWsman { .. } | Kind::NotHttp | Kind::HttpStatus { .. } | Kind::Malformed(_) | Kind::Unsealed(_) => {
            to_be_answered(kind)
        }
        Kind::Setting(_) => "Correct the setting.",
        Kind::Fault(_) => "The number and text are those of Windows; `winrm helpmsg <number>` explains it on the host.",
        Kind::TimedOut(_) => "Check that the host is not overloaded, then try again.",
        Kind::ShellGone(_) => {
            "The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. \
             Find out whether the command had finished before it is run again."
        }
        Kind::QuotaShells(_)
        | Kind::QuotaOperations(_)
        | Kind::QuotaCommands(_)
        | Kind::QuotaUsers(_)
        | Kind::QuotaRequests(_)
        | Kind::QuotaMemory(_)
        | Kind::TooLarge(_) => to_get_room(kind),
        Kind::ShellsRefused(_) => {
            "Allow remote shells on the host (`winrm set winrm/config/winrs @{AllowRemoteShellAccess=\"true\"}`), and look \
             whether a group policy forbids them (`Allow Remote Shell Access`) or WinRM itself (`Enable-PSRemoting`)."
        }
        Kind::Aborted(_) => {
            "The shell, the WinRM service or the host was going down. Look into the event logs System and \
             Microsoft-Windows-WinRM there, and find out what the command has done before it is run again."
        }
        Kind::Busy(_) => "Wait until the host has worked off what was sent before, then try again.",
        Kind::Timeout { .. } | Kind::ConnectionLost(_) => {
            "Check whether the host restarted or the network was interrupted. If the command can have started, find out \
             what it has done before it is run again."
        }
        Kind::CommandLineTooLong { .. } => "Send the script or the data on the command's standard input.",
        Kind::ControlCharacter(_) => "Send such data on the command's standard input.",
        Kind::Stdin(_) => "Check the file or stream that is the command's input.",
    }
}

/// By the quota that is used up.
fn to_get_room(kind: &Kind) -> &'static str {
    match kind {
        Kind::QuotaShells(_) => {
            "Close left-over shells of the account on the host (`Get-WSManInstance -ResourceURI shell -Enumerate`) or \
             raise `MaxShellsPerUser` (`winrm set winrm/config/winrs @{MaxShellsPerUser=\"30\"}`)."
        }
        Kind::QuotaCommands(_) => {
            "Raise `MaxProcessesPerShell` on the host (`winrm set winrm/config/winrs @{MaxProcessesPerShell=\"25\"}`)."
        }
        Kind::QuotaUsers(_) => {
            "Wait until other accounts have closed their shells, or raise `MaxConcurrentUsers` (`winrm set \
             winrm/config/winrs @{MaxConcurrentUsers=\"10\"}`)."
        }
        Kind::QuotaRequests(_) => {
            "Wait a minute, then try again with less `-parallelism`; other clients of the host count too."
        }
        Kind::QuotaMemory(_) => {
            "Raise `MaxMemoryPerShellMB` on the host (`winrm set winrm/config/winrs @{MaxMemoryPerShellMB=\"1024\"}`) and \
             restart its WinRM service, or free memory there. Find out what the command has done before it is run again."
        }
        Kind::TooLarge(_) => TO_TAKE_LARGER,
        _ => {
            "Wait until other sessions of the account have ended, or raise `MaxConcurrentOperationsPerUser` \
             (`winrm set winrm/config/service @{MaxConcurrentOperationsPerUser=\"1500\"}`)."
        }
    }
}

const TO_TAKE_LARGER: &str =
    "Raise `MaxEnvelopeSizekb` on the host (`winrm set winrm/config @{MaxEnvelopeSizekb=\"500\"}`).";

fn to_connect(kind: &Kind) -> &'static str {
    match kind {
        Kind::Name { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            "Check that the name servers of the machine this runs on can be reached (`resolvectl status`, \
             `/etc/resolv.conf`, `ipconfig /all`), or enter the name into its file of hosts."
        }
        Kind::Name { .. } => "Check the name and the DNS of the machine this runs on.",
        Kind::Refused { .. } => {
            "Check that the host is up and has a WinRM listener on this port (`winrm enumerate winrm/config/listener`); \
             `Enable-PSRemoting` creates the one for HTTP on 5985, HTTPS on 5986 needs a certificate."
        }
        Kind::Silent { .. } => {
            "Nothing was started on the host. What takes connections and says nothing is mostly a firewall, a load balancer \
             or a port forward in front of a host that is down: check that the host is up. Otherwise another service has \
             the port, or port and transport do not fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`)."
        }
        Kind::Proxy { .. } => {
            "Check the proxy's address, that this machine reaches it, and that it allows CONNECT to this host and port."
        }
        Kind::ProxySilent { .. } => {
            "Mostly the proxy waits for the host itself: check that the host is up, that the proxy resolves its name, and \
             that no firewall between the two drops the port (5985 for HTTP, 5986 for HTTPS). Otherwise what listens at \
             the proxy's address is no HTTP proxy, or one that is overloaded."
        }
        Kind::ProxyLogin { tried: false, .. } => {
            "Write the proxy as `http://user:password@host:port`, in the setting `proxy` or in the environment variable \
             that names it; `@`, `:` and `/` in a password are written `%40`, `%3A` and `%2F`. Only Basic is spoken to \
             proxies."
        }
        Kind::ProxyLogin { tried: true, .. } => {
            "Correct the user name and the password of the proxy (`@`, `:` and `/` in them are written `%40`, `%3A` and \
             `%2F`), and check that the proxy takes Basic: nothing else is spoken to proxies."
        }
        Kind::Tls(error) => to_trust(error),
        _ => {
            "Check that the host is up and that no firewall on the way or on the host drops the port (5985 for HTTP, \
             5986 for HTTPS)."
        }
    }
}

/// By what the verification of the certificate said.
fn to_trust(error: &io::Error) -> &'static str {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidMessage(_)) = error {
        return "The port does not speak TLS. Check that port and transport fit together: 5986 is HTTPS, 5985 is HTTP \
                (`use_https = false`).";
    }
    if let Some(rustls::Error::AlertReceived(alert)) = error
        && is_about_certificate(*alert)
    {
        return CLIENT_CERTIFICATE;
    }
    let Some(rustls::Error::InvalidCertificate(cause)) = error else {
        return "Check that an HTTPS listener answers on this port (`winrm enumerate winrm/config/listener`), that it has \
                a certificate with a private key, and that TLS 1.2 or 1.3 is enabled on the host.";
    };
    match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "Renew the certificate of the host's HTTPS listener and name the new one there (`Set-WSManInstance \
             -ResourceURI winrm/config/Listener -SelectorSet @{Address='*';Transport='HTTPS'} -ValueSet \
             @{CertificateThumbprint='...'}`). If its dates are right, correct the clock of the machine this runs on."
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "Correct the clock of the machine this runs on (`timedatectl`, `w32tm /resync`). If it is right, the \
             authority that issued the certificate has a wrong one: issue the certificate anew."
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "Name the host as its certificate does, set `server_name` to a name in the certificate, or give the HTTPS \
             listener a certificate with the host's full name as a DNS name."
        }
        _ => {
            "Check that the certificate of the host's HTTPS listener comes from an authority that is trusted here, or \
             give the authority's certificate as `ca_certificate` (a self-signed certificate is its own authority)."
        }
    }
}

/// Whether the other side ended a TLS connection because of the certificate it was shown.
pub(crate) fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}

const CLIENT_CERTIFICATE: &str = "Check that the client certificate is in date and meant for client authentication, \
    that the host trusts its authority (`Cert:\\LocalMachine\\Root`, a self-signed one also in \
    `Cert:\\LocalMachine\\TrustedPeople`), and that the host maps it to a local account: `winrm enumerate \
    winrm/config/service/certmapping` shows issuer and subject, `New-Item -Path WSMan:\\localhost\\ClientCertificate` adds \
    a mapping, which must be made again when the account's password has changed.";

fn to_log_in(kind: &Kind) -> &'static str {
    match kind {
        Kind::UnencryptedBasic => "Use HTTPS for basic authentication, or NTLM, which encrypts its messages over HTTP.",
        Kind::CertificateNotAsked => {
            "Allow client certificates on the host (`winrm set winrm/config/service/auth @{Certificate=\"true\"}`), and \
             let it ask for them in the first handshake: `netsh http show sslcert` shows `Negotiate Client Certificate` \
             of port 5986, `netsh http update sslcert ipport=0.0.0.0:5986 certhash=... appid={...} \
             clientcertnegotiation=enable` with the hash and the application of that listing enables it."
        }
        Kind::Unauthorized { refusal: Refusal::CertificateRejected, .. } => CLIENT_CERTIFICATE,
        Kind::Unauthorized { refusal: Refusal::Rejected, .. } => {
            "Check the user name (`DOMAIN\\name` for a domain account) and the password, that the account is not \
             locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens \
             TLS also leads here, because the channel binding then does not match."
        }
        Kind::Unauthorized { refusal: Refusal::NotContinued, .. } => {
            "Check that the host's policy does not forbid incoming NTLM (\"Network security: Restrict NTLM\"), and that \
             no proxy in between spreads requests over several connections."
        }
        Kind::Unauthorized { refusal: Refusal::NotOffered, .. } => {
            "Use an authentication scheme that the host offers, or allow this one there \
             (`winrm get winrm/config/service/auth`)."
        }
        Kind::Authentication { .. } => {
            "Check the user name's form (`DOMAIN\\name`, `name@realm` or a local `name`), and that the answer comes \
             from Windows itself and not from something in between."
        }
        Kind::AccessDenied(_) => {
            "Use an account that is an administrator of the host. A local account other than the built-in \
             Administrator also needs `LocalAccountTokenFilterPolicy=1` there."
        }
        _ => {
            "Check the IP filters of the WinRM service (`winrm get winrm/config/service`), and that no proxy or \
             gateway in between refuses the request."
        }
    }
}

fn to_be_answered(kind: &Kind) -> &'static str {
    match kind {
        Kind::HttpStatus { status: 413 } => TO_TAKE_LARGER,
        Kind::HttpStatus { status: 404 } => "Check the path (`/wsman` on Windows) and the port.",
        Kind::HttpStatus { status: 407 } => {
            "A proxy in between wants a login of its own. Let the connection's `proxy` name it, or take the host out of \
             what that proxy intercepts."
        }
        Kind::HttpStatus { status: 502 | 504 } => {
            "A gateway or proxy answered in the host's place because it does not reach the host. Check that the host is \
             up, and the way from there to it."
        }
        Kind::HttpStatus { status: 503 } => {
            "The host's web server has nobody to hand the request to, or as many connections as it may: start the WinRM \
             service there (`Start-Service WinRM`) or wait until it has started; where many clients are connected, raise \
             `MaxConnections` (`winrm set winrm/config/service @{MaxConnections=\"300\"}`). A gateway in between says the \
             same of a host that is down."
        }
        Kind::HttpStatus { status: 400 } => {
            "The host's web server did not take the request. Check that nothing in between changes it. The token of an \
             account in very many groups may be too long: raise `MaxFieldLength` and `MaxRequestBytes` on the host \
             (`HKLM\\SYSTEM\\CurrentControlSet\\Services\\HTTP\\Parameters`)."
        }
        Kind::HttpStatus { status: 300..=399 } => {
            "WinRM never redirects: something else answers. Check host, port and path, and whether a proxy or a login \
             page stands in between."
        }
        Kind::HttpStatus { .. } => {
            "Check the WinRM service on the host (`winrm quickconfig`, event log Microsoft-Windows-WinRM)."
        }
        Kind::Unsealed(_) => {
            "Something between this machine and the host changes answers or repeats earlier ones: look for what reads HTTP \
             on the way (a proxy, a balancer, an inspecting firewall), or use HTTPS. If a command can have started, find \
             out what it has done before it is run again."
        }
        Kind::NotHttp => {
            "Check that port and transport fit together: 5986 is HTTPS, 5985 is HTTP (`use_https = false`). Otherwise \
             something else than WinRM answers on this port."
        }
        Kind::NotWsman { .. } => {
            "Something else answers on this port. Check host, port and path, and whether a proxy answers in the host's \
             place."
        }
        _ => "Check that the answer comes from the WinRM service of Windows and not from something in between.",
    }
}
