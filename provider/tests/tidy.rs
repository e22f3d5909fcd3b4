//! Rules about the source itself, as tests: each rule is a function over texts, and each is shown a text that breaks it.

use std::fs;
use std::path::{Path, PathBuf};

/// Top to bottom: a layer may use itself and the layers after it.
const LAYERS: [&str; 13] = [
    "main", "doctor", "rpc", "docs", "resource", "config", "plan", "backend", "winrm", "tf", "address", "secret",
    "causes",
];

/// Everything that is visible at the top of the checkout.
const TOP_LEVEL: [&str; 10] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "acceptance-tests",
    "docs",
    "examples",
    "proto",
    "provider",
];

const MODULE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

#[test]
fn layers_only_look_down() {
    forbid(&sources("provider/src"), layer_breaks);
}

#[test]
fn modules_say_what_they_are() {
    forbid(&all_sources(), missing_module_doc);
}

#[test]
fn modules_are_small() {
    forbid(&all_sources(), oversized_module);
}

#[test]
fn functions_are_short() {
    forbid(&all_sources(), oversized_function);
}

#[test]
fn only_test_modules_look_up_by_super() {
    forbid(&all_sources(), super_imports);
}

#[test]
fn scripts_are_ascii() {
    forbid(&files("provider/src/backend/windows/scripts", "ps1"), not_ascii);
}

#[test]
fn every_script_is_registered_and_every_registered_script_is_there() {
    let registered: Vec<String> =
        azuremfa::backend::windows::scripts::ALL.iter().map(|script| script.name.to_owned()).collect();
    let names: Vec<String> = files("provider/src/backend/windows/scripts", "ps1")
        .iter()
        .map(|(path, _)| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('_'))
        .collect();
    assert_eq!(unpaired(&names, &registered), Vec::<String>::new());
}

#[test]
fn the_top_level_is_the_agreed_list() {
    let entries = fs::read_dir(root()).expect("the checkout can be listed");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    // `target` is Cargo's and ignored by git.
    let visible: Vec<String> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    let agreed: Vec<String> = TOP_LEVEL.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(unpaired(&visible, &agreed), Vec::<String>::new());
}

/// Every rule refuses a text that breaks it and lets one pass that keeps it.
#[test]
fn the_rules_can_fail() {
    let plan = Path::new("provider/src/plan/x.rs");
    for bad in [
        "use crate::rpc::server;",
        "    crate::resource::all();",
        "use crate::{\n    tf::value::Value,\n    config,\n};",
        "use crate::{backend::{facts, step}, rpc};",
    ] {
        assert!(layer_breaks(plan, bad).is_some(), "{bad}");
    }
    assert_eq!(layer_breaks(plan, "use crate::{backend::facts, tf::path};\nuse crate::plan::token;"), None);
    assert!(missing_module_doc(plan, "use std::fmt;\n//! late").is_some());
    assert_eq!(missing_module_doc(plan, "//! Says it.\n"), None);
    assert!(oversized_module(plan, &"let x;\n".repeat(401)).is_some());
    assert_eq!(
        oversized_module(plan, &format!("{}#[cfg(test)]\nmod tests {{\n{}", "let x;\n".repeat(400), "//\n".repeat(99))),
        None
    );
    let declared = format!("#[cfg(test)]\nmod tests;\n{}", "let x;\n".repeat(399));
    assert!(oversized_module(plan, &declared).is_some());
    for tests in ["provider/src/plan/tests.rs", "provider/src/plan/x/tests/upgrade.rs"] {
        assert_eq!(oversized_module(Path::new(tests), &declared), None);
        assert!(missing_module_doc(Path::new(tests), &declared).is_some());
    }
    assert!(
        oversized_function(
            plan,
            &format!("impl X {{\n    pub async fn long(&self) {{\n{}    }}\n}}\n", "        x();\n".repeat(61))
        )
        .is_some()
    );
    assert_eq!(oversized_function(plan, &format!("fn short() {{\n{}}}\n", "    x();\n".repeat(58))), None);
    assert!(super_imports(plan, "use super::token;").is_some());
    assert_eq!(super_imports(plan, "#[cfg(test)]\nmod tests {\n    use super::*;\n"), None);
    assert!(not_ascii(Path::new("x.ps1"), "Write-Error '\u{2026}'").is_some());
    assert_eq!(unpaired(&["a".into(), "b".into()], &["b".into(), "c".into()]), ["a", "c"]);
}

