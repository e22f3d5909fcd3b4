//! What can go wrong in Kerberos, each with its cure.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use crate::winrm::auth::kerberos::krb_error::{self, KrbError};
use crate::winrm::error::Kind;

/// A login by Kerberos that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing says in which realm the account is.
    #[error("the Kerberos realm of `{0}` is not known")]
    NoRealm(String),
    /// No answer from the KDC, or none that could be read.
    #[error("the KDC {address} of the realm {realm} could not be asked")]
    Kdc {
        address: String,
        realm: String,
        #[source]
        source: Box<Kind>,
    },
    /// Nothing says where the KDCs of a realm are.
    #[error("{} is known: {looked}", no_kdc(.realm, .referring.as_deref()))]
    NoKdc {
        realm: String,
        /// The realm that refers to that one.
        referring: Option<String>,
        /// Where was looked, and what was found there.
        looked: String,
    },
    /// The KDC does not know the account.
    #[error("the realm {realm} has no account {client} (KDC_ERR_C_PRINCIPAL_UNKNOWN)")]
    ClientUnknown { client: String, realm: String },
    /// The password, or the key in the keytab, is not the account's.
    #[error("{secret} of {client} is wrong (KDC_ERR_PREAUTH_FAILED)")]
    WrongSecret { client: String, secret: Proof },
    /// The account is disabled, locked or expired.
    #[error("the account {client} is {state} ({code})")]
    Revoked { client: String, state: &'static str, code: &'static str },
    /// The password has to be changed first.
    #[error("the password of {client} has expired (KDC_ERR_KEY_EXPIRED)")]
    PasswordExpired { client: String },
    /// None of the host's names is known to the KDC.
    #[error("the realm {realm} has no service {} (KDC_ERR_S_PRINCIPAL_UNKNOWN)", .names.join(" and no "))]
    ServiceUnknown { names: Vec<String>, realm: String },
    /// The clocks differ by more than Kerberos allows.
    #[error("the clocks of this machine and of {whose} differ too much{} (KRB_AP_ERR_SKEW)", by(*.seconds))]
    Skew { whose: String, seconds: Option<i64> },
    /// The ticket was made for another account than the one that the host's service runs as.
    #[error("the host cannot open the ticket for {service} ({code})")]
    WrongService { service: String, code: &'static str },
    /// There is no AES key, or the KDC uses none.
    #[error("{}", no_aes(.whose, *.kind, .code))]
    EncryptionType {
        whose: Whose,
        /// The encryption type of the answer, when there was one.
        kind: Option<i64>,
        /// What the KDC said.
        code: &'static str,
    },
    /// The keytab cannot be used.
    #[error("the keytab {}: {problem}", .file.display())]
    Keytab { file: PathBuf, problem: String },
    /// The credential cache cannot be used.
    #[error("the credential cache {}: {problem}", .file.display())]
    Cache { file: PathBuf, problem: String },
    /// The cache's ticket has ended.
    #[error("the ticket of {client} in {from} has expired{}", at(.end))]
    TicketExpired { client: String, from: String, end: Option<jiff::Timestamp> },
    /// Any other refusal by a KDC or by the host.
    #[error("{whose} refused: {name}, code {code}")]
    Refused { whose: String, name: &'static str, code: i64 },
    /// The host did not prove that it is the host.
    #[error("the host did not prove its identity")]
    NoProof,
    /// A message could not be made or read.
    #[error("the Kerberos login could not be carried on: {step}")]
    Protocol {
        step: &'static str,
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

/// By what an account proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Password,
    Keytab,
    Ticket,
}

impl std::fmt::Display for Proof {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Password => "the password",
            Self::Keytab => "the key in the keytab",
            Self::Ticket => "the ticket",
        })
    }
}

fn no_kdc(realm: &str, referring: Option<&str>) -> String {
    match referring {
        Some(first) => format!("the realm {first} refers to the realm {realm}, and no KDC of that one"),
        None => format!("no KDC of the realm {realm}"),
    }
}

