//! The log: JSON lines on standard error in the form of hclog, which the client merges into its own log.
//!
//! Only this crate's events are written. Those of the HTTP and TLS libraries say little to a reader and might show
//! what was sent, which can hold secrets.

pub mod filter;
pub mod keys;
pub mod layer;
pub mod line;

use std::backtrace::Backtrace;

use tracing_subscriber::layer::SubscriberExt;

use crate::rpc::log::filter::level;
use crate::rpc::log::layer::HclogLayer;

/// Starts the log, when the environment asks for one, and notes panics in it.
pub fn start(variable: impl Fn(&str) -> Option<String>) {
    std::panic::set_hook(Box::new(|panic| {
        // The reply's diagnostic tells the user; the standard text on standard error would reach nobody.
        if tracing::enabled!(tracing::Level::ERROR) {
            let backtrace = Backtrace::force_capture();
            tracing::error!(%backtrace, "{panic}");
        }
    }));
    if let Some(level) = level(variable) {
        let subscriber = tracing_subscriber::registry().with(HclogLayer::to_standard_error(level));
        // Fails only when a log runs already, which then goes on.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}
