//! A Terraform/OpenTofu provider that upgrades Azure MFA Server estates over WinRM.
//!
//! # Code map
//!
//! Data flows one way, top to bottom; a layer uses itself and the layers below it (`tests/tidy.rs` holds that):
//!
//! - [`rpc`]: Terraform's plugin protocol. The only place that names protobuf and MessagePack, and, in its handshake,
//!   the only one that writes to standard output. One file per RPC, one line per RPC in [`rpc::server`].
//! - [`docs`]: the reference pages, written from the attribute tables.
//! - [`resource`]: what users declare. [`resource::set`] holds all that the four kinds of sets share (schema, read,
//!   plan, apply, import, private state); a kind only says what differs, as a [`resource::set::HostSet`].
//! - [`config`]: the provider's own settings: connections, releases, balancers, policies. Decoded without touching the network.
//! - [`plan`]: decisions, as pure functions: `decide(desired, views, policy)` gives a [`plan::Decision`] with the very
//!   steps that a reviewer reads and an apply performs.
//! - [`backend`]: what can be asked of a host: one question that reads everything, and the steps of the procedure.
//!   [`backend::windows`] turns steps into scripts; the scripts are real files in `backend/windows/scripts`. Most of
//!   them run one after the other in a process that stays, a [`backend::windows::worker`].
//! - [`winrm`]: bytes and HTTP. Knows nothing of Terraform or of MFA Server.
//! - [`tf`]: the vocabulary that all share: values, paths, schemas, diagnostics.
//! - [`address`]: a host as users name it, the one place where its text is read and names are compared.
//! - [`secret`]: secrets as a type. [`causes`]: errors with their causes in one line.
//!
//! # Where to begin
//!
//! - What does a plan do? [`resource::set::plan`], then the planner of the kind: [`plan::server_group`], [`plan::web`],
//!   [`plan::adfs`]. What they share is in [`plan::checks`].
//! - What does an apply do? [`resource::set::apply`], which performs through [`backend::Backend`].
//! - What runs on a host? The scripts, inside `_Envelope.ps1`; `_Worker.ps1` serves several in one process, and
//!   [`backend::windows::scripts::Script::company`] says which of them may share one.
//! - How is a host reached? [`config::connections`] reads what is declared, [`backend::windows::endpoint`] makes a way of it,
//!   [`backend::windows::hosts`] keeps one session per host, and [`winrm::session`] begins the layer below. The ways to
//!   log in are in [`winrm::auth`].
//! - How does a file get to a host? [`backend::windows::files`] chooses, [`backend::windows::put`] sends from this machine.
//!   Below, [`winrm::feed`] makes the next message while one is on its way, and [`winrm::ahead`] holds it.
//! - When does a changed host count as done? [`plan::health`] says where health checks stand and who has still to pass one;
//!   [`backend::windows::health`] asks, from this machine.
//! - When is a host out of its balancer? [`plan::traffic`] says where the steps stand and who is still out after a run;
//!   [`plan::adfs::traffic`] does it for the batches of a farm, which change places while users are not asked for the second
//!   factor; [`config::balancers`] reads what is declared, [`backend::windows::balancer`] gives the orders, from this machine.
//! - What happens when the runner is gone in the AD FS gap? [`plan::adfs::recovery`] is the way out of a run,
//!   [`backend::windows::guard`] that of the host alone.
//! - What keeps two runs from one host? [`resource::set::lease`] says which hosts a run needs, in which order;
//!   [`backend::windows::leases`] holds them for all sets of the run, and [`backend::windows::renewal`] asks the host.
//! - A new attribute is one entry in a table (`HostSet::attributes` or `config::table`); run the tests once and commit
//!   the page they rewrite.
//! - A new step is an [`backend::step::Action`] with its text, an arm in `backend::windows`, a script with cases, the
//!   lab's own answer to it, and a place in a planner.
//!
//! # Invariants
//!
//! - Planned values depend on configuration, prior state and private state alone. Clocks, settings and fresh looks at
//!   hosts may cause diagnostics, never a value, because the core plans twice and compares. The one exception is how long
//!   a drain waits, which the text of its step says; the line is unknown while the settings are.
//! - Apply decides again over a fresh look and performs nothing when that decision is not the reviewed one.
//! - After any failure the state says what is really there; an update that fails loses nothing.
//! - A run changes only hosts whose lease it holds, and looks at them after it has taken it. One that has lost a lease begins
//!   nothing more, but for what makes a change whole.
//! - A step first looks whether it is done. An installer is never started twice.
//! - A call is made again by itself only when the first one certainly had no effect: see
//!   [`backend::windows::worker::Broken`].
//! - Whatever way a run ends, its shells are closed: [`rpc::context::Context::end`].
//! - Values travel to scripts as JSON on standard input, never in script text; a reply without its mark is an error,
//!   never "absent".
//! - The name of a host says who it is, everywhere; its port only where a call goes: [`address::HostAddress`].
//! - A secret is a [`secret::Secret`]; private state and facts hold none.
//! - While the global AD FS policy names no MFA Server provider, every way out of a run goes back (before the old
//!   adapter is unregistered) or forward (after it). No order to a balancer keeps it from that. When there is no run any more,
//!   the guard on the AD FS server does the same: its script stands inside `Enable-SecondFactorGuard.ps1`.
//! - Never are both batches of an AD FS farm out of their balancer.

pub mod address;
pub mod backend;
pub mod causes;
pub mod config;
pub mod docs;
pub mod doctor;
pub mod plan;
pub mod resource;
pub mod rpc;
pub mod secret;
pub mod tf;
pub mod winrm;