/// AES alone is asked for, and RC4 is what is used by whatever is too old for it.
fn no_aes(whose: &Whose, kind: Option<i64>, code: &str) -> String {
    let name = match whose {
        Whose::Account(name) | Whose::Service(name) => name,
    };
    match kind {
        None => format!("the KDC has no AES key of {name} ({code})"),
        Some(23) => format!("the KDC answers for {name} with RC4 instead of AES"),
        Some(kind) => format!("the KDC answers for {name} with encryption type {kind} instead of AES"),
    }
}

fn by(seconds: Option<i64>) -> String {
    match seconds {
        Some(seconds) if seconds != 0 => {
            let direction = if seconds > 0 { "ahead" } else { "behind" };
            format!(": that one is {} s {direction}", seconds.abs())
        }
        _ => String::new(),
    }
}

fn at(end: &Option<jiff::Timestamp>) -> String {
    end.map(|end| format!(" at {end:.0}")).unwrap_or_default()
}

/// Who has keys at a KDC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Account(String),
    Service(String),
}

/// The account that a refusal is about.
pub struct Subject<'a> {
    pub client: &'a str,
    pub realm: &'a str,
    pub proof: Proof,
    /// Where the ticket comes from, when a ticket is the proof.
    pub source: &'a str,
}

impl From<Failure> for Kind {
    fn from(failure: Failure) -> Self {
        Self::Kerberos(Arc::new(failure))
    }
}

impl From<Arc<Failure>> for Kind {
    fn from(failure: Arc<Failure>) -> Self {
        Self::Kerberos(failure)
    }
}

impl Failure {
    /// Whether a KDC refused the account or its proof.
    pub fn refuses_credentials(&self) -> bool {
        matches!(
            self,
            Self::ClientUnknown { .. } | Self::WrongSecret { .. } | Self::Revoked { .. } | Self::PasswordExpired { .. }
        )
    }

    /// Whether a KDC may have refused the ticket that gets others, so that it may take a new one.
    pub fn is_of_the_granting_ticket(&self) -> bool {
        match self {
            Self::TicketExpired { .. } | Self::Skew { .. } => true,
            Self::Refused { code, .. } => *code != krb_error::POLICY,
            _ => false,
        }
    }

    /// Whether the host refused the ticket itself, so that it may take a new one.
    pub fn is_of_the_service_ticket(&self) -> bool {
        matches!(self, Self::WrongService { .. } | Self::TicketExpired { .. } | Self::Skew { .. })
    }

    /// Whether no KDC could be reached, which says nothing of account or host.
    pub fn is_of_the_network(&self) -> bool {
        matches!(self, Self::Kdc { .. } | Self::NoKdc { .. })
    }

    /// What a KDC's refusal of a request means. `service` was asked for, when a service was.
    pub fn of_kdc(error: &KrbError, kdc: &str, about: &Subject<'_>, service: Option<&str>) -> Self {
        let client = about.client.to_owned();
        let realm = about.realm.to_owned();
        match error.code {
            krb_error::CLIENT_UNKNOWN => Self::ClientUnknown { client, realm },
            krb_error::PREAUTH_FAILED => Self::WrongSecret { client, secret: about.proof },
            // A KDC that cannot open the ticket of a cache: it is from another KDC or an earlier time.
            krb_error::BAD_INTEGRITY | krb_error::MODIFIED if about.proof == Proof::Ticket => {
                Self::WrongSecret { client, secret: about.proof }
            }
            krb_error::CLIENT_REVOKED | krb_error::CLIENT_EXPIRED => {
                Self::Revoked { client, state: state(error), code: error.name() }
            }
            krb_error::KEY_EXPIRED => Self::PasswordExpired { client },
            krb_error::TICKET_EXPIRED => Self::TicketExpired { client, from: about.source.to_owned(), end: None },
            krb_error::SKEW => Self::Skew { whose: format!("the KDC {kdc}"), seconds: error.offset() },
            krb_error::ENCRYPTION_TYPE => {
                let whose = service.map_or(Whose::Account(client), |service| Whose::Service(service.to_owned()));
                Self::EncryptionType { whose, kind: None, code: error.name() }
            }
            krb_error::SERVICE_UNKNOWN => {
                Self::ServiceUnknown { names: service.into_iter().map(str::to_owned).collect(), realm }
            }
            code => Self::Refused { whose: format!("the KDC {kdc}"), name: error.name(), code },
        }
    }

