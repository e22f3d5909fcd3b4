//! Whether two version texts name the same version, tolerant of length: `6.3` and `6.3.0.0` do.

/// Whether two texts are versions and the same one.
pub fn same(left: &str, right: &str) -> bool {
    match (segments(left), segments(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// The first segment.
pub fn major(text: &str) -> Option<u64> {
    text.split('.').next()?.parse().ok()
}

/// The segments without trailing zeros; none when the text is no version.
pub fn segments(text: &str) -> Option<Vec<u64>> {
    let mut segments = text
        .split('.')
        .map(|segment| segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok()).flatten())
        .collect::<Option<Vec<u64>>>()?;
    while segments.last() == Some(&0) {
        segments.pop();
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerates_length_and_nothing_else() {
        assert!(same("6.3", "6.3.0.0"));
        assert!(same("7.0.0.9", "7.0.0.9"));
        assert!(!same("7.0.0.9", "7.0.0.90"));
        assert!(!same("7.0", "7.0.0.9"));
        for garbage in ["", "x", "7..0", "+7.0", "7.0 "] {
            assert!(!same(garbage, garbage), "{garbage:?}");
        }
    }
}
