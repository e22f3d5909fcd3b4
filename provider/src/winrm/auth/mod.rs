//! Proving who we are, once per connection.

pub mod kerberos;
pub mod ntlm;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;
use crate::winrm::endpoint::{Authentication, Endpoint, HttpScheme, Transport};
use crate::winrm::error::Kind;

/// A scheme that authenticates a connection by tokens and can protect messages afterwards.
///
/// One value belongs to one connection: sealing counts messages, so a value that has sealed a
/// message which never left, or missed a reply, is of no use any more.
#[async_trait]
pub trait SecurityContext: Send {
    /// The HTTP scheme that carries the tokens and names the sealing.
    fn scheme(&self) -> HttpScheme {
        HttpScheme::Negotiate
    }

    /// Fetches what the first token needs from elsewhere.
    async fn prepare(&mut self) -> Result<(), Kind> {
        Ok(())
    }

    /// The next token for the server, given the server's last one.
    fn step(&mut self, token: Option<&[u8]>) -> Result<Vec<u8>, Kind>;

    /// Whether [`SecurityContext::step`] has nothing more to send.
    fn is_complete(&self) -> bool;

    /// Whether messages can be sealed before the server has answered the last token.
    fn seals_with_last_token(&self) -> bool {
        true
    }

    /// Takes what the server answered to the last token when it accepted it.
    fn finish(&mut self, _token: Option<&[u8]>) -> Result<(), Kind> {
        Ok(())
    }

    /// Why the server refused, when its token says so.
    fn refusal(&self, _token: &[u8]) -> Option<Kind> {
        None
    }

    /// The host has refused the login. Whether another one may do better, because this one was made of something that was
    /// kept from before, and is not any more.
    fn is_worth_another(&mut self, _refusal: &Kind) -> bool {
        false
    }

    /// Encrypts a message in place, and returns its signature.
    fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind>;

    /// Decrypts a message and checks its signature and its place in the sequence.
    fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind>;
}

/// How requests on a new connection are authenticated.
pub enum Scheme {
    /// The same header value on each request.
    Header(Secret),
    /// Tokens of the Negotiate or Kerberos scheme first; then the connection itself is authenticated.
    Negotiate(Box<dyn SecurityContext>),
    /// The certificate of the TLS connection, which each request refers to.
    Certificate,
}

/// What `Authorization` carries where the client is known by its certificate.
pub const MUTUAL: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual";

/// The scheme for a new connection. `binding` is the TLS channel's `tls-server-end-point`.
pub fn scheme(endpoint: &Endpoint, binding: Option<&[u8]>) -> Result<Scheme, Kind> {
    match &endpoint.authentication {
        Authentication::Basic { username, password } => {
            ensure_confidential(endpoint)?;
            let pair = zeroize::Zeroizing::new(format!("{username}:{}", password.expose()));
            let value = format!("Basic {}", STANDARD.encode(pair.as_bytes()));
            Ok(Scheme::Header(Secret::new(value)))
        }
        Authentication::Ntlm { username, password } => {
            let context = ntlm::Ntlm::new(&endpoint.host, username, password, binding)?;
            Ok(Scheme::Negotiate(Box::new(context)))
        }
        Authentication::Certificate(_) => Ok(Scheme::Certificate),
        Authentication::Kerberos(login) => {
            let context = kerberos::Kerberos::new(endpoint, login, binding)?;
            Ok(Scheme::Negotiate(Box::new(context)))
        }
    }
}

/// Refuses, before a byte is sent, what would show the password to the network.
pub fn ensure_confidential(endpoint: &Endpoint) -> Result<(), Kind> {
    match (&endpoint.authentication, &endpoint.transport) {
        (Authentication::Basic { .. }, Transport::Http) => Err(Kind::UnencryptedBasic),
        (Authentication::Certificate(_), Transport::Http) => {
            Err(Kind::Setting("a client certificate can only be shown over HTTPS".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Runs `work` without tracing: `sspi` puts whole messages, plain ones and keys among them, into its spans.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), work)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A context that inverts bytes, so that framing can be tested without cryptography.
    pub(crate) struct Inverting;

    impl SecurityContext for Inverting {
        fn step(&mut self, _token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
            Ok(Vec::new())
        }

        fn is_complete(&self) -> bool {
            true
        }

        fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
            message.iter_mut().for_each(|byte| *byte = !*byte);
            Ok(b"ok".to_vec())
        }

        fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
            if signature != b"ok" {
                return Err(Kind::Malformed("wrong signature"));
            }
            Ok(message.iter().map(|byte| !byte).collect())
        }
    }
}
