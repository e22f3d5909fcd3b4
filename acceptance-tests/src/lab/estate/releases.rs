//! Release files: what `https://files.contoso.com/mfa/<version>/<file>` serves to the hosts.

use crate::lab::estate::Estate;
use crate::lab::host::error::LabError;
use crate::lab::host::product::component::Component;
use crate::lab::host::product::release;

/// The web server that hands out release files.
pub const HOST: &str = "files.contoso.com";

/// A release file as users state it in their settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFile {
    pub url: String,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Estate {
    /// Puts the server setup of a version, and the two Visual C++ packages, on the web server.
    pub fn add_release(&self, version: &str) -> Result<(), LabError> {
        self.publish(version, Component::Server.package_file(), &release::package("server", version))?;
        for architecture in ["x64", "x86"] {
            let bytes = release::package(&format!("vc_redist_{architecture}"), "14.0.24215.1");
            self.publish(version, &format!("vc_redist.{architecture}.exe"), &bytes)?;
        }
        Ok(())
    }

    /// The server setup of a version.
    pub fn server_setup(&self, version: &str) -> ReleaseFile {
        let bytes = release::package("server", version);
        let url = format!("https://{HOST}/mfa/{version}/{}", Component::Server.package_file());
        ReleaseFile { url, sha256: release::sha256(&bytes) }
    }

    /// Puts any file on the web server.
    pub fn publish(&self, version: &str, file: &str, bytes: &[u8]) -> Result<ReleaseFile, LabError> {
        let folder = self.folder().join("releases").join(HOST).join("mfa").join(version);
        std::fs::create_dir_all(&folder).map_err(LabError::file(&folder))?;
        let path = folder.join(file);
        std::fs::write(&path, bytes).map_err(LabError::file(&path))?;
        let url = format!("https://{HOST}/mfa/{version}/{file}");
        Ok(ReleaseFile { url, sha256: release::sha256(bytes) })
    }
}
