//! Recorded answers of real Windows with some damage: whatever it is, nothing breaks and nothing is made up.

// The generator of the provider's own property tests, which cannot use this crate.
#[path = "../../../../provider/tests/winrm/damage.rs"]
mod damage;

use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::soap::reply::{CommandState, command_id, parse, received, shell_id};
use proptest::test_runner::TestError;

use super::recorded::recorded;

#[test]
fn damaged_answers_of_windows_make_nothing_up() {
    let Some(recorded) = recorded("damaged_answers_of_windows_make_nothing_up") else { return };
    let exchanges = recorded.conversations.iter().filter(|(test, _)| !test.contains("fetch")).flat_map(|(_, all)| all);
    // Those with a megabyte of output say nothing that others do not.
    let answers = exchanges.map(|exchange| exchange.response.clone().into_bytes()).filter(|text| text.len() < 6_000);
    let answers: Vec<Vec<u8>> = answers.filter(|text| !text.is_empty()).collect();
    assert!(answers.len() > 200, "only {} answers", answers.len());
    check(4_000, answers, decode_answer);
    check(2_000, recorded.errors.into_values().map(String::into_bytes).collect(), decode_error);
}

#[track_caller]
fn check(cases: u32, corpus: Vec<Vec<u8>>, decode: fn(&str)) {
    let outcome = damage::runner(cases).run(&damage::inputs(corpus), |bytes| {
        decode(&String::from_utf8_lossy(&bytes));
        Ok(())
    });
    if let Err(TestError::Fail(reason, bytes)) = outcome {
        panic!("{reason}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

fn decode_answer(text: &str) {
    assert!(parse(text, 500).is_err_and(|kind| !kind.to_string().is_empty()), "an error was taken for success");
    let Ok(document) = parse(text, 200) else { return };
    for name in [shell_id(&document), command_id(&document)].into_iter().flatten() {
        assert!(text.contains(&name) || text.contains('&'), "the name {name} was made up");
    }
    let Ok(received) = received(&document) else { return };
    assert!(received.stdout.len() + received.stderr.len() <= text.len());
    if let CommandState::Done(code) = received.state {
        let wire = [code.to_string(), code.cast_unsigned().to_string()];
        let stated = wire.iter().any(|code| text.contains(code)) || text.contains('&');
        assert!(text.contains("/CommandState/Done") && stated, "the end with {code} was made up");
    }
}

fn decode_error(text: &str) {
    assert!(error_text(text.as_bytes()).len() <= 3 * text.len());
}
