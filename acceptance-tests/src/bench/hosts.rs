//! Many hosts at once.

use crate::bench::figures::Figures;
use crate::bench::queries::Script;
use crate::bench::rows::{Lack, Measured, Rows, Target, Unit};
use crate::bench::run::{FAR, HOSTS, NTLM_HTTP, Outcome, Run, Work, own_failed, own_printed, printed};
use crate::bench::stage::Failure;

/// How often one host and how often all are asked in a turn.
const TIMES: usize = 2;

/// One host, then all at once: a plain command on each, then all facts of each.
pub async fn many(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let script = Script::of(run).await?;
    let plain = (Work::new("hosts", &NTLM_HTTP), vec![TIMES.to_string()]);
    asked(run, rows, plain, "100 hosts, a plain command on each", (Target::None, Target::None)).await?;
    for work in Work::with_input("queries") {
        let name = format!("100 hosts queried at once, {}", work.way.name);
        let promised = (Target::Own(3.0), Target::Own(64.0 * 1024.0));
        asked(run, rows, (work, script.arguments(TIMES, 0)), &name, promised).await?;
    }
    Ok(())
}

async fn asked(
    run: &Run<'_>,
    rows: &mut Rows,
    (work, arguments): (Work<'_>, Vec<String>),
    name: &str,
    (times_at_most, memory_at_most): (Target, Target),
) -> Result<(), Failure> {
    let ports = run.stage.open(HOSTS, work.way.listener, FAR).await?;
    let compared = run.compare(&work, &ports, &arguments).await?;
    let own = &compared.own;
    let own_times = times_one(own).ok_or_else(|| own_failed("it printed no time".to_owned()))?;
    for (client, theirs) in &compared.others {
        let row = format!("{name}, 20 ms, wall over one host's");
        rows.against(&row, Unit::Times, own_times, (client.name(), their_times(theirs)), times_at_most);
        let seconds = (client.name(), printed(theirs, "all"));
        rows.against(&format!("{name}, 20 ms, wall"), Unit::Seconds, own_printed(own, "all")?, seconds, Target::None);
        let row = format!("{name}, peak memory over idle");
        let memory = (client.name(), printed(theirs, "memory"));
        rows.against(&row, Unit::Memory, own_printed(own, "memory")?, memory, memory_at_most);
    }
    Ok(())
}

/// How many times as long as one host all of them took.
fn times_one(figures: &Figures) -> Option<Measured> {
    let (all, one) = (figures.median("all")?, figures.median("one")?);
    Some(Measured { value: all.value / one.value, runs: all.runs })
}

fn their_times(outcome: &Outcome) -> Result<Measured, Lack> {
    let figures = outcome.as_ref().map_err(Clone::clone)?;
    times_one(figures).ok_or_else(|| Lack::Skipped("it printed no time".to_owned()))
}
