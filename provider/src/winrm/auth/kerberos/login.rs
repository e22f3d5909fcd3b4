//! From the settings to who logs in, and by what.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sspi::{AuthIdentityBuffers, CredentialsBuffers, KeytabIdentity, Username};

use crate::secret::Secret;
use crate::winrm::auth::kerberos::cache::{self, Cache};
use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::failure::{Failure, Proof, Subject};
use crate::winrm::auth::kerberos::identity::{self, Client};
use crate::winrm::auth::kerberos::krb5_conf::Krb5Conf;
use crate::winrm::auth::kerberos::reply::Reply;
use crate::winrm::auth::kerberos::ticket::Ticket;
use crate::winrm::auth::kerberos::{keytab, salt};
use crate::winrm::endpoint::{KerberosCredentials, KerberosLogin};

/// Who logs in where, and by what. Tickets are shared by logins that are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account, for people.
    pub client: String,
    pub realm: String,
    /// The KDC that the settings name.
    pub kdc: Option<String>,
    /// The files that tell of realms.
    pub krb5_conf: Vec<PathBuf>,
    credentials: Credentials,
}

#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    Password {
        name: String,
        password: Secret,
    },
    Keytab {
        name: String,
        key: Key,
    },
    Ticket {
        ticket: Ticket,
        /// Where it is from, for people.
        source: String,
    },
}

impl Login {
    /// Reads the files that the settings name.
    pub fn read(settings: &KerberosLogin) -> Result<Self, Failure> {
        match &settings.credentials {
            KerberosCredentials::Password { username, password } => {
                let client = client(username, settings)?;
                let credentials = Credentials::Password { name: client.name, password: password.clone() };
                Ok(Self::new(settings, username, client.realm, credentials))
            }
            KerberosCredentials::Keytab { file, username } => Self::of_keytab(settings, file, username.as_deref()),
            KerberosCredentials::Cache { file } => Self::of_cache(settings, file),
        }
    }

    fn new(settings: &KerberosLogin, client: &str, realm: String, credentials: Credentials) -> Self {
        let (kdc, krb5_conf) = (settings.kdc.clone(), settings.krb5_conf.clone());
        Self { client: client.to_owned(), realm, kdc, krb5_conf, credentials }
    }

    fn of_keytab(settings: &KerberosLogin, file: &Path, username: Option<&str>) -> Result<Self, Failure> {
        let failed = |problem: String| Failure::Keytab { file: file.to_owned(), problem };
        let bytes = fs::read(file).map(zeroize::Zeroizing::new).map_err(|error| failed(error.to_string()))?;
        let entries = keytab::parse(&bytes).map_err(|problem| failed(problem.to_owned()))?;
        // The entry itself tells the realm of a name without one.
        let (name, realm) = match username {
            Some(username) => match client(username, settings) {
                Ok(client) => (Some(client.name), Some(client.realm)),
                Err(_) => (Some(username.rsplit('\\').next().unwrap_or(username).to_owned()), None),
            },
            None => (None, settings.realm.clone()),
        };
        let entry = keytab::choose(&entries, name.as_deref(), realm.as_deref()).map_err(failed)?;
        let client = format!("{}@{}", entry.name, entry.realm);
        with_key(&entry.name, &entry.realm, &entry.key)
            .ok_or_else(|| failed(format!("its principal {client} cannot be used")))?;
        let credentials = Credentials::Keytab { name: entry.name.clone(), key: entry.key.clone() };
        Ok(Self::new(settings, &client, entry.realm.clone(), credentials))
    }

