//! Keys and their encryption types.

use std::fmt;

use picky_krb::crypto::CipherSuite;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A key with the number of its encryption type. `Debug` shows the type alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// 17 is aes128-cts-hmac-sha1-96, 18 is aes256-cts-hmac-sha1-96, 23 is RC4.
    pub kind: i32,
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Key {
    pub fn new(kind: i32, bytes: &[u8]) -> Self {
        Self { kind, bytes: Zeroizing::new(bytes.to_vec()) }
    }

    /// An AES key, whose length tells its type.
    pub fn aes(bytes: &[u8]) -> Self {
        Self::new(if bytes.len() == 16 { 17 } else { 18 }, bytes)
    }

    /// The key that an account with this password has.
    pub fn of_password(kind: i32, password: &Secret, salt: &str) -> Option<Self> {
        let suite = suite(kind)?;
        let bytes = suite.cipher().generate_key_from_password(password.expose().as_bytes(), salt.as_bytes()).ok()?;
        Some(Self { kind, bytes: Zeroizing::new(bytes) })
    }

    /// What can be done with it: nothing unless it is one of the two AES types that Active Directory issues.
    pub fn suite(&self) -> Option<CipherSuite> {
        suite(self.kind).filter(|suite| suite.cipher().key_size() == self.bytes.len())
    }
}

fn suite(kind: i32) -> Option<CipherSuite> {
    match kind {
        17 => Some(CipherSuite::Aes128CtsHmacSha196),
        18 => Some(CipherSuite::Aes256CtsHmacSha196),
        _ => None,
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("kind", &self.kind).finish_non_exhaustive()
    }
}
