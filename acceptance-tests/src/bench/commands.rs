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

/// What each further command of a session adds.
pub async fn further(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let way = &NTLM_HTTP;
    let ports = run.stage.open(1, way.listener, FAR).await?;
    let without = ["1".to_owned(), "0".to_owned()];
    let with = ["1".to_owned(), FURTHER.to_string()];
    let (own_without, others_without) = run.compare("commands", way, &ports, &without).await?;
    let (own, others) = run.compare("commands", way, &ports, &with).await?;
    let added = |with: &Figures, without: &Figures, figure: fn(&Figures) -> f64| {
        let difference = each(with, figure, 1).value - each(without, figure, 1).value;
        Measured::exact(difference / FURTHER as f64)
    };
    for ((client, theirs), (_, without)) in others.iter().zip(&others_without) {
        let theirs = theirs.as_ref().and_then(|theirs| Ok(added(theirs, without.as_ref()?, requests)));
        let theirs = (client.name(), theirs.map_err(String::as_str));
        let own = added(&own, &own_without, requests);
        rows.against("second command on a host, requests", Unit::Count, own, theirs, Target::Own(2.0));
    }
    for (client, theirs) in &others {
        let theirs = (client.name(), printed(theirs, "further"));
        let name = "second command on a host, wall at 20 ms";
        rows.against(name, Unit::Seconds, own_printed(&own, "further")?, theirs, Target::None);
    }
    let processes = added(&own, &own_without, processes);
    rows.own("second command on a host, new processes there", Unit::Count, processes, Target::Own(0.0));
    Ok(())
}

/// All facts of a host: the provider's own query, and for the others the same script on standard input of the same
/// command line.
pub async fn queries(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let way = &NTLM_HTTP;
    let times = SESSIONS.to_string();
    let near = run.stage.open_queried(way.listener, NEAR).await?;
    // The first run shows what the others have to send.
    let own = Part { client: Client::Own, arguments: vec![times.clone()] };
    run.turns("query", way.authentication, &near, &[own], 1).await.remove(0).map_err(own_failed)?;
    let (words, input) = run.stage.captured();
    if words.is_empty() || input.is_empty() {
        return Err(own_failed("its query started nothing that others could start".to_owned()));
    }
    let (command, data) = (file_of(words.join("\n").as_bytes())?, file_of(&input)?);
    let path = |file: &NamedTempFile| file.path().to_string_lossy().into_owned();
    let arguments = [times, path(&command), path(&data)];
    for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
        let ports = run.stage.open_queried(way.listener, round_trip).await?;
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
        input.len()
    ));
    Ok(())
}

fn file_of(bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}