    fn of_cache(settings: &KerberosLogin, file: &Path) -> Result<Self, Failure> {
        let failed = |problem: String| Failure::Cache { file: file.to_owned(), problem };
        let cache = read_cache(file).map_err(failed)?;
        let ticket = granting(&cache).map_err(failed)?;
        let client = cache.client.to_string();
        let realm = &cache.client.realm;
        if let Some(wanted) = settings.realm.as_deref().filter(|wanted| !wanted.eq_ignore_ascii_case(realm)) {
            return Err(failed(format!("it holds tickets of {client}, and `realm` is {wanted}")));
        }
        let source = file.display().to_string();
        if ticket.has_ended() {
            return Err(Failure::TicketExpired { client, from: source, end: Some(ticket.end) });
        }
        let credentials = Credentials::Ticket { ticket: ticket.clone(), source };
        Ok(Self::new(settings, &client, realm.clone(), credentials))
    }

    /// The ticket by which the account proves itself, when that is how.
    pub fn ticket(&self) -> Option<&Ticket> {
        match &self.credentials {
            Credentials::Ticket { ticket, .. } => Some(ticket),
            _ => None,
        }
    }

    /// What the AS exchange takes; nothing when the account has been through it already.
    pub fn proves_itself_with(&self) -> Option<CredentialsBuffers> {
        match &self.credentials {
            Credentials::Password { name, password } => {
                let identity = AuthIdentityBuffers::from_utf8(name, &self.realm, password.expose());
                Some(CredentialsBuffers::AuthIdentity(identity))
            }
            Credentials::Keytab { name, key } => with_key(name, &self.realm, key),
            Credentials::Ticket { .. } => None,
        }
    }

    /// The account's own key, which opens a reply of the AS exchange. `demand` is the PA-DATA of the KDC's demand for a
    /// proof.
    pub fn key(&self, reply: Reply<'_>, demand: &[u8]) -> Option<Key> {
        match &self.credentials {
            Credentials::Password { password, .. } => {
                let kind = reply.encryption_type()?;
                let salt = salt::of(&reply.client()?, kind, [reply.pre_authentication(), demand]);
                Key::of_password(kind, password, &salt)
            }
            Credentials::Keytab { key, .. } => Some(key.clone()),
            Credentials::Ticket { .. } => None,
        }
    }

    /// Whom a refusal is about.
    pub fn subject(&self) -> Subject<'_> {
        let (proof, source) = match &self.credentials {
            Credentials::Password { .. } => (Proof::Password, ""),
            Credentials::Keytab { .. } => (Proof::Keytab, ""),
            Credentials::Ticket { source, .. } => (Proof::Ticket, source.as_str()),
        };
        Subject { client: &self.client, realm: &self.realm, proof, source }
    }
}

fn client(username: &str, settings: &KerberosLogin) -> Result<Client, Failure> {
    let default = || Krb5Conf::read(&settings.krb5_conf).default_realm;
    identity::client(username, settings.realm.as_deref(), default)
}

/// Credentials that are a key.
pub fn with_key(name: &str, realm: &str, key: &Key) -> Option<CredentialsBuffers> {
    Some(CredentialsBuffers::Keytab(KeytabIdentity {
        principal: Username::new(name, Some(realm)).ok()?,
        key: key.bytes.to_vec().into(),
        key_enctype: key.suite()?,
    }))
}

/// A credential cache with a ticket.
#[cfg(test)]
pub(crate) fn sample_cache() -> Vec<u8> {
    cache::tests::sample()
}

fn read_cache(file: &Path) -> Result<Cache, String> {
    let bytes = fs::read(file).map(zeroize::Zeroizing::new).map_err(|error| error.to_string())?;
    cache::parse(&bytes).map_err(str::to_owned)
}

fn granting(cache: &Cache) -> Result<&Ticket, String> {
    let ticket = cache.ticket_granting().ok_or("it has no ticket-granting ticket")?;
    match ticket.session_key.suite() {
        Some(_) => Ok(ticket),
        None => Err(format!("its ticket has a key of encryption type {}, not AES", ticket.session_key.kind)),
    }
}

/// Whether a credential cache has a ticket that can be used now.
pub fn is_usable(file: &Path) -> bool {
    read_cache(file).is_ok_and(|cache| granting(&cache).is_ok_and(|ticket| !ticket.has_ended()))
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
