//! Host names in sentences.

use std::collections::BTreeSet;

/// First labels, or the whole names when those would be equal.
pub fn short<'a>(hosts: &[&'a str]) -> Vec<&'a str> {
    let labels: Vec<&str> = hosts.iter().map(|host| host.split('.').next().unwrap_or(host)).collect();
    let distinct = labels.iter().collect::<BTreeSet<_>>().len() == labels.len();
    // The labels of addresses say nothing.
    let named = labels.iter().all(|label| !label.contains(':') && label.bytes().any(|byte| byte.is_ascii_alphabetic()));
    if distinct && named { labels } else { hosts.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hosts: &[&str], expected: &[&str]) {
        assert_eq!(short(hosts), expected);
    }

    #[test]
    fn short_names_stay_distinct() {
        check(&["mfa01.contoso.com", "mfa02.contoso.com"], &["mfa01", "mfa02"]);
        check(&["mfa.eu.contoso.com", "mfa.us.contoso.com"], &["mfa.eu.contoso.com", "mfa.us.contoso.com"]);
        check(&["10.0.0.1", "11.0.0.1"], &["10.0.0.1", "11.0.0.1"]);
        check(&["::ffff:10.0.0.1", "mfa01.contoso.com"], &["::ffff:10.0.0.1", "mfa01.contoso.com"]);
        check(&["mfa01"], &["mfa01"]);
    }
}
