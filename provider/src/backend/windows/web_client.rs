//! How this machine asks web servers: for release files, whether a host is healthy, and to take it out of a balancer.

use std::error::Error as _;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::causes;
use crate::winrm::endpoint::TlsOptions;
use crate::winrm::tls::client_config;

/// A client to be given its limits. Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`), roots those of the
/// system unless stated. The error is for a person.
pub fn builder(trust: &TlsOptions) -> Result<ClientBuilder, String> {
    let tls = client_config(trust).map_err(|error| error.to_string())?;
    let agent = concat!("terraform-provider-azuremfa/", env!("CARGO_PKG_VERSION"));
    Ok(Client::builder().use_preconfigured_tls(tls).user_agent(agent))
}

/// A client whose every request is made on a connection of its own, because one that was open before proves little. A
/// redirect is an answer, so what is sent goes to nobody else. The error is for a person.
pub fn single(builder: ClientBuilder) -> Result<Client, String> {
    builder.redirect(Policy::none()).pool_max_idle_per_host(0).build().map_err(without_address)
}

/// A duration in messages.
pub fn seconds(duration: Duration) -> String {
    format!("{} seconds", duration.as_secs_f64())
}

/// How often something was asked, in messages.
pub fn times(asked: u32) -> String {
    if asked == 1 { "once".to_owned() } else { format!("{asked} times") }
}

/// The error and its causes. Those of reqwest name addresses, and a redirect's may be as secret as the first.
pub fn without_address(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut source = error.source();
    while let Some(inner) = source.filter(|inner| inner.is::<reqwest::Error>()) {
        source = inner.source();
    }
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {}", causes::in_one_line(source)))
}
