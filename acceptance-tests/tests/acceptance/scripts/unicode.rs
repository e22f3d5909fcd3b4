//! Any text reaches a script unchanged and comes back unchanged: many generated ones, in one process of the real
//! PowerShell, as a call of its own and as calls to a worker, framed and decoded by the provider's own code.

use std::fmt::Write as _;

use azuremfa::backend::windows::script::{Known, ReplyReader, frame, repeat_frame, worker_frame};
use azuremfa::backend::windows::scripts::{ENVELOPE, Script, WORKER, WORKER_NAME};
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::estate::Estate;
use super::wire::{self, Answer};

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

const SCRIPT: Script = Script { name: "Test-Text", source: SOURCE };

/// How many texts a call to a worker carries: few enough that several calls find what earlier ones left.
const TEXTS_PER_CALL: usize = 200;

/// What one process of PowerShell makes of these bytes.
fn answer(stdin: &[u8]) -> Option<Answer> {
    assert!(stdin.is_ascii(), "a code page on the way could change it");
    let powershell = super::powershell_for("unicode")?;
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let estate = Estate::new(&serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"]);
    let answer = wire::call_raw(&powershell, &estate.host, stdin);
    assert!(answer.stdout.is_ascii());
    Some(answer)
}

fn arguments(texts: &[String]) -> Value {
    json!({ "text": texts.concat(), "many_texts": texts })
}

fn result(mut reader: ReplyReader, answer: &Answer, output: &str) -> Value {
    reader.feed(output.as_bytes());
    reader.finish(0, &answer.stderr).unwrap_or_else(|cause| panic!("{cause}: {}", answer.stderr))
}

#[track_caller]
fn check(result: &Value, texts: &[String]) {
    let list = |name: &str| result[name].as_array().unwrap_or_else(|| panic!("no {name}: {result}")).clone();
    let (came_back, seen) = (list("texts"), list("units"));
    assert_eq!((came_back.len(), seen.len()), (texts.len(), texts.len()));
    for ((text, came_back), seen) in texts.iter().zip(came_back).zip(seen) {
        assert_eq!(seen.as_str(), Some(units(text).as_str()), "the script saw something else than {text:?}");
        assert_eq!(came_back.as_str(), Some(text.as_str()), "{text:?} did not come back");
    }
    assert!(result["text"] == json!(texts.concat()), "all of them in one text did not come back");
}

#[test]
fn any_text_arrives_and_comes_back_unchanged() {
    let texts = texts();
    let Some(answer) = answer(&frame(SCRIPT.name, ENVELOPE, SCRIPT.source, &arguments(&texts))) else { return };
    check(&result(ReplyReader::new(SCRIPT.name), &answer, &answer.stdout), &texts);
}

/// The usual way: a process that stays reads frames whose texts it has in part, and gives a reply again when it is asked.
#[test]
fn any_text_goes_through_a_worker_unchanged() {
    let texts = texts();
    let mut stdin = frame(WORKER_NAME, WORKER, "", &Value::Null);
    for (texts, number) in texts.chunks(TEXTS_PER_CALL).zip(1..) {
        let known = Known { envelope: number > 1, script: number > 1 };
        stdin.extend(worker_frame(number, SCRIPT, known, &arguments(texts), number % 2 == 1));
        stdin.extend(repeat_frame(number));
    }
    let Some(answer) = answer(&stdin) else { return };
    let replies: Vec<&str> = answer.stdout.lines().filter(|line| line.starts_with("AZUREMFA-REPLY:")).collect();
    let calls = texts.chunks(TEXTS_PER_CALL);
    assert_eq!(replies.len(), 2 * calls.len(), "{}", answer.stderr);
    for ((texts, number), replies) in calls.zip(1..).zip(replies.chunks(2)) {
        assert!(replies[0] == replies[1], "the reply to call {number} was another when it was asked for again");
        check(&result(ReplyReader::of_call(SCRIPT.name, number), &answer, replies[0]), texts);
    }
}
