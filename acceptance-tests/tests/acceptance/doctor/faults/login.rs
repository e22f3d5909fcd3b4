//! Faults of logging in.

use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::record::Kind;
use expect_test::expect;
use serde_json::json;

use super::{Row, Wrong, http, on, wrong_password};
use crate::doctor::run::Doctor;

pub(super) fn rows() -> Vec<Row> {
    let tls_opened_before = Settings { tls_opened_before: true, ..Settings::default() };
    let no_basic = Settings { no_basic: true, ..Settings::default() };
    vec![
        (
            "not offered",
            "The service is set up without the scheme that the connection asks for.",
            Wrong::Setup(no_basic, |doctor| doctor.with("auth", json!("basic"))),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication scheme is not offered (the server offers Negotiate)
            Use an authentication scheme that the host offers, or allow this one there (`winrm get winrm/config/service/auth`).
        "#]],
        ),
        (
            "broken off",
            "The host offers the scheme, but did not go on after the first token.",
            on(Kind::Authenticate, http(401, "text/html")),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication was broken off (the server offers Negotiate, Basic)
            Check that the host's policy does not forbid incoming NTLM ("Network security: Restrict NTLM"), and that no proxy in between spreads requests over several connections.
        "#]],
        ),
        (
            "rejected",
            "The host checked the credentials and does not accept them.",
            Wrong::Told(wrong_password),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)
            Check the user name (`DOMAIN\name` for a domain account) and the password, that the account is not locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens TLS also leads here, because the channel binding then does not match.
        "#]],
        ),
        (
            "another channel",
            "A gateway opens TLS between this machine and the host, so the logon is bound to its certificate.",
            Wrong::Setup(tls_opened_before, |doctor| doctor),
            expect![[r#"
                authentication: logging in to mfa01.contoso.com: HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)
                Check the user name (`DOMAIN\name` for a domain account) and the password, that the account is not locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens TLS also leads here, because the channel binding then does not match.
            "#]],
        ),
        (
            "unknown form",
            "The user name has none of the forms that Windows knows.",
            Wrong::Told(|doctor| Doctor { username: "a\\b\\c".to_owned(), ..doctor }),
            expect![[r#"
            authentication: connecting to mfa01.contoso.com: the authentication could not be carried on: the user name has no known form: mixed username format
            Check the user name's form (`DOMAIN\name`, `name@realm` or a local `name`), and that the answer comes from Windows itself and not from something in between.
        "#]],
        ),
        (
            "rejected (basic)",
            "The host checked the credentials and does not accept them.",
            Wrong::Told(|doctor| wrong_password(doctor).with("auth", json!("basic"))),
            expect![[r#"
            authentication: opening a shell on mfa01.contoso.com: HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)
            Check the user name (`DOMAIN\name` for a domain account) and the password, that the account is not locked or expired, and that it may log on to the host over the network. Over HTTPS a proxy that opens TLS also leads here, because the channel binding then does not match.
        "#]],
        ),
    ]
}
