//! The front door: the handshake line for a client, a few words for a person. In a serving process the only place that
//! writes to standard output, and the only one besides the log that writes to standard error.

use std::io::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::causes;
use crate::rpc::log::keys::PROVIDER_ADDRESS;

/// The version of the handshake itself.
const CORE_PROTOCOL: u32 = 1;

/// The one plugin protocol spoken here. It is announced whatever the client offers: a client without it says so itself.
const PLUGIN_PROTOCOL: u32 = 6;

/// Other names by which a reattaching client may know the provider: OpenTofu's default registry.
const OTHER_ADDRESS: &str = "registry.opentofu.org/azuremfa/azuremfa";

/// Tells the client where and how to connect. `certificate` is DER; none means no TLS.
pub fn announce(
    (network, address): &(&str, String),
    certificate: Option<&[u8]>,
    asks_for_multiplexing: bool,
) -> io::Result<()> {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let mut line = format!("{CORE_PROTOCOL}|{PLUGIN_PROTOCOL}|{network}|{address}|grpc|{certificate}");
    // Only when asked: older clients split the line into six parts.
    if asks_for_multiplexing {
        line.push_str("|false");
    }
    line.push('\n');
    to_output(&line)
}

/// Tells a person how to let Terraform use this very process.
pub fn announce_debugging((network, address): &(&str, String)) -> io::Result<()> {
    let attach = serde_json::json!({
        "Protocol": "grpc",
        "ProtocolVersion": PLUGIN_PROTOCOL,
        "Pid": std::process::id(),
        // Terraform must not end what it has not started.
        "Test": true,
        "Addr": { "Network": network, "String": address },
    });
    let providers = serde_json::json!({ PROVIDER_ADDRESS: attach, OTHER_ADDRESS: attach });
    let text = format!(
        "The provider runs and waits for Terraform or OpenTofu. Set this in their environment; Ctrl-C ends the provider.\n\n\
         TF_REATTACH_PROVIDERS='{providers}'\n",
    );
    to_output(&text)
}

/// Prints the name and the version.
pub fn version() -> io::Result<()> {
    to_output(&format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
}

/// Prints the help as what was asked for.
pub fn help() -> io::Result<()> {
    to_output(&help_text())
}

/// Prints the help as an answer to a person who started a plugin by hand.
pub fn help_as_error() {
    to_error(&help_text());
}

/// Says why the process cannot serve.
pub fn failure(error: &dyn std::error::Error) {
    let text = format!("[ERROR] {}: {}\n", env!("CARGO_PKG_NAME"), causes::in_one_line(error));
    to_error(&text);
}

fn help_text() -> String {
    format!(
        "\
{name} {version}: a Terraform and OpenTofu provider.
{description}.

It is a plugin: Terraform or OpenTofu starts it. To use it, declare it in a configuration

    terraform {{
      required_providers {{
        azuremfa = {{ source = \"azuremfa/azuremfa\" }}
      }}
    }}

and run `terraform init` and `terraform plan`. Options for a person:

    --version   print the version
    --help      print this text
    --debug     serve without being started by Terraform, for a debugger
    doctor      check whether a host can be worked on; `doctor --help` says how
",
        name = env!("CARGO_PKG_NAME"),
        version = env!("CARGO_PKG_VERSION"),
        description = env!("CARGO_PKG_DESCRIPTION"),
    )
}

fn to_output(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn to_error(text: &str) {
    // There is nowhere left to say that this failed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
