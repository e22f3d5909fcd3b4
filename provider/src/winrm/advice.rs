//! What an operator can do about each kind of failure: full sentences, naming settings and commands.

use std::io;

use rustls::CertificateError;

use crate::winrm::error::{Kind, Refusal};

/// The cure for a failure of this kind.
pub(crate) fn advice(kind: &Kind) -> &'static str {
    match kind {
        Kind::Name { .. }
        | Kind::Refused { .. }
        | Kind::ConnectTimeout { .. }
        | Kind::Unreachable { .. }
        | Kind::Proxy { .. }
        | Kind::Tls(_) => to_connect(kind),
        Kind::Kerberos(failure) => failure.advice(),
        Kind::UnencryptedBasic
        | Kind::Unauthorized { .. }
        | Kind::Authentication { .. }
        | Kind::Forbidden
        | Kind::AccessDenied(_) => to_log_in(kind),
        Kind::NotWsman { .. } | Kind::HttpStatus { .. } | Kind::Malformed(_) => to_be_answered(kind),
        Kind::Setting(_) => "Correct the setting.",
        Kind::Fault(_) => "The number and text are those of Windows; `winrm helpmsg <number>` explains it on the host.",
        Kind::TimedOut(_) => "Check that the host is not overloaded, then try again.",
        Kind::ShellGone(_) => {
            "The shell was closed on the host, by a restart of the host or of its WinRM service or by an administrator. \
             Find out whether the command had finished before it is run again."
        }
        Kind::QuotaShells(_) => {
            "Close left-over shells of the account on the host (`Get-WSManInstance -ResourceURI shell -Enumerate`) or \
             raise `MaxShellsPerUser` (`winrm set winrm/config/winrs @{MaxShellsPerUser=\"30\"}`)."
        }
        Kind::QuotaOperations(_) => {
            "Wait until other sessions of the account have ended, or raise `MaxConcurrentOperationsPerUser` \
             (`winrm set winrm/config/service @{MaxConcurrentOperationsPerUser=\"1500\"}`)."
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

fn to_connect(kind: &Kind) -> &'static str {
    match kind {
        Kind::Name { .. } => "Check the host's name and the DNS of the machine this runs on.",
        Kind::Refused { .. } => {
            "Check that the host is up and has a WinRM listener on this port (`winrm enumerate winrm/config/listener`); \
             `Enable-PSRemoting` creates the one for HTTP on 5985, HTTPS on 5986 needs a certificate."
        }
        Kind::Proxy { .. } => "Check the proxy's address, and that it allows CONNECT to this host and port.",
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
    let Some(rustls::Error::InvalidCertificate(cause)) = error else {
        return "Check that an HTTPS listener answers on this port (`winrm enumerate winrm/config/listener`), that it has \
                a certificate with a private key, and that TLS 1.2 or 1.3 is enabled on the host.";
    };
    match cause {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "Renew the certificate of the host's HTTPS listener and name the new one there (`Set-WSManInstance \
             -ResourceURI winrm/config/Listener -SelectorSet @{Address='*';Transport='HTTPS'} -ValueSet \
             @{CertificateThumbprint='...'}`). If its dates are right, correct the clock of the machine this runs on."
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

fn to_log_in(kind: &Kind) -> &'static str {
    match kind {
        Kind::UnencryptedBasic => "Use HTTPS for basic authentication, or NTLM, which encrypts its messages over HTTP.",
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
        Kind::HttpStatus { status: 413 } => {
            "Raise `MaxEnvelopeSizekb` on the host (`winrm set winrm/config @{MaxEnvelopeSizekb=\"500\"}`)."
        }
        Kind::HttpStatus { status: 404 } => "Check the path (`/wsman` on Windows) and the port.",
        Kind::HttpStatus { .. } => {
            "Check the WinRM service on the host (`winrm quickconfig`, event log Microsoft-Windows-WinRM)."
        }
        Kind::NotWsman { .. } => {
            "Something else answers on this port. Check host, port and path, and whether a proxy answers in the host's \
             place."
        }
        _ => "Check that the answer comes from the WinRM service of Windows and not from something in between.",
    }
}
