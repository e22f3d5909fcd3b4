//! The table has a row for every error that the client knows, or a reason why not.

use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::page::Group;

/// The errors of the client, and those of Kerberos.
const ERRORS: [(&str, &str); 2] =
    [("provider/src/winrm/error.rs", "Kind"), ("provider/src/winrm/auth/kerberos/failure.rs", "Failure")];

/// Errors that no row can show.
const NEVER: [(&str, &str); 5] = [
    ("CommandLineTooLong", "the provider's command lines are its own, and short"),
    ("ControlCharacter", "the provider's command lines have none"),
    ("Stdin", "the input of `doctor` is not read from anywhere"),
    ("UnencryptedBasic", "it is refused with the settings, before a host is asked"),
    ("Kerberos", "each of its causes has rows of its own"),
];

/// What tells an error whose text is wholly another's.
const TOLD_BY: [(&str, &str); 4] = [
    ("Setting", "is neither a DNS name nor an IP address"),
    ("Fault", r"^fault \d+ "),
    ("NoKdc", "no KDC of "),
    ("EncryptionType", "the KDC has no AES key of "),
];

/// An error as its source has it.
#[derive(Debug, PartialEq, Eq)]
struct Variant {
    name: String,
    /// The literal of its text; none when it is another error's.
    text: Option<String>,
}

/// Every error has a row, and none that has one is said to have none.
pub(super) fn check(groups: &[Group]) {
    let can_all = groups.iter().all(|group| group.lines.is_some());
    let lines = groups.iter().flat_map(|group| group.lines.iter().flatten());
    let causes: Vec<&str> = lines.map(|line| line.said.cause()).collect();
    for (file, name) in ERRORS.iter().filter(|(_, name)| can_all || *name == "Kind") {
        let source = fs::read_to_string(paths::root().join(file)).expect("the source");
        let variants = variants(&source, name);
        assert!(variants.len() > 10, "{name}: {variants:?}");
        let wrong: Vec<_> = variants.iter().filter(|variant| has_row(variant, &causes) == is_exempt(variant)).collect();
        assert!(wrong.is_empty(), "{name}: without a row, or with one and said to have none: {wrong:?}");
    }
}

fn is_exempt(variant: &Variant) -> bool {
    NEVER.iter().any(|(name, _)| *name == variant.name)
}

fn has_row(variant: &Variant, causes: &[&str]) -> bool {
    let told_by = TOLD_BY.iter().find(|(name, _)| *name == variant.name).map(|(_, pattern)| (*pattern).to_owned());
    let Some(pattern) = told_by.or_else(|| variant.text.as_deref().map(pattern)) else { return false };
    let pattern = Regex::new(&pattern).expect("a pattern");
    causes.iter().any(|cause| pattern.is_match(cause))
}

/// Anything may stand where a value does.
fn pattern(text: &str) -> String {
    let values = Regex::new(r"\{[^}]*\}").expect("a pattern");
    let parts: Vec<String> = values.split(text).map(regex::escape).collect();
    assert!(parts.iter().any(|part| part.len() > 3), "nothing tells {text:?} from other errors");
    format!("^{}", parts.join(".*"))
}

fn variants(source: &str, name: &str) -> Vec<Variant> {
    let (_, rest) = source.split_once(&format!("pub enum {name} {{\n")).expect("the errors");
    let (body, _) = rest.split_once("\n}").expect("their end");
    let told = Regex::new(r#"#\[error\((?:"((?:[^"\\]|\\.)*)"|transparent)[^\n]*\n    ([A-Z]\w+)"#).expect("a pattern");
    let found: Vec<Variant> = told
        .captures_iter(body)
        .map(|found| Variant { name: found[2].to_owned(), text: found.get(1).map(|text| text.as_str().to_owned()) })
        .collect();
    let all = Regex::new(r"(?m)^    [A-Z]\w+").expect("a pattern").find_iter(body).count();
    assert_eq!(found.len(), all, "{name}: an error without a text of its own");
    found
}

#[test]
fn errors_are_read_from_the_source() {
    let source = "pub enum Kind {\n    /// A.\n    #[error(\"a {b} \\\"c\\\"{}\", if *.d { \"e\" } else { \"\" })]\n    First { b: u8 },\n    \
                  #[error(transparent)]\n    Second(Box<Other>),\n}\n";
    let variant = |name: &str, text: Option<&str>| Variant { name: name.to_owned(), text: text.map(str::to_owned) };
    assert_eq!(variants(source, "Kind"), [variant("First", Some("a {b} \\\"c\\\"{}")), variant("Second", None)]);
    assert!(has_row(&variant("Name", Some("the name {name} is long")), &["other", "the name mfa01 is long, too"]));
    assert!(!has_row(&variant("Name", Some("the name {name} is long")), &["not the name mfa01 is long"]));
}
