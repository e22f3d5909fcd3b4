//! Which level the environment asks for.

use tracing::Level;

/// From the most to the least particular; the first that is set decides.
const VARIABLES: [&str; 3] = ["TF_LOG_PROVIDER_AZUREMFA", "TF_LOG_PROVIDER", "TF_LOG"];

/// The level, or none when nothing is to be written.
pub fn level(variable: impl Fn(&str) -> Option<String>) -> Option<Level> {
    let text = VARIABLES.iter().find_map(|name| variable(name).filter(|text| !text.is_empty()))?;
    match text.to_ascii_uppercase().as_str() {
        "OFF" => None,
        "ERROR" => Some(Level::ERROR),
        "WARN" => Some(Level::WARN),
        "INFO" => Some(Level::INFO),
        "DEBUG" => Some(Level::DEBUG),
        // The client, too, takes JSON and what it does not know for TRACE.
        _ => Some(Level::TRACE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[(&str, &str)], expected: Option<Level>) {
        let find = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned());
        assert_eq!(level(find), expected);
    }

    #[test]
    fn the_most_particular_variable_decides() {
        check(&[], None);
        check(&[("TF_LOG", "")], None);
        check(&[("TF_LOG", "warn")], Some(Level::WARN));
        check(&[("TF_LOG", "JSON")], Some(Level::TRACE));
        check(&[("TF_LOG", "ERROR"), ("TF_LOG_PROVIDER", "INFO")], Some(Level::INFO));
        check(&[("TF_LOG_PROVIDER", "INFO"), ("TF_LOG_PROVIDER_AZUREMFA", "DEBUG")], Some(Level::DEBUG));
        check(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER_AZUREMFA", "OFF")], None);
        check(&[("TF_LOG", "TRACE"), ("TF_LOG_CORE", "TRACE"), ("TF_LOG_PROVIDER_OTHER", "OFF")], Some(Level::TRACE));
    }
}
