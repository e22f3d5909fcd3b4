//! `health_check`: what a host has to answer after it was changed, before a run goes on.

use crate::backend::health::{self, HOST, HealthCheck};
use crate::backend::web_address;
use crate::config::ProviderConfig;
use crate::config::checks;
use crate::plan::Desired;
use crate::resource::set::{duration, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

/// The attribute's name.
pub const NAME: &str = "health_check";

/// The attribute.
pub fn attribute() -> Attribute {
    let attributes = vec![
        Attribute::required("url", Kind::String, URL).check(check_url),
        Attribute::optional("status", Kind::Number, STATUS).check(checks::status),
        Attribute::optional("contains", Kind::String, CONTAINS).check(checks::not_empty),
        Attribute::optional("timeout", Kind::String, TIMEOUT).check(schema::check_duration),
        Attribute::optional("interval", Kind::String, INTERVAL).check(schema::check_duration),
        Attribute::optional("ca_certificate", Kind::String, CA_CERTIFICATE).check(checks::certificates),
        Attribute::optional("insecure_skip_verify", Kind::Bool, INSECURE_SKIP_VERIFY),
    ];
    Attribute::optional(NAME, Kind::Object(attributes), DESCRIPTION)
}

const DESCRIPTION: &str = "What each host has to answer after it was changed, asked over HTTP by the machine that runs \
    Terraform. The run waits for it before it goes on with the next host, and fails when it does not come: the hosts after \
    it are left alone, and the next run asks again. See the guide `health`.";
const URL: &str = "The address, http or https, with `{host}` for the host's name, such as \
    `https://{host}/MultiFactorAuth/`. No user name or password; what stands after `?` is sent and not shown in steps. \
    Redirects are not followed. `AZUREMFA_ALLOWED_HOSTS` counts for its host, and the proxies of the environment are used.";
const STATUS: &str = "The status of a healthy answer. Default `200`. Where the address asks for a logon, `401` proves that \
    something answers.";
const CONTAINS: &str = "A text that the first 1 MiB of the answer's body has to hold, in the same case.";
const TIMEOUT: &str = "How long all tries together may take, as a duration such as `90s`. Default `5m`. One answer may take \
    10 seconds.";
const INTERVAL: &str = "The pause between two tries. Default `5s`, or half of a `timeout` below `10s`.";
const CA_CERTIFICATE: &str = "Certificates in PEM that are trusted instead of the system's roots.";
const INSECURE_SKIP_VERIFY: &str = "Whether any certificate is believed. Warns in every plan.";

/// The check that a set declares, as far as it is known.
pub fn decode(own: &Value) -> Option<HealthCheck> {
    let stated = own.attribute(NAME);
    stated.as_map()?;
    let text = |name: &str| stated.attribute(name).as_str().map(str::to_owned);
    let duration = |name: &str| stated.attribute(name).as_str().and_then(duration::parse);
    let mut check = HealthCheck::new(text("url"));
    check.status = checks::http_status(stated.attribute("status")).unwrap_or(check.status);
    check.timeout = duration("timeout").unwrap_or(check.timeout);
    // A wait that is shorter than the usual pause still has its tries.
    check.interval = duration("interval").unwrap_or_else(|| check.interval.min(check.timeout / 2));
    check.contains = text("contains");
    check.ca_certificate = text("ca_certificate");
    check.insecure_skip_verify = stated.attribute("insecure_skip_verify").as_bool() == Some(true);
    Some(check)
}

/// Whether the step's text cannot be said yet.
pub fn is_blurred(own: &Value) -> bool {
    ["url", "status", "contains"].iter().any(|name| own.attribute(NAME).attribute(name).is_unknown())
}

/// Checks what needs more than one attribute.
pub fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    let (stated, path) = (config.attribute(NAME), Path::of(NAME));
    let is_known = |name: &str| !stated.attribute(name).is_unknown();
    let Some(check) = decode(config) else { return };
    let says_interval = !stated.attribute("interval").is_null();
    if says_interval && is_known("interval") && is_known("timeout") && check.interval > check.timeout {
        diagnostics.error_at(
            path.attribute("interval"),
            "Interval longer than the wait",
            format!(
                "The pause of {} seconds is longer than the {} seconds that all tries together may take, so there would be \
                 one try. Shorten interval, or raise timeout.",
                check.interval.as_secs_f64(),
                check.timeout.as_secs_f64()
            ),
        );
    }
    if check.insecure_skip_verify && check.ca_certificate.is_some() {
        diagnostics.error_at(
            path.attribute("ca_certificate"),
            "Certificate that is never used",
            "With insecure_skip_verify = true no certificate is verified. Remove one of the two.",
        );
    }
    let is_plain = check.url.as_deref().is_some_and(|url| url.to_ascii_lowercase().starts_with("http:"));
    for (name, is_stated) in
        [("ca_certificate", check.ca_certificate.is_some()), ("insecure_skip_verify", check.insecure_skip_verify)]
    {
        if is_plain && is_stated {
            diagnostics.error_at(
                path.attribute(name),
                "Setting of HTTPS without HTTPS",
                format!("{name} has no effect on an address with http. Write https, or remove {name}."),
            );
        }
    }
}

/// What a plan has to say about a check: whether its address may be asked, and that it believes anybody.
pub fn look(provider: Option<&ProviderConfig>, desired: &Desired, diagnostics: &mut Diagnostics) {
    let Some(check) = &desired.health_check else { return };
    let path = Path::of(NAME);
    let address_of = |host: &String| health::parse(check.on(host).url.as_deref()?).ok();
    for url in desired.hosts.iter().filter_map(address_of) {
        let asked = web_address::host(&url);
        if let Some(Err(reason)) = provider.map(|provider| provider.check_allowed(&asked)) {
            diagnostics.error_at(
                path.attribute("url"),
                format!("{}: the health check may not ask {asked}", desired.name),
                format!("{reason} The variable counts for health checks as it does for hosts."),
            );
            break;
        }
    }
    if check.insecure_skip_verify {
        diagnostics.warning_at(
            path.attribute("insecure_skip_verify"),
            format!("{}: the health check believes any certificate", desired.name),
            "Whoever can stand between this machine and the host can answer for it. Use ca_certificate instead.",
        );
    }
}

fn check_url(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(Err(error)) = value.as_str().map(|text| health::parse(&text.replace(HOST, "host"))) else { return };
    diagnostics.error_at(
        path.clone(),
        "Invalid address",
        format!("The address of a health check cannot be used: {error}. Write one such as https://{{host}}/MultiFactorAuth/."),
    );
}
