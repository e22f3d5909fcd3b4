//! Checks a resource's answer by the core's rules before the core does, so that a mistake of ours is named in our
//! words, with the RPC and the attribute, and a state that tells the truth is saved all the same.

use crate::rpc::diagnostic::{REPORT, place};
use crate::tf::apply_rules;
use crate::tf::conform::{self, Mismatch};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::plan_rules::{self, Breach};
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// One answer under check: the RPC that gave it, for whom, and what was found.
pub struct Check<'a> {
    pub rpc: &'static str,
    pub type_name: &'a str,
    pub schema: &'a Schema,
    pub diagnostics: &'a mut Diagnostics,
}

impl Check<'_> {
    /// The state in the exact shape of the schema; when it has another, an error and `otherwise`.
    pub fn conforming(&mut self, state: Value, otherwise: Value) -> Value {
        match conform::conform(self.schema, state) {
            Ok(state) => state,
            Err(Mismatch { path, problem }) => {
                self.found(&path, &problem);
                otherwise
            }
        }
    }

    /// The state without unknown parts; each is an error, and becomes what `fallback` has there.
    pub fn known(&mut self, state: Value, fallback: &Value) -> Value {
        let unknown = apply_rules::unknowns(self.schema, &state);
        for path in &unknown {
            self.found(path, "it is still unknown");
        }
        if unknown.is_empty() { state } else { apply_rules::settle(self.schema, state, fallback) }
    }

    /// An error for each planned part that the core would refuse.
    pub fn planned(&mut self, prior: &Value, config: &Value, planned: &Value) {
        self.breaches(plan_rules::check(self.schema, prior, config, planned));
    }

    /// An error for each applied part that is not as planned.
    pub fn applied(&mut self, planned: &Value, applied: &Value) {
        self.breaches(apply_rules::check(self.schema, planned, applied));
    }

    /// An error for a part of the answer that breaks a rule.
    pub fn found(&mut self, path: &Path, problem: &str) {
        let summary = format!("{} of {} gave an answer that does not hold", self.rpc, self.type_name);
        let detail = format!("{}: {problem}. {REPORT}", place(path));
        self.diagnostics.error_at(path.clone(), summary, detail);
    }

    fn breaches(&mut self, breaches: Vec<Breach>) {
        for Breach { path, problem } in breaches {
            self.found(&path, problem);
        }
    }
}
