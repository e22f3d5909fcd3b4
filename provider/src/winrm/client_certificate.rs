//! The certificate by which this side logs in, with its key: from PEM or from PKCS#12.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Pkcs12Error;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A certificate, those between it and its authority, and the certificate's key.
#[derive(Clone)]
pub struct ClientCertificate(Arc<CertifiedKey>);

/// Why a certificate or its key cannot be used. No text of either is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the client certificate is no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")")]
    Certificate,
    #[error("the client key is no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")")]
    Key,
    #[error("the client key is encrypted")]
    EncryptedKey,
    #[error("the client key is of a kind that TLS cannot use here")]
    KindOfKey,
    #[error("the client key is not the key of the client certificate")]
    OtherKey,
    #[error("the PKCS#12 is not base64")]
    Base64,
    #[error("the PKCS#12 cannot be read")]
    Pkcs12,
    #[error("the password does not open the PKCS#12")]
    Password,
    #[error("the PKCS#12 holds no certificate together with its key")]
    Incomplete,
    #[error("the PKCS#12 holds several certificates with their keys")]
    Several,
}

impl Unusable {
    /// What to do about it, as full sentences.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Certificate => {
                "Give the text of the file, as `file(\"client.pem\")` reads it, not its name; the client's own \
                 certificate comes first. `openssl x509 -in client.crt -inform DER` makes PEM of a DER file."
            }
            Self::Key => {
                "Give the text of the file, not its name. `openssl pkey -in client.key -inform DER` makes PEM of a DER \
                 file."
            }
            Self::EncryptedKey => {
                "Keys in PEM are taken without a password only. Decrypt it (`openssl pkey -in client.key`) and hand the \
                 result over from a secret store, or give certificate and key as PKCS#12 with its password \
                 (`openssl pkcs12 -export -inkey client.key -in client.pem`)."
            }
            Self::KindOfKey => "Use an RSA key of 2048 bits or more, or an ECDSA key on P-256, P-384 or P-521.",
            Self::OtherKey => "Give the key that the certificate was issued for.",
            Self::Base64 => "Give the file in base64, as `filebase64(\"client.pfx\")` or `base64 -w0 client.pfx` does.",
            Self::Pkcs12 => {
                "Export it again: `Export-PfxCertificate -CryptoAlgorithmOption AES256_SHA256` on Windows, or `openssl \
                 pkcs12 -export -inkey client.key -in client.pem`."
            }
            Self::Password => "Correct the password of the PKCS#12.",
            Self::Incomplete => {
                "Export the certificate with its private key (`Export-PfxCertificate`, which needs a key that may be \
                 exported)."
            }
            Self::Several => "Export the one certificate that the hosts map to an account.",
        }
    }
}

impl ClientCertificate {
    /// From texts in PEM. The client's own certificate comes first; others may follow.
    pub fn from_pem(certificate: &str, key: &Secret) -> Result<Self, Unusable> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| Unusable::Certificate)?;
        if chain.is_empty() {
            return Err(Unusable::Certificate);
        }
        Self::new(chain, read_key(key.expose())?, &aws_lc_rs::default_provider())
    }

    /// Whether a text is a key that can be used, whatever its certificate is.
    pub fn check_key(text: &str) -> Result<(), Unusable> {
        let key = read_key(text)?;
        aws_lc_rs::default_provider().key_provider.load_private_key(key).map(drop).map_err(|_| Unusable::KindOfKey)
    }

    /// Whether a text is base64, as a PKCS#12 file is given.
    pub fn check_base64(text: &str) -> Result<(), Unusable> {
        read_base64(text).map(drop)
    }

    /// From a PKCS#12 file in base64. Certificates beside the one that has a key are sent along.
    pub fn from_pkcs12(base64: &Secret, password: &Secret) -> Result<Self, Unusable> {
        let bytes = read_base64(base64.expose())?;
        let archive = Pkcs12Archive::from_pkcs12(&bytes, password.expose()).map_err(|error| match error {
            Pkcs12Error::MacError(_) => Unusable::Password,
            _ => Unusable::Pkcs12,
        })?;
        let provider = aws_lc_rs::default_provider();
        let mut found = None;
        let mut failure = Unusable::Incomplete;
        for (key, own) in archive.keys.iter().flat_map(|key| (0..archive.certs.len()).map(move |own| (key, own))) {
            let others = archive.certs.iter().enumerate().filter(|(index, _)| *index != own).map(|(_, bag)| bag);
            let chain = std::iter::once(&archive.certs[own]).chain(others);
            let chain = chain.map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.as_der().to_vec()));
            match Self::new(chain, key, &provider) {
                Ok(_) if found.is_some() => return Err(Unusable::Several),
                Ok(certificate) => found = Some(certificate),
                Err(Unusable::KindOfKey) => failure = Unusable::KindOfKey,
                // Another one's certificate, such as the authority's.
                Err(_) => {}
            }
        }
        found.ok_or(failure)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, Unusable> {
        let key = provider.key_provider.load_private_key(key).map_err(|_| Unusable::KindOfKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(Unusable::OtherKey),
            Err(_) => Err(Unusable::Certificate),
        }
    }

    /// For the handshake.
    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.0
    }
}

fn read_key(text: &str) -> Result<PrivateKeyDer<'static>, Unusable> {
    // The form since PKCS#8 and the one before it, which looks like a plain key otherwise.
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Unusable::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| Unusable::Key)
}

fn read_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let text: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
    STANDARD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| Unusable::Base64)
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificate")
    }
}

