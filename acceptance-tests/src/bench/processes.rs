//! The first command of a process: what somebody waits for who starts a program for one command.

use crate::bench::commands::promised;
use crate::bench::rows::Rows;
use crate::bench::run::{FAR, NEAR, Run, WAYS, Work};
use crate::bench::stage::Failure;

/// How often each client is started.
const STARTS: usize = 9;

/// A program's start, a session, one command, the session's end, the program's end.
pub async fn first(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    for way in &WAYS {
        for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
            let ports = run.stage.open(1, way.listener, round_trip).await?;
            let work = Work { rounds: STARTS, ..Work::new("first", way) };
            let compared = run.compare(&work, &ports, &["1".to_owned()]).await?;
            let target = |client| promised(way, client, round_trip);
            for (what, printed) in [("its session", "first"), ("start to end", "process")] {
                let name = format!("first command of a process, {}, {what}, wall at {distance}", way.name);
                compared.seconds(rows, &name, printed, target)?;
            }
        }
    }
    Ok(())
}
