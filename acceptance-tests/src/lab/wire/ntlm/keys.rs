//! NTLM's hashes and key derivations (MS-NLMP section 3).

use hmac::{Hmac, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use rc4::consts::U16;
use rc4::{KeyInit, Rc4, StreamCipher};

/// Who signed or sealed a message; each direction has keys of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// MD4 of the password in UTF-16LE: what Windows stores.
pub fn nt_hash(password: &str) -> [u8; 16] {
    Md4::digest(utf16(password)).into()
}

/// NTOWFv2: the key that proves knowledge of the password for these names.
pub fn response_key(nt_hash: &[u8; 16], user: &str, domain: &str) -> [u8; 16] {
    hmac_md5(nt_hash, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

pub fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Md5> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

pub fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

/// RC4 with a fresh key schedule; NTLM uses it to carry the session key.
pub fn rc4_once(key: &[u8; 16], data: &[u8; 16]) -> [u8; 16] {
    let mut data = *data;
    rc4(key).apply_keystream(&mut data);
    data
}

pub fn rc4(key: &[u8; 16]) -> Rc4<U16> {
    Rc4::new(key.into())
}

/// SIGNKEY with extended session security.
pub fn signing_key(session_key: &[u8; 16], sender: Sender) -> [u8; 16] {
    let magic: &[u8] = match sender {
        Sender::Client => b"session key to client-to-server signing key magic constant\0",
        Sender::Server => b"session key to server-to-client signing key magic constant\0",
    };
    md5(&[session_key, magic])
}

/// SEALKEY with extended session security and 128-bit keys.
pub fn sealing_key(session_key: &[u8; 16], sender: Sender) -> [u8; 16] {
    let magic: &[u8] = match sender {
        Sender::Client => b"session key to client-to-server sealing key magic constant\0",
        Sender::Server => b"session key to server-to-client sealing key magic constant\0",
    };
    md5(&[session_key, magic])
}

pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The inputs and results of MS-NLMP section 4.2.
    const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    #[track_caller]
    fn check(actual: &[u8], expected: &str) {
        let actual: String = actual.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn derives_the_keys_of_the_specification() {
        let hash = nt_hash("Password");
        check(&hash, "a4f49c406510bdcab6824ee7c30fd852");
        let key = response_key(&hash, "User", "Domain");
        check(&key, "0c868a403bfd7a93a3001ef22ef02e3f");
        let mut client_blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        client_blob.extend([0; 8]);
        client_blob.extend([0xaa; 8]);
        client_blob.extend([0; 4]);
        client_blob.extend([2, 0, 12, 0]);
        client_blob.extend(utf16("Domain"));
        client_blob.extend([1, 0, 12, 0]);
        client_blob.extend(utf16("Server"));
        client_blob.extend([0; 8]);
        let proof = hmac_md5(&key, &[&SERVER_CHALLENGE, &client_blob]);
        check(&proof, "68cd0ab851e51c96aabc927bebef6a1c");
        let base_key = hmac_md5(&key, &[&proof]);
        check(&base_key, "8de40ccadbc14a82f15cb0ad0de95ca3");
        check(&rc4_once(&base_key, &[0x55; 16]), "c5dad2544fc9799094ce1ce90bc9d03e");
    }

    #[test]
    fn derives_the_session_keys_of_the_specification() {
        check(&signing_key(&[0x55; 16], Sender::Client), "4788dc861b4782f35d43fd98fe1a2d39");
        check(&sealing_key(&[0x55; 16], Sender::Client), "59f600973cc4960a25480a7c196e4c58");
    }
}
