//! Logins by Kerberos: the shipped binary against MIT's KDC and MIT's GSSAPI.

mod allowed;
mod domain;
mod estate;
pub mod faults;
mod logins;
mod peers;
mod tickets;
mod trust;
