//! go-plugin: how a client starts this process, finds it, trusts it, and ends it.

pub mod broker;
pub mod connection;
pub mod controller;
pub mod environment;
pub mod handshake;
pub mod health;
pub mod listener;
pub mod serve;
pub mod standard_streams;
pub mod tls;
pub mod watch;
