//! Who is on the other end of a connection: Basic for each request, Negotiate or Kerberos once for the connection.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::lab::kerberos::acceptor::{Acceptor, Context};
use crate::lab::wire::client_certificates::MUTUAL;
use crate::lab::wire::machine::{Account, Machine};
use crate::lab::wire::ntlm::acceptor::{self, Challenged, ChannelBinding, Demands, LoggedOn, Refusal};
use crate::lab::wire::ntlm::keys;
use crate::lab::wire::ntlm::session::Session;
use crate::lab::wire::sealed::{Keys, Scheme};
use crate::lab::wire::spnego;

/// The logon of one connection.
#[derive(Default)]
pub struct Authentication {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Nobody,
    /// SPNEGO chose NTLM over the client's first mechanism; Type 1 is to come.
    Chosen {
        mechanisms: Vec<u8>,
    },
    Challenged {
        ntlm: Challenged,
        mechanisms: Option<Mechanisms>,
    },
    LoggedOn {
        account: Account,
        session: Box<Session>,
    },
    ByKerberos {
        account: Account,
        context: Context,
        scheme: Scheme,
    },
}

/// SPNEGO's mechanism list of a logon in progress.
struct Mechanisms {
    list: Vec<u8>,
    /// NTLM was not the client's first choice, so the lists must be signed.
    must_be_signed: bool,
}

/// What a host's policy says about logons.
pub struct Policy<'a> {
    pub machine: &'a dyn Machine,
    pub ntlm: Demands<'a>,
    pub basic: bool,
    /// The account to which the certificate of the TLS connection is mapped.
    pub certificate_account: Option<&'a str>,
    /// The keys of the host in its domain, when it is in one.
    pub kerberos: Option<&'a Arc<Acceptor>>,
}

/// Result of looking at one request's `Authorization` header.
pub enum Outcome {
    /// Answer 401 with this token for `WWW-Authenticate: Negotiate`.
    Continue(Vec<u8>),
    /// Answer 401 and offer what there is; the reason when a logon was tried.
    Refused(Option<Refusal>),
    /// Answer 401 with this token, which says why, when there is one.
    RefusedTicket { reason: String, scheme: Scheme, token: Option<Vec<u8>> },
    /// Process the request.
    Granted(Granted),
}

/// A request with a known sender.
pub struct Granted {
    pub account: Account,
    /// A logon took place with this request.
    pub logon: bool,
    /// Last token, for the answer's `WWW-Authenticate`.
    pub token: Option<Vec<u8>>,
    /// The scheme of that header.
    pub scheme: Scheme,
}

impl Authentication {
    /// Looks at the `Authorization` header of a request.
    pub fn step(&mut self, header: Option<&str>, policy: &Policy<'_>) -> Outcome {
        let Some(header) = header else {
            return match &self.state {
                State::LoggedOn { account, .. } | State::ByKerberos { account, .. } => granted(account, false, None),
                _ => Outcome::Refused(None),
            };
        };
        if header == MUTUAL {
            let account = policy.certificate_account.and_then(|name| {
                let (domain, user) = name.split_once('\\').unwrap_or(("", name));
                policy.machine.account(domain, user)
            });
            return account.map_or(Outcome::Refused(Some(Refusal::Certificate)), |it| granted(&it, true, None));
        }
        let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
        let value = BASE64_STANDARD.decode(value.trim()).unwrap_or_default();
        let outcome = if scheme.eq_ignore_ascii_case("Basic") {
            basic(&value, policy)
        } else if let Some((acceptor, scheme)) = policy.kerberos.zip(kerberos(scheme, &value)) {
            Ok(self.accept_ticket(acceptor, scheme, &value, policy))
        } else if scheme.eq_ignore_ascii_case("Negotiate") {
            self.negotiate(&value, policy)
        } else {
            Ok(Outcome::Refused(None))
        };
        outcome.unwrap_or_else(|reason| {
            self.forget();
            Outcome::Refused(Some(reason))
        })
    }

