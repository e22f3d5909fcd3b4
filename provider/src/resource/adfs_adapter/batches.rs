//! `batches`: the hosts of a farm, as a list of lists and in import ids.

use crate::address::HostAddress;
use crate::resource::set::desired::duplicate;
use crate::resource::set::validate::check_host_list;
use crate::resource::set::{addresses, import};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// As many as the vendor's procedure has.
const MOST: usize = 2;

/// The batches; none while any host is unknown.
pub fn batches(value: &Value) -> Option<Vec<Vec<HostAddress>>> {
    value.as_list()?.iter().map(addresses).collect()
}

/// Checks their number, and every host in them.
pub fn check(value: &Value, diagnostics: &mut Diagnostics) {
    let path = Path::of("batches");
    let Some(batches) = value.as_list() else { return };
    if batches.is_empty() || batches.len() > MOST {
        diagnostics.error_at(
            path.clone(),
            "One or two batches",
            format!(
                "Found {} batches. A farm is upgraded in two, one while the other serves: batches = [[\"adfs01\"], \
                 [\"adfs02\"]]. More hosts go into these two; one batch is accepted, and is an outage.",
                batches.len()
            ),
        );
    }
    for (index, batch) in batches.iter().enumerate() {
        if batch.is_null() {
            diagnostics.error_at(path.index(index), "Missing batch", "null is no batch. Remove it, or name its hosts.");
        }
        check_host_list(batch, &path.index(index), diagnostics);
    }
}

/// Reads `=HOST,HOST;HOST,HOST`.
pub fn parse_import(rest: &str) -> Result<Value, String> {
    let text = rest.strip_prefix('=').ok_or("an AD FS farm has no virtual directory in its id")?;
    let batches = text.split(';').map(import::hosts).collect::<Result<Vec<_>, _>>()?;
    if batches.len() > MOST {
        return Err(format!("{} batches were found, and a farm has one or two", batches.len()));
    }
    if let Some((_, found)) = duplicate(&batches.concat()) {
        return Err(found);
    }
    Ok(Value::List(batches.iter().map(|batch| Value::strings(import::texts(batch))).collect()))
}

/// As an import id writes them.
pub fn describe_batches(batches: &[Vec<HostAddress>]) -> String {
    batches.iter().map(|batch| import::texts(batch).join(",")).collect::<Vec<_>>().join(";")
}
