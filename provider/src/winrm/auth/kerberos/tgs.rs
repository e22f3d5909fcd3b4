//! The TGS exchange (RFC 4120 3.3): a ticket for getting tickets becomes one for a service, over as many realms as the
//! KDCs refer to.
//!
//! `sspi` does this too, but gives the ticket away to one login alone.

use picky_krb::constants::key_usages::{
    TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR, TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR_CKSUM,
};
use picky_krb::crypto::ChecksumSuite;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::winrm::auth::kerberos::failure::{Failure, Subject, Whose, protocol};
use crate::winrm::auth::kerberos::kdc::Kdc;
use crate::winrm::auth::kerberos::krb_error::{self, time};
use crate::winrm::auth::kerberos::reply::{Exchange, Reply};
use crate::winrm::auth::kerberos::ticket::{GRANTING, Principal, Ticket};
use crate::winrm::der::{BIT_STRING, GENERAL_STRING, OCTET_STRING, SEQUENCE, application, fields, integer, write};

/// How many realms may refer to another one.
const REFERRALS: usize = 10;

/// `canonicalize` alone, which lets a KDC refer to another realm.
const OPTIONS: [u8; 5] = [0, 0, 1, 0, 0];

/// Fetches a ticket for a service, such as `WSMAN/mfa01.contoso.com`. `service_realm` is where it is known to be when that is
/// another realm: not every KDC refers to others by itself.
pub async fn service_ticket(
    granting: &Ticket,
    service: &str,
    service_realm: Option<&str>,
    about: &Subject<'_>,
    kdc: &mut Kdc<'_>,
) -> Result<Ticket, Failure> {
    let mut granting = granting.clone();
    let mut is_on_the_way = false;
    for _ in 0..REFERRALS {
        let realm = granting.granted_by().ok_or_else(|| protocol("the ticket gets no others"))?.to_owned();
        let nonce = nonce();
        let other = service_realm.filter(|other| !is_on_the_way && !other.eq_ignore_ascii_case(&realm));
        let wanted = other.map_or_else(|| service.to_owned(), |other| format!("{GRANTING}/{other}"));
        let request = request(&granting, &realm, &wanted, nonce).ok_or_else(|| protocol("a request cannot be made"))?;
        let answer = kdc.ask(&realm, &request).await?;
        if let Some(error) = krb_error::parse(&answer.message) {
            if other.is_some() && error.code == krb_error::SERVICE_UNKNOWN {
                // The way to that realm goes over others, which the KDC itself may know.
                is_on_the_way = true;
                continue;
            }
            return Err(Failure::of_kdc(&error, &answer.address, about, Some(&wanted)));
        }
        let opened = Reply::parse(Exchange::Tgs, &answer.message)
            .and_then(|reply| reply.open(&granting.session_key, granting.offset))
            .filter(|opened| opened.nonce == nonce);
        let ticket = opened.ok_or_else(|| protocol("the KDC's answer is not usable"))?.ticket;
        match ticket.granted_by() {
            None if ticket.session_key.suite().is_none() => {
                let whose = Whose::Service(service.to_owned());
                let kind = Some(ticket.session_key.kind.into());
                return Err(Failure::EncryptionType { whose, kind, code: "TGS-REP" });
            }
            None => {
                tracing::debug!(service, client = %ticket.client, end = %ticket.end, "the KDC gave a ticket");
                return Ok(ticket);
            }
            Some(next) if next.eq_ignore_ascii_case(&realm) => break,
            Some(next) => tracing::debug!(service, realm, next, "referred to another realm"),
        }
        granting = ticket;
        is_on_the_way = true;
    }
    Err(protocol("the KDCs refer to each other in a circle"))
}

/// Not negative, as some KDCs want it.
fn nonce() -> i64 {
    i64::from(Uuid::new_v4().as_fields().0 >> 1)
}

/// TGS-REQ.
fn request(granting: &Ticket, realm: &str, service: &str, nonce: i64) -> Option<Vec<u8>> {
    let names = service.split('/').map(str::to_owned).collect();
    // NT-SRV-INST.
    let server = Principal { kind: 2, realm: realm.to_owned(), names };
    let kinds = [integer(18), integer(17)].concat();
    let body = fields(&[
        (0, write(BIT_STRING, &OPTIONS)),
        (2, write(GENERAL_STRING, realm.as_bytes())),
        (3, server.to_der()),
        (5, time(granting.end)),
        (7, integer(nonce)),
        (8, write(SEQUENCE, &kinds)),
    ]);
    // PA-TGS-REQ.
    let proof = fields(&[(1, integer(1)), (2, write(OCTET_STRING, &proof(granting, &body)?))]);
    let request = fields(&[(1, integer(5)), (2, integer(12)), (3, write(SEQUENCE, &proof)), (4, body)]);
    Some(write(application(12), &request))
}

/// AP-REQ: the ticket, and that whoever sends it has its key and means this request.
fn proof(granting: &Ticket, body: &[u8]) -> Option<Vec<u8>> {
    let key = &granting.session_key;
    let suite = key.suite()?;
    let checksum = suite.cipher().checksum_type();
    let number = checksum_number(&checksum);
    let checksum = checksum.hasher().checksum(&key.bytes, TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR_CKSUM, body).ok()?;
    let now = granting.now();
    let authenticator = fields(&[
        (0, integer(5)),
        (1, write(GENERAL_STRING, granting.client.realm.as_bytes())),
        (2, granting.client.to_der()),
        (3, fields(&[(0, integer(number)), (1, write(OCTET_STRING, &checksum))])),
        (4, integer(i64::from(now.subsec_microsecond()))),
        (5, time(now)),
    ]);
    let authenticator = Zeroizing::new(write(application(2), &authenticator));
    let cipher = suite.cipher();
    let secret = cipher.encrypt(&key.bytes, TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR, &authenticator).ok()?;
    let request = fields(&[
        (0, integer(5)),
        (1, integer(14)),
        (2, write(BIT_STRING, &[0; 5])),
        (3, granting.bytes.clone()),
        (4, fields(&[(0, integer(i64::from(key.kind))), (2, write(OCTET_STRING, &secret))])),
    ]);
    Some(write(application(14), &request))
}

fn checksum_number(suite: &ChecksumSuite) -> i64 {
    u32::from(suite).into()
}
