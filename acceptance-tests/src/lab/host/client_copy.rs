//! The script of pypsrp's `Client.copy`, played without PowerShell.
//!
//! It takes texts in base64: the parts of a file, and last the file's SHA-1 in hexadecimal. It writes the parts to a
//! temporary file, compares the hashes, moves the file to its destination, and gives the destination's path. Its
//! arguments are the destination and whether `%VARIABLES%` in it are expanded.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::windows_path;
use crate::lab::wire::psrp::{Pipeline, Script, Thrown};

/// What no other script of this kind has, from the top of the script to its end.
const MARKS: [&str; 4] = [
    "[System.IO.Path]::GetTempFileName()",
    "[System.Convert]::FromBase64String($input)",
    "$MyInvocation.UnboundArguments[0]",
    "Transport failure, hash mismatch",
];

/// A copy that has begun.
pub struct ClientCopy {
    host: HostFolder,
    destination: String,
    part: NamedTempFile,
    hash: Sha1,
    /// The last input: a part of the file, or its hash when nothing follows.
    last: Option<Vec<u8>>,
}

/// Begins a script that came by PowerShell remoting to a host.
///
/// # Errors
/// When it is not this one.
pub fn begin(host: &HostFolder, script: &Script) -> Result<Box<dyn Pipeline>, Thrown> {
    if !MARKS.iter().all(|mark| script.text.contains(mark)) {
        return Err(Thrown("the lab runs one script by PowerShell remoting, that of pypsrp's Client.copy".to_owned()));
    }
    let [destination, expand] = &script.arguments[..] else {
        return Err(Thrown(format!("the script takes 2 arguments, not {}", script.arguments.len())));
    };
    if expand == "true" {
        return Err(Thrown("the hosts of the lab have no variables".to_owned()));
    }
    let destination = destination.replace('/', "\\");
    let folder = host.real(windows_path::parent(&destination)).map_err(thrown)?;
    std::fs::create_dir_all(&folder).map_err(thrown)?;
    let part = NamedTempFile::new_in(folder).map_err(thrown)?;
    Ok(Box::new(ClientCopy { host: host.clone(), destination, part, hash: Sha1::new(), last: None }))
}

impl Pipeline for ClientCopy {
    fn process(&mut self, input: &str) -> Result<(), Thrown> {
        let bytes = BASE64_STANDARD.decode(input).map_err(thrown)?;
        if let Some(part) = self.last.replace(bytes) {
            self.hash.update(&part);
            self.part.write_all(&part).map_err(thrown)?;
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<Vec<String>, Thrown> {
        let expected = String::from_utf8_lossy(self.last.as_deref().unwrap_or_default()).into_owned();
        let actual: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if actual != expected {
            return Err(Thrown(format!(
                "Transport failure, hash mismatch\r\nActual: {actual}\r\nExpected: {expected}"
            )));
        }
        let real = self.host.real(&self.destination).map_err(thrown)?;
        self.part.persist(real).map_err(thrown)?;
        Ok(vec![self.destination])
    }
}

fn thrown(error: impl std::fmt::Display) -> Thrown {
    Thrown(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(destination: &str) -> Script {
        Script { text: MARKS.join("\n"), arguments: vec![destination.to_owned(), "false".to_owned()] }
    }

    /// Copies parts with a hash to a host; gives what the script says and the file.
    fn copy(parts: &[&str], hash: &str) -> (Result<Vec<String>, Thrown>, Option<Vec<u8>>) {
        let folder = tempfile::tempdir().expect("a folder");
        let host = HostFolder::new(folder.path());
        let mut copy = begin(&host, &script("C:/Temp/file.bin")).expect("the script begins");
        for input in parts.iter().chain([&hash]) {
            copy.process(&BASE64_STANDARD.encode(input)).expect("the script goes on");
        }
        (copy.end(), host.read("C:\\Temp\\file.bin").ok())
    }

    #[test]
    fn a_file_arrives_when_its_hash_is_right() {
        let right = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let there = (Ok(vec!["C:\\Temp\\file.bin".to_owned()]), Some(b"abc".to_vec()));
        assert_eq!(copy(&["a", "bc"], right), there);
        let message = format!("Transport failure, hash mismatch\r\nActual: {right}\r\nExpected: 00");
        assert_eq!(copy(&["a", "bc"], "00"), (Err(Thrown(message)), None));
        let empty = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(copy(&[""], empty).1, Some(Vec::new()));
    }

    #[test]
    fn other_scripts_are_refused() {
        let host = HostFolder::new("/nowhere");
        let other = Script { text: "Get-Process".to_owned(), ..script("C:\\file") };
        assert!(begin(&host, &other).is_err());
    }
}
