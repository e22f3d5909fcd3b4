//! From the settings to what `sspi` logs in with.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jiff::Timestamp;
use sspi::{AuthIdentityBuffers, CredentialsBuffers, KeytabIdentity, Username};

use crate::winrm::auth::kerberos::cache::{self, Cache, CachedTicket};
use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::failure::{Failure, Proof};
use crate::winrm::auth::kerberos::{cached, identity, keytab};
use crate::winrm::endpoint::{KerberosCredentials, KerberosLogin};

/// Who logs in where, and by what.
pub struct Login {
    /// The account, for people.
    pub client: String,
    pub realm: String,
    /// Host and port.
    pub kdc: String,
    pub proof: Proof,
    /// Where the ticket is from, for people.
    pub source: String,
    pub credentials: CredentialsBuffers,
    ticket: Option<(CachedTicket, i64)>,
}

impl Login {
    /// Reads the files that the settings name.
    pub fn read(settings: &KerberosLogin) -> Result<Self, Failure> {
        match &settings.credentials {
            KerberosCredentials::Password { username, password } => {
                let client = identity::client(username, settings.realm.as_deref())?;
                let credentials = AuthIdentityBuffers::from_utf8(&client.name, &client.realm, password.expose());
                let credentials = CredentialsBuffers::AuthIdentity(credentials);
                Ok(Self::new(settings, username, client.realm, Proof::Password, credentials))
            }
            KerberosCredentials::Keytab { file, username } => Self::of_keytab(settings, file, username.as_deref()),
            KerberosCredentials::Cache { file } => Self::of_cache(settings, file),
        }
    }

    fn new(
        settings: &KerberosLogin,
        client: &str,
        realm: String,
        proof: Proof,
        credentials: CredentialsBuffers,
    ) -> Self {
        let kdc = identity::kdc(settings.kdc.as_deref(), &realm);
        let client = client.to_owned();
        Self { client, realm, kdc, proof, source: String::new(), credentials, ticket: None }
    }

    fn of_keytab(settings: &KerberosLogin, file: &Path, username: Option<&str>) -> Result<Self, Failure> {
        let failed = |problem: String| Failure::Keytab { file: file.to_owned(), problem };
        let bytes = fs::read(file).map(zeroize::Zeroizing::new).map_err(|error| failed(error.to_string()))?;
        let entries = keytab::parse(&bytes).map_err(|problem| failed(problem.to_owned()))?;
        // The entry itself tells the realm of a name without one.
        let (name, realm) = match username {
            Some(username) => match identity::client(username, settings.realm.as_deref()) {
                Ok(client) => (Some(client.name), Some(client.realm)),
                Err(_) => (Some(username.rsplit('\\').next().unwrap_or(username).to_owned()), None),
            },
            None => (None, settings.realm.clone()),
        };
        let entry = keytab::choose(&entries, name.as_deref(), realm.as_deref()).map_err(failed)?;
        let client = format!("{}@{}", entry.name, entry.realm);
        let credentials = with_key(&entry.name, &entry.realm, &entry.key)
            .ok_or_else(|| failed(format!("its principal {client} cannot be used")))?;
        Ok(Self::new(settings, &client, entry.realm.clone(), Proof::Keytab, credentials))
    }

    fn of_cache(settings: &KerberosLogin, file: &Path) -> Result<Self, Failure> {
        let failed = |problem: String| Failure::Cache { file: file.to_owned(), problem };
        let cache = read_cache(file).map_err(failed)?;
        let ticket = ticket_granting(&cache).map_err(failed)?;
        let client = cache.client.to_string();
        let realm = &cache.client.realm;
        if let Some(wanted) = settings.realm.as_deref().filter(|wanted| !wanted.eq_ignore_ascii_case(realm)) {
            return Err(failed(format!("it holds tickets of {client}, and `realm` is {wanted}")));
        }
        let source = file.display().to_string();
        if ticket.end <= Timestamp::now() {
            return Err(Failure::TicketExpired { client, from: source, end: Some(ticket.end) });
        }
        let credentials = with_key(&cache.client.name(), realm, &ticket.session_key)
            .ok_or_else(|| failed(format!("its principal {client} cannot be used")))?;
        let mut login = Self::new(settings, &client, realm.clone(), Proof::Ticket, credentials);
        login.source = source;
        login.ticket = Some((ticket.clone(), cache.offset));
        Ok(login)
    }

    /// The answers that a cached ticket gives in the KDC's place.
    pub fn prepared_answers(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let Some((ticket, offset)) = &self.ticket else { return Ok(Vec::new()) };
        cached::answers(ticket, *offset).map_err(|error| Failure::Protocol {
            step: "the cached ticket is not usable",
            source: Some(Box::new(error)),
        })
    }
}

fn with_key(name: &str, realm: &str, key: &Key) -> Option<CredentialsBuffers> {
    Some(CredentialsBuffers::Keytab(KeytabIdentity {
        principal: Username::new(name, Some(realm)).ok()?,
        key: key.bytes.to_vec().into(),
        key_enctype: key.suite()?,
    }))
}

fn read_cache(file: &Path) -> Result<Cache, String> {
    let bytes = fs::read(file).map(zeroize::Zeroizing::new).map_err(|error| error.to_string())?;
    cache::parse(&bytes).map_err(str::to_owned)
}

fn ticket_granting(cache: &Cache) -> Result<&CachedTicket, String> {
    let ticket = cache.ticket_granting().ok_or("it has no ticket-granting ticket")?;
    match ticket.session_key.suite() {
        Some(_) => Ok(ticket),
        None => Err(format!("its ticket has a key of encryption type {}, not AES", ticket.session_key.kind)),
    }
}

/// Whether a credential cache has a ticket that can be used now.
pub fn is_usable(file: &Path) -> bool {
    read_cache(file).is_ok_and(|cache| ticket_granting(&cache).is_ok_and(|ticket| ticket.end > Timestamp::now()))
}

/// The file that the name of a credential cache, as `KRB5CCNAME` has it, stands for. Other kinds are not files.
pub fn cache_file(name: &str) -> Option<&str> {
    cache::file(name)
}

/// This machine's name, which domain controllers compare with the machines that an account may log on from.
pub fn computer_name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let found = std::env::var("COMPUTERNAME").or_else(|_| fs::read_to_string("/proc/sys/kernel/hostname"));
        let found = found.unwrap_or_default();
        let short: String = found.trim().split('.').next().unwrap_or_default().chars().take(15).collect();
        if short.is_empty() { "LOCALHOST".to_owned() } else { short.to_ascii_uppercase() }
    })
    .clone()
}
