//! Health checks, asked by this machine: again and again until the answer is right or the time is over.

use std::time::Duration;

use reqwest::{Client, Response, Url};

use crate::backend::error::{Cause, HostError};
use crate::backend::health::{self, HealthCheck};
use crate::backend::windows::web_client::{self, without_address};
use crate::backend::windows::work::Work;
use crate::backend::{Report, web_address};
use crate::winrm::endpoint::TlsOptions;

/// How long one answer may take, its body included.
const ANSWER: Duration = Duration::from_secs(10);

/// How much of a body is looked at.
const BODY: usize = 1024 * 1024;

/// Waits until the address answers as it should.
pub async fn wait(work: &Work<'_>, check: &HealthCheck) -> Result<Report, HostError> {
    let url = address_of(work, check).map_err(|reason| work.failure(Cause::Settings(reason)))?;
    let client = client(check).map_err(|reason| {
        work.failure(Cause::Local(format!("this machine cannot ask {}: {reason}", web_address::shown(&url))))
    })?;
    let clock = work.backend.clock();
    let deadline = clock.now().saturating_add(check.timeout);
    let mut asked = 0;
    loop {
        let left = deadline.saturating_sub(clock.now());
        asked += 1;
        let Err(last) = work.unless_stopped(ask(&client, &url, check, left.min(ANSWER))).await? else {
            tracing::info!(url = web_address::shown(&url), asked, "healthy");
            return Ok(Report::default());
        };
        tracing::debug!(url = web_address::shown(&url), asked, last, "not healthy yet");
        if clock.now().saturating_add(check.interval) >= deadline {
            return Err(work.failure(Cause::Unhealthy(format!(
                "no healthy answer within {}: {} was asked {}, and at last {last}",
                web_client::seconds(check.timeout),
                web_address::shown(&url),
                web_client::times(asked)
            ))));
        }
        work.unless_stopped(clock.sleep(check.interval)).await?;
    }
}

/// The address, when this machine may ask it.
fn address_of(work: &Work<'_>, check: &HealthCheck) -> Result<Url, String> {
    let url = check.url.as_deref().ok_or("health_check.url is not known")?;
    let url = health::parse(url).map_err(|error| format!("health_check.url cannot be used: {error}"))?;
    work.backend.check_allowed(&web_address::host(&url))?;
    Ok(url)
}

fn client(check: &HealthCheck) -> Result<Client, String> {
    web_client::single(web_client::builder(&TlsOptions {
        ca_certificate: check.ca_certificate.clone(),
        insecure_skip_verify: check.insecure_skip_verify,
        server_name: None,
    })?)
}

/// Asks once. The error completes "at last …".
async fn ask(client: &Client, url: &Url, check: &HealthCheck, limit: Duration) -> Result<(), String> {
    let answer = async {
        let request = client.get(url.clone()).send();
        let response = request.await.map_err(|error| format!("it gave no answer ({})", without_address(error)))?;
        judge(response, check).await
    };
    let late = |_| format!("it gave no answer within {}", web_client::seconds(limit));
    tokio::time::timeout(limit, answer).await.map_err(late)?
}

async fn judge(mut response: Response, check: &HealthCheck) -> Result<(), String> {
    let status = response.status();
    if status.as_u16() != check.status {
        let followed = if status.is_redirection() { " (redirects are not followed)" } else { "" };
        return Err(format!("it answered {} instead of {}{followed}", status.as_u16(), check.status));
    }
    let Some(wanted) = &check.contains else { return Ok(()) };
    let mut body = Vec::new();
    while body.len() < BODY {
        let piece = response.chunk().await;
        match piece.map_err(|error| format!("its answer broke off ({})", without_address(error)))? {
            Some(piece) => body.extend_from_slice(&piece[..piece.len().min(BODY - body.len())]),
            None => break,
        }
    }
    if String::from_utf8_lossy(&body).contains(wanted.as_str()) {
        return Ok(());
    }
    let looked_at = if body.len() < BODY { "the body" } else { "the first 1 MiB of the body" };
    Err(format!("it answered {}, but {looked_at} does not hold {wanted:?}", status.as_u16()))
}
