//! The message after the one that is on its way: made, and sealed, while that one is waited for.

use std::pin::Pin;

use bytes::Bytes;

use crate::winrm::auth::SecurityContext;
use crate::winrm::soap::sealed;

/// The message after the one that is being exchanged, as soon as it is made; none when it cannot be told yet.
pub type Next<'a> = Pin<&'a mut (dyn Future<Output = Option<Bytes>> + Send + 'a)>;

/// What a connection has sealed before its turn. The sealing counts messages: no other one can go over the connection
/// before it.
#[derive(Default)]
pub struct Ahead(State);

#[derive(Default)]
enum State {
    #[default]
    Nothing,
    Sealed {
        message: Bytes,
        body: Bytes,
    },
    /// Nobody knows how far the sealing came.
    Failed,
}

impl Ahead {
    /// Seals a message before its turn.
    pub fn seal(context: &mut dyn SecurityContext, message: Bytes) -> Self {
        match sealed::seal(context, &message) {
            Ok(body) => Self(State::Sealed { message, body: body.into() }),
            Err(_) => Self(State::Failed),
        }
    }

    /// Whether any message can be sealed next.
    pub fn is_nothing(&self) -> bool {
        matches!(self.0, State::Nothing)
    }

    /// Whether there is a message whose turn has to come next.
    pub fn is_sealed(&self) -> bool {
        matches!(self.0, State::Sealed { .. })
    }

    /// Whether it is this very message, and not one that merely reads the same.
    pub fn is(&self, message: &Bytes) -> bool {
        matches!(&self.0, State::Sealed { message: sealed, .. } if std::ptr::eq(sealed.as_ref(), message.as_ref()))
    }

    /// Takes the sealed message, whose turn has come.
    pub fn take_body(&mut self) -> Option<Bytes> {
        match std::mem::take(&mut self.0) {
            State::Sealed { body, .. } => Some(body),
            _ => None,
        }
    }
}

/// Waits until there is a message; for ever when there will be none.
pub async fn made(next: Option<Next<'_>>) -> Bytes {
    let message = match next {
        Some(next) => next.await,
        None => None,
    };
    match message {
        Some(message) => message,
        None => std::future::pending().await,
    }
}
