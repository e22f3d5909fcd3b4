//! The settings of balancers: what is refused where, and what is decoded.

use expect_test::expect;

use super::*;
use crate::config::{ProviderConfig, configure_with, schema};
use crate::tf::validation;

type Variables = BTreeMap<String, String>;

fn order(settings: &[(&'static str, Value)]) -> Value {
    let mut order = Value::object([
        ("url", "https://lb.contoso.com/members/{host}?token=marker".into()),
        ("method", "PATCH".into()),
        ("body", Value::Null),
        ("expected_status", Value::Null),
    ]);
    for (name, value) in settings {
        order.set(name, value.clone());
    }
    order
}

/// The provider's settings with one balancer that wants nothing; `settings` are put into it.
fn settings(name: &'static str, settings: &[(&'static str, Value)]) -> Value {
    let mut balancer = Value::object([
        ("type", "http".into()),
        ("take_out", order(&[("body", "{\"enabled\": false, \"of\": \"{short_host}\"}".into())])),
        ("put_back", order(&[])),
        ("headers", Value::object([])),
        ("ca_certificate", Value::Null),
        ("timeout", Value::Null),
        ("drain_wait", Value::Null),
    ]);
    for (name, value) in settings {
        balancer.set(name, value.clone());
    }
    Value::object([("balancers", Value::object([(name, balancer)]))])
}

fn configured(config: &Value, environment: &Variables) -> (Option<ProviderConfig>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let provider = configure_with(config, environment, &mut diagnostics);
    assert!(!format!("{diagnostics:?} {provider:?}").contains("marker"), "{diagnostics:?}");
    (provider, diagnostics)
}

fn token() -> Variables {
    BTreeMap::from([("AZUREMFA_BALANCER_LB_TOKEN".to_owned(), "marker".to_owned())])
}

/// What a balancer is decoded to.
#[track_caller]
fn decoded(config: &Value, environment: &Variables) -> Declared {
    let (provider, diagnostics) = configured(config, environment);
    let provider = provider.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let found = provider.balancers().find("lb").expect("it is declared").clone();
    assert!(!format!("{found:?}").contains("Bearer marker"), "{found:?}");
    found
}

#[track_caller]
fn ready(config: &Value, environment: &Variables) -> Balancer {
    match decoded(config, environment) {
        Declared::Ready(balancer) => *balancer,
        other => panic!("{other:?}"),
    }
}

fn sent(balancer: &Balancer) -> Vec<String> {
    balancer.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect()
}

