//! What a service puts around its Kerberos answers (RFC 4121 4.1, RFC 4178).

use crate::winrm::auth::kerberos::krb_error::{self, KrbError};
use crate::winrm::der::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, application, context, element, field_of};

/// 1.2.840.113554.1.2.2.
pub const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
pub const AP_REQ: [u8; 2] = [1, 0];
const KRB_ERROR: [u8; 2] = [3, 0];

/// The mechanism's own token, out of SPNEGO's response when a server wraps it there.
pub fn unwrap_spnego(token: &[u8]) -> &[u8] {
    element(token, context(1))
        .and_then(|(response, _)| element(response, SEQUENCE))
        .and_then(|(fields, _)| field_of(fields, 2, OCTET_STRING))
        .unwrap_or(token)
}

/// The refusal that a service's token is, if it is one.
pub fn refusal(token: &[u8]) -> Option<KrbError> {
    let token = unwrap_spnego(token);
    // Some services send the bare message.
    if let Some(error) = krb_error::parse(token) {
        return Some(error);
    }
    let (content, _) = element(token, application(0))?;
    let (mechanism, rest) = element(content, OBJECT_IDENTIFIER)?;
    let message = rest.strip_prefix(&KRB_ERROR).filter(|_| mechanism == KERBEROS)?;
    krb_error::parse(message)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::winrm::der::{fields, write};

    fn framed(mechanism: &[u8], kind: [u8; 2], message: &[u8]) -> Vec<u8> {
        write(application(0), &[write(OBJECT_IDENTIFIER, mechanism), kind.to_vec(), message.to_vec()].concat())
    }

    #[test]
    fn finds_a_refusal_however_it_is_wrapped() {
        let error = krb_error::write(krb_error::SKEW, Timestamp::UNIX_EPOCH, "CONTOSO.COM");
        let token = framed(KERBEROS, KRB_ERROR, &error);
        let spnego = write(context(1), &fields(&[(0, vec![0x0a, 1, 2]), (2, write(OCTET_STRING, &token))]));
        for token in [&error, &token, &spnego] {
            assert_eq!(refusal(token).map(|error| error.code), Some(krb_error::SKEW));
        }
        assert_eq!(unwrap_spnego(&spnego), token);
        assert_eq!(refusal(&framed(KERBEROS, [2, 0], &error)), None);
        assert_eq!(refusal(&framed(&[0x2a], KRB_ERROR, &error)), None);
        for end in 0..spnego.len() {
            assert_eq!(refusal(&spnego[..end]), None, "{end}");
        }
    }
}
