//! Orders to balancers, given by this machine.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};

use crate::backend::balancer::{Balancer, Declared, Order};
use crate::backend::error::{Cause, HostError};
use crate::backend::windows::web_client::{self, without_address};
use crate::backend::windows::work::Work;
use crate::backend::{Report, web_address};
use crate::secret::Secret;
use crate::winrm::endpoint::TlsOptions;

/// The pauses before an order is given again. It says how things are to be, so to give it twice is as good as once.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Takes the step's host out, and waits until its connections have run out.
pub async fn take_out(work: &Work<'_>, name: &str) -> Result<Report, HostError> {
    let balancer = balancer(work, name)?;
    give(work, balancer, &balancer.take_out).await?;
    if !balancer.drain_wait.is_zero() {
        work.unless_stopped(work.backend.clock().sleep(balancer.drain_wait)).await?;
    }
    Ok(Report::default())
}

/// Puts the step's host back.
pub async fn put_back(work: &Work<'_>, name: &str) -> Result<Report, HostError> {
    let balancer = balancer(work, name)?;
    give(work, balancer, &balancer.put_back).await?;
    Ok(Report::default())
}

fn balancer<'b>(work: &Work<'b>, name: &str) -> Result<&'b Balancer, HostError> {
    let reason = match work.backend.balancers().find(name) {
        Some(Declared::Ready(balancer)) => return Ok(balancer),
        Some(Declared::Unusable(reason)) => reason.trim_end_matches('.').to_owned(),
        Some(Declared::NotKnown) => format!("the provider's balancers[\"{name}\"] is not known yet"),
        None => format!("the provider's balancers declare no \"{name}\""),
    };
    Err(work.failure(Cause::Settings(reason)))
}

/// What is sent, ready to be sent again.
struct Call<'a> {
    client: Client,
    order: &'a Order,
    url: Url,
    headers: HeaderMap,
    body: Option<Secret>,
    timeout: Duration,
}

async fn give(work: &Work<'_>, balancer: &Balancer, order: &Order) -> Result<(), HostError> {
    let name = &balancer.name;
    let unusable = |reason| work.failure(Cause::Settings(format!("balancers[\"{name}\"] cannot be used: {reason}")));
    let url = order.url_for(work.host).map_err(|error| unusable(error.to_string()))?;
    work.backend.check_allowed(&web_address::host(&url)).map_err(|reason| work.failure(Cause::Settings(reason)))?;
    let body = order.body_for(work.host).map_err(|name| unusable(format!("{{{name}}} is no placeholder")))?;
    let headers = headers(balancer, body.is_some()).map_err(unusable)?;
    let client = client(balancer, &url)
        .map_err(|reason| work.failure(Cause::Local(format!("this machine cannot ask balancer {name}: {reason}"))))?;
    let call = Call { client, order, url, headers, body, timeout: balancer.timeout };
    let shown = format!("{} {}", order.method, web_address::shown(&call.url));
    let mut pauses = PAUSES.iter();
    let mut asked = 0;
    loop {
        asked += 1;
        let Err(Refusal { text, may_pass }) = work.unless_stopped(call.make()).await? else {
            tracing::info!(balancer = name, order = shown, asked, "done by the balancer");
            return Ok(());
        };
        tracing::warn!(balancer = name, order = shown, asked, text, "not done by the balancer");
        let Some(pause) = pauses.next().filter(|_| may_pass) else {
            let times = if asked == 1 { "once".to_owned() } else { format!("{asked} times") };
            let reason = format!("balancer {name} was asked {times} ({shown}), and at last {text}");
            return Err(work.failure(Cause::Balancer(reason)));
        };
        work.unless_stopped(work.backend.clock().sleep(*pause)).await?;
    }
}

fn client(balancer: &Balancer, url: &Url) -> Result<Client, String> {
    let trust = TlsOptions { ca_certificate: balancer.ca_certificate.clone(), ..TlsOptions::default() };
    let builder = web_client::builder(&trust)?;
    // Without TLS headers go to this machine alone, and a proxy would carry them away.
    let is_private = url.scheme() == "http" && !balancer.headers.is_empty();
    web_client::single(if is_private { builder.no_proxy() } else { builder })
}

/// The headers, each marked as one that is never shown. Their values have been checked where they were stated.
fn headers(balancer: &Balancer, has_body: bool) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &balancer.headers {
        let header: HeaderName = name.parse().map_err(|_| format!("{name:?} is no name of a header"))?;
        let value = HeaderValue::from_str(value.expose());
        let mut value = value.map_err(|_| format!("the value of the header {name} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// Why an order was not carried out, completing "at last …".
struct Refusal {
    text: String,
    /// Whether it may be carried out a moment later.
    may_pass: bool,
}

impl Call<'_> {
    async fn make(&self) -> Result<(), Refusal> {
        let mut request =
            self.client.request(self.order.method.clone(), self.url.clone()).headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.body(body.expose().to_owned());
        }
        let silent = |text| Refusal { text, may_pass: true };
        let answer = tokio::time::timeout(self.timeout, request.send()).await;
        let answer = answer
            .map_err(|_| silent(format!("it gave no answer within {}", web_client::seconds(self.timeout))))?
            .map_err(|error| silent(format!("it gave no answer ({})", without_address(error))))?;
        self.judge(answer.status())
    }

    fn judge(&self, status: StatusCode) -> Result<(), Refusal> {
        let expected = &self.order.expected_status;
        if expected.contains(&status.as_u16()) {
            return Ok(());
        }
        let expected: Vec<String> = expected.iter().map(u16::to_string).collect();
        let followed = if status.is_redirection() { " (redirects are not followed)" } else { "" };
        let text = format!("it answered {} instead of {}{followed}", status.as_u16(), expected.join(" or "));
        let is_busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Err(Refusal { text, may_pass: is_busy || status.is_server_error() })
    }
}
