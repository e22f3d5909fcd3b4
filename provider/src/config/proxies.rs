//! The proxies that the environment names, and the setting that overrules them.

use crate::backend::windows::proxies::{Exceptions, ProxyRule, ProxyVariable, ProxyVariables};
use crate::config::environment::Environment;

/// For HTTPS and for HTTP, first one first. As curl and Go read them, so that they mean the same for all programs.
const FOR_HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const FOR_HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// A connection's rule: the setting, where an empty text means none, else the environment.
pub fn rule(setting: Option<&str>, environment: &dyn Environment) -> ProxyRule {
    match setting {
        Some("") => ProxyRule::Never,
        // What cannot be read was refused by validation.
        Some(text) => text.parse().map_or(ProxyRule::Never, ProxyRule::Given),
        None => ProxyRule::Environment(ProxyVariables {
            for_https: first(&FOR_HTTPS, environment).map(variable),
            for_http: first(&FOR_HTTP, environment).map(variable),
            exceptions: first(&EXCEPTIONS, environment).map(|(name, text)| Exceptions {
                name,
                entries: text.split([',', ' ']).filter(|entry| !entry.is_empty()).map(str::to_owned).collect(),
            }),
        }),
    }
}

/// The first of these variables that is set and not empty.
fn first(names: &[&'static str], environment: &dyn Environment) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        let text = environment.read(name)?.trim().to_owned();
        (!text.is_empty()).then_some((*name, text))
    })
}

/// Variables may leave the scheme out.
fn variable((name, text): (&'static str, String)) -> ProxyVariable {
    let proxy = if text.contains("://") { text.parse() } else { format!("http://{text}").parse() };
    ProxyVariable { name, proxy }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[track_caller]
    fn check(setting: Option<&str>, variables: &[(&str, &str)], https: bool, expected: Option<&str>) {
        let environment: BTreeMap<String, String> =
            variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let choice = rule(setting, &environment).choose("mfa01.contoso.com", 5986, https).expect("a choice");
        assert_eq!(choice.proxy.map(|proxy| proxy.authority()).as_deref(), expected);
    }

    #[test]
    fn reads_the_variables_of_the_transport() {
        let all = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "h:2"), ("all_proxy", "http://a:3")];
        check(None, &all, true, Some("s:1"));
        check(None, &all, false, Some("h:2"));
        check(None, &[("ALL_PROXY", "http://a:3")], true, Some("a:3"));
        check(None, &[("ALL_PROXY", "http://a:3")], false, Some("a:3"));
        check(None, &[("HTTP_PROXY", "http://h:2")], true, None);
        check(None, &[("HTTPS_PROXY", "http://s:1")], false, None);
        check(None, &[("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://up:1")], true, Some("low:1"));
        check(None, &[("https_proxy", ""), ("HTTPS_PROXY", "http://up:1")], true, Some("up:1"));
        check(None, &[], true, None);
    }

    #[test]
    fn a_setting_wins_and_an_empty_one_means_none() {
        let variables = [("https_proxy", "http://s:1"), ("no_proxy", "contoso.com")];
        check(Some("http://own:4"), &variables, true, Some("own:4"));
        check(Some(""), &variables[..1], true, None);
        check(None, &variables, true, None);
        check(None, &[("https_proxy", "http://s:1"), ("NO_PROXY", "a.example, mfa01.contoso.com")], true, None);
        check(None, &[("https_proxy", "http://s:1"), ("NO_PROXY", "")], true, Some("s:1"));
    }
}
