//! Scheduled tasks that run installers: they outlive the shell that started them, and not a restart of the host.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{self, Order, Outcome};
use crate::lab::host::native::work_folder::path;
use crate::lab::host::state::State;
use crate::lab::host::time;

/// Where the provider's tasks are.
pub const TASKS: &str = "\\terraform-provider-azuremfa\\";
/// What a program ends with that was ended after its time.
const TIMED_OUT: i32 = 1460;
/// How often a running installer looks whether it was ended.
const GLANCE: Duration = Duration::from_millis(20);

/// Names of the provider's tasks that run.
pub fn active(state: &State) -> Vec<String> {
    let own = state.scheduled_tasks.iter().filter_map(|(key, task)| {
        let name = key.get(..TASKS.len()).filter(|head| head.eq_ignore_ascii_case(TASKS)).map(|_| &key[TASKS.len()..]);
        // Not those in a folder below.
        Some((name.filter(|name| !name.contains('\\'))?, task))
    });
    let is_active = |state: &str, process: Option<i64>| match state {
        "Queued" => true,
        "Running" => process.is_some_and(is_alive),
        _ => false,
    };
    let active = own.filter(|(_, task)| is_active(&task.state, task.process_id));
    active.map(|(name, _)| name.to_owned()).collect()
}

/// Whether the process behind a task is there: a real one of this machine in both ways of playing hosts.
fn is_alive(process: i64) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// An installation under way.
pub struct Installation {
    pub host: HostFolder,
    pub id: String,
    pub file: String,
    pub words: Vec<String>,
    pub limit: Duration,
}

impl Installation {
    /// Runs the installer in a thread of its own.
    pub fn spawn(self) -> Result<(), LabError> {
        let boot = self.host.state()?.operating_system.last_boot;
        std::thread::spawn(move || {
            // A host whose folder is gone has nobody left to tell.
            let _ = self.run(&boot);
        });
        Ok(())
    }

    fn run(&self, boot: &str) -> Result<(), LabError> {
        let started_at = time::now();
        let deadline = Instant::now() + self.limit;
        let duration = installer::duration(&self.host);
        let wait = || self.sleep(boot, Instant::now() + duration);
        let order = Order { file: self.file.clone(), arguments: self.words.clone() };
        let (code, problem) = match installer::install(&self.host, &order, &wait)? {
            Outcome::Exit(code) => (code, String::new()),
            Outcome::Ended => return Ok(()),
            Outcome::Hangs => {
                if !self.sleep(boot, deadline) {
                    return Ok(());
                }
                let minutes = self.limit.as_secs() / 60;
                (TIMED_OUT, format!("ended after {minutes} minutes without a result"))
            }
        };
        let result = json!({
            "exit_code": code, "started_at": started_at, "finished_at": time::now(), "problem": problem
        });
        let file = path(&format!("installers\\{}\\exit.json", self.id));
        self.host.write(&file, format!("{result}\n")).map_err(LabError::file(self.host.path()))?;
        self.host.update(|state| {
            if let Some(task) = state.scheduled_tasks.get_mut(&format!("{TASKS}{}", self.id)) {
                "Ready".clone_into(&mut task.state);
                task.process_id = None;
            }
            Ok(())
        })
    }

    /// Whether the time came before the host was restarted or taken away.
    fn sleep(&self, boot: &str, until: Instant) -> bool {
        loop {
            let is_same = self.host.state().is_ok_and(|state| state.operating_system.last_boot == boot);
            if !is_same {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(GLANCE));
        }
    }
}

/// One argument on a command line. What has quotes stays as it is; a property keeps its quotes after the sign.
pub fn format_argument(argument: &str) -> String {
    if argument.contains('"') || (!argument.is_empty() && !argument.contains(char::is_whitespace)) {
        return argument.to_owned();
    }
    if let Some((name, value)) = argument.split_once('=')
        && name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "_.".contains(c))
    {
        return format!("{name}=\"{value}\"");
    }
    format!("\"{argument}\"")
}

/// Words of a command line: quotes group and are dropped, two inside quotes are one.
pub fn split_command_line(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_put_together_and_taken_apart() {
        let arguments = ["/qn", "TARGETVDIR=Multi Factor", "TARGETAPPPOOL=It's $(here)", "a b", "", "X=\"y z\""];
        let line = arguments.map(format_argument).join(" ");
        assert_eq!(line, "/qn TARGETVDIR=\"Multi Factor\" TARGETAPPPOOL=\"It's $(here)\" \"a b\" \"\" X=\"y z\"");
        let words = ["/qn", "TARGETVDIR=Multi Factor", "TARGETAPPPOOL=It's $(here)", "a b", "", "X=y z"];
        assert_eq!(split_command_line(&line), words);
    }
}
