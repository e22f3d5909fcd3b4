//! Comparing an answer with what a case expects of it.
//!
//! In expected texts `<time>` stands for a time, `<stamp>` for a time as names of folders have it, `<any>` for any text.

use serde_json::Value;

/// Whether the answer is exactly as expected.
pub fn is(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(expected), Value::String(found)) => text(expected, found),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| is(expected, found))
        }
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| is(value, found)))
        }
        _ => expected == found,
    }
}

/// Whether everything expected is there; objects may have more. A null stands for "not there".
pub fn contains(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| contains(value, found.get(key).unwrap_or(&Value::Null)))
        }
        _ => is(expected, found),
    }
}

fn text(expected: &str, found: &str) -> bool {
    let Some((token, start)) = ["<time>", "<stamp>", "<any>"]
        .into_iter()
        .filter_map(|token| expected.find(token).map(|start| (token, start)))
        .min_by_key(|(_, start)| *start)
    else {
        return expected == found;
    };
    let Some(found) = found.strip_prefix(&expected[..start]) else { return false };
    let rest = &expected[start + token.len()..];
    match token {
        "<time>" => shaped(found, "0000-00-00T00:00:00Z", rest),
        "<stamp>" => shaped(found, "00000000T000000Z", rest),
        _ => (0..=found.len()).filter_map(|end| found.get(end..)).any(|found| text(rest, found)),
    }
}

fn shaped(found: &str, shape: &str, rest: &str) -> bool {
    let Some((head, tail)) = found.split_at_checked(shape.len()) else { return false };
    let fits = |(found, shape): (u8, u8)| if shape == b'0' { found.is_ascii_digit() } else { found == shape };
    head.bytes().zip(shape.bytes()).all(fits) && text(rest, tail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_stand_for_what_varies() {
        assert!(is(&json!("a <time> b"), &json!("a 2026-11-01T02:00:00Z b")));
        assert!(!is(&json!("<time>"), &json!("2026-11-01 02:00:00Z")));
        assert!(is(&json!("x-<stamp>"), &json!("x-20261101T020000Z")));
        assert!(is(&json!("a<any>c<any>"), &json!("abbc")));
        assert!(!is(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(contains(&json!({"a": 1, "c": null}), &json!({"a": 1, "b": 2})));
        assert!(!contains(&json!({"b": null}), &json!({"b": 2})));
    }
}
