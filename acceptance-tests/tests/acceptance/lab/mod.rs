//! The estate behind the wire: what scripts do to hosts, what goes wrong when told to, and the same in both modes.

mod call;
mod native;
mod parity;
