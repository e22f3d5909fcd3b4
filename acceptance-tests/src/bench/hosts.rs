//! Many hosts at once.

use crate::bench::figures::Figures;
use crate::bench::rows::{Measured, Rows, Target, Unit};
use crate::bench::run::{FAR, HOSTS, NTLM_HTTP, Run, own_failed, own_printed, printed};
use crate::bench::stage::Failure;

/// One host, then all at once.
pub async fn many(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let ports = run.stage.open(HOSTS, NTLM_HTTP.listener, FAR).await?;
    let (own, others) = run.compare("hosts", &NTLM_HTTP, &ports, &["2".to_owned()]).await?;
    let times_one = |figures: &Figures| {
        let (all, one) = (figures.median("all")?, figures.median("one")?);
        Some(Measured { value: all.value / one.value, runs: all.runs })
    };
    let own_times = times_one(&own).ok_or_else(|| own_failed("it printed no time".to_owned()))?;
    for (client, theirs) in &others {
        let peer = client.name();
        let times = theirs.as_ref().map_err(String::as_str).and_then(|it| times_one(it).ok_or("it printed no time"));
        let name = "100 hosts at once, 20 ms, wall over one host's";
        rows.against(name, Unit::Times, own_times, (peer, times), Target::Own(3.0));
        let name = "100 hosts at once, 20 ms, wall";
        let seconds = (peer, printed(theirs, "all"));
        rows.against(name, Unit::Seconds, own_printed(&own, "all")?, seconds, Target::None);
        let name = "100 hosts at once, peak memory over idle";
        let memory = (peer, printed(theirs, "memory"));
        let target = Target::Own(64.0 * 1024.0);
        rows.against(name, Unit::Memory, own_printed(&own, "memory")?, memory, target);
    }
    Ok(())
}
