//! Fragments (MS-PSRP 2.2.4): messages cut to what fits into a WS-Management message.

use crate::lab::wire::psrp::Malformed;

/// Object, fragment, flags, length.
const HEADER: usize = 8 + 8 + 1 + 4;
const START: u8 = 1;
const END: u8 = 2;

/// Joins fragments to messages, which arrive one after the other.
#[derive(Default)]
pub struct Assembler {
    /// What has not become a whole fragment.
    bytes: Vec<u8>,
    /// The message that is on its way: its object, the number of its next fragment, what has come of it.
    open: Option<(u64, u64, Vec<u8>)>,
}

impl Assembler {
    /// Takes what arrived and gives the messages that are whole.
    ///
    /// # Errors
    /// When a fragment is missing or out of order.
    pub fn add(&mut self, arrived: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        self.bytes.extend_from_slice(arrived);
        let mut messages = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((header, after)) = rest.split_at_checked(HEADER) {
            let number =
                |start: usize| header[start..start + 8].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            let (object, fragment, flags) = (number(0), number(8), header[16]);
            let length = u32::from_be_bytes([header[17], header[18], header[19], header[20]]);
            let Some((blob, after)) = after.split_at_checked(length as usize) else { break };
            rest = after;
            let (open, expected, mut message) = match self.open.take() {
                None if flags & START == START => (object, 0, Vec::new()),
                None => return Err(Malformed(format!("object {object} begins with its fragment {fragment}"))),
                Some(open) => open,
            };
            if (object, fragment) != (open, expected) {
                return Err(Malformed(format!(
                    "fragment {fragment} of object {object} came instead of fragment {expected} of object {open}"
                )));
            }
            message.extend_from_slice(blob);
            if flags & END == END {
                messages.push(message);
            } else {
                self.open = Some((object, fragment + 1, message));
            }
        }
        self.bytes = rest.to_vec();
        Ok(messages)
    }
}

/// A message in fragments of at most `largest` bytes each, heads included.
pub fn cut(object: u64, message: &[u8], largest: usize) -> Vec<Vec<u8>> {
    let room = largest.saturating_sub(HEADER).max(1);
    let pieces: Vec<&[u8]> = if message.is_empty() { vec![message] } else { message.chunks(room).collect() };
    let last = pieces.len() - 1;
    let fragment = |(number, piece): (usize, &&[u8])| {
        let flags = if number == 0 { START } else { 0 } | if number == last { END } else { 0 };
        let mut bytes = Vec::with_capacity(HEADER + piece.len());
        bytes.extend(object.to_be_bytes());
        bytes.extend((number as u64).to_be_bytes());
        bytes.push(flags);
        // A piece is no longer than a WS-Management message.
        bytes.extend((piece.len() as u32).to_be_bytes());
        bytes.extend_from_slice(piece);
        bytes
    };
    pieces.iter().enumerate().map(fragment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts messages, and joins them again from pieces of `step` bytes.
    #[track_caller]
    fn check(messages: &[&[u8]], largest: usize, step: usize) {
        let fragments = messages.iter().zip(1..).flat_map(|(message, object)| cut(object, message, largest));
        let bytes = fragments.inspect(|fragment| assert!(fragment.len() <= largest)).collect::<Vec<_>>().concat();
        let mut assembler = Assembler::default();
        let mut joined = Vec::new();
        for piece in bytes.chunks(step) {
            joined.extend(assembler.add(piece).expect("fragments in order"));
        }
        assert_eq!(joined, messages);
    }

    #[test]
    fn what_was_cut_is_joined() {
        check(&[b"a short message"], 1000, 1000);
        check(&[b"a message of several fragments", b"and another one", b""], 30, 1000);
        check(&[b"a message of several fragments", b"and another one"], 30, 7);
    }

    #[track_caller]
    fn check_refused(fragments: &[&[u8]], reason: &str) {
        let error = Assembler::default().add(&fragments.concat()).expect_err("fragments out of order");
        assert_eq!(error.to_string(), reason);
    }

    #[test]
    fn fragments_out_of_order_are_refused() {
        let [first, second, third] = cut(5, b"123456", HEADER + 2).try_into().expect("three fragments");
        let other = cut(6, b"1", 100).concat();
        check_refused(&[&second], "object 5 begins with its fragment 1");
        check_refused(&[&first, &third], "fragment 2 of object 5 came instead of fragment 1 of object 5");
        check_refused(&[&first, &other], "fragment 0 of object 6 came instead of fragment 1 of object 5");
    }
}
