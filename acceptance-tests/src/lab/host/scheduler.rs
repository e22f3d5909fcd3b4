//! Scheduled tasks that begin by themselves: the lab has no minutes to wait, so it is told when one's time has come.

use std::path::Path;
use std::process::Stdio;

use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::scripts::guard;
use crate::powershell;

/// Lets a task run once, when it is there and begins by itself; whether it did. With a `powershell` that runs its script, else
/// the lab plays it.
pub fn let_run(host: &HostFolder, key: &str, powershell: Option<&Path>) -> Result<bool, LabError> {
    let Some(task) = host.state()?.scheduled_tasks.remove(key).filter(|task| task.every_seconds.is_some()) else {
        return Ok(false);
    };
    let script = task.arguments.split('"').nth(1).unwrap_or_default();
    let Some(powershell) = powershell else {
        if key != guard::TASK {
            return Err(LabError::request(format!("the lab does not know what the task {key} does")));
        }
        return guard::look(host).map(|()| true);
    };
    let mut command = powershell::task_command(powershell, host.path(), script, key);
    let output = command.stdin(Stdio::null()).output().map_err(LabError::file(powershell))?;
    if output.status.success() && output.stderr.is_empty() {
        return Ok(true);
    }
    Err(LabError::request(format!("the task {key} failed: {}", String::from_utf8_lossy(&output.stderr))))
}
