//! `balancers`: their checks, and decoding.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::backend::balancer::{Balancer, Balancers, DRAIN_WAIT, Declared, EXPECTED_STATUS, METHODS, Order, TIMEOUT};
use crate::config::checks::http_status;
use crate::config::environment::Environment;
use crate::config::{checks, duration};
use crate::secret::Secret;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// The orders, as attributes.
pub const ORDERS: [&str; 2] = ["take_out", "put_back"];

/// The only type there is.
const HTTP: &str = "http";

/// No wait at all, which is no duration elsewhere.
const NO_WAIT: &str = "0s";

/// What stands for any host where only the form of an order is looked at.
const SAMPLE_HOST: &str = "host.example";

/// Checks what one attribute alone cannot show.
pub fn validate(balancers: &Value, diagnostics: &mut Diagnostics) {
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    for (name, settings) in balancers.as_map().into_iter().flatten() {
        let path = path_of(name);
        checks::block_name("balancer", name, &path, diagnostics);
        if let Some(other) = variables.insert(variable(name), name) {
            diagnostics.error_at(
                path.clone(),
                "Balancer names too alike",
                format!("\"{other}\" and \"{name}\" would both read {}. Rename one of them.", variable(name)),
            );
        }
        if settings.is_null() {
            diagnostics.error_at(
                path,
                "Empty balancer",
                "A balancer is an object. Remove it, or say how it takes orders.",
            );
        } else {
            check_transport(settings, &path, |order| has_headers(settings) || carries_more(order), diagnostics);
        }
    }
}

/// Decodes the balancers; never fails because something is unknown.
pub fn decode(balancers: &Value, environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Balancers {
    match balancers {
        Value::Map(entries) => {
            let mut declared = BTreeMap::new();
            for (name, settings) in entries {
                declared.insert(name.clone(), balancer(name, settings, environment, diagnostics));
            }
            Balancers::new(declared)
        }
        Value::Unknown => Balancers::unknown(),
        _ => Balancers::default(),
    }
}

/// The environment variable that holds a balancer's token.
pub fn variable(name: &str) -> String {
    format!("AZUREMFA_BALANCER_{}_TOKEN", name.to_ascii_uppercase().replace('-', "_"))
}

fn path_of(name: &str) -> Path {
    Path::of("balancers").key(name)
}

fn balancer(name: &str, settings: &Value, environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Declared {
    let token = environment.read(&variable(name)).filter(|token| !token.is_empty());
    // Orders that carry something of their own were checked before.
    if token.is_some() && !has_headers(settings) {
        check_transport(settings, &path_of(name), |order| !carries_more(order), diagnostics);
    }
    if !settings.is_wholly_known() {
        return Declared::NotKnown;
    }
    if settings.attribute("headers").is_null() && token.is_none() {
        return Declared::Unusable(format!(
            "balancers[\"{name}\"] has no headers and {} is not set, so nothing would tell the balancer who gives it orders. \
             Set the variable to a token, which is sent as \"Authorization: Bearer\", or state headers; headers = {{}} where \
             the balancer wants none.",
            variable(name)
        ));
    }
    let (Some(take_out), Some(put_back)) =
        (order(settings.attribute("take_out")), order(settings.attribute("put_back")))
    else {
        return Declared::Unusable(format!("balancers[\"{name}\"] lacks an order. State take_out and put_back."));
    };
    let headers = match headers(settings, token) {
        Ok(headers) => headers,
        Err(reason) => return Declared::Unusable(format!("{} cannot be used: {reason}.", variable(name))),
    };
    Declared::Ready(Box::new(Balancer {
        name: name.to_owned(),
        take_out,
        put_back,
        headers,
        ca_certificate: settings.attribute("ca_certificate").as_str().map(str::to_owned),
        timeout: time(settings.attribute("timeout")).unwrap_or(TIMEOUT),
        drain_wait: time(settings.attribute("drain_wait")).unwrap_or(DRAIN_WAIT),
    }))
}

fn has_headers(settings: &Value) -> bool {
    settings.attribute("headers").as_map().is_some_and(|headers| !headers.is_empty())
}

fn order(settings: &Value) -> Option<Order> {
    let statuses = settings.attribute("expected_status").as_list();
    Some(Order {
        url: settings.attribute("url").as_str()?.to_owned(),
        method: known_method(settings.attribute("method").as_str()?)?,
        body: settings.attribute("body").as_str().map(Secret::new),
        expected_status: statuses
            .map_or_else(|| EXPECTED_STATUS.to_vec(), |items| items.iter().filter_map(http_status).collect()),
    })
}

/// What is stated, and the token unless that says who gives the orders.
fn headers(settings: &Value, token: Option<String>) -> Result<Vec<(String, Secret)>, &'static str> {
    let stated = settings.attribute("headers").as_map().into_iter().flatten();
    let mut headers: Vec<(String, Secret)> =
        stated.filter_map(|(name, value)| Some((name.clone(), Secret::new(value.as_str()?)))).collect();
    if let Some(token) = token.filter(|_| !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))) {
        let value = format!("Bearer {token}");
        HeaderValue::from_str(&value).map_err(|_| "a header holds no line breaks and no control characters")?;
        headers.push(("Authorization".to_owned(), Secret::new(value)));
    }
    Ok(headers)
}

