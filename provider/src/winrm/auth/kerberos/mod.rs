//! Kerberos by the `sspi` crate: with a password, a key from a keytab or a ticket from a credential cache.
//!
//! [`Kerberos::prepare`] asks the KDC for a ticket for the host; the one token that is then sent carries it, and the
//! host's answer proves the host ([`SecurityContext::finish`]) and brings the key that messages are sealed with.

mod advice;
mod authenticator;
mod bytes;
pub mod cache;
pub mod cached;
pub mod enctype;
pub mod failure;
mod identity;
mod kdc;
pub mod keytab;
pub mod krb_error;
pub mod login;
pub mod token;
pub mod wrap;

use async_trait::async_trait;
use sspi::generator::GeneratorState;
use sspi::{
    BufferType, ClientRequestFlags, CredentialsBuffers, DataRepresentation, EncryptionFlags, KerberosConfig,
    SecurityBuffer, SecurityBufferRef, SecurityStatus, Sspi, SspiImpl,
};

use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::auth::kerberos::failure::{Failure, Subject};
use crate::winrm::auth::kerberos::kdc::Kdc;
use crate::winrm::auth::kerberos::krb_error::KrbError;
use crate::winrm::auth::kerberos::login::Login;
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
    /// `SEC_CHANNEL_BINDINGS` of the TLS connection underneath.
    binding: Option<Vec<u8>>,
    context: sspi::Kerberos,
    /// The service that the ticket is for.
    service: String,
    token: Option<Vec<u8>>,
    unwrapper: Option<Unwrapper>,
}

/// The services that Windows registers for WS-Management, in the order in which they are asked for.
const SERVICES: [&str; 2] = ["WSMAN", "HTTP"];

impl Kerberos {
    /// Reads keytab or cache; no one is asked yet. `binding` is the channel binding of the TLS connection underneath.
    pub fn new(endpoint: &Endpoint, settings: &KerberosLogin, binding: Option<&[u8]>) -> Result<Self, Kind> {
        let login = Login::read(settings).map_err(Kind::Kerberos)?;
        Ok(Self {
            host: endpoint.host.clone(),
            limit: endpoint.timeouts.connect,
            scheme: settings.scheme,
            context: context(&login.kdc)?,
            login,
            binding: binding.map(channel_bindings),
            service: String::new(),
            token: None,
            unwrapper: None,
        })
    }

    /// Fetches a ticket for the host under the first of its names that the KDC knows.
    async fn fetch_ticket(&mut self) -> Result<Vec<u8>, Failure> {
        let mut kdc = Kdc::new(&self.login.realm, self.limit, self.login.prepared_answers()?);
        let mut unknown = Vec::new();
        for service in SERVICES {
            self.service = format!("{service}/{}", self.host);
            self.context = context(&self.login.kdc).map_err(|_| protocol("it could not begin"))?;
            match self.ask_for_service(&mut kdc).await {
                Err(Failure::ServiceUnknown { names, .. }) => unknown.extend(names),
                other => return other,
            }
            kdc.begin_again();
        }
        Err(Failure::ServiceUnknown { names: unknown, realm: self.login.realm.clone() })
    }

    fn with_mark(&mut self, token: &[u8]) -> Result<Vec<u8>, Failure> {
        let broken = || protocol("the token could not be bound to the TLS channel");
        // Until the host has answered this is the key of the ticket.
        let keys = quietly(|| self.context.query_context_session_key()).map_err(|_| broken())?;
        authenticator::with_mark(token, &Key::aes(keys.session_key.as_ref())).ok_or_else(broken)
    }

    async fn ask_for_service(&mut self, kdc: &mut Kdc) -> Result<Vec<u8>, Failure> {
        let mut input = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        if let Some(binding) = &self.binding {
            input.push(SecurityBuffer::new(binding.clone(), BufferType::ChannelBindings));
        }
        let mut credentials = Some(self.login.credentials.clone());
        let result = step(&mut self.context, &mut credentials, &self.service, &mut input, Some(kdc)).await;
        let source = match result {
            Ok((token, _)) if self.binding.is_some() => return self.with_mark(&token),
            Ok((token, _)) => return Ok(token),
            Err(StepError::Kdc(failure)) => return Err(failure),
            Err(StepError::Sspi(source)) => source,
        };
        let about = Subject {
            client: &self.login.client,
            realm: &self.login.realm,
            proof: self.login.proof,
            source: &self.login.source,
        };
        match &kdc.refused {
            // Only the last answer decides: the first one always asks for pre-authentication.
            Some((address, error)) if error.code != krb_error::PREAUTH_REQUIRED => {
                Err(Failure::of_kdc(error, address, &about, Some(&self.service)))
            }
            // A reply that does not open, without pre-authentication, in which the KDC would have said so.
            _ if source.error_type == sspi::ErrorKind::MessageAltered => {
                Err(Failure::of_kdc(&KrbError::of(krb_error::PREAUTH_FAILED), "", &about, None))
            }
            _ if source.error_type == sspi::ErrorKind::NoAuthenticatingAuthority => {
                Err(Failure::Referral(self.login.realm.clone()))
            }
            _ => Err(Failure::Protocol { step: "the KDC's answer is not usable", source: Some(Box::new(source)) }),
        }
    }
}

