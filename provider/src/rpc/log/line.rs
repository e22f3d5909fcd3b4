//! One line of the log.

use serde_json::{Map, Value};
use tracing::Level;

/// The client reads lines into a buffer of 64 KiB and takes what is longer for two lines.
const MAXIMUM_LINE: usize = 60_000;
const MAXIMUM_MESSAGE_WHEN_CUT: usize = 4_000;

/// The line with its line break. Keys that start with `@` are the format's own and always strings: the client crashes
/// on any other type there, even when it shows no log.
pub fn line(level: Level, module: &str, message: &str, fields: Map<String, Value>) -> Vec<u8> {
    let whole = render(level, module, message, fields);
    if whole.len() < MAXIMUM_LINE {
        return whole;
    }
    let message: String = message.chars().take(MAXIMUM_MESSAGE_WHEN_CUT).collect();
    let mark = Map::from_iter([("log_line_cut".to_owned(), Value::Bool(true))]);
    render(level, module, &message, mark)
}

fn render(level: Level, module: &str, message: &str, fields: Map<String, Value>) -> Vec<u8> {
    let mut line = Map::new();
    for (key, value) in fields {
        line.insert(key.trim_start_matches('@').to_owned(), value);
    }
    // Exactly six digits: with nine the client takes the line for text and loses its level.
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    line.insert("@level".to_owned(), level_name(level).into());
    line.insert("@message".to_owned(), message.into());
    line.insert("@module".to_owned(), module.into());
    line.insert("@timestamp".to_owned(), timestamp.into());
    let mut bytes = Value::Object(line).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Map<String, Value> {
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
        assert!(bytes.len() < 64 * 1024);
        serde_json::from_slice(bytes).unwrap()
    }

    /// Traps 9 and 10.
    #[test]
    fn keys_of_the_format_are_strings_and_the_time_has_six_digits() {
        let fields = Map::from_iter([("@level".to_owned(), Value::Bool(true)), ("n".to_owned(), 1.into())]);
        let line = parse(&line(Level::WARN, "provider", "two\nlines", fields));
        for (key, value) in line.iter().filter(|(key, _)| key.starts_with('@')) {
            assert!(value.is_string(), "{key}");
        }
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["level"], true);
        assert_eq!(line["@message"], "two\nlines");
        let time = line["@timestamp"].as_str().unwrap();
        assert_eq!(time.len(), "2026-08-22T10:00:00.123456Z".len(), "{time}");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn long_lines_are_cut() {
        let worst = "\u{1}".repeat(100_000);
        let fields = || Map::from_iter([("detail".to_owned(), Value::from(worst.clone()))]);
        assert_eq!(parse(&line(Level::INFO, "provider", "short", fields()))["log_line_cut"], true);
        parse(&line(Level::INFO, "provider", &worst, fields()));
    }
}
