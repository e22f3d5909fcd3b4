//! `cargo demo`: the provider's main job against a simulated estate, with real Terraform.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use acceptance_tests::demo::{self, Demo};
use acceptance_tests::tools::terraform::Cli;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--keep"] => true,
        _ => return fail("usage: cargo demo [-- --keep]"),
    };
    let cli = match Cli::any() {
        Ok(cli) => cli,
        Err(error) => return fail(&format!("neither Terraform nor OpenTofu can be had: {error}")),
    };
    let mut out = std::io::stdout();
    let colour = out.is_terminal();
    match demo::run(Demo { cli: &cli, out: &mut out, colour, keep }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("the demo did not go as promised: {error}")),
    }
}

fn fail(message: &str) -> ExitCode {
    // Nothing useful can be done when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}
