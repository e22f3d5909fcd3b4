//! Private state: what the last read saw of the hosts, so that a plan needs no host, and what runs have left open.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::traffic::Out;
use crate::plan::{Desired, Views};
use crate::resource::set::desired::spelled_as;

const FORMAT: u32 = 1;

/// What is kept of a set besides its state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    pub views: Views,
    /// Hosts that a run has changed and that have not passed their health check since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub to_pass: BTreeSet<String>,
    /// Hosts that runs have taken out of balancers and not put back since.
    #[serde(default, skip_serializing_if = "Out::is_empty")]
    pub out: Out,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    #[serde(flatten)]
    memory: Memory,
}

impl Memory {
    /// What concerns these hosts, under their names as they are written now.
    #[must_use]
    pub fn of(self, hosts: &[String]) -> Self {
        let is_there = |host: &String| hosts.contains(host);
        let to_pass = self.to_pass.into_iter().map(|host| (host, ())).collect();
        Self {
            views: spelled_as(self.views, hosts).into_iter().filter(|(host, _)| is_there(host)).collect(),
            to_pass: spelled_as(to_pass, hosts).into_keys().filter(is_there).collect(),
            out: spelled_as(self.out, hosts).into_iter().filter(|(host, _)| is_there(host)).collect(),
        }
    }
}

/// The bytes that Terraform keeps. Equal memories give equal bytes.
pub fn encode(memory: Memory) -> Vec<u8> {
    serde_json::to_vec(&Stored { format: FORMAT, memory }).expect("facts are plain data with text keys")
}

/// Reads them again. None when there are none or another release of the provider wrote them in a form that this one
/// does not know; a read makes new ones.
pub fn decode(bytes: &[u8]) -> Option<Memory> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.format == FORMAT).then_some(stored.memory)
}

/// Adds what is remembered of a set to what is desired of it; what was last seen of its hosts.
pub fn recall(desired: &mut Desired, bytes: &[u8]) -> Option<Views> {
    let memory = decode(bytes)?.of(&desired.hosts);
    desired.to_pass = memory.to_pass;
    desired.out = memory.out;
    Some(memory.views)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{out, server, views};

    const HOST: &str = "mfa01.contoso.com";

    #[test]
    fn what_is_remembered_is_read_again_under_the_names_of_today() {
        let to_pass = BTreeSet::from([HOST.to_owned(), "mfa09.contoso.com".to_owned()]);
        let out = out(HOST).into_iter().chain(out("mfa09.contoso.com")).collect();
        let memory = Memory { views: views([(HOST, server(HOST, "7.0.0.9"))]), to_pass, out };
        let hosts = ["MFA01.contoso.com".to_owned()];
        let read = decode(&encode(memory)).expect("ours").of(&hosts);
        assert_eq!(read.to_pass.into_iter().collect::<Vec<_>>(), hosts);
        assert_eq!(read.out.into_keys().collect::<Vec<_>>(), hosts);
        assert_eq!(read.views.into_keys().collect::<Vec<_>>(), hosts);
    }

    /// As the releases before health checks and balancers wrote it.
    #[test]
    fn what_an_older_release_wrote_is_read() {
        let memory = decode(br#"{"format":1,"views":{}}"#).expect("the same format");
        assert!(memory.to_pass.is_empty() && memory.out.is_empty());
        assert_eq!(encode(memory), br#"{"format":1,"views":{}}"#);
        assert!(decode(br#"{"format":2,"views":{}}"#).is_none());
    }
}
