//! What a command reads on its standard input, cut into pieces that fit a message.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The standard input of a command.
pub enum Stdin<'a> {
    /// Nothing is sent, and the input stays open: for commands that do not read it.
    None,
    /// These bytes one after the other, then the end.
    Bytes(Vec<Bytes>),
    /// All that a reader gives, then the end. `AsyncReadExt::chain` puts a header before a file.
    ///
    /// Pieces are filled before they are sent, so this is for files, not for conversations.
    Reader(Box<dyn AsyncRead + Send + Unpin + 'a>),
}

/// Standard input as pieces with a known last one.
pub(crate) struct Pieces<'a> {
    source: Stdin<'a>,
    buffer: BytesMut,
    exhausted: bool,
}

impl<'a> Pieces<'a> {
    /// The pieces of `source`.
    pub(crate) fn new(source: Stdin<'a>) -> Self {
        let source = match source {
            Stdin::Bytes(mut bytes) => {
                bytes.reverse();
                Stdin::Bytes(bytes)
            }
            other => other,
        };
        Self { source, buffer: BytesMut::new(), exhausted: false }
    }

    /// The next piece of at most `length` bytes, and whether it is the last. The same bytes come
    /// again until [`Pieces::advance`] is called.
    pub(crate) async fn peek(&mut self, length: usize) -> io::Result<(&[u8], bool)> {
        // One byte more than the piece tells whether it is the last.
        while self.buffer.len() <= length && !self.exhausted {
            match &mut self.source {
                Stdin::None => self.exhausted = true,
                Stdin::Bytes(reversed) => match reversed.pop() {
                    Some(bytes) => self.buffer.extend_from_slice(&bytes),
                    None => self.exhausted = true,
                },
                Stdin::Reader(reader) => {
                    self.buffer.reserve(length + 1 - self.buffer.len());
                    self.exhausted = reader.read_buf(&mut self.buffer).await? == 0;
                }
            }
        }
        let end = self.buffer.len().min(length);
        Ok((&self.buffer[..end], self.exhausted && self.buffer.len() <= length))
    }

    /// Goes past `length` bytes that were delivered.
    pub(crate) fn advance(&mut self, length: usize) {
        let _ = self.buffer.split_to(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pieces(source: Stdin<'_>, length: usize) -> Vec<(String, bool)> {
        let mut pieces = Pieces::new(source);
        let mut found = Vec::new();
        loop {
            let (piece, last) = pieces.peek(length).await.expect("readable");
            let piece = String::from_utf8(piece.to_vec()).expect("text");
            pieces.advance(piece.len());
            found.push((piece, last));
            if last {
                return found;
            }
        }
    }

    #[track_caller]
    fn check(found: &[(String, bool)], expected: &[&str]) {
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, expected);
        let lasts = found.iter().filter(|(_, last)| *last).count();
        assert!(lasts == 1 && found.last().is_some_and(|(_, last)| *last), "{found:?}");
    }

    #[tokio::test]
    async fn marks_the_last_piece_and_only_that() {
        let bytes = |parts: &[&'static str]| {
            Stdin::Bytes(parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect())
        };
        check(&pieces(bytes(&["abc", "", "de"]), 2).await, &["ab", "cd", "e"]);
        check(&pieces(bytes(&["abcd"]), 2).await, &["ab", "cd"]);
        check(&pieces(bytes(&[]), 2).await, &[""]);
        let chained = AsyncReadExt::chain(&b"head:"[..], &b"body"[..]);
        check(&pieces(Stdin::Reader(Box::new(chained)), 4).await, &["head", ":bod", "y"]);
    }

    #[tokio::test]
    async fn gives_a_refused_piece_again() {
        let mut pieces = Pieces::new(Stdin::Bytes(vec![Bytes::from_static(b"abcdef")]));
        assert_eq!(pieces.peek(4).await.expect("readable"), (&b"abcd"[..], false));
        assert_eq!(pieces.peek(2).await.expect("readable"), (&b"ab"[..], false));
        pieces.advance(2);
        assert_eq!(pieces.peek(4).await.expect("readable"), (&b"cdef"[..], true));
    }
}
