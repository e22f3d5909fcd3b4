//! Kerberos by the `sspi` crate: with a password, a key from a keytab or a ticket from a credential cache.
//!
//! [`Kerberos::prepare`] gets a ticket for the host out of the [`tickets`], which ask the KDC for it when they have none;
//! the one token that is then sent carries it, and the host's answer proves the host ([`SecurityContext::finish`]) and
//! brings the key that messages are sealed with.

mod advice;
mod as_exchange;
mod authenticator;
mod bytes;
pub mod cache;
pub mod enctype;
pub mod failure;
mod identity;
mod kdc;
pub mod keytab;
mod krb5_conf;
pub mod krb_error;
pub mod login;
mod realms;
pub mod replay;
pub mod reply;
mod salt;
mod single;
mod step;
mod tgs;
pub mod ticket;
pub mod tickets;
pub mod token;
pub mod wrap;

use std::sync::Arc;

use async_trait::async_trait;
use sspi::{BufferType, EncryptionFlags, SecurityBuffer, SecurityBufferRef, SecurityStatus, Sspi};

use crate::winrm::auth::kerberos::failure::{Failure, protocol};
use crate::winrm::auth::kerberos::login::{Login, with_key};
use crate::winrm::auth::kerberos::replay::Replay;
use crate::winrm::auth::kerberos::step::{StepError, Stepped};
use crate::winrm::auth::kerberos::tickets::{Held, Tickets};
use crate::winrm::auth::kerberos::wrap::Unwrapper;
use crate::winrm::auth::{SecurityContext, quietly};
use crate::winrm::endpoint::{Endpoint, HttpScheme, KerberosLogin};
use crate::winrm::error::Kind;

/// One login by Kerberos.
pub struct Kerberos {
    host: String,
    limit: std::time::Duration,
    scheme: HttpScheme,
    login: Login,
    tickets: Tickets,
    /// `SEC_CHANNEL_BINDINGS` of the TLS connection underneath.
    binding: Option<Vec<u8>>,
    context: sspi::Kerberos,
    held: Option<Held>,
    unwrapper: Option<Unwrapper>,
}

impl Kerberos {
    /// Reads keytab or cache; no one is asked yet. `binding` is the channel binding of the TLS connection underneath.
    pub fn new(endpoint: &Endpoint, settings: &KerberosLogin, binding: Option<&[u8]>) -> Result<Self, Kind> {
        Ok(Self {
            host: endpoint.host.clone(),
            limit: endpoint.timeouts.connect,
            scheme: settings.scheme,
            login: Login::read(settings)?,
            tickets: settings.tickets.clone(),
            binding: binding.map(channel_bindings),
            context: step::context().map_err(broken("it could not begin"))?,
            held: None,
            unwrapper: None,
        })
    }

    /// The token that carries the ticket.
    fn first_token(&mut self) -> Result<Vec<u8>, Failure> {
        let service = Arc::clone(&self.held.as_ref().ok_or_else(|| protocol("there is no ticket to send"))?.service);
        let ticket = &service.ticket;
        let mut input = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        if let Some(binding) = &self.binding {
            input.push(SecurityBuffer::new(binding.clone(), BufferType::ChannelBindings));
        }
        // The ticket tells the account; this name is for a request that nobody gets.
        let credentials = with_key("account", &ticket.client.realm, &ticket.session_key);
        let (token, _) = self.call(credentials, &service.name, input, Replay::of(ticket)?)?;
        if self.binding.is_none() {
            return Ok(token);
        }
        authenticator::with_mark(&token, &ticket.session_key)
            .ok_or_else(|| protocol("the token could not be bound to the TLS channel"))
    }

