//! How a connection logs on, and what may be tried when it was refused.

/// What goes with the last token of a logon over plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logon {
    /// The first message, sealed, when it is one that may be sent twice.
    WithMessage,
    /// Nothing.
    Alone,
}

/// What may do better than a login that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Another {
    /// One without a message. The host refused the message that came with it.
    LoggingOnAlone,
    /// One with a new ticket. The host refused one that was kept.
    NewTicket,
}
