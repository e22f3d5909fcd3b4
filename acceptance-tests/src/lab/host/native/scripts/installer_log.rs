//! What of an installer's log may be shown: lines of known forms, and of those only what the form names.

use std::sync::LazyLock;

use regex::Regex;

/// The most lines that are shown.
const MOST: usize = 20;

static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let forms = [
        r"(?i)-- ((?:Installation|Configuration|Removal) (?:operation )?(?:completed successfully|failed|failed with error \d+))\b",
        r"(?i)\b(MainEngineThread is returning \d+)",
        r"(?i)\b(Action ended [\d:]+: \w+\. Return value 3)\b",
        r"(?i)(?:^|\s)(Error \d{4})\b",
        r"(?i)(Microsoft Visual C\+\+ 2015 Redistributable Update 1 or higher is required)",
        r"(?i)(?:^|\s)(Exit code: (?:0x)?[0-9A-F]+)",
    ];
    forms.into_iter().map(|form| Regex::new(form).expect("a pattern of ours")).collect()
});

/// The lines that may be shown, each once, the last of them.
pub fn permitted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let found = FORMS.iter().find_map(|form| form.captures(line)).map(|captures| captures[1].to_owned());
        if let Some(found) = found
            && !lines.contains(&found)
        {
            lines.push(found);
        }
    }
    lines.split_off(lines.len().saturating_sub(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_forms_are_shown() {
        let log = "Property(S): SDKPASSWORD = secret\r\nMSI (s): Product: User Portal (secret) -- Installation failed.\r\n\
                   MSI (s): Error 1720. secret\r\nMainEngineThread is returning 1603\r\nMainEngineThread is returning 1603\r\n";
        assert_eq!(permitted(log), ["Installation failed", "Error 1720", "MainEngineThread is returning 1603"]);
    }
}
