//! What can be asked of a host: one question that reads everything, and the steps of the procedure.
//!
//! A lower layer defines the words it understands; `plan` composes them. Nothing here knows of Terraform's
//! resources, and nothing but [`windows`] knows of scripts and their JSON.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::HostError;
use crate::backend::facts::HostFacts;
use crate::backend::step::Step;

pub mod balancer;
pub mod error;
pub mod facts;
pub mod health;
pub mod lease;
pub mod placeholder;
pub mod release;
pub mod step;
pub mod version;
pub mod web_address;
pub mod windows;

/// The hosts of an estate, as the planner's executor sees them.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Reads everything about a host. Answers are reused for a while within the process (see the implementation)
    /// unless `fresh` is set; a step performed on the host always ends that.
    async fn observe(&self, host: &HostAddress, fresh: bool) -> Result<HostFacts, HostError>;

    /// Performs one step on its host, which is reached at `at`. A step first looks whether its work is already done. When
    /// `stop` is cancelled, a step that can be cut returns [`error::Cause::Stopped`]. An installer is not cut: the wait for
    /// it is, it goes on on the host, and the next run takes it up.
    async fn perform(&self, step: &Step, at: &HostAddress, stop: &CancellationToken) -> Result<Report, HostError>;

    /// Takes the lease on a host, so that no other run changes it. Sets of one run share it. A lease that nobody renews is
    /// waited for to its end, unless `stop` is cancelled meanwhile; one that is renewed is [`error::Cause::Leased`].
    async fn lease(&self, host: &HostAddress, set: &str, stop: &CancellationToken) -> Result<(), HostError>;

    /// What has become of a lease that this run had taken: the failure, when another run has got it.
    fn lost_lease(&self, host: &HostAddress) -> Option<HostError>;

    /// Gives the lease on a host back, unless another set of this run needs it. One that cannot be given back ends by itself.
    async fn give_back(&self, host: &HostAddress, set: &str);

    /// Ends what is open on the hosts; the process is about to end.
    async fn close(&self) {}
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The work had been done before.
    pub already: bool,
    /// What a person should know afterwards, one sentence each (a replaced theme, a key that was not carried over,
    /// a pending reboot). Never a secret.
    pub notes: Vec<String>,
}