fn time(value: &Value) -> Option<Duration> {
    let text = value.as_str()?;
    if text == NO_WAIT { Some(Duration::ZERO) } else { duration::parse(text).ok() }
}

fn known_method(text: &str) -> Option<Method> {
    METHODS.into_iter().find(|method| method.as_str() == text)
}

/// What is sent over plain HTTP anybody in between can read, and then give orders himself. Only orders that carry
/// something secret are held to that.
fn check_transport(
    settings: &Value,
    path: &Path,
    may_be_secret: impl Fn(&Value) -> bool,
    diagnostics: &mut Diagnostics,
) {
    for name in ORDERS {
        let order = settings.attribute(name);
        let Some(url) = known_url(order) else { continue };
        if url.scheme() == "http" && !is_loopback(&url) && may_be_secret(order) {
            diagnostics.error_at(
                path.attribute(name).attribute("url"),
                "Order without HTTPS",
                "Headers, a body, and what follows ? in an address may tell the balancer who gives it orders. So they are sent \
                 over https alone, and over http only to this machine (127.0.0.1, [::1], localhost). Write https://.",
            );
        }
    }
}

/// Whether an order carries something besides headers that may be secret.
fn carries_more(order: &Value) -> bool {
    let body = order.attribute("body").as_str();
    known_url(order).is_some_and(|url| sample("", body).carries_more(&url))
}

fn known_url(order: &Value) -> Option<Url> {
    order.attribute("url").as_str().and_then(|text| url(text).ok())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

fn url(text: &str) -> Result<Url, String> {
    sample(text, None).url_for(SAMPLE_HOST).map_err(|error| error.to_string())
}

fn sample(url: &str, body: Option<&str>) -> Order {
    Order { url: url.to_owned(), method: Method::GET, body: body.map(Secret::new), expected_status: Vec::new() }
}

/// The type of a balancer.
pub fn check_type(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(found) = value.as_str().filter(|found| *found != HTTP) {
        diagnostics.error_at(
            path.clone(),
            "Unknown balancer type",
            format!(
                "Found \"{found}\". Accepted is \"{HTTP}\": a balancer that takes orders over HTTP. Without one leave `drain` \
                 out; the plan then says when to take a host out yourself."
            ),
        );
    }
}

/// The address of an order.
pub fn check_url(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = value.as_str().map(url) {
        diagnostics.error_at(
            path.clone(),
            "Invalid address",
            format!(
                "The address of an order cannot be used: {error}. Write one such as https://lb.contoso.com/members/{{host}}."
            ),
        );
    }
}

/// The method of an order.
pub fn check_method(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(found) = value.as_str().filter(|found| known_method(found).is_none()) {
        let accepted = METHODS.map(|method| method.to_string()).join(", ");
        diagnostics.error_at(
            path.clone(),
            "Unknown method",
            format!("Found {found:?}. Accepted are {accepted}, in capitals."),
        );
    }
}

/// The body of an order. It is never shown, not even a piece of it.
pub fn check_body(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(reason)) = value.as_str().map(|text| sample("", Some(text)).body_for(SAMPLE_HOST)) {
        diagnostics.error_at(
            path.clone(),
            "Unknown placeholder",
            format!(
                "There are other braces in the body, and {reason}. Correct them, or write a space after a brace that begins \
                 none. The body is not shown, because it may be a secret."
            ),
        );
    }
}

/// The statuses that mean that an order was carried out.
pub fn check_statuses(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let items = value.as_list().unwrap_or_default();
    if items.is_empty() {
        diagnostics.error_at(
            path.clone(),
            "No status",
            "The list is empty, so no answer would do. Name at least one status, such as 200, or leave it out.",
        );
    }
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_unknown()) {
        checks::status(item, &path.index(index), diagnostics);
    }
}

/// The headers of all orders. Values are never shown.
pub fn check_headers(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    for (name, value) in value.as_map().into_iter().flatten() {
        let path = path.key(name);
        if name.parse::<HeaderName>().is_err() {
            diagnostics.error_at(
                path.clone(),
                "Invalid header",
                format!("Found {name:?}. The name of a header has letters, digits and hyphens, such as Authorization."),
            );
        }
        let is_sendable = |text: &str| !text.is_empty() && HeaderValue::from_str(text).is_ok();
        if !value.is_unknown() && !value.as_str().is_some_and(is_sendable) {
            diagnostics.error_at(
                path,
                "Invalid header",
                "The value of a header is a text that is not empty, without line breaks and control characters. The found one \
                 is not shown, because it may be a secret.",
            );
        }
    }
}

/// How long connections may run out, perhaps not at all.
pub fn check_wait(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if value.as_str() != Some(NO_WAIT) {
        checks::duration(value, path, diagnostics);
    }
}

#[cfg(test)]
mod tests;
