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

/// How long a balancer is asked, and how often.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// The pauses before an order is given again. It says how things are to be, so to give it twice is as good as once.
    pauses: &'static [Duration],
    /// The longest that one answer may take, whatever the settings allow.
    timeout: Duration,
}

const PATIENT: Patience =
    Patience { pauses: &[Duration::from_secs(1), Duration::from_secs(4)], timeout: Duration::MAX };

/// While users are not asked for the second factor: eleven seconds at most, then the gap is closed without the balancer.
const IN_GAP: Patience = Patience { pauses: &[Duration::from_secs(1)], timeout: Duration::from_secs(5) };

/// Takes the step's host out, and waits until its connections have run out, but for the gap.
pub async fn take_out(work: &Work<'_>, name: &str, in_gap: bool) -> Result<Report, HostError> {
    let balancer = balancer(work, name)?;
    give(work, balancer, &balancer.take_out, patience(in_gap)).await?;
    if in_gap { Ok(Report::default()) } else { run_out(work, balancer).await }
}

/// Waits until the connections of hosts have run out that were taken out before.
pub async fn await_connections(work: &Work<'_>, name: &str) -> Result<Report, HostError> {
    run_out(work, balancer(work, name)?).await
}

/// Puts the step's host back.
pub async fn put_back(work: &Work<'_>, name: &str, in_gap: bool) -> Result<Report, HostError> {
    let balancer = balancer(work, name)?;
    give(work, balancer, &balancer.put_back, patience(in_gap)).await?;
    Ok(Report::default())
}

fn patience(in_gap: bool) -> Patience {
    if in_gap { IN_GAP } else { PATIENT }
}

async fn run_out(work: &Work<'_>, balancer: &Balancer) -> Result<Report, HostError> {
    if !balancer.drain_wait.is_zero() {
        work.unless_stopped(work.backend.clock().sleep(balancer.drain_wait)).await?;
    }
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

async fn give(work: &Work<'_>, balancer: &Balancer, order: &Order, patience: Patience) -> Result<(), HostError> {
    let name = &balancer.name;
    let mut call = call(work, balancer, order)?;
    call.timeout = call.timeout.min(patience.timeout);
    let shown = format!("{} {}", order.method, web_address::shown(&call.url));
    let failure = |reason, may_be_done| work.failure(Cause::Balancer { reason, may_be_done });
    let stopped = |may_be_done| {
        failure(format!("the run was to stop before balancer {name} had answered ({shown})"), may_be_done)
    };
    let mut pauses = patience.pauses.iter();
    let mut asked = 0;
    let mut may_be_done = false;
    loop {
        asked += 1;
        let Ok(answer) = work.unless_stopped(call.make()).await else { return Err(stopped(true)) };
        let Err(refusal) = answer else {
            tracing::info!(balancer = name, order = shown, asked, "done by the balancer");
            return Ok(());
        };
        let text = refusal.text;
        tracing::warn!(balancer = name, order = shown, asked, text, "not done by the balancer");
        // A later refusal does not take an earlier order back.
        may_be_done |= refusal.may_be_done;
        let Some(pause) = pauses.next().filter(|_| refusal.may_pass) else {
            let times = web_client::times(asked);
            let reason = format!("balancer {name} was asked {times} ({shown}), and at last {text}");
            return Err(failure(reason, may_be_done));
        };
        if work.unless_stopped(work.backend.clock().sleep(*pause)).await.is_err() {
            return Err(stopped(may_be_done));
        }
    }
}

fn call<'a>(work: &Work<'_>, balancer: &'a Balancer, order: &'a Order) -> Result<Call<'a>, HostError> {
    let name = &balancer.name;
    let unusable = |reason| work.failure(Cause::Settings(format!("balancers[\"{name}\"] cannot be used: {reason}")));
    let url = order.url_for(work.host).map_err(|error| unusable(error.to_string()))?;
    work.backend.check_allowed(&web_address::host(&url)).map_err(|reason| work.failure(Cause::Settings(reason)))?;
    let body =
        order.body_for(work.host).map_err(|reason| unusable(format!("its body has other braces, and {reason}")))?;
    let headers = headers(balancer, body.is_some()).map_err(unusable)?;
    let client = client(balancer, order, &url)
        .map_err(|reason| work.failure(Cause::Local(format!("this machine cannot ask balancer {name}: {reason}"))))?;
    Ok(Call { client, order, url, headers, body, timeout: balancer.timeout })
}

