//! Commands: the first one on a host, further ones, and the provider's own query.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::bench::figures::Figures;
use crate::bench::peer::{Authentication, Client};
use crate::bench::rows::{Measured, Rows, Target, Unit};
use crate::bench::run::{
    FAR, NEAR, NTLM_HTTP, Outcome, Part, ROUNDS, Run, WAYS, Way, bytes_down, bytes_up, counted, each, own_failed,
    own_printed, printed, processes, requests,
};
use crate::bench::stage::{Failure, Ports};

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
            let (own, others) = run.compare("commands", way, &ports, &arguments).await?;
            let name = |what: &str| format!("cold command, {}, {what}", way.name);
            if round_trip == NEAR {
                counts(rows, &name, (&own, &others), Target::Own(way.requests));
            }
            for (client, theirs) in &others {
                let target = if round_trip == FAR { Target::Ratio(promised(way, *client)) } else { Target::None };
                let name = name(&format!("wall at {distance}"));
                let own = own_printed(&own, "cold")?;
                rows.against(&name, Unit::Seconds, own, (client.name(), printed(theirs, "cold")), target);
            }
        }
    }
    Ok(())
}

/// What part of another client's time ours is at most.
fn promised(way: &Way, client: Client) -> f64 {
    match client {
        Client::Pypsrp if way.authentication == Authentication::Ntlm => 0.70,
        Client::Pywinrm if way.authentication == Authentication::Ntlm => 0.55,
        _ => 1.0,
    }
}

/// Requests and bytes of one session.
fn counts(
    rows: &mut Rows,
    name: &dyn Fn(&str) -> String,
    (own, others): (&Figures, &[(Client, Outcome)]),
    promised: Target,
) {
    for (what, unit, figure, target) in [
        ("requests", Unit::Count, requests as fn(&Figures) -> f64, promised),
        ("bytes up", Unit::Bytes, bytes_up, Target::None),
        ("bytes down", Unit::Bytes, bytes_down, Target::None),
    ] {
        for (client, theirs) in others {
            let theirs = (client.name(), counted(theirs, figure, SESSIONS));
            rows.against(&name(what), unit, each(own, figure, SESSIONS), theirs, target);
        }
    }
}

/// What each further command of a session adds; the provider's own work is scripts, so the promise is about those.
pub async fn further(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let ports = run.stage.open(1, NTLM_HTTP.listener, FAR).await?;
    let of = |further: usize| vec!["1".to_owned(), further.to_string()];
    let measured = run.further(("commands", &ports), &of).await?;
    measured.rows(rows, "second plain command on a host", (Target::None, Target::None))?;
    let script = Script::of(run).await?;
    let ports = run.stage.open(1, NTLM_HTTP.listener, FAR).await?;
    let measured = run.further(("query", &ports), &|further| script.arguments(1, further)).await?;
    measured.rows(rows, "second command on a host", (Target::Own(2.0), Target::Own(0.0)))
}

/// All clients without and with further commands.
struct Further {
    own: [Figures; 2],
    others: Vec<(Client, [Outcome; 2])>,
}

impl Run<'_> {
    async fn further(
        &self,
        (action, ports): (&str, &Ports),
        arguments: &(dyn Fn(usize) -> Vec<String> + Sync),
    ) -> Result<Further, Failure> {
        let (own_without, without) = self.compare(action, &NTLM_HTTP, ports, &arguments(0)).await?;
        let (own, with) = self.compare(action, &NTLM_HTTP, ports, &arguments(FURTHER)).await?;
        let pairs = without.into_iter().zip(with);
        let others = pairs.map(|((client, without), (_, with))| (client, [without, with])).collect();
        Ok(Further { own: [own_without, own], others })
    }
}

impl Further {
    fn rows(
        &self,
        rows: &mut Rows,
        name: &str,
        (requests_at_most, processes_at_most): (Target, Target),
    ) -> Result<(), Failure> {
        let added = |[without, with]: [&Figures; 2], figure: fn(&Figures) -> f64| {
            Measured::exact((each(with, figure, 1).value - each(without, figure, 1).value) / FURTHER as f64)
        };
        let both = |[without, with]: &[Outcome; 2], figure| {
            let [without, with] = [without, with].map(|outcome| outcome.as_ref().map_err(Clone::clone));
            Ok(added([without?, with?], figure))
        };
        let [own_without, own] = &self.own;
        for (what, figure, target) in [
            ("requests", requests as fn(&Figures) -> f64, requests_at_most),
            ("new processes there", processes, processes_at_most),
        ] {
            for (client, theirs) in &self.others {
                let theirs: Result<Measured, String> = both(theirs, figure);
                let theirs = (client.name(), theirs.as_ref().copied().map_err(String::as_str));
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

/// What the provider sends to read a host, for others to send.
pub struct Script {
    command: NamedTempFile,
    input: NamedTempFile,
    length: usize,
}

impl Script {
    /// Has our own client read the host once.
    pub async fn of(run: &Run<'_>) -> Result<Self, Failure> {
        let ports = run.stage.open(1, NTLM_HTTP.listener, NEAR).await?;
        let own = Part { client: Client::Own, arguments: vec!["1".to_owned(), "0".to_owned()] };
        run.turns("query", NTLM_HTTP.authentication, &ports, &[own], 1).await.remove(0).map_err(own_failed)?;
        let (words, input) = run.stage.captured();
        if words.is_empty() || input.is_empty() {
            return Err(own_failed("its query started nothing that others could start".to_owned()));
        }
        Ok(Self { command: file_of(words.join("\n").as_bytes())?, input: file_of(&input)?, length: input.len() })
    }

    /// What follows the URLs of `query`.
    pub fn arguments(&self, times: usize, further: usize) -> Vec<String> {
        let path = |file: &NamedTempFile| file.path().to_string_lossy().into_owned();
        vec![times.to_string(), further.to_string(), path(&self.command), path(&self.input)]
    }
}

/// All facts of a host: the provider's own query, and for the others the same script on standard input of the same
/// command line.
pub async fn queries(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let way = &NTLM_HTTP;
    let script = Script::of(run).await?;
    let arguments = script.arguments(SESSIONS, 0);
    for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
        let ports = run.stage.open(1, way.listener, round_trip).await?;
        let (own, others) = run.compare("query", way, &ports, &arguments).await?;
        let name = |what: &str| format!("host query, {}, {what}", way.name);
        if others.iter().any(|(client, theirs)| *client == Client::Masterzen && theirs.is_err()) {
            rows.note(
                "masterzen: host query: it reads output while it sends input, and its encryption has one security session \
                 for both (`encryption.go`), so that messages are sealed with another's keys"
                    .to_owned(),
            );
        }
        if round_trip == NEAR {
            counts(rows, &name, (&own, &others), Target::None);
        }
        for (client, theirs) in &others {
            let name = name(&format!("wall at {distance}"));
            let theirs = (client.name(), printed(theirs, "query"));
            rows.against(&name, Unit::Seconds, own_printed(&own, "query")?, theirs, Target::None);
        }
    }
    rows.note(format!(
        "host query: a session, the script Get-HostFacts with {} bytes of standard input, the session's end; {ROUNDS} turns \
         of {SESSIONS}. The others send what our client was seen to send, and do not read the facts out of the reply",
        script.length
    ));
    Ok(())
}

fn file_of(bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}
