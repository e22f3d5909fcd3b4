//! A WS-Management client for Windows hosts: one shell per session, commands with streams, typed faults.
//!
//! Read in this order: [`endpoint`] says where a host is and how to log in, [`session`] is what
//! callers use, [`command`] is one process from start to exit code, [`process`] one that is talked with. Below them,
//! [`connections`] bounds and reuses connections within [`limits`], [`connection`] is one authenticated connection and
//! [`http`] what it speaks, [`soap`] writes and reads the messages.
//!
//! Invariants:
//! - One connection object is one TCP connection and one authentication. NTLM authenticates the
//!   connection, so a pool that may swap connections under a request breaks it.
//! - Nothing leaves over plain HTTP unsealed except the handshake of the authentication.
//! - A request is sent again only when it is known not to have had an effect; `Receive` has none.
//! - This layer knows nothing of Terraform and never logs a body.

pub mod advice;
pub mod ahead;
pub mod auth;
pub mod channel_binding;
pub mod client_certificate;
pub mod clixml;
pub mod command;
pub mod connection;
pub mod connections;
pub mod der;
pub mod endpoint;
pub mod error;
pub mod feed;
pub mod http;
pub mod limits;
pub mod logon;
pub mod pause;
pub mod process;
pub mod proxy;
pub mod ranges;
pub mod session;
pub mod shell;
pub mod soap;
pub mod stdin;
pub mod tls;
pub mod transport;
pub mod verifier;
