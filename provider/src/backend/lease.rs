//! The lease on a host: while a run has it, no other run changes the host.

use serde::Deserialize;

use crate::backend::error::Cause;

/// What is known of another run's lease. Times are the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Holder {
    /// Whose run it is: an account, a machine, a process, and where a pipeline shows it.
    pub owner: String,
    /// The set that it changes.
    pub set: String,
    pub taken_at: String,
    pub renewed_at: String,
    pub expires_at: String,
}

impl Holder {
    /// Who it is, as messages name it.
    pub fn who(&self) -> String {
        format!("the set {} of {}", self.set, self.owner)
    }
}

/// The host has another run's lease, and that run is alive. `path` is the file of the lease.
pub fn refused(holder: Option<&Holder>, path: &str) -> Cause {
    let Some(holder) = holder else {
        return Cause::Leased {
            reason: format!("its lease cannot be read and was changed while this run watched it ({path})"),
            advice: format!(
                "Another run may be at work on the host, of a newer release of this provider perhaps. Wait for that run. Only \
                 when it has certainly ended, and as the last resort, delete {path} on the host."
            ),
        };
    };
    Cause::Leased {
        reason: format!(
            "another run is at work on it, for {}. That run took the lease on the host at {} and renewed it while this run \
             waited, last at {} (by the host's clock)",
            holder.who(),
            holder.taken_at,
            holder.renewed_at
        ),
        advice: format!(
            "Wait for that run, and look for it where its owner says. Should it have ended without giving the lease back, the \
             lease ends by itself when nobody renews it any more (as it stands, at {}), and this run would have waited for \
             that. Only when it has certainly ended, and as the last resort, delete {path} on the host.",
            holder.expires_at
        ),
    }
}

/// This run's own lease ended while the host was silent, and another run got it; without a holder that one has given it
/// back by now.
pub fn lost(holder: Option<&Holder>) -> Cause {
    let who = match holder {
        Some(holder) => format!("another run has it, for {}, since {}", holder.who(), holder.taken_at),
        None => "it is gone: another run may have had it meanwhile".to_owned(),
    };
    Cause::Leased {
        reason: format!("the lease of this run ended, because it could not be renewed in time, and now {who}"),
        advice: "Wait until no other run is at work on the host, then plan and apply again. Look also at why the host did not \
                 answer for minutes."
            .to_owned(),
    }
}
