//! Asking a KDC over TCP (RFC 4120 7.2.2), within the time that connecting may take.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::auth::kerberos::login::Login;
use crate::winrm::auth::kerberos::step::with_length;
use crate::winrm::endpoint::authority;
use crate::winrm::error::Kind;
use crate::winrm::transport;

/// The KDCs of one login.
pub struct Kdc {
    realm: String,
    /// Host and port of the login's own realm.
    address: String,
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

impl Kdc {
    /// `limit` is for all requests together.
    pub fn new(login: &Login, limit: Duration) -> Self {
        Self { realm: login.realm.clone(), address: login.kdc.clone(), limit, left: limit }
    }

    /// Sends a message to a KDC of a realm.
    pub async fn ask(&mut self, realm: &str, message: &[u8]) -> Result<Answer, Failure> {
        let address = if realm.eq_ignore_ascii_case(&self.realm) {
            self.address.clone()
        } else {
            let found =
                sspi::detect_kdc_url(realm).and_then(|url| Some(authority(url.host_str()?, url.port().unwrap_or(88))));
            found.ok_or_else(|| Failure::Referral { realm: self.realm.clone(), next: realm.to_owned() })?
        };
        let message = self.exchange(&address, message).await.map_err(|source| Failure::Kdc {
            address: address.clone(),
            realm: realm.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Answer { address, message })
    }

    async fn exchange(&mut self, address: &str, message: &[u8]) -> Result<Vec<u8>, Kind> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "88"));
        let port = port.parse().map_err(|_| Kind::Malformed("the KDC's port is none"))?;
        tracing::debug!(kdc = %address, "asking the KDC");
        let begin = Instant::now();
        let exchange = async {
            let mut stream = transport::connect(host, port, self.limit).await?;
            let lost = |error: std::io::Error| Kind::ConnectionLost(Some(Box::new(error)));
            stream.write_all(&with_length(message)).await.map_err(lost)?;
            let length = stream.read_u32().await.map_err(lost)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= MAXIMUM_ANSWER);
            let mut answer = vec![0; length.ok_or(Kind::Malformed("it is too long for a KDC"))?];
            stream.read_exact(&mut answer).await.map_err(lost)?;
            Ok(answer)
        };
        let answer = timeout(self.left, exchange).await;
        self.left = self.left.saturating_sub(begin.elapsed());
        answer.map_err(|_| Kind::ConnectTimeout { address: address.to_owned(), after: self.limit })?
    }
}
