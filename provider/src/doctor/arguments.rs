//! The command line of `doctor`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::address::{HostAddress, InvalidAddress};
use crate::backend::windows::connection::DEFAULT;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Help,
    Check(Arguments),
}

/// The options of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    pub host: HostAddress,
    /// JSON with the attributes of one of the provider's `connections`.
    pub connection_file: Option<PathBuf>,
    /// The connection's name, which decides the environment variables that are read.
    pub connection: String,
    pub json: bool,
}

/// A command line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("the option --host is missing: it names the host to check")]
    NoHost,
    #[error("the value of --host cannot be used")]
    Host(#[source] InvalidAddress),
    #[error("the option {0} needs a value")]
    NoValue(&'static str),
    #[error("the option {0} stands twice")]
    Twice(&'static str),
    /// The text is not repeated: it may be a password that was given to an option that does not exist.
    #[error("argument {0} is not known; `doctor --help` lists the options")]
    Unknown(usize),
    #[error("the value of {0} is not Unicode text")]
    NotText(&'static str),
}

/// The text of `doctor --help`.
pub const HELP: &str = "\
Checks from this machine whether the provider can work on a host, step by step, and says what to do where it cannot.

    terraform-provider-azuremfa doctor --host HOST [--connection-file FILE] [--connection NAME] [--json]

    --host HOST             the host as a configuration names it: mfa01.contoso.com, or with a port of its own
                            mfa01.contoso.com:5985 or [fd00::7]:5985
    --connection-file FILE  a JSON object with the attributes of one entry of the provider's `connections`
    --connection NAME       the entry's name, when it is not \"default\"
    --json                  print JSON instead of text

User name and password come from AZUREMFA_USERNAME and AZUREMFA_PASSWORD, with --connection from
AZUREMFA_<NAME>_USERNAME and AZUREMFA_<NAME>_PASSWORD, or from the file; never from the command line. So do client
certificates, from AZUREMFA_CLIENT_CERTIFICATE and AZUREMFA_CLIENT_KEY, or AZUREMFA_CLIENT_PKCS12 and
AZUREMFA_CLIENT_PKCS12_PASSWORD. Without `proxy` in the file, https_proxy, http_proxy, all_proxy and no_proxy count.
Kerberos takes the file's keytab or credential_cache, or the cache in KRB5CCNAME, in their place.

The exit status is 0 when nothing failed, 1 when a check failed, 2 when the options or settings cannot be used, 130
when it was asked to end (Ctrl-C); what it opened on the host is closed then too.
";

/// Reads the arguments after `doctor`.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut arguments = arguments.enumerate();
    let (mut host, mut file, mut connection, mut json) = (None, None, None, false);
    while let Some((index, argument)) = arguments.next() {
        let argument = argument.to_string_lossy();
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (argument.as_ref(), None),
        };
        let mut value = |name| attached.clone().or_else(|| Some(arguments.next()?.1)).ok_or(UsageError::NoValue(name));
        match name {
            "--help" | "-h" => return Ok(Request::Help),
            "--json" if attached.is_none() => json = true,
            "--host" => set(&mut host, "--host", text("--host", value("--host")?)?)?,
            "--connection" => set(&mut connection, "--connection", text("--connection", value("--connection")?)?)?,
            "--connection-file" => set(&mut file, "--connection-file", value("--connection-file")?)?,
            _ => return Err(UsageError::Unknown(index + 1)),
        }
    }
    Ok(Request::Check(Arguments {
        host: host.filter(|host| !host.is_empty()).ok_or(UsageError::NoHost)?.parse().map_err(UsageError::Host)?,
        connection_file: file.map(PathBuf::from),
        connection: connection.unwrap_or_else(|| DEFAULT.to_owned()),
        json,
    }))
}

fn set<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), UsageError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError::Twice(name)),
    }
}

fn text(name: &'static str, value: OsString) -> Result<String, UsageError> {
    value.into_string().map_err(|_| UsageError::NotText(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Arguments, UsageError>) {
        let words = line.split_whitespace().map(OsString::from);
        assert_eq!(parse(words), expected.map(Request::Check), "{line}");
    }

    fn of(host: &str) -> Arguments {
        Arguments {
            host: host.parse().expect("a host"),
            connection_file: None,
            connection: DEFAULT.to_owned(),
            json: false,
        }
    }

    #[test]
    fn reads_options_in_both_forms() {
        check("--host mfa01", Ok(of("mfa01")));
        check("--json --host=mfa01", Ok(Arguments { json: true, ..of("mfa01") }));
        check("--host mfa01:5985", Ok(of("mfa01:5985")));
        check("--host=[fd00::7]:5985", Ok(of("[fd00::7]:5985")));
        let file = Arguments { connection_file: Some("a=b.json".into()), connection: "dmz".to_owned(), ..of("h") };
        check("--connection-file=a=b.json --host h --connection dmz", Ok(file.clone()));
        check("--connection-file a=b.json --host h --connection dmz", Ok(file));
        assert_eq!(parse(["--host".into(), "h".into(), "--help".into()].into_iter()), Ok(Request::Help));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        check("", Err(UsageError::NoHost));
        check("--host=", Err(UsageError::NoHost));
        let error = "mfa01:0".parse::<HostAddress>().expect_err("no host");
        check("--host mfa01:0", Err(UsageError::Host(error)));
        check("--host", Err(UsageError::NoValue("--host")));
        check("--host a --host b", Err(UsageError::Twice("--host")));
        check("--host a --json=yes", Err(UsageError::Unknown(3)));
        check("--host a --password hunter2", Err(UsageError::Unknown(3)));
        let message = UsageError::Unknown(3).to_string();
        assert!(message.contains("argument 3"), "{message}");
    }
}
