//! The AS exchange (RFC 4120 3.1): an account proves itself to its KDC, and gets a ticket for getting tickets.
//!
//! `sspi` makes the requests and judges the answers. The ticket is taken out of the last answer here, because `sspi` would
//! use it for one login alone.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::winrm::auth::kerberos::failure::{Failure, protocol};
use crate::winrm::auth::kerberos::kdc::Kdc;
use crate::winrm::auth::kerberos::krb_error::{self, KrbError};
use crate::winrm::auth::kerberos::login::Login;
use crate::winrm::auth::kerberos::reply::{Exchange, Reply};
use crate::winrm::auth::kerberos::step::{Answers, StepError, Stepped, context, step};
use crate::winrm::auth::kerberos::ticket::Ticket;
use crate::winrm::der::application;

/// Proves the account.
pub async fn granting_ticket(login: &Login, kdc: &mut Kdc) -> Result<Ticket, Failure> {
    let credentials = login.proves_itself_with().ok_or_else(|| protocol("a ticket proves nothing to a KDC"))?;
    let mut asked = Asked { login, kdc, reply: None, demand: None, refused: None, offset: 0 };
    let service = format!("krbtgt/{}", login.realm);
    let mut context = context().map_err(|_| protocol("it could not begin"))?;
    let stepped = step(&mut context, Some(credentials), &service, Vec::new(), &mut asked).await;
    match stepped {
        Ok(Stepped::Ended) => asked.open(),
        Ok(Stepped::Done { .. }) => Err(protocol("it ended early")),
        Err(StepError::Kdc(failure)) => Err(failure),
        Err(StepError::Sspi(source)) => Err(asked.meaning_of(source)),
    }
}

/// What was asked and answered.
struct Asked<'a> {
    login: &'a Login,
    kdc: &'a mut Kdc,
    reply: Option<Vec<u8>>,
    /// The error by which the KDC demands a proof, with what it says of the account's keys.
    demand: Option<Vec<u8>>,
    /// The last refusal, and who refused.
    refused: Option<(String, KrbError)>,
    /// How far the KDC's clock is ahead, in seconds.
    offset: i64,
}

const AS_REQ: u8 = application(10);

#[async_trait]
impl Answers for Asked<'_> {
    async fn answer(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        if message.first() != Some(&AS_REQ) {
            // `sspi` has opened the reply, and goes on to a service.
            return Ok(None);
        }
        if self.reply.is_some() {
            return Ok(self.reply.clone());
        }
        let is_first = self.demand.is_none() && self.refused.is_none();
        let answer = self.kdc.ask(&self.login.realm, message).await?;
        if let Some(error) = krb_error::parse(&answer.message) {
            match error.code {
                krb_error::PREAUTH_REQUIRED => self.demand = Some(answer.message.clone()),
                krb_error::SKEW => self.offset = error.offset().unwrap_or_default(),
                _ => {}
            }
            self.refused = Some((answer.address, error));
            return Ok(Some(answer.message));
        }
        if let Some(kind) = Reply::parse(Exchange::As, &answer.message).and_then(Reply::encryption_type) {
            self.check(kind)?;
            self.reply = Some(answer.message.clone());
            if is_first {
                // The account needs no pre-authentication, and `sspi` takes no ticket without it: it is asked for one, and
                // gets this answer to that. The answer opens with the account's key alone all the same.
                let demand = krb_error::write(krb_error::PREAUTH_REQUIRED, Timestamp::now(), &self.login.realm);
                return Ok(Some(demand));
            }
        }
        Ok(Some(answer.message))
    }
}

impl Asked<'_> {
    /// Whether a reply can be opened by any key that there may be.
    fn check(&self, kind: i32) -> Result<(), Failure> {
        if matches!(kind, 17 | 18) {
            return Ok(());
        }
        Err(Failure::EncryptionType { client: self.login.client.clone() })
    }

    fn open(&self) -> Result<Ticket, Failure> {
        let unusable = || protocol("the KDC's answer is not usable");
        let bytes = self.reply.as_deref().ok_or_else(unusable)?;
        let reply = Reply::parse(Exchange::As, bytes).ok_or_else(unusable)?;
        let demand = self.demand.as_deref().and_then(krb_error::pre_authentication).unwrap_or_default();
        let key = self.login.key(reply, demand).ok_or_else(unusable)?;
        let ticket = reply.open(&key, self.offset).ok_or_else(unusable)?.ticket;
        tracing::debug!(client = %ticket.client, end = %ticket.end, offset = self.offset, "the KDC knows the account");
        Ok(ticket)
    }

    fn meaning_of(&self, source: sspi::Error) -> Failure {
        let about = self.login.subject();
        match &self.refused {
            // Only the last answer decides: the first one always asks for pre-authentication.
            Some((address, error)) if self.reply.is_none() && error.code != krb_error::PREAUTH_REQUIRED => {
                Failure::of_kdc(error, address, &about, None)
            }
            // A reply that does not open, without pre-authentication, in which the KDC would have said so.
            _ if source.error_type == sspi::ErrorKind::MessageAltered => {
                Failure::of_kdc(&KrbError::of(krb_error::PREAUTH_FAILED), "", &about, None)
            }
            _ => Failure::Protocol { step: "the KDC's answer is not usable", source: Some(Box::new(source)) },
        }
    }
}
