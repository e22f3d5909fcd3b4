//! Asking a KDC over TCP (RFC 4120 7.2.2), within the time that connecting may take.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::address::{HostAddress, InvalidAddress};
use crate::winrm::auth::kerberos::failure::{Failure, protocol};
use crate::winrm::auth::kerberos::identity::PORT;
use crate::winrm::auth::kerberos::realms::Realms;
use crate::winrm::auth::kerberos::step::with_length;
use crate::winrm::error::Kind;
use crate::winrm::transport;

/// The KDCs of one login.
pub struct Kdc<'a> {
    realms: &'a Realms,
    limit: Duration,
    /// What of the limit is left. Making keys of a password takes time too, which is no KDC's.
    left: Duration,
}

/// What a KDC has said.
pub struct Answer {
    /// Who said it.
    pub address: String,
    pub message: Vec<u8>,
}

/// Tickets of accounts in a thousand groups stay far below.
const MAXIMUM_ANSWER: usize = 1024 * 1024;

impl<'a> Kdc<'a> {
    /// `limit` is for all requests together.
    pub fn new(realms: &'a Realms, limit: Duration) -> Self {
        Self { realms, limit, left: limit }
    }

    /// Sends a message to the KDCs of a realm, one after the other until one answers.
    pub async fn ask(&mut self, realm: &str, message: &[u8]) -> Result<Answer, Failure> {
        let begin = Instant::now();
        let kdcs = self.realms.kdcs(realm, self.left).await?;
        self.left = self.left.saturating_sub(begin.elapsed());
        let mut failure = protocol("the realm has no KDC");
        for (index, address) in kdcs.iter().enumerate() {
            // One that does not answer leaves time for the others.
            let others = u32::try_from(kdcs.len() - index).unwrap_or(u32::MAX);
            match self.exchange(address, message, self.left / others).await {
                Ok(message) => {
                    let address = address.clone();
                    self.realms.prefer(realm, kdcs, index);
                    return Ok(Answer { address, message });
                }
                Err(source) => {
                    tracing::debug!(kdc = %address, error = %source, "the KDC does not answer");
                    let (address, realm) = (address.clone(), realm.to_owned());
                    failure = Failure::Kdc { address, realm, source: Box::new(source) };
                }
            }
        }
        self.realms.forget(realm);
        Err(failure)
    }

    async fn exchange(&mut self, address: &str, message: &[u8], limit: Duration) -> Result<Vec<u8>, Kind> {
        let wrong = |problem| Kind::Setting(format!("the KDC cannot be asked: {problem}"));
        let host: HostAddress = address.parse().map_err(|problem: InvalidAddress| wrong(problem.to_string()))?;
        tracing::debug!(kdc = %address, "asking the KDC");
        let begin = Instant::now();
        let exchange = async {
            let mut stream = transport::connect(host.name(), host.port().unwrap_or(PORT), limit).await?;
            let lost = |error: std::io::Error| Kind::ConnectionLost(Some(Box::new(error)));
            stream.write_all(&with_length(message)).await.map_err(lost)?;
            let length = stream.read_u32().await.map_err(lost)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= MAXIMUM_ANSWER);
            let mut answer = vec![0; length.ok_or(Kind::Malformed("it is too long for a KDC"))?];
            stream.read_exact(&mut answer).await.map_err(lost)?;
            Ok(answer)
        };
        let answer = timeout(limit, exchange).await;
        self.left = self.left.saturating_sub(begin.elapsed());
        answer.map_err(|_| Kind::ConnectTimeout { address: address.to_owned(), after: self.limit })?
    }
}
