//! The accepting side of NTLM, as a Windows host would be it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, CredentialUse, DataRepresentation, EncryptionFlags, Ntlm,
    SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi, SspiImpl, Username,
};

use crate::server::{PASSWORD, USER, header, http};

pub struct NtlmServer {
    context: Ntlm,
    credentials: Option<AuthIdentityBuffers>,
    pub authenticated: bool,
}

impl NtlmServer {
    pub fn new(binding: Option<Vec<u8>>) -> Self {
        let mut context = Ntlm::new();
        if let Some(binding) = binding {
            context.set_channel_bindings(&binding);
        }
        let identity = AuthIdentity {
            username: Username::parse(USER).expect("a user name"),
            password: PASSWORD.to_owned().into(),
        };
        let credentials = context
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Inbound)
            .with_auth_data(&identity)
            .execute(&mut context)
            .expect("credentials")
            .credentials_handle;
        Self { context, credentials, authenticated: false }
    }

    /// Takes the token of a request; the answer is what refuses it, or asks for another.
    pub fn step(&mut self, head: &str) -> Option<Vec<u8>> {
        let refusal = || {
            Some(http(
                "401 Unauthorized",
                "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"WSMAN\"\r\n",
                b"",
            ))
        };
        let token = header(head, "authorization").and_then(|value| value.strip_prefix("Negotiate "));
        let Some(token) = token.and_then(|token| STANDARD.decode(token).ok()) else {
            return refusal();
        };
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let builder = self
            .context
            .accept_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ServerRequestFlags::ALLOCATE_MEMORY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let status = self
            .context
            .accept_security_context_impl(builder)
            .and_then(|mut generator| generator.resolve_to_result())
            .map(|result| result.status);
        match status {
            Ok(SecurityStatus::ContinueNeeded) => {
                let token = STANDARD.encode(&output[0].buffer);
                Some(http("401 Unauthorized", &format!("WWW-Authenticate: Negotiate {token}\r\n"), b""))
            }
            Ok(_) if self.context.complete_auth_token(&mut output).is_ok() => {
                self.authenticated = true;
                None
            }
            _ => refusal(),
        }
    }

    /// Opens a request, which must be sealed.
    pub fn unseal(&mut self, head: &str, body: &[u8]) -> Vec<u8> {
        let content_type = header(head, "content-type").expect("a content type");
        assert!(content_type.starts_with("multipart/encrypted"), "sent in the open: {head}");
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains("Envelope"), "sent in the open");
        let start = b"application/octet-stream\r\n";
        let start = body.windows(start.len()).position(|found| found == start).expect("data") + start.len();
        let end = body.len() - b"--Encrypted Boundary--\r\n".len();
        let (length, data) = body[start..end].split_at(4);
        assert_eq!(length, [16, 0, 0, 0]);
        let (signature, data) = data.split_at(16);
        let (mut signature, mut data) = (signature.to_vec(), data.to_vec());
        let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut data)];
        self.context.decrypt_message(&mut buffers).expect("a message in sequence");
        assert!(text.contains(&format!("Length={}\r\n", data.len())), "{text}");
        data
    }

    /// Content type and body as Windows writes them, with tabs.
    pub fn seal(&mut self, message: &[u8]) -> (&'static str, Vec<u8>) {
        let mut signature = vec![0; 16];
        let mut data = message.to_vec();
        let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut data)];
        self.context.encrypt_message(EncryptionFlags::empty(), &mut buffers).expect("a sealed message");
        let protocol = "application/HTTP-SPNEGO-session-encrypted";
        let mut body = format!(
            "--Encrypted Boundary\r\n\tContent-Type: {protocol}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
            message.len()
        )
        .into_bytes();
        body.extend_from_slice(&[16, 0, 0, 0]);
        body.extend_from_slice(&signature);
        body.extend_from_slice(&data);
        body.extend_from_slice(b"--Encrypted Boundary--\r\n");
        let content_type = "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";
        (content_type, body)
    }
}
