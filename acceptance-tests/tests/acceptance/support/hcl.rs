//! Configurations that cases vary, in the words that users write.

use acceptance_tests::lab::server::Lab;

/// MFA Server hosts of the demo estate, the master first.
pub const SERVERS: [&str; 3] = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"];

/// The provider block with the way to the lab and the three releases; `further` is put into it.
pub fn provider(lab: &Lab, further: &str) -> String {
    let releases: Vec<String> = ["6.3.1.1", "7.0.0.9", "8.0.1.1"].map(|version| release(lab, version)).into();
    format!(
        r#"
terraform {{
  required_providers {{
    azuremfa = {{ source = "azuremfa/azuremfa" }}
  }}
}}

provider "azuremfa" {{
  acknowledge_retirement = true
  connections = {{
    default = {{
      proxy          = "{proxy}"
      ca_certificate = file("{authority}")
    }}
  }}
  releases = {{
{releases}
  }}
  {further}
}}
"#,
        proxy = lab.proxy_url,
        authority = lab.ca_file.display(),
        releases = releases.concat(),
    )
}

/// One release, every component with the silent arguments that the lab's packages take.
fn release(lab: &Lab, version: &str) -> String {
    let web =
        r#"["TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}", "TARGETAPPPOOL={application_pool}"]"#;
    format!(
        r#"
    "{version}" = {{
      server_setup = {{
        source    = "https://files.contoso.com/mfa/{version}/MultiFactorAuthenticationServerSetup.exe"
        sha256    = "{sha256}"
        arguments = ["/quiet", "/norestart"]
      }}
      web_service_sdk        = {{ arguments = {web} }}
      user_portal            = {{ arguments = {web} }}
      mobile_app_web_service = {{ arguments = {web} }}
      adfs_adapter           = {{ arguments = ["/qn", "/norestart"] }}
    }}
"#,
        sha256 = lab.estate().server_setup(version).sha256,
    )
}

/// A server group `azuremfa_server_group.eu` with its import block. `further` is put into the resource.
pub fn group(version: &str, hosts: &[&str], master: &str, further: &str) -> String {
    format!(
        r#"
import {{
  to = azuremfa_server_group.eu
  id = "mfa-eu={ids}"
}}

resource "azuremfa_server_group" "eu" {{
  name                = "mfa-eu"
  version             = "{version}"
  allow_major_upgrade = true
  hosts               = [{hosts}]
  master              = "{master}"
  web_service_sdk     = {{}}
  {further}
}}
"#,
        ids = hosts.join(","),
        hosts = quoted(hosts),
    )
}

/// A User Portal `azuremfa_user_portal.LABEL` with its import block.
pub fn portal(label: &str, version: &str, hosts: &[&str], further: &str) -> String {
    web("user_portal", label, version, hosts, further)
}

/// A Mobile App Web Service `azuremfa_mobile_app_web_service.LABEL` with its import block.
pub fn web_service(label: &str, version: &str, hosts: &[&str], further: &str) -> String {
    web("mobile_app_web_service", label, version, hosts, further)
}

fn web(kind: &str, label: &str, version: &str, hosts: &[&str], further: &str) -> String {
    format!(
        r#"
import {{
  to = azuremfa_{kind}.{label}
  id = "{label}={ids}"
}}

resource "azuremfa_{kind}" "{label}" {{
  name                = "{label}"
  version             = "{version}"
  allow_major_upgrade = true
  hosts               = [{hosts}]
  {further}
}}
"#,
        ids = hosts.join(","),
        hosts = quoted(hosts),
    )
}

/// An AD FS adapter `azuremfa_adfs_adapter.eu` on a farm of two with its import block.
pub fn adapter(version: &str, further: &str) -> String {
    format!(
        r#"
import {{
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}}

resource "azuremfa_adfs_adapter" "eu" {{
  name                = "adfs-eu"
  version             = "{version}"
  allow_major_upgrade = true
  batches             = [["adfs01.contoso.com"], ["adfs02.contoso.com"]]
  {further}
}}
"#
    )
}

/// What makes a set come after the server group.
pub const AFTER_GROUP: &str = "after = [azuremfa_server_group.eu.ready]";

/// The acknowledgement without which no adapter is exchanged.
pub const GAP: &str = r#"acknowledge = [{ check = "adfs_mfa_gap", reason = "CHG-1042, Sunday 02:00" }]"#;

/// A list's elements, quoted.
pub fn quoted(items: &[&str]) -> String {
    items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
}
