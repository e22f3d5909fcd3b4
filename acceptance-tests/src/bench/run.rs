//! What is measured, and how: every client does the same work, and they take turns, so that a machine that is busy with
//! something else for a while is busy for all of them.

use std::time::Duration;

use crate::bench::figures::Figures;
use crate::bench::peer::{Authentication, Client, Peers};
use crate::bench::rows::{Measured, Rows};
use crate::bench::stage::{Failure, Ports, Stage};
use crate::bench::{commands, hosts, uploads};
use crate::lab::wire::record::Listener;

/// How many hosts are asked at once.
pub const HOSTS: usize = 100;
pub const NEAR: Duration = Duration::ZERO;
pub const FAR: Duration = Duration::from_millis(20);
/// How often each client has its turn.
pub const ROUNDS: usize = 3;

/// The stage and the clients.
pub struct Run<'a> {
    pub stage: &'a Stage,
    pub peers: &'a Peers,
}

/// What is measured together.
#[derive(Clone, Copy, Debug)]
pub enum Group {
    ColdCommands,
    FurtherCommands,
    Queries,
    SmallUploads,
    LargeUploads,
    ManyHosts,
}

/// One client's part in a measurement: its action's arguments.
pub struct Part {
    pub client: Client,
    pub arguments: Vec<String>,
}

/// What a client's turns came to, or why it has none.
pub type Outcome = Result<Figures, String>;

/// One way in, and what is promised for its first command.
pub struct Way {
    pub name: &'static str,
    pub authentication: Authentication,
    pub listener: Listener,
    pub requests: f64,
}

pub const NTLM_HTTP: Way =
    Way { name: "NTLM/HTTP", authentication: Authentication::Ntlm, listener: Listener::Http, requests: 6.0 };
pub const WAYS: [Way; 3] = [
    Way { name: "Basic/HTTPS", authentication: Authentication::Basic, listener: Listener::Https, requests: 4.0 },
    NTLM_HTTP,
    Way { name: "NTLM/HTTPS", authentication: Authentication::Ntlm, listener: Listener::Https, requests: 5.0 },
];

impl Group {
    pub const ALL: [Self; 6] = [
        Self::ColdCommands,
        Self::FurtherCommands,
        Self::Queries,
        Self::SmallUploads,
        Self::LargeUploads,
        Self::ManyHosts,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ColdCommands => "cold commands",
            Self::FurtherCommands => "second command on a host",
            Self::Queries => "host query",
            Self::SmallUploads => "upload of 5 MB",
            Self::LargeUploads => "upload of 100 MB",
            Self::ManyHosts => "100 hosts at once",
        }
    }
}

impl Run<'_> {
    /// Measures one group and adds its rows.
    ///
    /// # Errors
    /// When the lab or our own client fails; another client that fails is part of its row.
    pub async fn group(&self, group: Group, rows: &mut Rows) -> Result<(), Failure> {
        match group {
            Group::ColdCommands => commands::cold(self, rows).await,
            Group::FurtherCommands => commands::further(self, rows).await,
            Group::Queries => commands::queries(self, rows).await,
            Group::SmallUploads => uploads::small(self, rows).await,
            Group::LargeUploads => uploads::large(self, rows).await,
            Group::ManyHosts => hosts::many(self, rows).await,
        }
    }

    /// Lets clients take turns; gives what all turns of each came to, in the order of `parts`.
    pub async fn turns(
        &self,
        action: &str,
        authentication: Authentication,
        ports: &Ports,
        parts: &[Part],
        rounds: usize,
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = parts.iter().map(|_| Ok(Figures::default())).collect();
        for _ in 0..rounds {
            for (part, outcome) in parts.iter().zip(&mut outcomes) {
                let Ok(figures) = outcome else { continue };
                let how = (action, authentication, ports);
                match self.peers.run(part.client, self.stage, how, &part.arguments).await {
                    Ok(turn) => figures.add(turn),
                    Err(reason) => *outcome = Err(reason),
                }
            }
        }
        outcomes
    }

    /// Lets all clients do the same; gives our own figures and those of the others.
    pub async fn compare(
        &self,
        action: &str,
        way: &Way,
        ports: &Ports,
        arguments: &[String],
    ) -> Result<(Figures, Vec<(Client, Outcome)>), Failure> {
        let parts = Client::ALL.map(|client| Part { client, arguments: arguments.to_vec() });
        let mut outcomes = self.turns(action, way.authentication, ports, &parts, ROUNDS).await;
        let own = outcomes.remove(0).map_err(own_failed)?;
        Ok((own, Client::OTHERS.into_iter().zip(outcomes).collect()))
    }
}

/// The middle of the times that another client printed.
pub fn printed<'a>(outcome: &'a Outcome, name: &str) -> Result<Measured, &'a str> {
    let figures = outcome.as_ref().map_err(String::as_str)?;
    figures.median(name).ok_or("it printed no such figure")
}

/// The middle of the times that our own client printed.
pub fn own_printed(figures: &Figures, name: &str) -> Result<Measured, Failure> {
    figures.median(name).ok_or_else(|| own_failed(format!("it printed no {name}")))
}

/// A figure that was counted, per unit of work, of which there were `works` in each turn.
pub fn counted(outcome: &Outcome, figure: fn(&Figures) -> f64, works: usize) -> Result<Measured, &str> {
    outcome.as_ref().map(|figures| each(figures, figure, works)).map_err(String::as_str)
}

/// As [`counted`], of figures that are there.
pub fn each(figures: &Figures, figure: fn(&Figures) -> f64, works: usize) -> Measured {
    Measured::exact(figure(figures) / figures.turns / works as f64)
}

pub fn own_failed(reason: String) -> Failure {
    Failure::Client(format!("this project's client failed: {reason}"))
}

pub fn requests(figures: &Figures) -> f64 {
    figures.requests
}

pub fn bytes_up(figures: &Figures) -> f64 {
    figures.bytes_up
}

pub fn bytes_down(figures: &Figures) -> f64 {
    figures.bytes_down
}

pub fn processes(figures: &Figures) -> f64 {
    figures.processes
}
