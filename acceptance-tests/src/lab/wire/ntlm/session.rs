//! Signing and sealing after an NTLM logon (MS-NLMP 3.4, extended session security).

use rc4::consts::U16;
use rc4::{Rc4, StreamCipher};

use crate::lab::wire::ntlm::keys::{self, Sender};
use crate::lab::wire::ntlm::messages::flags;

/// Length of a signature in bytes.
pub const SIGNATURE_LENGTH: usize = 16;

/// A message whose signature does not fit, or which came out of order. The session is of no use afterwards.
#[derive(Debug, thiserror::Error)]
#[error("wrong signature or sequence number")]
pub struct WrongSignature;

/// The keys and counters of one logon. RC4 runs on from message to message, so order is everything.
pub struct Session {
    session_key: [u8; 16],
    sealing: bool,
    incoming: Direction,
    outgoing: Direction,
}

struct Direction {
    signing_key: [u8; 16],
    cipher: Rc4<U16>,
    key_exchange: bool,
    sequence: u32,
}

impl Session {
    pub(crate) fn new(session_key: &[u8; 16], negotiated: u32) -> Self {
        let direction = |sender| Direction {
            signing_key: keys::signing_key(session_key, sender),
            cipher: keys::rc4(&keys::sealing_key(session_key, sender)),
            key_exchange: negotiated & flags::KEY_EXCHANGE != 0,
            sequence: 0,
        };
        let (incoming, outgoing) = (direction(Sender::Client), direction(Sender::Server));
        Self { session_key: *session_key, sealing: negotiated & flags::SEAL != 0, incoming, outgoing }
    }

    /// Whether the client negotiated sealing.
    pub fn sealing(&self) -> bool {
        self.sealing
    }

    /// Starts the ciphers anew, as SPNEGO does for NTLM after the mechanism lists were signed. The counters run on.
    pub fn restart_ciphers(&mut self) {
        self.incoming.cipher = keys::rc4(&keys::sealing_key(&self.session_key, Sender::Client));
        self.outgoing.cipher = keys::rc4(&keys::sealing_key(&self.session_key, Sender::Server));
    }

    /// Decrypts a message and checks its signature.
    pub fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, WrongSignature> {
        let mut plain = message.to_vec();
        self.incoming.cipher.apply_keystream(&mut plain);
        if self.incoming.sign(&plain) == *signature { Ok(plain) } else { Err(WrongSignature) }
    }

    /// Encrypts a message; gives its signature and the encrypted text.
    pub fn seal(&mut self, message: &[u8]) -> ([u8; SIGNATURE_LENGTH], Vec<u8>) {
        let mut sealed = message.to_vec();
        self.outgoing.cipher.apply_keystream(&mut sealed);
        (self.outgoing.sign(message), sealed)
    }

    /// Checks the signature of a message that was sent in clear.
    pub fn verify(&mut self, signature: &[u8], message: &[u8]) -> Result<(), WrongSignature> {
        if self.incoming.sign(message) == *signature { Ok(()) } else { Err(WrongSignature) }
    }

    /// Signs a message that is sent in clear.
    pub fn sign(&mut self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        self.outgoing.sign(message)
    }
}

impl Direction {
    fn sign(&mut self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let mut signature = [0; SIGNATURE_LENGTH];
        signature[0] = 1;
        let code = keys::hmac_md5(&self.signing_key, &[&sequence, message]);
        signature[4..12].copy_from_slice(&code[..8]);
        // With key exchange, and only then, the checksum is encrypted by the cipher that sealed the message.
        if self.key_exchange {
            self.cipher.apply_keystream(&mut signature[4..12]);
        }
        signature[12..].copy_from_slice(&sequence);
        signature
    }
}
