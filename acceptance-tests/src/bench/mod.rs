//! The benchmark of the WinRM client: the same work over the same lab by this project's client and by others.
//!
//! Read in this order: [`run`] says what is measured ([`commands`], [`processes`], [`queries`], [`uploads`], [`hosts`]),
//! [`peer`] how a client is driven, [`stage`] what it is driven against, [`delay`] how the round trip is made, [`rows`] what is promised, [`table`] how it is printed.

use std::io::Write;

use crate::bench::peer::{Client, Peers};
use crate::bench::rows::Rows;
use crate::bench::stage::{Failure, Stage};

pub mod alarm;
pub mod commands;
pub mod delay;
pub mod figures;
pub mod hosts;
pub mod peer;
pub mod processes;
pub mod queries;
pub mod rows;
pub mod run;
pub mod stage;
pub mod table;
pub mod uploads;

/// Measures everything, or only the groups whose names contain one of `only`, and gives the table and what there is to know about it as Markdown.
///
/// # Errors
/// When the lab fails. A client that fails is a row that says so.
pub async fn bench(only: &[String], progress: &mut (dyn Write + Send)) -> Result<String, Failure> {
    let peers = tokio::task::spawn_blocking(Peers::prepare).await.expect("preparing does not panic")?;
    let mut rows = Rows::default();
    for (client, reason) in peers.skipped() {
        rows.note(format!("{}: skipped: {reason}", client.name()));
    }
    let stage = Stage::start(run::HOSTS).await?;
    let run = run::Run { stage: &stage, peers: &peers };
    let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    for group in run::Group::ALL.into_iter().filter(|group| wanted(group.name())) {
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(progress, "measuring {}", group.name());
        match run.group(group, &mut rows).await {
            // The others still say something.
            Err(Failure::Client(reason)) => rows.absent(group.name(), &reason, "measured", "missed"),
            result => result?,
        }
    }
    Ok(table::document(&rows, &Client::ALL.map(Client::describe)))
}
