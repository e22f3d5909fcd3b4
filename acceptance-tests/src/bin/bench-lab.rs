//! `cargo bench-lab`: this project's WinRM client beside others on the simulated estate; writes `docs/benchmarks.md`.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use acceptance_tests::{bench, paths};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing useful can be done when standard error is closed.
            let _ = writeln!(std::io::stderr(), "the benchmark did not run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let page = bench::bench(&mut std::io::stderr()).await?;
    std::fs::write(paths::root().join("docs/benchmarks.md"), &page)?;
    write!(std::io::stdout(), "{page}")?;
    Ok(())
}
