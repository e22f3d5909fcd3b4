//! The provider binary: a plugin that Terraform and OpenTofu start.

use std::process::ExitCode;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == "doctor").is_some() {
        return azuremfa::doctor::run(arguments, variable);
    }
    azuremfa::rpc::plugin::serve::run(arguments, variable, azuremfa::resource::all())
}
