//! Opens the wrap tokens of RFC 4121 4.2.6.2 that a host seals its answers in.
//!
//! `sspi` opens them too, but compares neither the outer header with the encrypted copy of it nor the sequence
//! numbers, so an old answer could be put in the place of a new one.

use picky_krb::constants::key_usages::ACCEPTOR_SEAL;
use zeroize::Zeroizing;

use crate::winrm::auth::kerberos::enctype::Key;
use crate::winrm::error::Kind;

/// The key of a login, and where its sequence of answers is.
pub struct Unwrapper {
    key: Key,
    /// The number that the next answer must have; the first answer says where the host begins.
    next: Option<u64>,
}

const HEADER: usize = 16;
const TOKEN: [u8; 2] = [5, 4];
const SENT_BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;

impl Unwrapper {
    /// `key` is the subkey that the host chose.
    pub fn new(key: &[u8]) -> Self {
        Self { key: Key::aes(key), next: None }
    }

    /// Opens a token, given in two parts of any lengths.
    pub fn unwrap(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
        let unsealed = Kind::Unsealed;
        let token = [signature, message].concat();
        let (header, rest) =
            token.split_first_chunk::<HEADER>().ok_or(unsealed("a sealed message has no Kerberos header"))?;
        if header[..2] != TOKEN || header[2] & (SENT_BY_ACCEPTOR | SEALED) != SENT_BY_ACCEPTOR | SEALED {
            return Err(unsealed("a sealed message is not one that the host encrypted by Kerberos"));
        }
        let filler = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let rotation = usize::from(u16::from_be_bytes([header[6], header[7]]));
        let mut encrypted = rest.to_vec();
        if encrypted.is_empty() {
            return Err(unsealed("a sealed message is empty"));
        }
        let rotation = rotation % encrypted.len();
        encrypted.rotate_left(rotation);
        let plain = self.decrypt(&encrypted)?;
        let length = plain
            .len()
            .checked_sub(HEADER + filler)
            .ok_or(unsealed("a sealed message is shorter than its header says"))?;
        let mut expected = *header;
        // The copy was made before the rotation was known.
        expected[6..8].fill(0);
        if plain[length + filler..] != expected {
            return Err(unsealed("the header of a sealed message was changed on the way"));
        }
        let number = header.last_chunk::<8>().map(|number| u64::from_be_bytes(*number)).unwrap_or_default();
        if self.next.is_some_and(|next| next != number) {
            return Err(unsealed("a sealed message is not the next one of its sequence"));
        }
        self.next = Some(number.wrapping_add(1));
        Ok(plain[..length].to_vec())
    }

    fn decrypt(&self, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Kind> {
        let suite = self.key.suite().ok_or(Kind::Unsealed("the host chose a key that is not AES"))?;
        suite
            .cipher()
            .decrypt(&self.key.bytes, ACCEPTOR_SEAL, encrypted)
            .map(Zeroizing::new)
            .map_err(|_| Kind::Unsealed("a sealed message does not open with the login's key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn token(flags: u8, number: u64, rotation: u16, inner: impl Fn(&mut [u8; HEADER]), text: &[u8]) -> Vec<u8> {
        let mut header = [5, 4, flags, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[8..].copy_from_slice(&number.to_be_bytes());
        let mut copy = header;
        inner(&mut copy);
        let plain = [text, &copy].concat();
        let cipher = Key::new(18, &KEY).suite().expect("AES").cipher();
        let mut encrypted = cipher.encrypt(&KEY, ACCEPTOR_SEAL, &plain).expect("encrypted");
        let by = usize::from(rotation) % encrypted.len();
        encrypted.rotate_right(by);
        header[6..8].copy_from_slice(&rotation.to_be_bytes());
        [header.to_vec(), encrypted].concat()
    }

    #[track_caller]
    fn check(unwrapper: &mut Unwrapper, token: &[u8], expected: Option<&[u8]>) {
        let (signature, message) = token.split_at(token.len().min(60));
        assert_eq!(unwrapper.unwrap(signature, message).ok().as_deref(), expected);
    }

    #[test]
    fn opens_a_sequence_in_any_rotation() {
        let mut unwrapper = Unwrapper::new(&KEY);
        check(&mut unwrapper, &token(7, 41, 28, |_| {}, b"<a/>"), Some(b"<a/>"));
        check(&mut unwrapper, &token(7, 42, 0, |_| {}, b""), Some(b""));
        check(&mut unwrapper, &token(7, 43, 999, |_| {}, &[b'x'; 5000]), Some(&[b'x'; 5000]));
    }

    #[test]
    fn refuses_what_was_seen_or_skipped() {
        let mut unwrapper = Unwrapper::new(&KEY);
        let first = token(7, 1, 28, |_| {}, b"one");
        check(&mut unwrapper, &first, Some(b"one"));
        check(&mut unwrapper, &first, None);
        check(&mut unwrapper, &token(7, 3, 28, |_| {}, b"three"), None);
        check(&mut unwrapper, &token(7, 2, 28, |_| {}, b"two"), Some(b"two"));
    }

    #[test]
    fn refuses_what_was_changed() {
        let whole = token(7, 1, 28, |_| {}, b"text");
        // The filler byte of the header has no meaning, yet the copy shows a change of it.
        for index in 0..whole.len() {
            // The rotation is not protected: another one only makes other ciphertext.
            let mut bent = whole.clone();
            bent[index] ^= 1;
            check(&mut Unwrapper::new(&KEY), &bent, None);
        }
        for end in 0..whole.len() {
            check(&mut Unwrapper::new(&KEY), &whole[..end], None);
        }
        check(&mut Unwrapper::new(&KEY), &token(7, 1, 28, |copy| copy[15] = 2, b"text"), None);
        check(&mut Unwrapper::new(&KEY), &token(6, 1, 28, |_| {}, b"own"), None);
        check(&mut Unwrapper::new(&KEY), &token(5, 1, 28, |_| {}, b"signed only"), None);
        check(&mut Unwrapper::new(&[8; 32]), &whole, None);
    }
}
