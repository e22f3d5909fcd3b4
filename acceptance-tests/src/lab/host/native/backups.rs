//! Backups in the work folder: what is complete, and which one counts.

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::work_folder::{assert_plain_name, path};

/// Folders with a complete copy of a name in the backups of an id: the open one first, then the closed ones, newest
/// first.
pub fn folders(host: &HostFolder, backup_id: &str, name: &str) -> Result<Vec<String>, Failure> {
    assert_plain_name(backup_id, "backup")?;
    assert_plain_name(name, "backup")?;
    let closed = closed(host, backup_id).into_iter().rev();
    let all = std::iter::once(backup_id.to_owned()).chain(closed);
    let copies = all.map(|folder| path(&format!("backups\\{folder}\\{name}")));
    Ok(copies.filter(|copy| host.is_file(&format!("{copy}.manifest.json"))).collect())
}

/// Names of the closed backups of an id, oldest first.
pub fn closed(host: &HostFolder, backup_id: &str) -> Vec<String> {
    let names = host.folder_names(&path("backups")).into_iter();
    names.filter(|name| is_closed(name, backup_id)).collect()
}

/// `<id>-yyyyMMddTHHmmssZ`.
fn is_closed(name: &str, backup_id: &str) -> bool {
    let head = name.get(..backup_id.len()).filter(|head| head.eq_ignore_ascii_case(backup_id));
    let stamp = head.and_then(|_| name[backup_id.len()..].strip_prefix('-'));
    let shape = b"00000000T000000Z";
    let fits = |(found, shape): (u8, &u8)| if *shape == b'0' { found.is_ascii_digit() } else { found == *shape };
    stamp.is_some_and(|stamp| stamp.len() == shape.len() && stamp.bytes().zip(shape).all(fits))
}

/// Relative names of all files below a folder, with backslashes, sorted by code point.
pub fn relative_files(host: &HostFolder, folder: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    walk(host, folder, "", &mut |name, is_folder| {
        if !is_folder {
            found.push(name.to_owned());
        }
    })?;
    // PowerShell sorts texts by UTF-16 unit.
    found.sort_by(|one, other| one.encode_utf16().cmp(other.encode_utf16()));
    Ok(found)
}

/// Relative names of all folders below a folder.
pub fn relative_folders(host: &HostFolder, folder: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    walk(host, folder, "", &mut |name, is_folder| {
        if is_folder {
            found.push(name.to_owned());
        }
    })?;
    Ok(found)
}

fn walk(host: &HostFolder, folder: &str, below: &str, visit: &mut dyn FnMut(&str, bool)) -> Result<(), Failure> {
    for entry in std::fs::read_dir(host.real(folder)?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = if below.is_empty() { name.clone() } else { format!("{below}\\{name}") };
        let metadata = entry.path().metadata()?;
        visit(&relative, metadata.is_dir());
        // A link is listed and not followed.
        if metadata.is_dir() && !entry.path().is_symlink() {
            walk(host, &format!("{folder}\\{name}"), &relative, visit)?;
        }
    }
    Ok(())
}
