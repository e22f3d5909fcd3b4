//! What else can be started on a host: the few commands that people try first.

use crate::lab::host::folder::HostFolder;
use crate::lab::wire::machine::{CommandLine, ProcessHost};

/// The longest command line that `cmd.exe` takes.
const LONGEST_LINE: usize = 8191;

/// What follows `-EncodedCommand` when PowerShell is started with it.
pub fn encoded_command(command: &CommandLine) -> Option<String> {
    let text = command.text();
    if text.len() > LONGEST_LINE && !command.skip_cmd_shell {
        return None;
    }
    let mut words = text.split_whitespace();
    if !matches!(program(words.next()?).as_str(), "powershell" | "powershell.exe") {
        return None;
    }
    let is_switch = |word: &&str| {
        let word = word.to_ascii_lowercase();
        ["-encodedcommand", "-enc", "-ec", "-e"].contains(&word.as_str())
    };
    words.find(is_switch)?;
    words.next().map(str::to_owned)
}

/// Runs a command of `cmd.exe`.
pub async fn run(host: &HostFolder, command: &CommandLine, process: ProcessHost) {
    let text = command.text();
    let computer = host.state().map(|state| state.computer_name).unwrap_or_default();
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let output = match program(first).as_str() {
        _ if text.len() > LONGEST_LINE => Err(("The command line is too long.\r\n".to_owned(), 1)),
        "hostname" | "hostname.exe" => Ok(computer),
        "whoami" | "whoami.exe" => Ok(command.user.to_ascii_lowercase()),
        "ver" => {
            let version = host.state().map(|state| state.operating_system.version).unwrap_or_default();
            Ok(format!("\r\nMicrosoft Windows [Version {version}]"))
        }
        "echo" => Ok(text.split_once(' ').map(|(_, text)| text.to_owned()).unwrap_or_default()),
        _ => {
            let message = "is not recognized as an internal or external command,\r\noperable program or batch file.";
            Err((format!("'{first}' {message}\r\n"), 9009))
        }
    };
    let code = match output {
        Ok(text) => process.stdout(format!("{text}\r\n")).await.map_or(0, |()| 0),
        Err((text, code)) => process.stderr(text).await.map_or(code, |()| code),
    };
    process.exit(code).await;
}

/// The name of a program without its folder, in lower case.
fn program(word: &str) -> String {
    word.trim_matches('"').rsplit('\\').next().unwrap_or_default().to_ascii_lowercase()
}