// === The rules ===

/// A use of a layer above the file's own.
fn layer_breaks(path: &Path, text: &str) -> Option<String> {
    let own = layer_of(path)?;
    let code = without_comments(text);
    let used = crate_mentions(&code).into_iter().filter_map(|name| rank(&name));
    let above = used.filter(|&layer| layer < own).min()?;
    Some(format!("`{}` must not use `{}`", LAYERS[own], LAYERS[above]))
}

fn missing_module_doc(_path: &Path, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or("");
    (!first.starts_with("//! ")).then(|| format!("opens with {first:?} instead of a //! sentence"))
}

fn oversized_module(path: &Path, text: &str) -> Option<String> {
    if is_test_code(path) {
        return None;
    }
    let lines = product_part(text).lines().count();
    (lines > MODULE_LINES).then(|| format!("has {lines} product lines, more than {MODULE_LINES}"))
}

/// A function whose closing brace, at the indentation of its `fn`, comes too late.
fn oversized_function(path: &Path, text: &str) -> Option<String> {
    if is_test_code(path) {
        return None;
    }
    let lines: Vec<&str> = product_part(text).lines().collect();
    for (start, line) in lines.iter().enumerate() {
        if !is_function(line) {
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indentation));
        let length = lines[start..].iter().position(|line| *line == close).map_or(0, |end| end + 1);
        if length > FUNCTION_LINES {
            return Some(format!("line {}: a function of {length} lines, more than {FUNCTION_LINES}", start + 1));
        }
    }
    None
}

fn super_imports(_path: &Path, text: &str) -> Option<String> {
    let line = text.lines().position(|line| {
        line.contains("super::") && line.trim() != "use super::*;" && !line.trim_start().starts_with("//")
    })?;
    Some(format!("line {}: looks up by super::, use crate::", line + 1))
}

fn not_ascii(_path: &Path, text: &str) -> Option<String> {
    let line = text.lines().position(|line| !line.is_ascii())?;
    Some(format!("line {}: has a character that is not ASCII; Windows PowerShell reads it differently", line + 1))
}

/// Names that stand in one list only.
fn unpaired(left: &[String], right: &[String]) -> Vec<String> {
    let only = |from: &[String], other: &[String]| {
        from.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>()
    };
    [only(left, right), only(right, left)].concat()
}

// === Reading ===

#[track_caller]
fn forbid(files: &[(PathBuf, String)], rule: fn(&Path, &str) -> Option<String>) {
    assert!(!files.is_empty(), "no file was read");
    let found: Vec<String> = files
        .iter()
        .filter_map(|(path, text)| rule(path, text).map(|what| format!("{}: {what}", path.display())))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies below the top").to_owned()
}

/// Product sources of both crates; generated code is nobody's to tidy.
fn all_sources() -> Vec<(PathBuf, String)> {
    [sources("provider/src"), sources("acceptance-tests/src")].concat()
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    files(folder, "rs")
        .into_iter()
        .filter(|(path, _)| !path.components().any(|part| part.as_os_str() == "generated"))
        .collect()
}

fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path.strip_prefix(root()).expect("below the top").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// Whether a file holds nothing but tests: `tests.rs`, and whatever lies below a folder `tests`. Tables of expectations
/// are long and still read well.
fn is_test_code(path: &Path) -> bool {
    path.with_extension("").components().any(|part| part.as_os_str() == "tests")
}

/// What comes before the inline test module. One that is declared and lives in a file of its own ends nothing.
fn product_part(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |start| &text[..start])
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn layer_of(path: &Path) -> Option<usize> {
    let below = path.strip_prefix("provider/src").ok()?;
    rank(&Path::new(below.components().next()?.as_os_str()).with_extension("").to_string_lossy())
}

fn rank(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == name)
}

/// The first names after `crate::`, also inside a braced group.
fn crate_mentions(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (position, _) in code.match_indices("crate::").chain(code.match_indices("azuremfa::")) {
        let rest = &code[position..];
        let rest = &rest[rest.find("::").expect("it was matched") + 2..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.extend(identifier(rest)),
        }
    }
    names
}

/// The first name of each element of a braced group, nested groups passed over.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.extend(identifier(group[start..position].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.extend(identifier(group[start..position].trim_start()));
                start = position + 1;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn is_function(line: &str) -> bool {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub") || ["async", "const", "unsafe", "extern"].contains(word));
    words.next() == Some("fn")
}
