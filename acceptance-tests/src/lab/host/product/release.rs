//! Setup programs and packages: small files that say in their first line what they stand for.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lab::host::product::component::Component;

/// Longer than one piece of a file on its way, so that files travel in several.
const PACKAGE_LENGTH: usize = 72 * 1024;

/// The first line of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// A component's name, `vc_redist_x64` or `vc_redist_x86`.
    pub lab_package: String,
    pub version: String,
}

/// The bytes of a package.
pub fn package(name: &str, version: &str) -> Vec<u8> {
    let head = serde_json::json!({ "lab_package": name, "version": version });
    let mut bytes = format!("{head}\n").into_bytes();
    // Something that does not repeat, so that a lost or doubled piece changes the file.
    let mut block = Sha256::digest(&bytes);
    while bytes.len() < PACKAGE_LENGTH {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(PACKAGE_LENGTH);
    bytes
}

/// The bytes of a component's package.
pub fn component_package(component: Component, version: &str) -> Vec<u8> {
    package(component.name(), version)
}

/// What a file stands for; none when it is no package of the lab.
pub fn read(bytes: &[u8]) -> Option<Package> {
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice(line).ok()
}

/// SHA-256 in lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// A hash in lower case.
pub fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_says_what_it_is() {
        let bytes = package("user_portal", "7.0.0.9");
        assert_eq!(bytes.len(), PACKAGE_LENGTH);
        let expected = Package { lab_package: "user_portal".to_owned(), version: "7.0.0.9".to_owned() };
        assert_eq!(read(&bytes), Some(expected));
        assert_eq!(read(b"MZ\x90\0"), None);
        assert_ne!(sha256(&bytes), sha256(&package("user_portal", "8.0.1.1")));
    }
}
