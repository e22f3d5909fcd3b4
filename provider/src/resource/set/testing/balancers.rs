//! Settings with balancers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use crate::backend::balancer::{Balancer, Balancers, Declared, Order};
use crate::config::ProviderConfig;
use crate::resource::set::testing::backend::Estate;
use crate::resource::set::testing::releases;

/// A balancer of a name, and how many seconds it waits for connections.
pub fn balancer(name: &str, wait: u64) -> (String, Declared) {
    let order = |action: &str| Order {
        url: format!("https://{name}.contoso.com/{{host}}/{action}?token=marker"),
        method: Method::POST,
        body: None,
        expected_status: vec![200],
    };
    let balancer = Balancer {
        name: name.to_owned(),
        take_out: order("disable"),
        put_back: order("enable"),
        headers: Vec::new(),
        ca_certificate: None,
        timeout: Duration::from_secs(10),
        drain_wait: Duration::from_secs(wait),
    };
    (name.to_owned(), Declared::Ready(Box::new(balancer)))
}

/// Settings that declare these balancers.
pub fn provider<const N: usize>(estate: &Arc<Estate>, balancers: [(String, Declared); N]) -> ProviderConfig {
    let provider = ProviderConfig::over(estate.clone()).with_releases(releases());
    provider.with_balancers(Balancers::new(BTreeMap::from(balancers)))
}
