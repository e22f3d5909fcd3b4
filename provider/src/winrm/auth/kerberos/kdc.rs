//! Asking a KDC over TCP (RFC 4120 7.2.2), within the time that connecting may take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sspi::generator::NetworkRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::auth::kerberos::krb_error::{self, KrbError};
use crate::winrm::der::application;
use crate::winrm::endpoint::authority;
use crate::winrm::error::Kind;
use crate::winrm::transport;

/// The KDCs of one login.
pub struct Kdc {
    realm: String,
    limit: Duration,
    /// What of the limit is left. Making keys of a password takes time too, which is no KDC's.
    left: Duration,
    /// What is answered to requests of the AS exchange without asking anyone.
    prepared: VecDeque<Vec<u8>>,
    /// Real answers of the AS exchange, for a login that begins again.
    answered: Vec<Vec<u8>>,
    /// The last refusal, and who refused.
    pub refused: Option<(String, KrbError)>,
}

const AS_REQ: u8 = application(10);
const AS_REP: u8 = application(11);
/// Tickets of accounts in a thousand groups stay far below.
const MAXIMUM_ANSWER: usize = 1024 * 1024;

impl Kdc {
    /// `limit` is for all requests together. The answers in `prepared` come without their length.
    pub fn new(realm: &str, limit: Duration, prepared: Vec<Vec<u8>>) -> Self {
        Self {
            realm: realm.to_owned(),
            limit,
            left: limit,
            prepared: prepared.iter().map(|answer| with_length(answer)).collect(),
            answered: Vec::new(),
            refused: None,
        }
    }

    /// For the same login once more, with another service: the account need not prove itself again.
    pub fn begin_again(&mut self) {
        self.prepared = std::mem::take(&mut self.answered).into();
        self.refused = None;
    }

    /// Answers one request of `sspi`, which comes with its length in front, as the answer must.
    pub async fn answer(&mut self, request: &NetworkRequest) -> Result<Vec<u8>, Failure> {
        let of_account = request.data.get(4) == Some(&AS_REQ);
        let prepared = if of_account { self.prepared.pop_front() } else { None };
        let host = request.url.host_str().unwrap_or_default();
        let address = authority(host, request.url.port().unwrap_or(88));
        let mut answer = match prepared {
            Some(answer) => answer,
            None => self.ask(host, &address, request).await.map_err(|source| Failure::Kdc {
                address: address.clone(),
                realm: self.realm.clone(),
                source: Box::new(source),
            })?,
        };
        if of_account && self.answered.is_empty() && answer.get(4) == Some(&AS_REP) {
            // The account needs no pre-authentication, and `sspi` takes no ticket without it: it is asked for one, and
            // gets this answer to that. The answer opens with the account's key alone all the same.
            let demand = krb_error::write(krb_error::PREAUTH_REQUIRED, Timestamp::now(), &self.realm);
            self.prepared.push_back(std::mem::replace(&mut answer, with_length(&demand)));
        }
        if of_account {
            self.answered.push(answer.clone());
        }
        if let Some(error) = answer.get(4..).and_then(krb_error::parse) {
            tracing::debug!(kdc = %address, code = error.code, name = error.name(), "the KDC refused");
            self.refused = Some((address, error));
        }
        Ok(answer)
    }

    async fn ask(&mut self, host: &str, address: &str, request: &NetworkRequest) -> Result<Vec<u8>, Kind> {
        let port = request.url.port().unwrap_or(88);
        tracing::debug!(kdc = %address, "asking the KDC");
        let begin = Instant::now();
        let exchange = async {
            let mut stream = transport::connect(host, port, self.limit).await?;
            let lost = |error: std::io::Error| Kind::ConnectionLost(Some(Box::new(error)));
            stream.write_all(&request.data).await.map_err(lost)?;
            let length = stream.read_u32().await.map_err(lost)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= MAXIMUM_ANSWER);
            let mut answer = vec![0; length.ok_or(Kind::Malformed("it is too long for a KDC"))?];
            stream.read_exact(&mut answer).await.map_err(lost)?;
            Ok(with_length(&answer))
        };
        let answer = timeout(self.left, exchange).await;
        self.left = self.left.saturating_sub(begin.elapsed());
        answer.map_err(|_| Kind::ConnectTimeout { address: address.to_owned(), after: self.limit })?
    }
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), message].concat()
}
