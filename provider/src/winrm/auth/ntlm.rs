//! NTLMv2 by the `sspi` crate, which only modules of `auth` name.

use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation,
    EncryptionFlags, SecurityBuffer, SecurityBufferRef, SecurityStatus, Sspi, SspiImpl, Username,
};

use crate::secret::Secret;
use crate::winrm::auth::{SecurityContext, quietly};
use crate::winrm::error::Kind;

/// One NTLMv2 authentication with a client that signs and seals.
pub struct Ntlm {
    context: sspi::Ntlm,
    credentials: Option<AuthIdentityBuffers>,
    target: String,
    complete: bool,
}

/// The signature of a sealed message, in bytes.
const SIGNATURE: usize = 16;

impl Ntlm {
    /// Prepares a login. `binding` is the channel binding of the TLS connection underneath.
    pub fn new(host: &str, username: &str, password: &Secret, binding: Option<&[u8]>) -> Result<Self, Kind> {
        quietly(|| {
            let identity = AuthIdentity {
                username: Username::parse(username).map_err(failed("the user name has no known form"))?,
                password: password.expose().to_owned().into(),
            };
            let mut context = sspi::Ntlm::new();
            if let Some(binding) = binding {
                context.set_channel_bindings(binding);
            }
            let credentials = context
                .acquire_credentials_handle()
                .with_credential_use(CredentialUse::Outbound)
                .with_auth_data(&identity)
                .execute(&mut context)
                .map_err(failed("the credentials cannot be used"))?
                .credentials_handle;
            Ok(Self { context, credentials, target: format!("HTTP/{host}"), complete: false })
        })
    }
}

impl SecurityContext for Ntlm {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
        let mut input = [SecurityBuffer::new(token.unwrap_or_default().to_vec(), BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        quietly(|| {
            let mut builder = self
                .context
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(
                    ClientRequestFlags::CONFIDENTIALITY
                        | ClientRequestFlags::INTEGRITY
                        | ClientRequestFlags::ALLOCATE_MEMORY,
                )
                .with_target_data_representation(DataRepresentation::Native)
                .with_target_name(&self.target)
                .with_input(&mut input)
                .with_output(&mut output);
            let result = self
                .context
                .initialize_security_context_impl(&mut builder)
                .and_then(|mut generator| generator.resolve_to_result())
                .map_err(failed("the server's token is not usable"))?;
            if result.status != SecurityStatus::ContinueNeeded {
                self.complete = true;
            }
            Ok::<(), Kind>(())
        })?;
        Ok(output.swap_remove(0).buffer)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
        let mut signature = vec![0; SIGNATURE];
        quietly(|| {
            let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(message)];
            self.context
                .encrypt_message(EncryptionFlags::empty(), &mut buffers)
                .map_err(failed("a message could not be sealed"))
        })?;
        Ok(signature)
    }

    fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
        if signature.len() != SIGNATURE {
            return Err(Kind::Malformed("the signature of the sealed message has a wrong length"));
        }
        let mut signature = signature.to_vec();
        let mut message = message.to_vec();
        quietly(|| {
            let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut message)];
            self.context.decrypt_message(&mut buffers).map_err(|_| {
                Kind::Unsealed("a sealed message does not open with the login's key, or is not the next one")
            })
        })?;
        Ok(message)
    }
}

fn failed<E>(step: &'static str) -> impl FnOnce(E) -> Kind
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| Kind::Authentication { step, source: Box::new(source) }
}
