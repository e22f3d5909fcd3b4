//! Many hosts at once.

use crate::bench::commands::Script;
use crate::bench::figures::Figures;
use crate::bench::rows::{Measured, Rows, Target, Unit};
use crate::bench::run::{FAR, HOSTS, NTLM_HTTP, Run, own_failed, own_printed, printed};
use crate::bench::stage::{Failure, Ports};

/// How often one host and how often all are asked in a turn.
const TIMES: usize = 2;

/// One host, then all at once: a plain command on each, then all facts of each.
pub async fn many(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let script = Script::of(run).await?;
    let ports = run.stage.open(HOSTS, NTLM_HTTP.listener, FAR).await?;
    let plain = vec![TIMES.to_string()];
    asked(run, rows, ("hosts", &plain, &ports), "100 hosts, a plain command on each", (Target::None, Target::None))
        .await?;
    let queries = script.arguments(TIMES, 0);
    let promised = (Target::Own(3.0), Target::Own(64.0 * 1024.0));
    asked(run, rows, ("queries", &queries, &ports), "100 hosts queried at once", promised).await
}

async fn asked(
    run: &Run<'_>,
    rows: &mut Rows,
    (action, arguments, ports): (&str, &[String], &Ports),
    name: &str,
    (times_at_most, memory_at_most): (Target, Target),
) -> Result<(), Failure> {
    let (own, others) = run.compare(action, &NTLM_HTTP, ports, arguments).await?;
    let times_one = |figures: &Figures| {
        let (all, one) = (figures.median("all")?, figures.median("one")?);
        Some(Measured { value: all.value / one.value, runs: all.runs })
    };
    let own_times = times_one(&own).ok_or_else(|| own_failed("it printed no time".to_owned()))?;
    for (client, theirs) in &others {
        let peer = client.name();
        let times = theirs.as_ref().map_err(String::as_str).and_then(|it| times_one(it).ok_or("it printed no time"));
        let row = format!("{name}, 20 ms, wall over one host's");
        rows.against(&row, Unit::Times, own_times, (peer, times), times_at_most);
        let seconds = (peer, printed(theirs, "all"));
        rows.against(&format!("{name}, 20 ms, wall"), Unit::Seconds, own_printed(&own, "all")?, seconds, Target::None);
        let row = format!("{name}, peak memory over idle");
        let memory = (peer, printed(theirs, "memory"));
        rows.against(&row, Unit::Memory, own_printed(&own, "memory")?, memory, memory_at_most);
    }
    Ok(())
}
