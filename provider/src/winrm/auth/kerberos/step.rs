//! One call of `sspi`, with its questions to a KDC answered.

use async_trait::async_trait;
use sspi::generator::{GeneratorState, NetworkRequest};
use sspi::{
    BufferType, ClientRequestFlags, CredentialsBuffers, DataRepresentation, KerberosConfig, SecurityBuffer,
    SecurityStatus, Sspi as _, SspiImpl as _,
};

use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::auth::kerberos::login;
use crate::winrm::auth::quietly;

/// Where `sspi`'s questions go.
#[async_trait]
pub trait Answers: Send {
    /// The answer to a message, without its length. `None` ends the call: what it was made for has been found out.
    async fn answer(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, Failure>;
}

/// What a call came to.
pub enum Stepped {
    Done { token: Vec<u8>, status: SecurityStatus },
    Ended,
}

/// Why a call came to nothing.
pub enum StepError {
    Kdc(Failure),
    Sspi(sspi::Error),
}

/// A context that has done nothing yet. It asks [`Answers`] alone, so the address means nothing.
pub fn context() -> Result<sspi::Kerberos, sspi::Error> {
    let config = KerberosConfig::new_with_kdc_url("tcp://kdc.invalid:88", login::computer_name());
    quietly(|| sspi::Kerberos::new_client_from_config(config))
}

/// Makes the next token. `sspi`'s traces would show keys.
pub async fn step(
    context: &mut sspi::Kerberos,
    credentials: Option<CredentialsBuffers>,
    service: &str,
    mut input: Vec<SecurityBuffer>,
    answers: &mut dyn Answers,
) -> Result<Stepped, StepError> {
    let mut credentials = credentials;
    let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let status = {
        let mut builder = context
            .initialize_security_context()
            .with_credentials_handle(&mut credentials)
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
            .with_input(&mut input)
            .with_output(&mut output);
        let mut generator =
            quietly(|| context.initialize_security_context_impl(&mut builder)).map_err(StepError::Sspi)?;
        let mut state = quietly(|| generator.start());
        loop {
            match state {
                GeneratorState::Completed(result) => break result.map_err(StepError::Sspi)?.status,
                GeneratorState::Suspended(NetworkRequest { data, .. }) => {
                    let message = data.get(4..).unwrap_or_default();
                    let Some(answer) = answers.answer(message).await.map_err(StepError::Kdc)? else {
                        return Ok(Stepped::Ended);
                    };
                    state = quietly(|| generator.resume(Ok(with_length(&answer))));
                }
            }
        }
    };
    Ok(Stepped::Done { token: output.swap_remove(0).buffer, status })
}

/// A message as it goes over TCP (RFC 4120 7.2.2).
pub fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), message].concat()
}