#[async_trait]
impl SecurityContext for Kerberos {
    fn scheme(&self) -> HttpScheme {
        self.scheme
    }

    async fn prepare(&mut self) -> Result<(), Kind> {
        let token = self.fetch_ticket().await.map_err(Kind::Kerberos)?;
        tracing::debug!(service = %self.service, client = %self.login.client, "the KDC gave a ticket");
        self.token = Some(token);
        Ok(())
    }

    fn step(&mut self, _token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
        self.token.take().ok_or_else(|| Kind::Kerberos(protocol("there is no ticket to send")))
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
        let token = token.ok_or(Kind::Kerberos(Failure::NoProof))?;
        if let Some(kind) = self.refusal(token) {
            return Err(kind);
        }
        let mut input = vec![SecurityBuffer::new(token::unwrap_spnego(token).to_vec(), BufferType::Token)];
        let mut credentials = None;
        let work = step(&mut self.context, &mut credentials, &self.service, &mut input, None);
        let (_, status) = futures_util::FutureExt::now_or_never(work)
            .ok_or_else(|| Kind::Kerberos(protocol("the last token needs the network")))?
            .map_err(|error| match error {
                StepError::Kdc(failure) => failure,
                StepError::Sspi(source) => {
                    Failure::Protocol { step: "the host's token is not usable", source: Some(Box::new(source)) }
                }
            })
            .map_err(Kind::Kerberos)?;
        if status != SecurityStatus::Ok {
            return Err(Kind::Kerberos(Failure::NoProof));
        }
        let keys = quietly(|| self.context.query_context_session_key()).map_err(broken("there is no session key"))?;
        self.unwrapper = Some(Unwrapper::new(keys.session_key.as_ref()));
        Ok(())
    }

    fn refusal(&self, token: &[u8]) -> Option<Kind> {
        let error = token::refusal(token)?;
        Some(Kind::Kerberos(Failure::of_host(&error, &self.host, &self.login.client, &self.service)))
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
        let unwrapper = self.unwrapper.as_mut().ok_or_else(|| Kind::Kerberos(protocol("there is no session key")))?;
        unwrapper.unwrap(signature, message)
    }
}

enum StepError {
    Kdc(Failure),
    Sspi(sspi::Error),
}

/// One call of `sspi`, with the KDC asked for it where it wants one. Its traces would show keys.
async fn step(
    context: &mut sspi::Kerberos,
    credentials: &mut Option<CredentialsBuffers>,
    service: &str,
    input: &mut [SecurityBuffer],
    mut kdc: Option<&mut Kdc>,
) -> Result<(Vec<u8>, SecurityStatus), StepError> {
    let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let status = {
        let mut builder = context
            .initialize_security_context()
            .with_credentials_handle(credentials)
            .with_context_requirements(
                ClientRequestFlags::MUTUAL_AUTH
                    | ClientRequestFlags::CONFIDENTIALITY
                    | ClientRequestFlags::INTEGRITY
                    | ClientRequestFlags::REPLAY_DETECT
                    | ClientRequestFlags::SEQUENCE_DETECT
                    | ClientRequestFlags::ALLOCATE_MEMORY,
            )
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(service)
            .with_input(input)
            .with_output(&mut output);
        let mut generator =
            quietly(|| context.initialize_security_context_impl(&mut builder)).map_err(StepError::Sspi)?;
        let mut state = quietly(|| generator.start());
        loop {
            match (state, kdc.as_deref_mut()) {
                (GeneratorState::Completed(result), _) => break result.map_err(StepError::Sspi)?.status,
                (GeneratorState::Suspended(request), Some(kdc)) => {
                    let answer = kdc.answer(&request).await.map_err(StepError::Kdc)?;
                    state = quietly(|| generator.resume(Ok(answer)));
                }
                (GeneratorState::Suspended(_), None) => return Err(StepError::Kdc(protocol("the KDC was asked late"))),
            }
        }
    };
    Ok((output.swap_remove(0).buffer, status))
}

fn context(kdc: &str) -> Result<sspi::Kerberos, Kind> {
    let config = KerberosConfig::new_with_kdc_url(&format!("tcp://{kdc}"), login::computer_name());
    quietly(|| sspi::Kerberos::new_client_from_config(config)).map_err(broken("it could not begin"))
}

fn protocol(step: &'static str) -> Failure {
    Failure::Protocol { step, source: None }
}

fn broken(step: &'static str) -> impl FnOnce(sspi::Error) -> Kind {
    move |source| Kind::Kerberos(Failure::Protocol { step, source: Some(Box::new(source)) })
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
