//! `cargo bench-lab [-- PART...]`: this project's WinRM client beside others on the simulated estate. Writes
//! `docs/benchmarks.md`, unless only the groups of rows are wanted whose names contain a part.

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
    let only: Vec<String> = std::env::args().skip(1).collect();
    let page = bench::bench(&only, &mut std::io::stderr()).await?;
    if only.is_empty() {
        std::fs::write(paths::root().join("docs/benchmarks.md"), &page)?;
    }
    write!(std::io::stdout(), "{page}")?;
    Ok(())
}
