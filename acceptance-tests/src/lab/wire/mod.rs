//! A WS-Management server for many simulated Windows hosts, on loopback.
//!
//! Start at [`server::WireServer`]. It speaks what WinRM speaks: HTTP/1.1 with Basic and Negotiate (NTLM, plain or in
//! SPNEGO), message encryption over plain HTTP, TLS with channel binding and
//! client certificates, the command shell (WinRS), and of PowerShell remoting ([`psrp`]) what one script with its input
//! takes. What a host *is* comes from [`machine::Machine`]; the wire only carries it.

pub mod authentication;
pub mod certificates;
pub mod client_certificates;
pub mod command;
pub mod connection;
pub mod envelope;
pub mod fault;
pub mod faults;
pub mod host;
pub mod local_process;
pub mod machine;
pub mod ntlm;
pub mod operations;
pub mod proxy;
pub mod psrp;
pub mod record;
pub mod reply;
pub mod sealed;
pub mod server;
pub mod shells;
pub mod spnego;
pub mod web_site;
