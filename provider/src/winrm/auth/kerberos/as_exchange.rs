//! The AS exchange (RFC 4120 3.1): an account proves itself to its KDC, and gets a ticket for getting tickets.
//!
//! `sspi` makes the requests and judges the answers. The ticket is taken out of the last answer here, because `sspi` would
//! use it for one login alone.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::winrm::auth::kerberos::failure::{Failure, Whose, protocol};
use crate::winrm::auth::kerberos::kdc::Kdc;
use crate::winrm::auth::kerberos::krb_error::{self, KrbError};
use crate::winrm::auth::kerberos::login::Login;
use crate::winrm::auth::kerberos::reply::{Exchange, Reply};
use crate::winrm::auth::kerberos::salt;
use crate::winrm::auth::kerberos::step::{Answers, StepError, Stepped, context, step};
use crate::winrm::auth::kerberos::ticket::Ticket;
use crate::winrm::der::application;

/// Proves the account.
pub async fn granting_ticket(login: &Login, kdc: &mut Kdc<'_>) -> Result<Ticket, Failure> {
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

/// Whether keys of this encryption type are used.
fn is_taken(kind: i64) -> bool {
    matches!(kind, 17 | 18)
}

/// What was asked and answered.
struct Asked<'a, 'k> {
    login: &'a Login,
    kdc: &'a mut Kdc<'k>,
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
impl Answers for Asked<'_, '_> {
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
                krb_error::PREAUTH_REQUIRED => {
                    self.demand = Some(answer.message.clone());
                    let kinds = self.kinds();
                    if let Some(first) = kinds.first().filter(|_| !kinds.iter().any(|kind| is_taken(*kind))) {
                        return Err(self.no_aes(Some(*first), error.name()));
                    }
                }
                krb_error::SKEW => self.offset = error.offset().unwrap_or_default(),
                _ => {}
            }
            self.refused = Some((answer.address, error));
            return Ok(Some(answer.message));
        }
        if let Some(kind) = Reply::parse(Exchange::As, &answer.message).and_then(Reply::encryption_type) {
            if !is_taken(kind.into()) {
                return Err(self.no_aes(Some(kind.into()), "AS-REP"));
            }
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

impl Asked<'_, '_> {
    fn no_aes(&self, kind: Option<i64>, code: &'static str) -> Failure {
        Failure::EncryptionType { whose: Whose::Account(self.login.client.clone()), kind, code }
    }

    /// The encryption types of the account's keys, as far as the KDC names them.
    fn kinds(&self) -> Vec<i64> {
        self.demand.as_deref().and_then(krb_error::pre_authentication).map(salt::kinds).unwrap_or_default()
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
            // MIT's KDC demands a proof by a key that it does not have, and then does not take it.
            Some((_, error))
                if error.code == krb_error::PREAUTH_FAILED && self.demand.is_some() && self.kinds().is_empty() =>
            {
                self.no_aes(None, error.name())
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::secret::Secret;
    use crate::winrm::auth::kerberos::realms::Realms;
    use crate::winrm::auth::kerberos::step::with_length;
    use crate::winrm::auth::kerberos::tickets::Tickets;
    use crate::winrm::der::{OCTET_STRING, SEQUENCE, fields, integer, write};
    use crate::winrm::endpoint::{HttpScheme, KerberosCredentials, KerberosLogin};

    /// A KDC that gives each request this answer.
    async fn kdc(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let length = client.read_u32().await.expect("a length");
                let mut request = vec![0; usize::try_from(length).expect("short")];
                client.read_exact(&mut request).await.expect("a request");
                client.write_all(&with_length(&answer)).await.expect("it is sent");
            }
        });
        address
    }

    async fn failure(answer: Vec<u8>) -> String {
        let credentials = KerberosCredentials::Password { username: "svc".to_owned(), password: Secret::new("x") };
        let settings = KerberosLogin {
            credentials,
            realm: Some("CONTOSO.COM".to_owned()),
            kdc: Some(kdc(answer).await),
            krb5_conf: Vec::new(),
            scheme: HttpScheme::Kerberos,
            tickets: Tickets::default(),
        };
        let login = Login::read(&settings).expect("a login");
        let realms = Realms::new(&login);
        let asked = granting_ticket(&login, &mut Kdc::new(&realms, Duration::from_secs(10))).await;
        asked.expect_err("no ticket").to_string()
    }

    fn reply(encryption_type: i64) -> Vec<u8> {
        let secret = fields(&[(0, integer(encryption_type)), (2, write(OCTET_STRING, &[7; 64]))]);
        write(application(11), &fields(&[(0, integer(5)), (1, integer(11)), (6, secret)]))
    }

    #[tokio::test]
    async fn only_aes_is_taken() {
        assert_eq!(failure(reply(23)).await, "the KDC answers for svc with RC4 instead of AES");
        assert_eq!(failure(reply(3)).await, "the KDC answers for svc with encryption type 3 instead of AES");
        let told = write(SEQUENCE, &salt::tests::data(&[(23, None)]));
        let demand = fields(&[(6, integer(krb_error::PREAUTH_REQUIRED)), (12, write(OCTET_STRING, &told))]);
        assert_eq!(failure(write(application(30), &demand)).await, "the KDC answers for svc with RC4 instead of AES");
        let refusal = krb_error::write(krb_error::ENCRYPTION_TYPE, Timestamp::now(), "CONTOSO.COM");
        assert_eq!(failure(refusal).await, "the KDC has no AES key of svc (KDC_ERR_ETYPE_NOSUPP)");
    }
}