    /// One call of `sspi`, which needs no network.
    fn call(
        &mut self,
        credentials: Option<sspi::CredentialsBuffers>,
        service: &str,
        input: Vec<SecurityBuffer>,
        mut answers: Replay,
    ) -> Result<(Vec<u8>, SecurityStatus), Failure> {
        let work = step::step(&mut self.context, credentials, service, input, &mut answers);
        let stepped =
            futures_util::FutureExt::now_or_never(work).ok_or_else(|| protocol("a token needs the network"))?;
        match stepped {
            Ok(Stepped::Done { token, status }) => Ok((token, status)),
            Ok(Stepped::Ended) => Err(protocol("a token was not made")),
            Err(StepError::Kdc(failure)) => Err(failure),
            Err(StepError::Sspi(source)) => {
                Err(Failure::Protocol { step: "a token is not usable", source: Some(Box::new(source)) })
            }
        }
    }
}

#[async_trait]
impl SecurityContext for Kerberos {
    fn scheme(&self) -> HttpScheme {
        self.scheme
    }

    async fn prepare(&mut self) -> Result<(), Kind> {
        self.held = Some(self.tickets.for_host(&self.login, &self.host, self.limit).await?);
        Ok(())
    }

    fn step(&mut self, _token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
        Ok(self.first_token()?)
    }

    fn seals_with_last_token(&self) -> bool {
        // The key is the one that the server chooses in its answer.
        false
    }

    fn is_complete(&self) -> bool {
        // There is one token to send, and it is the last.
        true
    }

    fn finish(&mut self, token: Option<&[u8]>) -> Result<(), Kind> {
        let token = token.ok_or(Failure::NoProof)?;
        if let Some(kind) = self.refusal(token) {
            return Err(kind);
        }
        let input = vec![SecurityBuffer::new(token::unwrap_spnego(token).to_vec(), BufferType::Token)];
        let service = self.held.as_ref().map(|held| held.service.name.clone()).unwrap_or_default();
        let (_, status) = self.call(None, &service, input, Replay::none())?;
        if status != SecurityStatus::Ok {
            return Err(Failure::NoProof.into());
        }
        let keys = quietly(|| self.context.query_context_session_key()).map_err(broken("there is no session key"))?;
        self.unwrapper = Some(Unwrapper::new(keys.session_key.as_ref()));
        Ok(())
    }

    fn refusal(&self, token: &[u8]) -> Option<Kind> {
        let error = token::refusal(token)?;
        let service = self.held.as_ref().map_or("", |held| &held.service.name);
        Some(Failure::of_host(&error, &self.host, &self.login.client, service).into())
    }

    fn is_worth_another(&mut self, refusal: &Kind) -> bool {
        let is_kept = self.held.as_ref().is_some_and(Held::refused);
        is_kept
            && match refusal {
                Kind::Kerberos(failure) => failure.is_of_the_service_ticket(),
                refusal => refusal.refuses_credentials(),
            }
    }

    fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
        quietly(|| {
            let sizes = self.context.query_context_sizes().map_err(broken("a message could not be sealed"))?;
            let mut signature = vec![0; usize::try_from(sizes.security_trailer).unwrap_or_default()];
            let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(message)];
            self.context
                .encrypt_message(EncryptionFlags::empty(), &mut buffers)
                .map_err(broken("a message could not be sealed"))?;
            Ok(signature)
        })
    }

    fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
        let unwrapper = self.unwrapper.as_mut().ok_or_else(|| protocol("there is no session key"))?;
        unwrapper.unwrap(signature, message)
    }
}

fn broken(step: &'static str) -> impl FnOnce(sspi::Error) -> Kind {
    move |source| Failure::Protocol { step, source: Some(Box::new(source)) }.into()
}

/// `SEC_CHANNEL_BINDINGS` with nothing but the application's data.
fn channel_bindings(data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 32;
    let length = u32::try_from(data.len()).unwrap_or_default();
    let mut bytes = vec![0; 24];
    bytes.extend(length.to_le_bytes());
    bytes.extend(HEADER.to_le_bytes());
    bytes.extend(data);
    bytes
}
