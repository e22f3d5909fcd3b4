//! Secrets as a type: a value that no log, diagnostic or debug output can print.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret text, such as a password.
///
/// `Debug` and `Display` print a fixed mark; the only way to the text is [`Secret::expose`], so a
/// search for that name finds every place where a secret leaves the type. The memory is cleared
/// when the last clone is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text itself. Callers hand it to an authentication or a request body, never to a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_its_text() {
        let secret = Secret::new("marker-password");
        let printed = format!("{secret:?} {secret} {:?}", Some(&secret));
        assert!(!printed.contains("marker-password"), "{printed}");
        assert_eq!(secret.expose(), "marker-password");
    }
}