    /// The keys of this connection's logon, to open and seal messages.
    pub fn keys(&mut self) -> Option<Keys<'_>> {
        match &mut self.state {
            State::LoggedOn { session, .. } => Some(Keys::Ntlm(session)),
            State::ByKerberos { context, scheme, .. } => Some(Keys::Kerberos { context, scheme: *scheme }),
            _ => None,
        }
    }

    /// Forgets the logon, as a server does that answers 401.
    pub fn forget(&mut self) {
        self.state = State::Nobody;
    }

    fn accept_ticket(
        &mut self,
        acceptor: &Arc<Acceptor>,
        scheme: Scheme,
        token: &[u8],
        policy: &Policy<'_>,
    ) -> Outcome {
        self.forget();
        let refused = |reason: String, token| Outcome::RefusedTicket { reason, scheme, token };
        let hash = policy.ntlm.certificate_hash.filter(|_| policy.ntlm.channel_binding != ChannelBinding::None);
        let binding = hash.map(|hash| [&b"tls-server-end-point:"[..], hash].concat());
        let accepted = match acceptor.accept(token, binding.as_deref()) {
            Ok(accepted) => accepted,
            Err(error) => return refused(error.to_string(), error.token),
        };
        if binding.is_some() && policy.ntlm.channel_binding == ChannelBinding::Strict && !accepted.bound {
            return refused(Refusal::ChannelBinding.to_string(), None);
        }
        let (user, realm) = accepted.client.rsplit_once('@').unwrap_or((&accepted.client, ""));
        let Some(account) = policy.machine.account(realm, user) else {
            return refused(format!("no account {}", accepted.client), None);
        };
        let outcome = Granted { account: account.clone(), logon: true, token: Some(accepted.token), scheme };
        self.state = State::ByKerberos { account, context: accepted.context, scheme };
        Outcome::Granted(outcome)
    }

    fn negotiate(&mut self, token: &[u8], policy: &Policy<'_>) -> Result<Outcome, Refusal> {
        if spnego::is_spnego(token) {
            return self.negotiate_spnego(token, policy);
        }
        match std::mem::take(&mut self.state) {
            State::Challenged { ntlm, mechanisms: None } if token.get(8) == Some(&3) => {
                let logged_on = check(&ntlm, token, policy)?;
                Ok(self.log_on(logged_on, None))
            }
            _ => {
                let ntlm = acceptor::challenge(token, policy.machine)?;
                let message = ntlm.message().to_vec();
                self.state = State::Challenged { ntlm, mechanisms: None };
                Ok(Outcome::Continue(message))
            }
        }
    }

    fn negotiate_spnego(&mut self, token: &[u8], policy: &Policy<'_>) -> Result<Outcome, Refusal> {
        let out_of_order = || Refusal::OutOfOrder;
        if let Some(init) = spnego::parse_init(token) {
            if !init.offers_ntlm {
                return Err(Refusal::OutOfOrder);
            }
            let Some(negotiate) = init.token.filter(|_| init.prefers_ntlm) else {
                self.state = State::Chosen { mechanisms: init.mechanisms };
                return Ok(Outcome::Continue(spnego::response(spnego::State::RequestMic, true, None, None)));
            };
            return self.challenge_spnego(&negotiate, init.mechanisms, false, policy);
        }
        let response = spnego::parse_response(token).ok_or_else(out_of_order)?;
        match std::mem::take(&mut self.state) {
            State::Chosen { mechanisms } => {
                self.challenge_spnego(&response.token.ok_or_else(out_of_order)?, mechanisms, true, policy)
            }
            State::Challenged { ntlm, mechanisms: Some(mechanisms) } => {
                let mut logged_on = check(&ntlm, &response.token.ok_or_else(out_of_order)?, policy)?;
                let signature = exchange_signatures(&mut logged_on.session, &mechanisms, response.signature)?;
                let token = spnego::response(spnego::State::Completed, false, None, signature.as_deref());
                Ok(self.log_on(logged_on, Some(token)))
            }
            _ => Err(Refusal::OutOfOrder),
        }
    }

    fn challenge_spnego(
        &mut self,
        negotiate: &[u8],
        list: Vec<u8>,
        must_be_signed: bool,
        policy: &Policy<'_>,
    ) -> Result<Outcome, Refusal> {
        let ntlm = acceptor::challenge(negotiate, policy.machine)?;
        let token = spnego::response(spnego::State::Incomplete, !must_be_signed, Some(ntlm.message()), None);
        self.state = State::Challenged { ntlm, mechanisms: Some(Mechanisms { list, must_be_signed }) };
        Ok(Outcome::Continue(token))
    }

    fn log_on(&mut self, logged_on: LoggedOn, token: Option<Vec<u8>>) -> Outcome {
        let LoggedOn { account, session } = logged_on;
        let outcome = granted(&account, true, token);
        self.state = State::LoggedOn { account, session: Box::new(session) };
        outcome
    }
}

fn granted(account: &Account, logon: bool, token: Option<Vec<u8>>) -> Outcome {
    Outcome::Granted(Granted { account: account.clone(), logon, token, scheme: Scheme::Negotiate })
}

/// The scheme of a Kerberos token, when it is one: both schemes carry them.
fn kerberos(scheme: &str, token: &[u8]) -> Option<Scheme> {
    if scheme.eq_ignore_ascii_case("Kerberos") {
        return Some(Scheme::Kerberos);
    }
    (scheme.eq_ignore_ascii_case("Negotiate") && spnego::is_kerberos(token)).then_some(Scheme::Negotiate)
}

fn check(ntlm: &Challenged, token: &[u8], policy: &Policy<'_>) -> Result<LoggedOn, Refusal> {
    ntlm.authenticate(token, policy.machine, &policy.ntlm)
}

/// Checks the client's signature of the mechanism list and gives ours; NTLM's ciphers then start anew.
fn exchange_signatures(
    session: &mut Session,
    mechanisms: &Mechanisms,
    signature: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(signature) = signature else {
        return if mechanisms.must_be_signed { Err(Refusal::MechanismList) } else { Ok(None) };
    };
    session.verify(&signature, &mechanisms.list).map_err(|_| Refusal::MechanismList)?;
    let answer = session.sign(&mechanisms.list).to_vec();
    session.restart_ciphers();
    Ok(Some(answer))
}

fn basic(value: &[u8], policy: &Policy<'_>) -> Result<Outcome, Refusal> {
    // Over plain HTTP Windows does not look at it while AllowUnencrypted is false.
    if !policy.basic {
        return Ok(Outcome::Refused(None));
    }
    // Clients send UTF-8 or Latin-1; nothing in the header says which.
    let latin1 = || value.iter().map(|&byte| char::from(byte)).collect();
    let text = String::from_utf8(value.to_vec()).unwrap_or_else(|_| latin1());
    let (name, password) = text.split_once(':').unwrap_or((&text, ""));
    let (domain, user) = name.split_once('\\').unwrap_or(("", name));
    let Some(account) = policy.machine.account(domain, user) else {
        return Err(Refusal::UnknownAccount { domain: domain.to_owned(), user: user.to_owned() });
    };
    if account.nt_hash != keys::nt_hash(password) {
        return Err(Refusal::WrongPassword { user: user.to_owned() });
    }
    Ok(granted(&account, true, None))
}