    /// What the host's refusal of a ticket means.
    pub fn of_host(error: &KrbError, host: &str, client: &str, service: &str) -> Self {
        match error.code {
            krb_error::SKEW => Self::Skew { whose: format!("the host {host}"), seconds: error.offset() },
            krb_error::MODIFIED
            | krb_error::NOT_US
            | krb_error::NO_KEY
            | krb_error::BAD_KEY_VERSION
            | krb_error::BAD_INTEGRITY => Self::WrongService { service: service.to_owned(), code: error.name() },
            krb_error::TICKET_EXPIRED => {
                Self::TicketExpired { client: client.to_owned(), from: format!("the request to {host}"), end: None }
            }
            code => Self::Refused { whose: format!("the host {host}"), name: error.name(), code },
        }
    }
}

/// A message that could not be made or read.
pub fn protocol(step: &'static str) -> Failure {
    Failure::Protocol { step, source: None }
}

/// Windows says more than the code does.
fn state(error: &KrbError) -> &'static str {
    match (error.status, error.code) {
        (Some(0xc000_0234), _) => "locked out",
        (Some(0xc000_0072), _) => "disabled",
        (Some(0xc000_0193), _) | (_, krb_error::CLIENT_EXPIRED) => "expired",
        (Some(0xc000_006f), _) => "not allowed to log on at this time",
        (Some(0xc000_0070), _) => "not allowed to log on from this machine",
        _ => "disabled, locked out or expired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: Subject<'_> =
        Subject { client: "svc", realm: "CONTOSO.COM", proof: Proof::Password, source: "a cache" };

    #[track_caller]
    fn check(code: i64, status: Option<u32>, text: &str, cure: &str) {
        let error = KrbError { code, time: None, status };
        let failure = Failure::of_kdc(&error, "dc01:88", &ABOUT, Some("WSMAN/mfa01"));
        assert_eq!(failure.to_string(), text);
        assert!(failure.advice().contains(cure) && failure.advice().ends_with('.'), "{}", failure.advice());
    }

    #[test]
    fn each_refusal_has_its_words() {
        check(6, None, "the realm CONTOSO.COM has no account svc (KDC_ERR_C_PRINCIPAL_UNKNOWN)", "Get-ADUser");
        check(24, None, "the password of svc is wrong (KDC_ERR_PREAUTH_FAILED)", "password");
        let locked = "the account svc is locked out (KDC_ERR_CLIENT_REVOKED)";
        check(18, Some(0xc000_0234), locked, "Unlock-ADAccount");
        let revoked = "the account svc is disabled, locked out or expired (KDC_ERR_CLIENT_REVOKED)";
        check(18, None, revoked, "Enable-ADAccount");
        check(1, None, "the account svc is expired (KDC_ERR_NAME_EXP)", "AccountExpirationDate");
        check(23, None, "the password of svc has expired (KDC_ERR_KEY_EXPIRED)", "PasswordNeverExpires");
        let service = "the realm CONTOSO.COM has no service WSMAN/mfa01 (KDC_ERR_S_PRINCIPAL_UNKNOWN)";
        check(7, None, service, "setspn -S WSMAN/");
        let aes = "the KDC has no AES key of WSMAN/mfa01 (KDC_ERR_ETYPE_NOSUPP)";
        check(14, None, aes, "Set-ADComputer");
        let skew = "the clocks of this machine and of the KDC dc01:88 differ too much (KRB_AP_ERR_SKEW)";
        check(37, None, skew, "w32tm /resync");
        check(60, None, "the KDC dc01:88 refused: a Kerberos error, code 60", "4768");
    }

    #[test]
    fn a_skew_says_how_much_and_which_way() {
        let skew = |seconds| Failure::Skew { whose: "the host mfa01".to_owned(), seconds: Some(seconds) }.to_string();
        assert!(skew(600).contains("differ too much: that one is 600 s ahead (KRB_AP_ERR_SKEW)"), "{}", skew(600));
        assert!(skew(-7).contains("that one is 7 s behind"));
    }
}
