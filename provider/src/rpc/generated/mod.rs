//! Code generated from `proto/`, committed and guarded by `tests/proto.rs`.
#![allow(clippy::all, clippy::pedantic, clippy::restriction, rustdoc::all)]
#![cfg_attr(rustfmt, rustfmt_skip)]

pub mod health;
pub mod plugin;
pub mod tfplugin6;
