//! KRB-ERROR (RFC 4120 5.9.1), with which a KDC or a service says why not.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::winrm::der::{
    self, GENERAL_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, application, element, field_of, fields,
    integer,
};

pub const CLIENT_EXPIRED: i64 = 1;
pub const CLIENT_UNKNOWN: i64 = 6;
pub const SERVICE_UNKNOWN: i64 = 7;
pub const POLICY: i64 = 12;
pub const ENCRYPTION_TYPE: i64 = 14;
pub const CLIENT_REVOKED: i64 = 18;
pub const KEY_EXPIRED: i64 = 23;
pub const PREAUTH_FAILED: i64 = 24;
pub const PREAUTH_REQUIRED: i64 = 25;
pub const BAD_INTEGRITY: i64 = 31;
pub const TICKET_EXPIRED: i64 = 32;
pub const SKEW: i64 = 37;
pub const NOT_US: i64 = 35;
pub const MODIFIED: i64 = 41;
pub const BAD_KEY_VERSION: i64 = 44;
pub const NO_KEY: i64 = 45;
pub const WRONG_REALM: i64 = 68;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KrbError {
    pub code: i64,
    /// The clock of whoever refused.
    pub time: Option<Timestamp>,
    /// What Windows adds: the NTSTATUS behind the code.
    pub status: Option<u32>,
}

/// Reads a KRB-ERROR; `None` when the bytes are something else.
pub fn parse(bytes: &[u8]) -> Option<KrbError> {
    let (message, _) = element(bytes, application(30))?;
    let (message, _) = element(message, SEQUENCE)?;
    let code = der::number(field_of(message, 6, INTEGER)?)?;
    let time = field_of(message, 4, GENERALIZED_TIME).and_then(parse_time);
    let status = field_of(message, 12, OCTET_STRING).and_then(status);
    Some(KrbError { code, time, status })
}

/// The PA-DATA of a KDC that demands a proof.
pub fn pre_authentication(bytes: &[u8]) -> Option<&[u8]> {
    let (message, _) = element(bytes, application(30))?;
    let (message, _) = element(message, SEQUENCE)?;
    element(field_of(message, 12, OCTET_STRING)?, SEQUENCE).map(|(data, _)| data)
}

/// NTSTATUS of a KERB-ERROR-DATA of type 3 (MS-KILE 2.2.1 and 2.2.2).
fn status(data: &[u8]) -> Option<u32> {
    let (data, _) = element(data, SEQUENCE)?;
    let extended = der::number(field_of(data, 1, INTEGER)?)? == 3;
    let value = field_of(data, 2, OCTET_STRING)?;
    value.first_chunk().filter(|_| extended && value.len() == 12).map(|status| u32::from_le_bytes(*status))
}

/// The contents of a KerberosTime.
pub fn parse_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// A KerberosTime.
pub fn time(at: Timestamp) -> Vec<u8> {
    der::write(GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// The KRB-ERROR of a KDC.
pub fn write(code: i64, at: Timestamp, realm: &str) -> Vec<u8> {
    let text = |text: &str| der::write(GENERAL_STRING, text.as_bytes());
    let names = [text("krbtgt"), text(realm)].concat();
    let message = fields(&[
        (0, integer(5)),
        (1, integer(30)),
        (4, time(at)),
        (5, integer(0)),
        (6, integer(code)),
        (9, text(realm)),
        (10, fields(&[(0, integer(2)), (1, der::write(SEQUENCE, &names))])),
    ]);
    der::write(application(30), &message)
}

impl KrbError {
    /// The code alone.
    pub fn of(code: i64) -> Self {
        Self { code, time: None, status: None }
    }

    /// How far the other clock is ahead of this one, in seconds.
    pub fn offset(&self) -> Option<i64> {
        self.time.map(|time| time.as_second() - Timestamp::now().as_second())
    }

    /// The code as RFC 4120 names it.
    pub fn name(&self) -> &'static str {
        match self.code {
            CLIENT_EXPIRED => "KDC_ERR_NAME_EXP",
            CLIENT_UNKNOWN => "KDC_ERR_C_PRINCIPAL_UNKNOWN",
            SERVICE_UNKNOWN => "KDC_ERR_S_PRINCIPAL_UNKNOWN",
            POLICY => "KDC_ERR_POLICY",
            ENCRYPTION_TYPE => "KDC_ERR_ETYPE_NOSUPP",
            CLIENT_REVOKED => "KDC_ERR_CLIENT_REVOKED",
            KEY_EXPIRED => "KDC_ERR_KEY_EXPIRED",
            PREAUTH_FAILED => "KDC_ERR_PREAUTH_FAILED",
            PREAUTH_REQUIRED => "KDC_ERR_PREAUTH_REQUIRED",
            BAD_INTEGRITY => "KRB_AP_ERR_BAD_INTEGRITY",
            TICKET_EXPIRED => "KRB_AP_ERR_TKT_EXPIRED",
            NOT_US => "KRB_AP_ERR_NOT_US",
            SKEW => "KRB_AP_ERR_SKEW",
            MODIFIED => "KRB_AP_ERR_MODIFIED",
            BAD_KEY_VERSION => "KRB_AP_ERR_BADKEYVER",
            NO_KEY => "KRB_AP_ERR_NOKEY",
            WRONG_REALM => "KDC_ERR_WRONG_REALM",
            _ => "a Kerberos error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let now = Timestamp::from_second(1_800_000_000).expect("in range");
        let bytes = write(SKEW, now, "CONTOSO.COM");
        assert_eq!(parse(&bytes), Some(KrbError { code: SKEW, time: Some(now), status: None }));
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), None, "{end}");
        }
        for index in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[index] ^= 0x55;
            let _ = parse(&bent);
        }
    }

    /// As a domain controller refuses an account that is locked out.
    #[test]
    fn reads_the_status_that_windows_adds() {
        let value = [0x34, 0x02, 0, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0];
        let status = |kind: i64, value: &[u8]| {
            let data = fields(&[(1, integer(kind)), (2, der::write(OCTET_STRING, value))]);
            let message = fields(&[(6, integer(CLIENT_REVOKED)), (12, der::write(OCTET_STRING, &data))]);
            parse(&der::write(application(30), &message)).expect("an error").status
        };
        assert_eq!(status(3, &value), Some(0xc000_0234));
        assert_eq!(status(1, &value), None);
        assert_eq!(status(3, &value[..11]), None);
    }
}
