//! Commands: the first one on a host, and further ones.

use std::time::Duration;

use crate::bench::figures::Figures;
use crate::bench::peer::{Authentication, Client};
use crate::bench::queries::Script;
use crate::bench::rows::{Lack, Measured, Rows, Target, Unit};
use crate::bench::run::{
    FAR, NEAR, NTLM_HTTP, Outcome, Run, WAYS, Way, Work, each, own_printed, printed, processes, requests, round_trips,
};
use crate::bench::stage::Failure;

/// Sessions in one turn.
const SESSIONS: usize = 5;
/// Further commands of a session.
const FURTHER: usize = 10;

/// A session, one command and the session's end.
pub async fn cold(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let arguments = [SESSIONS.to_string(), "0".to_owned()];
    for way in &WAYS {
        for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
            let ports = run.stage.open(1, way.listener, round_trip).await?;
            let compared = run.compare(&Work::new("commands", way), &ports, &arguments).await?;
            let name = |what: &str| format!("cold command, {}, {what}", way.name);
            compared.wire(rows, &name, (SESSIONS, round_trip), Target::Own(way.requests));
            let target = |client| promised(way, client, round_trip);
            compared.seconds(rows, &name(&format!("wall at {distance}")), "cold", target)?;
        }
    }
    Ok(())
}

/// What part of another client's time ours is at most.
pub fn promised(way: &Way, client: Client, round_trip: Duration) -> Target {
    if round_trip == NEAR {
        return Target::None;
    }
    Target::Ratio(match client {
        Client::Pypsrp if way.authentication == Authentication::Ntlm => 0.70,
        Client::Pywinrm if way.authentication == Authentication::Ntlm => 0.55,
        _ => 1.0,
    })
}

/// What each further command of a session adds; the provider's own work is scripts, so the promise is about those.
pub async fn further(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let of = |further: usize| vec!["1".to_owned(), further.to_string()];
    let plain = run.further(&Work::new("commands", &NTLM_HTTP), &of).await?;
    plain.rows(rows, "second plain command on a host", (Target::None, Target::None))?;
    let script = Script::of(run).await?;
    for work in Work::with_input("query") {
        let measured = run.further(&work, &|further| script.arguments(1, further)).await?;
        let name = format!("second command on a host, {}", work.way.name);
        measured.rows(rows, &name, (Target::Own(2.0), Target::Own(0.0)))?;
    }
    Ok(())
}

/// All clients without and with further commands.
struct Further {
    own: [Figures; 2],
    others: Vec<(Client, [Outcome; 2])>,
}

impl Run<'_> {
    async fn further(
        &self,
        work: &Work<'_>,
        arguments: &(dyn Fn(usize) -> Vec<String> + Sync),
    ) -> Result<Further, Failure> {
        let ports = self.stage.open(1, work.way.listener, FAR).await?;
        let without = self.compare(work, &ports, &arguments(0)).await?;
        let with = self.compare(work, &ports, &arguments(FURTHER)).await?;
        let pairs = without.others.into_iter().zip(with.others);
        let others = pairs.map(|((client, without), (_, with))| (client, [without, with])).collect();
        Ok(Further { own: [without.own, with.own], others })
    }
}

impl Further {
    fn rows(
        &self,
        rows: &mut Rows,
        name: &str,
        (round_trips_at_most, processes_at_most): (Target, Target),
    ) -> Result<(), Failure> {
        let added = |[without, with]: [&Figures; 2], figure: fn(&Figures) -> f64| {
            Measured::exact((each(with, figure, 1).value - each(without, figure, 1).value) / FURTHER as f64)
        };
        let both = |[without, with]: &[Outcome; 2], figure| -> Result<Measured, Lack> {
            let [without, with] = [without, with].map(|outcome| outcome.as_ref().map_err(Clone::clone));
            Ok(added([without?, with?], figure))
        };
        let [own_without, own] = &self.own;
        for (what, figure, target) in [
            ("requests", requests as fn(&Figures) -> f64, round_trips_at_most),
            ("round trips", round_trips, round_trips_at_most),
            ("new processes there", processes, processes_at_most),
        ] {
            for (client, theirs) in &self.others {
                let theirs = (client.name(), both(theirs, figure));
                let own = added([own_without, own], figure);
                rows.against(&format!("{name}, {what}"), Unit::Count, own, theirs, target);
            }
        }
        for (client, [_, theirs]) in &self.others {
            let own = own_printed(own, "further")?;
            let name = format!("{name}, wall at 20 ms");
            rows.against(&name, Unit::Seconds, own, (client.name(), printed(theirs, "further")), Target::None);
        }
        Ok(())
    }
}
