//! Paths on drive C: of a host, and the real files behind them.

use std::path::{Path, PathBuf};

/// The real path of a Windows path below the folder that stands for drive C:. Names that exist are found in any casing;
/// none when the path is not on drive C:.
pub fn resolve(drive: &Path, windows: &str) -> Option<PathBuf> {
    let below = windows.get(..2).filter(|drive| drive.eq_ignore_ascii_case("C:")).map(|_| &windows[2..])?;
    let mut real = drive.to_owned();
    for name in below.split(['\\', '/']).filter(|name| !name.is_empty() && *name != ".") {
        if name == ".." {
            return None;
        }
        let exact = real.join(name);
        let is_there = exact.symlink_metadata().is_ok();
        real = if is_there { exact } else { in_any_casing(&real, name).unwrap_or(exact) };
    }
    Some(real)
}

/// A folder and a name in it. The folder may end with a backslash.
pub fn join(folder: &str, name: &str) -> String {
    format!("{}\\{name}", folder.trim_end_matches('\\'))
}

/// What comes before the last backslash.
pub fn parent(path: &str) -> &str {
    path.rfind('\\').map_or("", |end| &path[..end])
}

/// What comes after the last backslash.
pub fn file_name(path: &str) -> &str {
    path.rsplit('\\').next().unwrap_or(path)
}

fn in_any_casing(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut found = entries.filter(|entry| entry.file_name().to_string_lossy().eq_ignore_ascii_case(name));
    found.next().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_casing() {
        let drive = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(drive.path().join("Program Files/MFA")).expect("a folder");
        let check = |windows: &str, expected: Option<&str>| {
            assert_eq!(resolve(drive.path(), windows), expected.map(|below| drive.path().join(below)), "{windows}");
        };
        check("C:\\Program Files\\MFA\\a.txt", Some("Program Files/MFA/a.txt"));
        check("c:\\PROGRAM files\\mfa\\A.txt", Some("Program Files/MFA/A.txt"));
        check("C:\\New\\Folder", Some("New/Folder"));
        check("C:\\a\\..\\b", None);
        check("D:\\x", None);
        check("\\\\server\\share", None);
    }
}
