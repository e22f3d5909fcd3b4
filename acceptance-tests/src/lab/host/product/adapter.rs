//! The AD FS adapter: its assembly, the vendor's two scripts and the configuration file.

use crate::lab::host::product::component::{is_new_generation, numbers};
use crate::lab::host::product::web_config::escape;

pub const ASSEMBLY_FILE: &str = "MultiFactorAuthAdfsAdapter.dll";
pub const REGISTER_FILE: &str = "Register-MultiFactorAuthenticationAdfsAdapter.ps1";
pub const UNREGISTER_FILE: &str = "Unregister-MultiFactorAuthenticationAdfsAdapter.ps1";
pub const CONFIGURATION_FILE: &str = "MultiFactorAuthenticationAdfsAdapter.config";

/// Name of the provider before 7.0.
pub const OLD_PROVIDER: &str = "WindowsAzureMultiFactorAuthentication";
/// Name of the provider since 7.0.
pub const NEW_PROVIDER: &str = "AzureMfaServerAuthentication";

/// The assembly's version, which is not the product's in every release.
pub fn assembly_version(version: &str) -> String {
    match numbers(version).as_slice() {
        [6, 3, ..] => "6.3.0.17452".to_owned(),
        _ => version.to_owned(),
    }
}

/// The assembly's full name.
pub fn assembly_name(assembly_version: &str) -> String {
    format!("MultiFactorAuthAdfsAdapter, Version={assembly_version}, Culture=neutral, PublicKeyToken=31bf3856ad364e35")
}

/// The type that a release registers.
pub fn type_name(version: &str) -> String {
    format!("pfadfs.AuthenticationAdapter, {}", assembly_name(&assembly_version(version)))
}

/// The name under which a release registers.
pub fn provider_name(version: &str) -> &'static str {
    if is_new_generation(version) { NEW_PROVIDER } else { OLD_PROVIDER }
}

/// The scripts and the configuration file of a release, by file name.
pub fn files(version: &str) -> [(&'static str, String); 3] {
    let (name, type_name) = (provider_name(version), type_name(version));
    let register = format!(
        "# Registers the adapter with AD FS. Run it on the primary server of the farm.\r\n\
         $typeName = \"{type_name}\"\r\n\
         Register-AdfsAuthenticationProvider -TypeName $typeName -Name \"{name}\" -Verbose\r\n"
    );
    let unregister = format!("Unregister-AdfsAuthenticationProvider -Name \"{name}\"\r\n");
    let shipped = configuration(version, &AdapterSettings::default());
    [(REGISTER_FILE, register), (UNREGISTER_FILE, unregister), (CONFIGURATION_FILE, shipped)]
}

/// What the adapter is configured with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterSettings {
    pub use_web_service_sdk: bool,
    pub web_service_sdk_url: String,
    pub username: String,
    pub password: String,
}

/// The text of a configuration file of a release.
pub fn configuration(version: &str, settings: &AdapterSettings) -> String {
    let mut nodes = vec![
        ("UseWebServiceSdk", settings.use_web_service_sdk.to_string()),
        ("WebServiceSdkUrl", settings.web_service_sdk_url.clone()),
        ("WebServiceSdkUsername", settings.username.clone()),
        ("WebServiceSdkPassword", settings.password.clone()),
        ("WebServiceSdkCertificateThumbprint", String::new()),
    ];
    if is_new_generation(version) {
        nodes.push(("AllowUserMethodSelection", "true".to_owned()));
    }
    let lines: String = nodes.into_iter().map(|(name, value)| node(name, &value)).collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<ConfigurationData>\r\n{lines}</ConfigurationData>\r\n")
}

fn node(name: &str, value: &str) -> String {
    if value.is_empty() { format!("  <{name} />\r\n") } else { format!("  <{name}>{}</{name}>\r\n", escape(value)) }
}
