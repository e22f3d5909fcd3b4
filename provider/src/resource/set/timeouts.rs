//! `timeouts`: how long an operation may take.

use std::time::Duration;

use crate::resource::set::duration;
use crate::tf::value::Value;

const READ: Duration = Duration::from_secs(20 * 60);
const UPDATE: Duration = Duration::from_secs(24 * 60 * 60);

/// The stated limit of an operation (`create`, `read`, `update`), or its default.
pub fn of(own: &Value, operation: &str) -> Duration {
    let stated = own.attribute("timeouts").attribute(operation).as_str().and_then(duration::parse);
    stated.unwrap_or(if operation == "update" { UPDATE } else { READ })
}
