//! Tickets that all connections of a process share. They are kept in memory alone.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::address;
use crate::winrm::auth::kerberos::as_exchange::granting_ticket;
use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::auth::kerberos::kdc::Kdc;
use crate::winrm::auth::kerberos::login::Login;
use crate::winrm::auth::kerberos::realms::Realms;
use crate::winrm::auth::kerberos::single::{Had, Single};
use crate::winrm::auth::kerberos::tgs::service_ticket;
use crate::winrm::auth::kerberos::ticket::Ticket;

/// The tickets of all accounts. Clones share them.
#[derive(Clone, Default)]
pub struct Tickets(Arc<Mutex<Vec<Arc<Account>>>>);

/// The tickets of one account that proved itself in one way. Their keys are cleared with it.
struct Account {
    login: Login,
    realms: Realms,
    granting: Single<Ticket>,
    hosts: Mutex<HashMap<String, Arc<Single<Service>>>>,
}

/// A ticket for a host, under the first of its names that the KDC knows.
pub struct Service {
    pub name: String,
    pub ticket: Ticket,
}

/// A ticket for a host, and whether it was kept from before.
pub struct Held {
    pub service: Arc<Service>,
    kept: bool,
    host: Arc<Single<Service>>,
}

/// The services that Windows registers for WS-Management, in the order in which they are asked for.
const SERVICES: [&str; 2] = ["WSMAN", "HTTP"];

impl Tickets {
    /// A ticket for a host: one that is kept and lasts a while yet, else a new one. Who waits for the same ticket shares
    /// it. `limit` is for what KDCs are asked.
    pub async fn for_host(&self, login: &Login, host: &str, limit: Duration) -> Result<Held, Arc<Failure>> {
        let account = self.account(login);
        let single = Arc::clone(account.hosts().entry(address::key(host)).or_default());
        let Had { value, kept } = single.get(|it| it.ticket.lasts(), account.fetch(host, limit)).await?;
        Ok(Held { service: value, kept, host: single })
    }

    fn account(&self, login: &Login) -> Arc<Account> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.iter().find(|account| account.login == *login) {
            return Arc::clone(account);
        }
        // Somebody has fetched a new ticket into the credential cache, for as often as a run takes longer than one.
        accounts.retain(|account| !account.login.ticket().is_some_and(Ticket::has_ended));
        let account = Arc::new(Account {
            login: login.clone(),
            realms: Realms::new(login),
            granting: Single::default(),
            hosts: Mutex::default(),
        });
        accounts.push(Arc::clone(&account));
        account
    }
}

impl Account {
    /// The ticket that gets others.
    async fn granting(&self, kdc: &mut Kdc<'_>) -> Result<Had<Ticket>, Arc<Failure>> {
        if let Some(ticket) = self.login.ticket() {
            return Ok(Had { value: Arc::new(ticket.clone()), kept: false });
        }
        let fetch = async { granting_ticket(&self.login, kdc).await.map_err(Arc::new) };
        self.granting.get(Ticket::lasts, fetch).await
    }

    /// A KDC that refuses a kept ticket, after its keys were changed for instance, is asked with a new one, once.
    async fn fetch(&self, host: &str, limit: Duration) -> Result<Service, Arc<Failure>> {
        let mut kdc = Kdc::new(&self.realms, limit);
        let Had { value: granting, kept } = self.granting(&mut kdc).await?;
        match self.exchange(&granting, host, &mut kdc).await {
            Err(failure) if kept && failure.is_of_the_granting_ticket() => {
                tracing::info!(client = %self.login.client, %failure, "fetching a new ticket");
                self.granting.forget(&granting);
                let granting = self.granting(&mut kdc).await?.value;
                self.exchange(&granting, host, &mut kdc).await.map_err(Arc::new)
            }
            result => result.map_err(Arc::new),
        }
    }

    async fn exchange(&self, granting: &Ticket, host: &str, kdc: &mut Kdc<'_>) -> Result<Service, Failure> {
        let mut unknown = Vec::new();
        let realm = self.realms.of_host(host);
        for service in SERVICES {
            let name = format!("{service}/{host}");
            match service_ticket(granting, &name, realm.as_deref(), &self.login.subject(), kdc).await {
                Err(Failure::ServiceUnknown { names, .. }) => unknown.extend(names),
                result => return result.map(|ticket| Service { name, ticket }),
            }
        }
        Err(Failure::ServiceUnknown { names: unknown, realm: self.login.realm.clone() })
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Single<Service>>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The host has refused the ticket. Whether it may take another one: this one was kept from before.
    pub fn refused(&self) -> bool {
        self.host.forget(&self.service);
        self.kept
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tickets").finish_non_exhaustive()
    }
}
