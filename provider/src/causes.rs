//! Errors with their causes in one line: errors keep their causes out of their own text, readers want both.

use std::error::Error;

/// An error and its causes.
pub fn in_one_line(error: &dyn Error) -> String {
    after(error.to_string(), error)
}

/// A text that stands for an error, then the error's causes.
pub fn after(mut text: String, error: &dyn Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn causes_follow_the_error_or_what_stands_for_it() {
        let error = Unreadable(io::Error::other("the disk is gone"));
        assert_eq!(in_one_line(&error), "the file cannot be read: the disk is gone");
        assert_eq!(after("reading".to_owned(), &error), "reading: the disk is gone");
    }
}
