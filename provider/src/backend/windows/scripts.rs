//! The PowerShell scripts that run on hosts, embedded from their files.
//!
//! Arguments travel as JSON on stdin and never enter script text. `_Bootstrap.ps1` goes on the command line, the
//! envelope and the script follow on stdin.

/// One script, run inside [`ENVELOPE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// `Verb-Noun`, as in the file's name and in replies.
    pub name: &'static str,
    /// The file's text, pure ASCII.
    pub source: &'static str,
}

/// Reads a call from stdin; the text of `-EncodedCommand`. Must parse on PowerShell 2.0.
pub const BOOTSTRAP: &str = include_str!("scripts/_Bootstrap.ps1");

/// Runs a script and writes its reply; holds what the scripts share.
pub const ENVELOPE: &str = include_str!("scripts/_Envelope.ps1");

/// Serves calls one after the other; runs in the place of the envelope.
pub const WORKER: &str = include_str!("scripts/_Worker.ps1");

/// The name under which a worker is introduced to the bootstrap.
pub const WORKER_NAME: &str = "Worker";

impl Script {
    /// Whether it only looks, so that it may run twice.
    pub fn only_looks(&self) -> bool {
        self.name.starts_with("Get-")
    }

    /// How it may share a process with other scripts.
    pub fn company(&self) -> Company {
        match *self {
            // The vendor's own script loads the vendor's assemblies, which no later installer could then replace.
            REGISTER_ADAPTER | UNREGISTER_ADAPTER => Company::None,
            // What modules have read before programs were installed, or a pool changed, is not what is there now.
            COMPLETE_INSTALLER | SET_APPLICATION_POOL_RUNTIME => Company::Last,
            _ => Company::Any,
        }
    }
}

/// Whether a script may share its process with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// With any that comes before or after.
    Any,
    /// With those before it; the process ends with it, and so do all others of the host.
    Last,
    /// With none.
    None,
}

macro_rules! scripts {
    ($($constant:ident = $name:literal;)*) => {
        $(pub const $constant: Script = Script {
            name: $name,
            source: include_str!(concat!("scripts/", $name, ".ps1")),
        };)*

        /// Every script, by name.
        pub const ALL: &[Script] = &[$($constant),*];
    };
}

scripts! {
    BACKUP_DIRECTORY = "Backup-Directory";
    COMPARE_DIRECTORY = "Compare-Directory";
    COMPLETE_BACKUP = "Complete-Backup";
    COMPLETE_INSTALLER = "Complete-Installer";
    COMPLETE_PARTIAL_FILE = "Complete-PartialFile";
    DISABLE_SECOND_FACTOR_GUARD = "Disable-SecondFactorGuard";
    ENABLE_SECOND_FACTOR_GUARD = "Enable-SecondFactorGuard";
    EXPORT_ADAPTER_CONFIGURATION = "Export-AdapterConfiguration";
    GET_ADFS_SYNCHRONIZATION = "Get-AdfsSynchronization";
    GET_DIAGNOSIS = "Get-Diagnosis";
    GET_FILE_IDENTITY = "Get-FileIdentity";
    GET_HOST_FACTS = "Get-HostFacts";
    GET_INSTALLER_STATE = "Get-InstallerState";
    GET_PARTIAL_FILE = "Get-PartialFile";
    INITIALIZE_PARTIAL_FILE = "Initialize-PartialFile";
    MERGE_ADAPTER_CONFIGURATION = "Merge-AdapterConfiguration";
    MERGE_WEB_CONFIG = "Merge-WebConfig";
    RECEIVE_FILE = "Receive-File";
    RECEIVE_PARTIAL_FILE = "Receive-PartialFile";
    REGISTER_ADAPTER = "Register-Adapter";
    REMOVE_WORK_FILE = "Remove-WorkFile";
    RESTART_ADFS_SERVICE = "Restart-AdfsService";
    SAVE_RELEASE_FILE = "Save-ReleaseFile";
    SEND_FILE = "Send-File";
    SET_APPLICATION_POOL_RUNTIME = "Set-ApplicationPoolRuntime";
    SET_AUTHENTICATION_POLICY = "Set-AuthenticationPolicy";
    SET_LEASE = "Set-Lease";
    START_INSTALLER = "Start-Installer";
    UNREGISTER_ADAPTER = "Unregister-Adapter";
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::backend::facts::HostFacts;

    #[test]
    fn every_text_is_ascii() {
        let texts = ALL.iter().map(|script| (script.name, script.source));
        for (name, text) in texts.chain([("_Bootstrap", BOOTSTRAP), ("_Envelope", ENVELOPE), ("_Worker", WORKER)]) {
            assert!(text.is_ascii(), "{name}.ps1 is not ASCII");
        }
    }

    #[test]
    fn the_bootstrap_fits_on_a_command_line() {
        // UTF-16 doubles it, base64 adds a third; cmd.exe takes 8,191 characters in all.
        let encoded = BOOTSTRAP.len() * 2 * 4 / 3;
        assert!(encoded < 7_500, "the encoded bootstrap has {encoded} characters");
    }

    #[test]
    fn facts_of_every_case_decode() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/backend/windows/scripts/cases");
        let mut decoded = 0;
        for entry in std::fs::read_dir(folder).expect("the folder of cases") {
            let path = entry.expect("an entry").path();
            if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("Get-HostFacts.")) {
                continue;
            }
            let case: Value = serde_json::from_slice(&std::fs::read(&path).expect("a case")).expect("JSON");
            let Some(result) = case["reply"].get("result") else { continue };
            let facts = HostFacts::deserialize(result).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // Nothing in the reply may be unknown to the decoder, nor the other way round.
            assert_eq!(serde_json::to_value(&facts).expect("JSON"), *result, "{}", path.display());
            decoded += 1;
        }
        assert!(decoded > 20, "{decoded} cases");
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(ALL.is_sorted_by(|one, other| one.name < other.name));
    }
}
