//! The promotion gate: the master is upgraded last, after another server was promoted by hand.

use crate::address::is_same_host;
use crate::plan::Desired;
use crate::plan::checks::{Seen, Survey};
use crate::plan::names;
use crate::plan::server_group::Group;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// Who is master, as far as it is said.
pub struct Gate<'a> {
    master: Option<&'a str>,
    hosts: Vec<&'a str>,
}

impl<'a> Gate<'a> {
    /// The gate of a group. The only server of a group of one is its master, and has no gate.
    pub fn new(desired: &'a Desired, group: &'a Group) -> Self {
        let hosts: Vec<&str> = desired.hosts.iter().map(String::as_str).collect();
        let said = group.master.as_deref();
        let master = match hosts.as_slice() {
            [only] => Some(*only),
            _ => said.and_then(|said| hosts.iter().find(|host| is_same_host(host, said)).copied()),
        };
        Self { master, hosts }
    }

    /// The master.
    pub fn master(&self) -> Option<&'a str> {
        self.master
    }

    /// Whether a host is the master.
    pub fn is_master(&self, host: &str) -> bool {
        self.master == Some(host)
    }

    /// Whether the server setup on a host has to wait for a promotion.
    pub fn holds(&self, host: &str) -> bool {
        self.is_master(host) && self.hosts.len() > 1
    }

    /// Names for sentences, as short as the group lets them be.
    pub fn short<'h>(&self, hosts: &[&'h str]) -> Vec<&'h str> {
        let is_short = names::short(&self.hosts) != self.hosts;
        if is_short { names::short(hosts) } else { hosts.to_vec() }
    }

    /// Checks that a master is named when it matters, and that nothing contradicts it.
    pub fn check(&self, desired: &Desired, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
        if self.master.is_none() {
            if survey.is_working() {
                diagnostics.error_at(
                    Path::of("master"),
                    format!("{}: who is master?", desired.name),
                    format!(
                        "There is work to do, and it depends on who is master of the group now: subordinates go first, \
                         and the data folder is backed up on the master. Set master to one of {}.",
                        self.hosts.join(", ")
                    ),
                );
            }
            return;
        }
        if self.hosts.len() < 2 {
            return;
        }
        let Some((declared, contradiction)) = self.contradiction(survey) else { return };
        let summary = format!("{}: {declared} does not look like the master", desired.name);
        let detail = format!(
            "{contradiction} Subordinates connect to the master, never the other way. If another server was promoted, set \
             master to it; if not, look at the replication of the group before anything is upgraded."
        );
        if survey.is_working() {
            diagnostics.error_at(Path::of("master"), summary, detail);
        } else {
            diagnostics.warning_at(Path::of("master"), summary, detail);
        }
    }

    /// The instruction that a run ends with when only the master is left.
    pub fn instruction(&self, candidates: &[&str]) -> String {
        format!("promote {}, then set master", self.short(candidates).join(" or "))
    }

    /// What the replication connections say against the declared master.
    fn contradiction(&self, survey: &Survey<'_>) -> Option<(&'a str, String)> {
        let master = self.master?;
        let connections = |seen: &Seen<'_>| {
            let evidence = seen.facts.server.as_ref().map(|server| &server.role_evidence);
            evidence.map_or((0, 0), |evidence| (evidence.outbound, evidence.inbound))
        };
        for seen in survey.seen() {
            let (outbound, inbound) = connections(seen);
            if seen.host == master && outbound > 0 && inbound == 0 {
                return Some((
                    master,
                    format!("{master} has {outbound} replication connection(s) to another server, and none to itself."),
                ));
            }
            if seen.host != master && inbound > 0 && outbound == 0 {
                return Some((
                    master,
                    format!("{} takes {inbound} replication connection(s) from other servers.", seen.host),
                ));
            }
        }
        None
    }
}
