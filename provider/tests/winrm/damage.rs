//! Damage to valid inputs: what property tests feed decoders with.
//!
//! `AZUREMFA_FUZZ_TIMES=100 cargo test --test winrm decoders` runs a hundred times as many inputs as CI does; nothing but a
//! stable toolchain is needed. Inputs are the same each time, so a red run means a change.

use proptest::prelude::{Strategy, any, prop};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many times as many inputs as CI runs.
pub fn times() -> u32 {
    std::env::var("AZUREMFA_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// A runner of so many cases: the same ones every time, so that a red run means a change, and nothing is written
/// beside the sources.
pub fn runner(cases: u32) -> TestRunner {
    let config = Config { cases: cases * times(), failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Random bytes, and valid inputs with some damage.
pub fn inputs(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damaged = (prop::sample::select(corpus.clone()), damages(corpus)).prop_map(|(mut bytes, damages)| {
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        bytes
    });
    proptest::prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..300),
        9 => damaged,
    ]
}

/// Mostly one: of an input with several, hardly anything is left that a decoder gets far with.
pub fn damages(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<Damage>> {
    proptest::prop_oneof![
        3 => prop::collection::vec(damage(corpus.clone()), 1),
        1 => prop::collection::vec(damage(corpus), 2..5),
    ]
}

/// One change to a valid input.
#[derive(Clone, Debug)]
pub enum Damage {
    CutOff(Index),
    Replace(Index, u8),
    Remove(Index, usize),
    /// What stands between two marks, such as a tag, the text of an element or the value of a header.
    RemovePart(Index),
    Insert(Index, Vec<u8>),
    Double(Index, usize),
    /// A part of another valid input.
    Splice(Index, Vec<u8>, Index),
}

fn damage(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Damage> {
    let position = any::<Index>;
    let telling: &[&[u8]] = &[
        b"\0",
        b"\xff",
        b"\r\n",
        b"--",
        b"<",
        b">",
        b"&#0;",
        b"&amp;",
        b"\"",
        b"=",
        b"4294967295",
        b"-1",
        b"\xef\xbb\xbf",
    ];
    let piece = proptest::prop_oneof![
        prop::collection::vec(any::<u8>(), 1..6),
        prop::sample::select(telling).prop_map(<[u8]>::to_vec),
    ];
    proptest::prop_oneof![
        position().prop_map(Damage::CutOff),
        position().prop_map(Damage::RemovePart),
        (position(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (position(), 1..20_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (position(), piece).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        (position(), 1..60_usize).prop_map(|(at, length)| Damage::Double(at, length)),
        (position(), prop::sample::select(corpus), position())
            .prop_map(|(at, other, from)| Damage::Splice(at, other, from)),
    ]
}

impl Damage {
    /// Makes the change.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let end = |at: usize, more: usize| (at + more).min(length);
        match self {
            Self::CutOff(at) => bytes.truncate(at.index(length + 1)),
            Self::Replace(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Self::Remove(at, more) if length > 0 => {
                let at = at.index(length);
                bytes.drain(at..end(at, *more));
            }
            Self::RemovePart(at) => {
                let marks = bytes.iter().enumerate().filter(|(_, byte)| b"<>\"\n:;,={}".contains(byte));
                let mut ends: Vec<usize> = marks.map(|(end, _)| end).collect();
                ends.push(length);
                let chosen = at.index(ends.len());
                let start = chosen.checked_sub(1).map_or(0, |before| ends[before] + 1);
                bytes.drain(start..ends[chosen]);
            }
            Self::Double(at, more) if length > 0 => {
                let at = at.index(length);
                let copy = bytes[at..end(at, *more)].to_vec();
                bytes.splice(at..at, copy);
            }
            Self::Insert(at, piece) => {
                let at = at.index(length + 1);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Splice(at, other, from) => {
                bytes.truncate(at.index(length + 1));
                bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
            Self::Replace(..) | Self::Remove(..) | Self::Double(..) => {}
        }
    }
}
