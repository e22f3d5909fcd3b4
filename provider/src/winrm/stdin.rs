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
    /// What befell the source when it was read ahead.
    failed: Option<io::Error>,
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
        Self { source, buffer: BytesMut::new(), exhausted: false, failed: None }
    }

    /// The next piece of at most `length` bytes, and whether it is the last. The same bytes come
    /// again until [`Pieces::advance`] is called.
    pub(crate) async fn peek(&mut self, length: usize) -> io::Result<(&[u8], bool)> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.fill(length).await?;
        Ok(self.piece(0, length))
    }

    /// As [`Pieces::peek`], but the piece after the first `from` bytes. None when there is no telling; then whoever asks for it
    /// when its turn has come learns why. May be dropped at any time, and nothing is lost.
    pub(crate) async fn peek_after(&mut self, from: usize, length: usize) -> Option<(&[u8], bool)> {
        if self.failed.is_none() {
            self.failed = self.fill(from + length).await.err();
        }
        self.failed.is_none().then(|| self.piece(from, length))
    }

    /// One byte more than the pieces have tells whether the last of them is the last of all.
    async fn fill(&mut self, length: usize) -> io::Result<()> {
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
        Ok(())
    }

    fn piece(&self, from: usize, length: usize) -> (&[u8], bool) {
        let end = self.buffer.len().min(from + length);
        (&self.buffer[from.min(end)..end], self.exhausted && self.buffer.len() <= from + length)
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

    #[tokio::test]
    async fn looks_ahead_without_losing_anything() {
        let mut pieces = Pieces::new(Stdin::Bytes(vec![Bytes::from_static(b"abcdefg")]));
        assert_eq!(pieces.peek(3).await.expect("readable"), (&b"abc"[..], false));
        assert_eq!(pieces.peek_after(3, 3).await, Some((&b"def"[..], false)));
        assert_eq!(pieces.peek_after(3, 4).await, Some((&b"defg"[..], true)));
        assert_eq!(pieces.peek(3).await.expect("readable"), (&b"abc"[..], false));
        pieces.advance(3);
        assert_eq!(pieces.peek(4).await.expect("readable"), (&b"defg"[..], true));
    }

    #[tokio::test]
    async fn a_failure_ahead_is_told_in_its_turn_and_is_no_end() {
        let broken = tokio_stream::iter([Ok(Bytes::from_static(b"abcd")), Err(io::Error::other("the disk is gone"))]);
        let mut pieces = Pieces::new(Stdin::Reader(Box::new(tokio_util::io::StreamReader::new(broken))));
        assert_eq!(pieces.peek(3).await.expect("readable"), (&b"abc"[..], false));
        assert_eq!(pieces.peek_after(3, 3).await, None);
        assert_eq!(pieces.peek_after(3, 3).await, None);
        pieces.advance(3);
        assert_eq!(pieces.peek(3).await.expect_err("broken").to_string(), "the disk is gone");
    }
}
