//! The provider's folder on a host: SYSTEM and Administrators only, and nothing outside it is written.

use std::io;

use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;

/// The folder.
pub const WORK: &str = "C:\\ProgramData\\terraform-provider-azuremfa";
/// What it consists of.
pub const PARTS: [&str; 3] = ["staging", "backups", "installers"];

const PROTECTED: &str = "O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// A path in the work folder.
pub fn path(below: &str) -> String {
    format!("{WORK}\\{below}")
}

/// Makes the folder and its parts, or accepts what is there.
pub fn initialize(host: &HostFolder) -> Result<(), Failure> {
    initialize_protected(host, WORK)?;
    PARTS.iter().try_for_each(|part| initialize_protected(host, &path(part)))
}

/// Refuses a path that is not inside the work folder, is not written plainly, or leads over a link.
pub fn assert_inside(host: &HostFolder, windows: &str) -> Result<(), Failure> {
    let root = format!("{WORK}\\");
    let below =
        windows.get(..root.len()).filter(|head| head.eq_ignore_ascii_case(&root)).map(|_| &windows[root.len()..]);
    let Some(below) = below.filter(|below| !below.is_empty()) else {
        return Err(Failure::invalid_input(format!("{windows} is not inside {root}")));
    };
    for part in below.split('\\') {
        if !is_plain(part) {
            let message = format!("{windows} is not written plainly: '{part}' is not a name");
            return Err(Failure::invalid_input(message));
        }
    }
    let mut walked = WORK.to_owned();
    for part in below.split('\\') {
        walked = format!("{walked}\\{part}");
        let Ok(metadata) = host.real(&walked)?.symlink_metadata() else { break };
        if metadata.is_symlink() {
            let message = format!("{walked} is a link or a junction, which nothing of this provider made. Remove it");
            return Err(Failure::precondition(message));
        }
    }
    Ok(())
}

/// Refuses what cannot be one name of a folder, a file or a task.
pub fn assert_plain_name(name: &str, what: &str) -> Result<(), Failure> {
    let accepted = |character: char| character.is_ascii_alphanumeric() || " ._-".contains(character);
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= 127
        && name.chars().all(accepted)
        && !name.ends_with(['.', ' ']);
    if is_plain {
        return Ok(());
    }
    Err(Failure::invalid_input(format!(
        "'{name}' is not usable as a name of the {what}: letters, digits, dots, underscores, dashes and inner spaces are accepted"
    )))
}

fn is_plain(part: &str) -> bool {
    let forbidden = |character: char| "/:*?\"<>|".contains(character) || character < ' ';
    !part.is_empty() && !part.chars().all(|c| c == '.') && !part.contains(forbidden) && !part.ends_with(['.', ' '])
}

/// Makes a folder for SYSTEM and Administrators only, or accepts one that is.
pub fn initialize_protected(host: &HostFolder, folder: &str) -> Result<(), Failure> {
    let real = host.real(folder)?;
    let metadata = match real.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(&real)?;
            return set_descriptor(host, folder);
        }
        metadata => metadata?,
    };
    if !metadata.is_dir() {
        return Err(Failure::precondition(format!(
            "{folder} is no ordinary folder (a link, a junction or a file). Remove it; it is made again"
        )));
    }
    let known = host.state()?.acls.and_then(|acls| acls[folder].as_str().map(str::to_owned));
    let Some(present) = known else { return set_descriptor(host, folder) };
    let owner = owner(&present);
    if !["BA", "SY", "S-1-5-32-544", "S-1-5-18"].contains(&owner) {
        return Err(Failure::precondition(format!(
            "{folder} belongs to {owner} and not to SYSTEM or Administrators. Look at what is in it, then remove it; it \
             is made again"
        )));
    }
    if present == PROTECTED { Ok(()) } else { set_descriptor(host, folder) }
}

/// The owner in a security descriptor; `nobody` when it is of an unknown form.
fn owner(descriptor: &str) -> &str {
    let Some((_, rest)) = descriptor.split_once("O:") else { return "nobody" };
    // A well-known one has two letters.
    if let Some(known) = rest.get(..2).filter(|known| known.bytes().all(|byte| byte.is_ascii_uppercase())) {
        return known;
    }
    let end = rest.find(|character: char| !(character.is_ascii_digit() || "S-".contains(character)));
    let owner = &rest[..end.unwrap_or(rest.len())];
    if owner.starts_with("S-") { owner } else { "nobody" }
}

fn set_descriptor(host: &HostFolder, folder: &str) -> Result<(), Failure> {
    host.update(|state| {
        let acls = state.acls.get_or_insert_with(|| json!({}));
        acls[folder] = Value::String(PROTECTED.to_owned());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_inside_are_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        let host = HostFolder::new(folder.path());
        let check = |below: &str, expected: bool| {
            assert_eq!(assert_inside(&host, &format!("{WORK}{below}")).is_ok(), expected, "{below}");
        };
        check("\\staging\\x.msi", true);
        check("\\a b\\ü.txt", true);
        check("", false);
        check("\\", false);
        check("-other\\x", false);
        check("\\..\\x", false);
        check("\\a\\\\b", false);
        check("\\a:stream", false);
        check("\\a. \\b", false);
        check("\\a/b", false);
        assert!(assert_inside(&host, "C:\\Windows\\x").is_err());
    }

    #[test]
    fn names_are_plain() {
        for (name, expected) in
            [("mfa-eu 7.0", true), ("a", true), ("", false), (".a", false), ("a.", false), ("a/b", false)]
        {
            assert_eq!(assert_plain_name(name, "backup").is_ok(), expected, "{name}");
        }
        assert!(assert_plain_name(&"a".repeat(128), "task").is_err());
    }
}
