//! The scripts by name: what each takes and what answers it.

use std::io::Read;

use serde_json::Value;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::parameters::{
    Arguments, Parameter, number, one_of, optional_flag, optional_text, optional_texts, text, texts,
};
use crate::lab::host::native::reply::{self, Failure};
use crate::lab::host::native::scripts::{
    adapter, adapter_configuration, adfs_service, backup, compare, diagnosis, facts, files, guard, installers, lease,
    partial, policy, pool, transfer, web_config,
};

/// One call of a script.
pub struct Call<'a> {
    pub host: &'a HostFolder,
    pub arguments: Arguments,
    /// Raw bytes that come after the arguments.
    pub input: &'a mut dyn Read,
    /// The script as it was sent.
    pub script_text: &'a str,
    /// Lines that go out before the reply.
    pub lines: Vec<String>,
}

impl Call<'_> {
    /// Writes a log line.
    pub fn log(&mut self, level: &str, message: &str) {
        self.lines.push(reply::log_line(level, message));
    }
}

/// A script that the lab can play.
pub struct Script {
    pub name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut Call<'_>) -> Result<Value, Failure>,
}

const fn script(
    name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut Call<'_>) -> Result<Value, Failure>,
) -> Script {
    Script { name, parameters, run }
}

/// Names a range of a file that is under way.
const RANGE: &[Parameter] = &[
    text("path"),
    number("file_length", i64::MIN, i64::MAX),
    number("offset", i64::MIN, i64::MAX),
    number("length", i64::MIN, i64::MAX),
];

/// All scripts.
pub const ALL: &[Script] = &[
    script("Get-HostFacts", &[], facts::run),
    script("Get-Diagnosis", &[], diagnosis::run),
    script(
        "Backup-Directory",
        &[text("source"), text("backup_id"), text("name"), optional_flag("fresh")],
        backup::back_up,
    ),
    script("Complete-Backup", &[text("backup_id")], backup::complete),
    script(
        "Compare-Directory",
        &[text("path"), text("backup_id"), text("name"), optional_text("subfolder")],
        compare::run,
    ),
    script(
        "Save-ReleaseFile",
        &[text("url"), text("sha256"), text("file_name"), number("maximum_length", i64::MIN, i64::MAX)],
        files::save_release,
    ),
    script("Get-FileIdentity", &[text("path")], files::identity),
    script("Remove-WorkFile", &[text("path")], files::remove),
    script("Send-File", &[text("path"), number("maximum_length", i64::MIN, i64::MAX)], transfer::send),
    script("Receive-File", &[text("path"), number("length", i64::MIN, i64::MAX), text("sha256")], transfer::receive),
    script(
        "Initialize-PartialFile",
        &[text("path"), number("length", i64::MIN, i64::MAX), text("sha256")],
        partial::initialize,
    ),
    script("Receive-PartialFile", RANGE, partial::receive),
    script("Get-PartialFile", RANGE, partial::written),
    script(
        "Complete-PartialFile",
        &[text("path"), number("length", i64::MIN, i64::MAX), text("sha256")],
        partial::complete,
    ),
    script(
        "Start-Installer",
        &[
            text("installation_id"),
            text("file"),
            texts("arguments"),
            text("sha256"),
            number("timeout_minutes", 1, 1440),
        ],
        installers::start,
    ),
    script("Get-InstallerState", &[text("installation_id")], installers::state),
    script("Complete-Installer", &[text("installation_id")], installers::complete),
    script(
        "Merge-WebConfig",
        &[text("path"), text("backup_id"), text("name"), optional_text("web_service_sdk_url")],
        web_config::merge,
    ),
    script(
        "Set-ApplicationPoolRuntime",
        &[text("application_pool"), one_of("runtime", &["v2.0", "v4.0"])],
        pool::set_runtime,
    ),
    script("Export-AdapterConfiguration", &[text("provider_name"), text("path")], adapter_configuration::export),
    script(
        "Merge-AdapterConfiguration",
        &[text("exported_path"), text("template_path"), text("output_path")],
        adapter_configuration::merge,
    ),
    script("Set-AuthenticationPolicy", &[optional_texts("enable"), optional_texts("disable")], policy::set),
    script(
        "Set-Lease",
        &[
            one_of("action", &["take", "renew", "release"]),
            text("run"),
            text("owner"),
            text("set"),
            number("seconds", 1, 3600),
            optional_text("abandoned"),
        ],
        lease::set,
    ),
    script("Unregister-Adapter", &[text("provider_name")], adapter::unregister),
    script(
        "Register-Adapter",
        &[text("provider_name"), text("registration_script"), text("configuration_path")],
        adapter::register,
    ),
    script(
        "Enable-SecondFactorGuard",
        &[
            text("run"),
            texts("back"),
            text("forward"),
            optional_text("registration_script"),
            optional_text("configuration_path"),
            number("silent_seconds", 1, 3600),
            optional_flag("only_try"),
        ],
        guard::enable,
    ),
    script("Disable-SecondFactorGuard", &[optional_text("run")], guard::disable),
    script("Get-AdfsSynchronization", &[], adfs_service::synchronization),
    script("Restart-AdfsService", &[], adfs_service::restart),
];

/// What one run writes to standard output, line by line; the last line is the reply.
pub fn run(host: &HostFolder, name: &str, script_text: &str, argument_text: &str, input: &mut dyn Read) -> Vec<String> {
    let Some(script) = ALL.iter().find(|script| script.name == name) else {
        let failure = Failure::other(format!("the simulated host does not know the script {name}"));
        return vec![reply::line(name, Err(failure))];
    };
    match check_powershell(host).and_then(|()| Arguments::bind(argument_text, script.parameters)) {
        Err(failure) => vec![reply::line(name, Err(failure))],
        Ok(arguments) => {
            let mut call = Call { host, arguments, input, script_text, lines: Vec::new() };
            let outcome = (script.run)(&mut call);
            call.lines.push(reply::line(name, outcome));
            call.lines
        }
    }
}

/// Refuses a PowerShell that is older than 5.1.
pub fn check_powershell(host: &HostFolder) -> Result<(), Failure> {
    let found = host.state()?.powershell_version;
    let mut parts = found.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if (major, minor) >= (5, 1) {
        return Ok(());
    }
    let message = format!(
        "PowerShell {major}.{minor} was found; Windows PowerShell 5.1 or later is needed. Install Windows Management \
         Framework 5.1, which needs .NET Framework 4.5.2 or later."
    );
    Err(Failure::new("powershell_too_old", message))
}