/// The settings are refused with this at this path, by validation alone, and nothing secret is shown.
#[track_caller]
fn refused(config: &Value, expected: &str) {
    let mut diagnostics = Diagnostics::default();
    validation::validate(schema(), config, &mut diagnostics);
    crate::config::validate(config, &mut diagnostics);
    let found: Vec<String> = diagnostics
        .iter()
        .map(|it| format!("{}: {}", it.path.as_ref().map(ToString::to_string).unwrap_or_default(), it.summary))
        .collect();
    assert_eq!(found.join("; "), expected);
    assert!(!format!("{diagnostics:?}").contains("marker"), "{diagnostics:?}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let balancer = ready(&settings("lb", &[]), &Variables::new());
    assert_eq!((balancer.timeout, balancer.drain_wait), (TIMEOUT, DRAIN_WAIT));
    assert_eq!(balancer.take_out.expected_status, EXPECTED_STATUS);
    assert_eq!((balancer.take_out.method, balancer.put_back.body), (Method::PATCH, None));
    let stated = [
        ("timeout", "1m".into()),
        ("drain_wait", "0s".into()),
        ("put_back", order(&[("expected_status", Value::List(vec![Value::integer(202)]))])),
    ];
    let balancer = ready(&settings("lb", &stated), &Variables::new());
    assert_eq!((balancer.timeout, balancer.drain_wait), (Duration::from_secs(60), Duration::ZERO));
    assert_eq!(balancer.put_back.expected_status, [202]);
}

#[test]
fn a_token_comes_from_the_environment_unless_it_is_stated() {
    let without = [("headers", Value::Null)];
    assert_eq!(sent(&ready(&settings("lb", &without), &token())), ["Authorization: Bearer marker"]);
    let beside = [("headers", Value::object([("X-Tenant", "mfa".into())]))];
    assert_eq!(sent(&ready(&settings("lb", &beside), &token())), ["X-Tenant: mfa", "Authorization: Bearer marker"]);
    let stated = [("headers", Value::object([("authorization", "Basic marker".into())]))];
    assert_eq!(sent(&ready(&settings("lb", &stated), &token())), ["authorization: Basic marker"]);
    assert!(sent(&ready(&settings("lb", &[]), &Variables::new())).is_empty(), "headers = {{}} asks for nothing");
    assert_eq!(variable("dmz-east"), "AZUREMFA_BALANCER_DMZ_EAST_TOKEN");
}

#[test]
fn a_balancer_that_gives_no_name_cannot_be_used() {
    let Declared::Unusable(reason) = decoded(&settings("lb", &[("headers", Value::Null)]), &Variables::new()) else {
        panic!("there is no token");
    };
    expect![[r#"balancers["lb"] has no headers and AZUREMFA_BALANCER_LB_TOKEN is not set, so nothing would tell the balancer who gives it orders. Set the variable to a token, which is sent as "Authorization: Bearer", or state headers; headers = {} where the balancer wants none."#]]
    .assert_eq(&reason);
    let broken = BTreeMap::from([("AZUREMFA_BALANCER_LB_TOKEN".to_owned(), "marker\n".to_owned())]);
    let Declared::Unusable(reason) = decoded(&settings("lb", &[("headers", Value::Null)]), &broken) else {
        panic!("a line break");
    };
    assert!(!reason.contains("marker"), "{reason}");
}

#[test]
fn what_may_be_secret_is_sent_over_https_or_to_this_machine() {
    let over = |url: &str| [("headers", Value::Null), ("put_back", order(&[("url", url.into())]))];
    let with_headers = |url: &str| {
        [("headers", Value::object([("X-Key", "marker".into())])), ("put_back", order(&[("url", url.into())]))]
    };
    let with_body = |url: &str| [("put_back", order(&[("url", url.into()), ("body", "{}".into())]))];
    let plain = "http://lb.contoso.com/{host}";
    let expected = "balancers[\"lb\"].put_back.url: Order without HTTPS";
    refused(&settings("lb", &with_headers(plain)), expected);
    refused(&settings("lb", &with_headers("http://127.0.0.1.contoso.com/")), expected);
    refused(&settings("lb", &with_headers("http://{host}/")), expected);
    refused(&settings("lb", &with_body(plain)), expected);
    refused(&settings("lb", &over("http://lb.contoso.com/{host}?token=marker")), expected);
    refused(&settings("lb", &over(plain)), "");
    refused(&settings("lb", &with_body("http://127.0.0.1/{host}?token=marker")), "");
    // Also where it says that it wants none, because the token would be sent all the same; and each order is refused once.
    for config in [settings("lb", &over(plain)), settings("lb", &over(plain)[1..]), settings("lb", &with_body(plain))] {
        let (provider, diagnostics) = configured(&config, &token());
        let refusals = diagnostics.iter().filter(|found| found.summary == "Order without HTTPS").count();
        assert!(provider.is_none() && refusals == 1, "{diagnostics:?}");
    }
    for local in ["http://127.0.0.1:8080/", "http://[::1]/{host}", "http://LOCALHOST/"] {
        ready(&settings("lb", &over(local)), &token());
    }
    ready(&settings("lb", &[("put_back", order(&[("url", plain.into())]))]), &Variables::new());
}

#[test]
fn wrong_balancers_are_refused_with_their_path() {
    let at = |path: &str, summary: &str| format!("balancers[\"lb\"]{path}: {summary}");
    let check = |stated: &[(&'static str, Value)], path: &str, summary: &str| {
        refused(&settings("lb", stated), &at(path, summary));
    };
    check(&[("type", "nlb".into())], ".type", "Unknown balancer type");
    let out = |name, value| [("take_out", order(&[(name, value)]))];
    for url in
        ["lb/{host}", "ftp://lb/", "https://u:marker@lb/", "https://lb/{name}", "https://lb/#a", "https://lb/ {host}"]
    {
        check(&out("url", url.into()), ".take_out.url", "Invalid address");
    }
    check(&out("method", "patch".into()), ".take_out.method", "Unknown method");
    check(&out("method", "CONNECT".into()), ".take_out.method", "Unknown method");
    check(&out("body", "{\"password\": \"{marker}\"}".into()), ".take_out.body", "Unknown placeholder");
    check(&out("expected_status", Value::List(Vec::new())), ".take_out.expected_status", "No status");
    check(
        &out("expected_status", Value::List(vec![Value::integer(200), Value::integer(20)])),
        ".take_out.expected_status[1]",
        "Invalid status",
    );
    check(&out("expected_status", Value::List(vec![Value::Null])), ".take_out.expected_status[0]", "Invalid status");
    let headers = |name: &'static str, value| [("headers", Value::object([(name, value)]))];
    check(&headers("X Key", "marker".into()), ".headers[\"X Key\"]", "Invalid header");
    check(&headers("X-Key", "marker\r\nX: y".into()), ".headers[\"X-Key\"]", "Invalid header");
    check(&headers("X-Key", Value::Null), ".headers[\"X-Key\"]", "Invalid header");
    check(&headers("X-Key", "".into()), ".headers[\"X-Key\"]", "Invalid header");
    check(&[("timeout", "0s".into())], ".timeout", "Invalid duration");
    check(&[("drain_wait", "soon".into())], ".drain_wait", "Invalid duration");
    check(&[("ca_certificate", "ca.pem".into())], ".ca_certificate", "Invalid certificate");
    refused(&settings("2lb", &[]), "balancers[\"2lb\"]: Invalid balancer name");
    refused(&Value::object([("balancers", Value::object([("lb", Value::Null)]))]), &at("", "Empty balancer"));
    let alike = |name: &'static str| settings(name, &[]).attribute("balancers").attribute(name).clone();
    let two = Value::object([("l-b", alike("l-b")), ("l_b", alike("l_b"))]);
    refused(&Value::object([("balancers", two)]), "balancers[\"l_b\"]: Balancer names too alike");
}

/// Nothing is refused, and no default taken, because something is not known yet.
#[test]
fn what_is_not_known_defers() {
    for name in ["type", "take_out", "put_back", "headers", "ca_certificate", "timeout", "drain_wait"] {
        let config = settings("lb", &[(name, Value::Unknown)]);
        refused(&config, "");
        assert_eq!(decoded(&config, &token()), Declared::NotKnown, "{name}");
    }
    for name in ["url", "method", "body", "expected_status"] {
        let config = settings("lb", &[("take_out", order(&[(name, Value::Unknown)]))]);
        refused(&config, "");
        assert_eq!(decoded(&config, &token()), Declared::NotKnown, "{name}");
    }
    for balancers in [Value::Unknown, Value::object([("lb", Value::Unknown)])] {
        let config = Value::object([("balancers", balancers)]);
        refused(&config, "");
        assert_eq!(decoded(&config, &token()), Declared::NotKnown);
    }
    let partly = Value::object([("X-Key", Value::Unknown), ("X-Tenant", "mfa".into())]);
    assert_eq!(decoded(&settings("lb", &[("headers", partly)]), &token()), Declared::NotKnown);
    let none = Value::object([]);
    let (provider, _) = configured(&none, &token());
    assert_eq!(provider.expect("configured").balancers().find("lb"), None);
}
