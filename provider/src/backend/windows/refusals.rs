//! Credentials that a host has refused, so that one wrong password does not lock an account.
//!
//! A refresh asks many hosts, several times. A domain's account counts every refused logon wherever it happens, so one
//! refusal ends the use of a connection until a host has accepted it; an account without a domain is each host's own.
//! Until then one host at a time is tried, because the hosts of a set are asked at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::address;
use crate::backend::error::Cause;
use crate::backend::windows::connection::Connection;

/// Which credentials were refused, and which were accepted.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Where credentials were accepted: a refusal elsewhere is then that host's own.
    accepted: HashSet<Scope>,
    /// Where, and the host that refused with what it said.
    refused: HashMap<Scope, (String, String)>,
    /// Held by whoever tries credentials that nobody has accepted yet.
    turns: HashMap<Scope, Arc<tokio::sync::Mutex<()>>>,
}

/// Where a refusal counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Scope {
    Connection(String),
    Host(String),
}

impl Refusals {
    /// Whether the credentials were accepted, so that nobody has to wait.
    pub fn is_accepted(&self, host: &str, connection: &Connection) -> bool {
        self.state().accepted.contains(&scope(host, connection))
    }

    /// Waits for what must be held for a first logon, so that a wrong password is tried once and not by every host at the
    /// same time. None once the credentials were accepted, also while it was waited for: then all go at once.
    pub async fn turn(&self, host: &str, connection: &Connection) -> Result<Option<OwnedMutexGuard<()>>, Cause> {
        let Some(turn) = self.unproven(host, connection) else { return Ok(None) };
        let held = turn.lock_owned().await;
        self.check(host, connection)?;
        Ok(self.unproven(host, connection).map(|_| held))
    }

    fn unproven(&self, host: &str, connection: &Connection) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let scope = scope(host, connection);
        let mut state = self.state();
        (!state.accepted.contains(&scope)).then(|| state.turns.entry(scope).or_default().clone())
    }

    /// What stands against a logon. `advice` names what to look at.
    pub fn check(&self, host: &str, connection: &Connection) -> Result<(), Cause> {
        let state = self.state();
        let scopes = [Scope::Connection(connection.name.clone()), Scope::Host(address::key(host))];
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
        let mut state = self.state();
        let scope = match scope(host, connection) {
            accepted if state.accepted.contains(&accepted) => Scope::Host(address::key(host)),
            scope => scope,
        };
        state.refused.entry(scope).or_insert_with(|| (host.to_owned(), reason.to_owned()));
    }

    /// A host has accepted the credentials.
    pub fn accept(&self, host: &str, connection: &Connection) {
        let scope = scope(host, connection);
        let mut state = self.state();
        state.refused.remove(&scope);
        state.turns.remove(&scope);
        state.accepted.insert(scope);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A domain counts refused logons wherever they happen; another account is each host's own.
fn scope(host: &str, connection: &Connection) -> Scope {
    let named = || connection.username.as_deref().is_some_and(|name| name.contains(['\\', '@']));
    // Kerberos knows accounts of domains alone, whatever their names look like.
    let in_domain = connection.is_of_kerberos() || named();
    if in_domain { Scope::Connection(connection.name.clone()) } else { Scope::Host(address::key(host)) }
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
        refusals.accept("mfa02", &domain);
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

    #[test]
    fn an_account_of_kerberos_is_one_of_a_domain() {
        let (refusals, mut ticket) = (Refusals::default(), Connection::new("default"));
        ticket.credential_cache = Some("cache".to_owned());
        refusals.refuse("mfa01", &ticket, "the ticket has expired");
        assert!(refusals.check("mfa02", &ticket).is_err());
    }

    #[test]
    fn one_host_at_a_time_is_tried_until_one_accepts() {
        let (refusals, domain, local) =
            (Refusals::default(), connection("CONTOSO\\admin"), connection("Administrator"));
        let turn = |host: &str, connection: &Connection| {
            refusals.unproven(host, connection).map(tokio::sync::Mutex::try_lock_owned)
        };
        let first = turn("mfa01", &domain).expect("a turn").expect("free");
        assert!(turn("mfa02", &domain).expect("a turn").is_err());
        assert!(turn("mfa01", &local).expect("a turn").is_ok());
        drop(first);
        refusals.accept("mfa01", &domain);
        assert!(turn("mfa02", &domain).is_none());
    }

    /// What the second of two first logons gets that wait for one another, after `end` has ended the first.
    async fn wait_for(end: fn(&Refusals, &Connection)) -> Result<bool, Cause> {
        let (refusals, domain) = (Refusals::default(), connection("CONTOSO\\admin"));
        let first = refusals.turn("mfa01", &domain).await?.expect("the first logon");
        let second = refusals.turn("mfa02", &domain);
        let end = async {
            tokio::task::yield_now().await;
            end(&refusals, &domain);
            drop(first);
        };
        let (second, ()) = tokio::join!(second, end);
        second.map(|held| held.is_some())
    }

    #[tokio::test]
    async fn nobody_waits_for_a_turn_once_one_host_has_accepted() {
        let accepted = wait_for(|refusals, connection| refusals.accept("mfa01", connection)).await;
        assert!(!accepted.expect("no turn is needed"));
        assert!(wait_for(|_, _| {}).await.expect("a turn after a host that could not be reached"));
        wait_for(|refusals, connection| refusals.refuse("mfa01", connection, "HTTP 401")).await.expect_err("not tried");
    }
}
