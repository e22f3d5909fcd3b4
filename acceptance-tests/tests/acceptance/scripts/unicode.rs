//! Any text reaches a script unchanged and comes back unchanged: many generated ones, in one process of the real
//! PowerShell, framed and decoded by the provider's own code.

use std::fmt::Write as _;

use azuremfa::backend::windows::script::{ReplyReader, frame};
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::estate::Estate;
use super::wire;

/// What some layer on the way could take for its own: quoting, expansion, line ends, marks, escapes, dates, and
/// characters that code pages, normalization or JSON parsers treat in a way of their own.
const TELLING: [&str; 60] = [
    "'",
    "\"",
    "\u{2018}",
    "\u{2019}",
    "\u{201c}",
    "\u{201e}",
    "`",
    "``",
    "$",
    "$(throw 1)",
    "${env:PATH}",
    "@'\n",
    "\n'@",
    "%PATH%",
    "^",
    "&",
    "|",
    "<",
    ">",
    ";",
    "#",
    "\\",
    "\\u0041",
    "\\\\server\\share",
    "/",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{1}",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{1a}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{9f}",
    "\u{a0}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{fffd}",
    "\u{2028}",
    "\u{2029}",
    "\u{200f}",
    "\u{202e}",
    "e\u{301}",
    "\u{e9}",
    "\u{1f468}\u{200d}\u{1f469}",
    "\u{1f511}",
    "\u{10ffff}",
    "_x000D_",
    "</Objs>",
    "AZUREMFA-REPLY:{",
    "2026-11-01T02:00:00Z",
    "/Date(1700000000000)/",
    "null",
    "1e5",
];

const TEXTS: usize = 600;

fn text() -> impl Strategy<Value = String> {
    let piece = proptest::prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(TELLING.to_vec()).prop_map(str::to_owned),
        "[ -~]{1,8}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same texts every time; `AZUREMFA_FUZZ_TIMES` asks for more of them.
fn texts() -> Vec<String> {
    let times: usize = std::env::var("AZUREMFA_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = text();
    let generated = (0..TEXTS * times).map(|_| strategy.new_tree(&mut runner).expect("nothing is rejected").current());
    TELLING.into_iter().map(str::to_owned).chain(generated).collect()
}

/// UTF-16 as the script sees it, in hexadecimal.
fn units(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut units, unit| {
        let _ = write!(units, "{unit:04X}");
        units
    })
}

const SOURCE: &str = r"param([string] $Text, [string[]] $ManyTexts)
$units = foreach ($one in $ManyTexts) {
    [System.BitConverter]::ToString([System.Text.Encoding]::BigEndianUnicode.GetBytes($one)).Replace('-', '')
}
[ordered]@{ text = $Text; texts = $ManyTexts; units = @($units) }";

#[test]
fn any_text_arrives_and_comes_back_unchanged() {
    let Some(powershell) = super::powershell_for("unicode") else { return };
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let estate = Estate::new(&serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"]);
    let texts = texts();
    let whole = texts.concat();
    let envelope = std::fs::read_to_string(super::script_folder().join("_Envelope.ps1")).expect("the envelope");
    let stdin = frame("Test-Text", &envelope, SOURCE, &json!({ "text": whole, "many_texts": texts }));
    assert!(stdin.is_ascii(), "a code page on the way could change it");
    let answer = wire::call_raw(&powershell, &estate.host, &stdin);
    assert!(answer.stdout.is_ascii());
    let mut reader = ReplyReader::new("Test-Text");
    reader.feed(answer.stdout.as_bytes());
    let result = reader.finish(0, &answer.stderr).unwrap_or_else(|cause| panic!("{cause}: {}", answer.stderr));
    let list = |name: &str| result[name].as_array().unwrap_or_else(|| panic!("no {name}: {result}")).clone();
    let (came_back, seen) = (list("texts"), list("units"));
    assert_eq!((came_back.len(), seen.len()), (texts.len(), texts.len()));
    for ((text, came_back), seen) in texts.iter().zip(came_back).zip(seen) {
        assert_eq!(seen.as_str(), Some(units(text).as_str()), "the script saw something else than {text:?}");
        assert_eq!(came_back.as_str(), Some(text.as_str()), "{text:?} did not come back");
    }
    assert!(result["text"] == json!(whole), "all of them in one text did not come back");
}
