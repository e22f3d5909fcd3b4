//! Terraform's wire protocol: the only layer that names Protocol Buffers, MessagePack and go-plugin.
//!
//! A client (Terraform or OpenTofu) starts the process anew for each walk of its graph and speaks plugin protocol 6
//! with it over gRPC.
//!
//! - [`plugin`]: the process. Handshake, TLS, the services every plugin has, signals, the end.
//! - [`life`]: what runs, what is connected, what asks to stop.
//! - [`log`]: the JSON lines on standard error.
//! - [`server`]: the provider service, one line per RPC; [`call`] is what surrounds each.
//! - One module per RPC, such as [`plan_resource_change`]; [`absent`] answers for what this provider has none of.
//! - [`decode`], [`decode_json`], [`encode`], [`schema`], [`diagnostic`]: between the wire and [`crate::tf`].
//! - [`checked`]: a resource's answers, judged by the core's rules before the core does.
//!
//! Invariants:
//! - Nothing reaches a user as a gRPC status; what fails is a diagnostic, a panic too.
//! - An RPC's work is a task of its own and outlives its connection; [`life`] decides when the process may end.
//! - Nobody but the holder of the certificate in `PLUGIN_CLIENT_CERT` is let in.
//! - Nothing is written to standard output after the handshake.

pub mod absent;
pub mod apply_resource_change;
pub mod call;
pub mod checked;
pub mod configure_provider;
pub mod context;
pub mod decode;
pub mod decode_json;
pub mod diagnostic;
pub mod encode;
pub mod generated;
pub mod get_metadata;
pub mod get_provider_schema;
pub mod import_resource_state;
pub mod interrupt;
pub mod life;
pub mod log;
pub mod plan_resource_change;
pub mod plugin;
pub mod read_resource;
pub mod reply;
pub mod schema;
pub mod server;
pub mod stop_provider;
pub mod upgrade_resource_state;
pub mod validate_provider_config;
pub mod validate_resource_config;