#[cfg(test)]
mod tests {
    use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKeyChain};

    use super::*;

    /// Made with OpenSSL, which shares no code with what reads them here.
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/client_certificate/", $name))
        };
    }

    const PASSWORD: &str = "M4rk3r-pkcs12-passw0rd";

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).expect("PEM")
    }

    /// How many certificates are sent, or why none.
    #[track_caller]
    fn check_pem(certificate: &[u8], key: &[u8], expected: Result<usize, Unusable>) {
        let found = ClientCertificate::from_pem(&text(certificate), &Secret::new(text(key)));
        assert_eq!(found.map(|it| it.0.cert.len()), expected);
    }

    #[track_caller]
    fn check_pkcs12(file: &[u8], password: &str, expected: Result<usize, Unusable>) {
        let found = ClientCertificate::from_pkcs12(&Secret::new(STANDARD.encode(file)), &Secret::new(password));
        if let Ok(found) = &found {
            assert!(found.0.keys_match().is_ok(), "the client's own comes first");
        }
        assert_eq!(found.map(|it| it.0.cert.len()), expected);
    }

    #[test]
    fn reads_pem() {
        let (own, authority) = (file!("certificate.pem"), file!("authority.pem"));
        check_pem(own, file!("key.pem"), Ok(1));
        check_pem(own, file!("key-sec1.pem"), Ok(1));
        check_pem(&[&own[..], authority].concat(), file!("key.pem"), Ok(2));
        check_pem(file!("rsa-certificate.pem"), file!("rsa-key-pkcs1.pem"), Ok(1));
    }

    #[test]
    fn refuses_other_pem_by_name() {
        let (own, authority) = (file!("certificate.pem"), file!("authority.pem"));
        check_pem(b"client.pem", file!("key.pem"), Err(Unusable::Certificate));
        check_pem(file!("key.pem"), file!("key.pem"), Err(Unusable::Certificate));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check_pem(broken, file!("key.pem"), Err(Unusable::Certificate));
        check_pem(own, b"client.key", Err(Unusable::Key));
        check_pem(own, own, Err(Unusable::Key));
        check_pem(own, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", Err(Unusable::KindOfKey));
        check_pem(own, file!("key-encrypted.pem"), Err(Unusable::EncryptedKey));
        check_pem(own, file!("key-encrypted-traditional.pem"), Err(Unusable::EncryptedKey));
        check_pem(own, file!("rsa-key-pkcs1.pem"), Err(Unusable::OtherKey));
        check_pem(&[&authority[..], own].concat(), file!("key.pem"), Err(Unusable::OtherKey));
    }

    #[test]
    fn reads_pkcs12_of_any_age() {
        check_pkcs12(file!("modern.p12"), PASSWORD, Ok(2));
        check_pkcs12(file!("legacy.p12"), PASSWORD, Ok(2));
        check_pkcs12(file!("windows-3des.p12"), PASSWORD, Ok(1));
        check_pkcs12(file!("rsa.p12"), PASSWORD, Ok(1));
        check_pkcs12(file!("no-password.p12"), "", Ok(1));
    }

    #[test]
    fn refuses_other_pkcs12_by_name() {
        check_pkcs12(file!("modern.p12"), "", Err(Unusable::Password));
        check_pkcs12(file!("legacy.p12"), "another", Err(Unusable::Password));
        check_pkcs12(file!("no-password.p12"), "another", Err(Unusable::Password));
        check_pkcs12(file!("no-key.p12"), PASSWORD, Err(Unusable::Incomplete));
        check_pkcs12(&file!("modern.p12")[..700], PASSWORD, Err(Unusable::Pkcs12));
        check_pkcs12(b"client.pfx", PASSWORD, Err(Unusable::Pkcs12));
        let text = Secret::new("client.pfx");
        let found = ClientCertificate::from_pkcs12(&text, &Secret::new(PASSWORD));
        assert_eq!(found.map(drop), Err(Unusable::Base64));
    }

    #[test]
    fn refuses_two_certificates_with_their_keys() {
        let der = |pem: &[u8]| CertificateDer::from_pem_slice(pem).expect("a certificate");
        let pair = |name: &str| {
            let key = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
            let own = p12_keystore::Certificate::from_der(&der(key.cert.pem().as_bytes())).expect("a certificate");
            let key = p12_keystore::PrivateKey::from_der(&key.signing_key.serialize_der()).expect("a key");
            KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(name, key, [own]))
        };
        let mut store = KeyStore::new();
        store.add_entry("one", pair("one"));
        let written = store.writer(PASSWORD).write().expect("a file");
        check_pkcs12(&written, PASSWORD, Ok(1));
        store.add_entry("two", pair("two"));
        let written = store.writer(PASSWORD).write().expect("a file");
        check_pkcs12(&written, PASSWORD, Err(Unusable::Several));
    }

    #[test]
    fn base64_may_have_lines() {
        let text = STANDARD.encode(file!("modern.p12"));
        let (first, second) = text.split_at(76);
        let text = Secret::new(format!("{first}\r\n{second}\n"));
        assert!(ClientCertificate::from_pkcs12(&text, &Secret::new(PASSWORD)).is_ok());
    }

    #[test]
    fn prints_nothing_of_itself() {
        let certificate =
            ClientCertificate::from_pem(&text(file!("certificate.pem")), &Secret::new(text(file!("key.pem"))));
        assert_eq!(format!("{certificate:?}"), "Ok(ClientCertificate)");
    }
}
