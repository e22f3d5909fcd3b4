//! Credentials that a host has refused, so that one wrong password does not lock an account.
//!
//! A refresh asks many hosts, several times. A domain's account counts every refused logon wherever it happens, so one
//! refusal ends the use of a connection until a host has accepted it; an account without a domain is each host's own.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::backend::error::Cause;
use crate::backend::windows::connection::Connection;

/// Which credentials were refused, and which were accepted.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Connections that some host has accepted: a refusal elsewhere is then that host's own.
    accepted: HashSet<String>,
    /// Where, and the host that refused with what it said.
    refused: HashMap<Scope, (String, String)>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Scope {
    Connection(String),
    Host(String),
}

impl Refusals {
    /// What stands against a logon. `advice` names what to look at.
    pub fn check(&self, host: &str, connection: &Connection) -> Result<(), Cause> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let scopes = [Scope::Connection(connection.name.clone()), Scope::Host(host.to_ascii_lowercase())];
        let Some((refusing, reason)) = scopes.iter().find_map(|scope| state.refused.get(scope)) else {
            return Ok(());
        };
        Err(Cause::Denied {
            reason: format!(
                "not tried again in this run, because {refusing} has refused the credentials of the connection \"{}\" \
                 ({reason}) and each further attempt brings the account nearer to being locked",
                connection.name
            ),
            advice: "Correct the user name or the password, then run again.".to_owned(),
        })
    }

    /// A host has refused the credentials.
    pub fn refuse(&self, host: &str, connection: &Connection, reason: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_domain = connection.username.as_deref().is_some_and(|name| name.contains(['\\', '@']));
        let scope = if in_domain && !state.accepted.contains(&connection.name) {
            Scope::Connection(connection.name.clone())
        } else {
            Scope::Host(host.to_ascii_lowercase())
        };
        state.refused.entry(scope).or_insert_with(|| (host.to_owned(), reason.to_owned()));
    }

    /// A host has accepted the credentials.
    pub fn accept(&self, connection: &Connection) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.accepted.insert(connection.name.clone());
        state.refused.remove(&Scope::Connection(connection.name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(username: &str) -> Connection {
        Connection { username: Some(username.to_owned()), ..Connection::new("default") }
    }

    #[test]
    fn a_domain_account_is_refused_everywhere() {
        let (refusals, domain) = (Refusals::default(), connection("CONTOSO\\admin"));
        assert!(refusals.check("mfa01", &domain).is_ok());
        refusals.refuse("mfa01", &domain, "HTTP 401");
        let message = refusals.check("mfa02", &domain).expect_err("not tried").to_string();
        assert!(message.contains("mfa01 has refused") && message.contains("HTTP 401"), "{message}");
    }

    #[test]
    fn an_account_that_works_elsewhere_is_refused_by_that_host_only() {
        let (refusals, domain) = (Refusals::default(), connection("admin@contoso.com"));
        refusals.accept(&domain);
        refusals.refuse("mfa01", &domain, "HTTP 401");
        assert!(refusals.check("MFA01", &domain).is_err());
        assert!(refusals.check("mfa02", &domain).is_ok());
    }

    #[test]
    fn a_local_account_is_each_host_s_own() {
        let (refusals, local) = (Refusals::default(), connection("Administrator"));
        refusals.refuse("portal01", &local, "HTTP 401");
        assert!(refusals.check("portal01", &local).is_err());
        assert!(refusals.check("portal02", &local).is_ok());
    }
}
