//! Asking a KDC over TCP (RFC 4120 7.2.2), within the time that connecting may take.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::address::{HostAddress, InvalidAddress};
use crate::winrm::auth::kerberos::failure::{Failure, protocol};
use crate::winrm::auth::kerberos::identity::PORT;
use crate::winrm::auth::kerberos::realms::Realms;
use crate::winrm::auth::kerberos::step::with_length;
use crate::winrm::error::Kind;
use crate::winrm::transport::{self, Limit};

/// The KDCs of one login.
pub struct Kdc<'a> {
    realms: &'a Realms,
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
        Self { realms, left: limit }
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
        let limit = Limit::new(limit);
        let late = |after| Kind::ConnectTimeout { address: address.to_owned(), after };
        let exchange = async {
            let mut stream = transport::connect(host.name(), host.port().unwrap_or(PORT), &limit).await?;
            limit.hold(ask(&mut stream, message), late).await
        };
        let answer = exchange.await;
        self.left = self.left.saturating_sub(begin.elapsed());
        answer
    }
}

async fn ask(stream: &mut TcpStream, message: &[u8]) -> Result<Vec<u8>, Kind> {
    let lost = |error: std::io::Error| Kind::ConnectionLost(Some(Box::new(error)));
    stream.write_all(&with_length(message)).await.map_err(lost)?;
    let length = stream.read_u32().await.map_err(lost)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAXIMUM_ANSWER);
    let mut answer = vec![0; length.ok_or(Kind::Malformed("it is too long for a KDC"))?];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::causes;
    use crate::secret::Secret;
    use crate::winrm::auth::kerberos::login::Login;
    use crate::winrm::auth::kerberos::tickets::Tickets;
    use crate::winrm::endpoint::{HttpScheme, KerberosCredentials, KerberosLogin};

    #[tokio::test]
    async fn a_kdc_that_is_one_of_two_is_told_with_its_share_of_the_time() {
        let silent = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let [first, second] = silent.each_ref().map(|kdc| kdc.as_ref().expect("a port").local_addr().expect("it"));
        let file = tempfile::NamedTempFile::new().expect("a file");
        let conf = format!("[realms]\nCONTOSO.COM = {{\nkdc = {first}\nkdc = {second}\n}}\n");
        std::fs::write(file.path(), conf).expect("it is written");
        let settings = KerberosLogin {
            credentials: KerberosCredentials::Password { username: "svc".to_owned(), password: Secret::new("x") },
            realm: Some("CONTOSO.COM".to_owned()),
            kdc: None,
            krb5_conf: vec![file.path().to_owned()],
            scheme: HttpScheme::Kerberos,
            tickets: Tickets::default(),
        };
        let realms = Realms::new(&Login::read(&settings).expect("a login"));
        let asked = Kdc::new(&realms, Duration::from_millis(400)).ask("CONTOSO.COM", b"a request").await;
        let text = causes::in_one_line(&asked.map(|answer| answer.message).expect_err("no answer"));
        let told = text.rsplit_once("within ").and_then(|(_, told)| told.strip_suffix(" s"));
        let seconds: f64 = told.expect("a time").parse().expect("seconds");
        assert!(text.contains(&second.to_string()) && (0.1..0.3).contains(&seconds), "{text}");
    }
}
