//! The accepting side of NTLMv2, written from MS-NLMP: messages, keys, the check of a logon, and sealing.

pub mod acceptor;
pub mod keys;
pub mod messages;
pub mod session;
