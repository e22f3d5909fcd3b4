//! The `tls-server-end-point` channel binding (RFC 5929): a hash of the server's certificate.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::winrm::der::{OBJECT_IDENTIFIER, SEQUENCE, context, element};

/// The channel binding for a server certificate in DER: the prefix and the hash.
///
/// The hash is the one of the certificate's signature; SHA-256 stands in for MD5 and SHA-1, and for
/// schemes without a hash that this module knows.
pub fn tls_server_end_point(certificate: &[u8]) -> Vec<u8> {
    let mut binding = b"tls-server-end-point:".to_vec();
    match signature_hash(certificate) {
        Hash::Sha256 => binding.extend(Sha256::digest(certificate)),
        Hash::Sha384 => binding.extend(Sha384::digest(certificate)),
        Hash::Sha512 => binding.extend(Sha512::digest(certificate)),
    }
    binding
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Object identifiers without their common default: each names a hash longer than SHA-256.
const LONG_HASHES: &[(&[u8], Hash)] = &[
    // sha384WithRSAEncryption, sha512WithRSAEncryption
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], Hash::Sha512),
    // ecdsa-with-SHA384, ecdsa-with-SHA512
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], Hash::Sha512),
    // id-sha384, id-sha512, as parameters of RSASSA-PSS
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], Hash::Sha384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], Hash::Sha512),
];

const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

fn signature_hash(certificate: &[u8]) -> Hash {
    algorithm(certificate)
        .and_then(|identifier| LONG_HASHES.iter().find(|(known, _)| *known == identifier))
        .map_or(Hash::Sha256, |(_, hash)| *hash)
}

/// The identifier that decides: the signature algorithm's, or its hash parameter's for PSS.
fn algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (signature, _) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(signature, OBJECT_IDENTIFIER)?;
    if identifier != RSASSA_PSS {
        return Some(identifier);
    }
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let (hash, _) = element(parameters, context(0))?;
    let (hash, _) = element(hash, SEQUENCE)?;
    element(hash, OBJECT_IDENTIFIER).map(|(identifier, _)| identifier)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};

    use super::*;

    fn certificate(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let parameters = CertificateParams::new(vec!["mfa01.contoso.com".to_owned()]).expect("a name");
        parameters.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[track_caller]
    fn check(algorithm: &'static SignatureAlgorithm, expected: Hash) {
        let der = certificate(algorithm);
        assert_eq!(signature_hash(&der), expected);
        let length = match expected {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        assert_eq!(tls_server_end_point(&der).len(), "tls-server-end-point:".len() + length);
    }

    #[test]
    fn takes_the_hash_of_the_signature() {
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Hash::Sha256);
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Hash::Sha384);
        check(&rcgen::PKCS_ED25519, Hash::Sha256);
    }

    #[test]
    fn reads_the_parameters_of_pss() {
        let mut pss = vec![0x06, 9];
        pss.extend(RSASSA_PSS);
        let mut hash = vec![0x06, 9];
        hash.extend(LONG_HASHES[5].0);
        let wrap = |tag: u8, inner: Vec<u8>| [vec![tag, u8::try_from(inner.len()).expect("short")], inner].concat();
        let parameters = wrap(SEQUENCE, wrap(context(0), wrap(SEQUENCE, hash)));
        let signature = wrap(SEQUENCE, [pss, parameters].concat());
        let der = wrap(SEQUENCE, [vec![SEQUENCE, 0], signature].concat());
        assert_eq!(signature_hash(&der), Hash::Sha512);
    }

    #[test]
    fn survives_any_bytes() {
        let der = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        for end in 0..der.len() {
            let _ = tls_server_end_point(&der[..end]);
        }
        let _ = tls_server_end_point(&[0x30, 0xff, 0xff]);
    }
}