fn client(balancer: &Balancer, order: &Order, url: &Url) -> Result<Client, String> {
    let trust = TlsOptions { ca_certificate: balancer.ca_certificate.clone(), ..TlsOptions::default() };
    let builder = web_client::builder(&trust)?;
    web_client::single(if is_private(balancer, order, url) { builder.no_proxy() } else { builder })
}

/// Whether an order may go through no proxy: without TLS what may be secret goes to this machine alone, and a proxy would
/// carry it away.
fn is_private(balancer: &Balancer, order: &Order, url: &Url) -> bool {
    url.scheme() == "http" && (!balancer.headers.is_empty() || order.carries_more(url))
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
    /// Whether it may have been carried out all the same.
    may_be_done: bool,
}

impl Call<'_> {
    async fn make(&self) -> Result<(), Refusal> {
        let mut request =
            self.client.request(self.order.method.clone(), self.url.clone()).headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.body(body.expose().to_owned());
        }
        let silent = |text, may_be_done| Refusal { text, may_pass: true, may_be_done };
        let answer = tokio::time::timeout(self.timeout, request.send()).await;
        let answer = answer
            .map_err(|_| silent(format!("it gave no answer within {}", web_client::seconds(self.timeout)), true))?
            // Who was never reached was told nothing.
            .map_err(|error| (!error.is_connect(), without_address(error)))
            .map_err(|(was_sent, error)| silent(format!("it gave no answer ({error})"), was_sent))?;
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
        // 408 is also what a proxy says that has lost patience with the balancer.
        let is_refused = status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
        Err(Refusal { text, may_pass: is_busy || status.is_server_error(), may_be_done: !is_refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::balancer::{DRAIN_WAIT, EXPECTED_STATUS, TIMEOUT};

    fn balancer(url: &str, body: Option<&str>, headers: &[&str]) -> Balancer {
        let (url, body) = (url.to_owned(), body.map(Secret::new));
        let order = Order { url, method: reqwest::Method::PUT, body, expected_status: EXPECTED_STATUS.to_vec() };
        Balancer {
            name: "lb".to_owned(),
            take_out: order.clone(),
            put_back: order,
            headers: headers.iter().map(|name| ((*name).to_owned(), Secret::new("marker"))).collect(),
            ca_certificate: None,
            timeout: TIMEOUT,
            drain_wait: DRAIN_WAIT,
        }
    }

    /// A marked value is left out by every layer below that writes requests down.
    #[test]
    fn what_is_in_headers_is_marked_as_secret() {
        let balancer = balancer("https://lb.contoso.com/", None, &["Authorization", "X-Key"]);
        let headers = headers(&balancer, false).expect("they can be sent");
        assert_eq!(headers.len(), 2);
        assert!(headers.values().all(HeaderValue::is_sensitive), "{headers:?}");
    }

    #[test]
    fn nothing_secret_goes_through_a_proxy_without_tls() {
        let check = |url: &str, body: Option<&str>, headers: &[&str], expected: bool| {
            let balancer = balancer(url, body, headers);
            let url = balancer.take_out.url_for("mfa01").expect("an address");
            assert_eq!(is_private(&balancer, &balancer.take_out, &url), expected, "{url} {body:?} {headers:?}");
        };
        check("http://127.0.0.1/{host}", None, &[], false);
        check("http://127.0.0.1/{host}", None, &["X-Key"], true);
        check("http://127.0.0.1/{host}", Some("{}"), &[], true);
        check("http://127.0.0.1/{host}?token=marker", None, &[], true);
        check("https://lb.contoso.com/{host}?token=marker", Some("{}"), &["X-Key"], false);
    }
}
