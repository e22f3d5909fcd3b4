//! A ticket that is there already instead of a password.
//!
//! `sspi` begins each login with requests to a KDC and takes no ticket from elsewhere. The KDC's answers reach it through
//! this crate, though: so the answers that a KDC would have given are made here of the ticket, and their secret parts are
//! encrypted with the ticket's own session key, which `sspi` is given as the account's key. Nothing made here leaves the
//! process.

use std::collections::VecDeque;

use async_trait::async_trait;
use jiff::Timestamp;
use picky_krb::crypto::KerberosCryptoError;

use crate::winrm::auth::kerberos::failure::{Failure, protocol};
use crate::winrm::auth::kerberos::krb_error::{self, PREAUTH_REQUIRED, SKEW};
use crate::winrm::auth::kerberos::reply::{Exchange, write_reply};
use crate::winrm::auth::kerberos::step::Answers;
use crate::winrm::auth::kerberos::ticket::Ticket;

/// What a KDC would answer to the requests of both exchanges, in order.
pub struct Replay(VecDeque<Vec<u8>>);

impl Replay {
    /// Answers that lead to this ticket for a service.
    pub fn of(ticket: &Ticket) -> Result<Self, Failure> {
        let unusable = |error: KerberosCryptoError| Failure::Protocol {
            step: "the ticket is not usable",
            source: Some(Box::new(error)),
        };
        let mut answers = VecDeque::from([krb_error::write(PREAUTH_REQUIRED, Timestamp::now(), &ticket.client.realm)]);
        if ticket.offset != 0 {
            // This is how a client learns the KDC's time.
            answers.push_back(krb_error::write(SKEW, ticket.now(), &ticket.client.realm));
        }
        for exchange in [Exchange::As, Exchange::Tgs] {
            answers.push_back(write_reply(exchange, ticket, &ticket.session_key, 0).map_err(unusable)?);
        }
        Ok(Self(answers))
    }

    /// No answers: what is left of a login is between this machine and the host.
    pub fn none() -> Self {
        Self(VecDeque::new())
    }
}

#[async_trait]
impl Answers for Replay {
    async fn answer(&mut self, _message: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.0.pop_front().map(Some).ok_or_else(|| protocol("a KDC was asked late"))
    }
}
