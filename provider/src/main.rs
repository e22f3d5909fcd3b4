//! The provider binary: a plugin that Terraform and OpenTofu start.

use std::process::ExitCode;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    azuremfa::rpc::plugin::serve::run(std::env::args_os().skip(1), variable, azuremfa::resource::all())
}
