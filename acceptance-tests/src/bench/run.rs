//! What is measured, and how: every client does the same work, and they take turns, so that a machine that is busy with
//! something else for a while is busy for all of them.

use std::time::Duration;

use crate::bench::figures::Figures;
use crate::bench::peer::{Authentication, Client, Peers};
use crate::bench::rows::{Lack, Measured, Rows, Target, Unit};
use crate::bench::stage::{Failure, Ports, Stage};
use crate::bench::{commands, hosts, processes, queries, uploads};
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
    FirstCommands,
    FurtherCommands,
    Queries,
    SmallUploads,
    LargeUploads,
    ManyHosts,
}

/// One client's part in a measurement: what it does, and with what besides the URLs.
pub struct Part<'a> {
    pub client: Client,
    pub action: &'a str,
    pub arguments: Vec<String>,
}

/// A figure that is counted: what it is called, how it is written, where it is found, and what is promised.
type Counted = (&'static str, Unit, fn(&Figures) -> f64, Target);

/// What is done and compared.
pub struct Work<'a> {
    pub action: &'a str,
    pub way: &'a Way,
    pub others: &'a [Client],
    /// How often each client has its turn.
    pub rounds: usize,
}

impl<'a> Work<'a> {
    /// What all clients do.
    pub fn new(action: &'a str, way: &'a Way) -> Self {
        Self { action, way, others: &Client::OTHERS, rounds: ROUNDS }
    }

    /// What needs standard input: all clients by NTLM over HTTP; with Basic over HTTPS those that cannot do it so.
    pub fn with_input(action: &'a str) -> [Self; 2] {
        [Self::new(action, &NTLM_HTTP), Self { others: &[Client::Masterzen], ..Self::new(action, &BASIC_HTTPS) }]
    }
}

/// What a client's turns came to, or why it has none.
pub type Outcome = Result<Figures, Lack>;

/// One way in, and what is promised for its first command.
pub struct Way {
    pub name: &'static str,
    pub authentication: Authentication,
    pub listener: Listener,
    pub requests: f64,
}

pub const NTLM_HTTP: Way =
    Way { name: "NTLM/HTTP", authentication: Authentication::Ntlm, listener: Listener::Http, requests: 6.0 };
pub const BASIC_HTTPS: Way =
    Way { name: "Basic/HTTPS", authentication: Authentication::Basic, listener: Listener::Https, requests: 4.0 };
pub const WAYS: [Way; 3] = [
    BASIC_HTTPS,
    NTLM_HTTP,
    Way { name: "NTLM/HTTPS", authentication: Authentication::Ntlm, listener: Listener::Https, requests: 5.0 },
];

impl Group {
    pub const ALL: [Self; 7] = [
        Self::ColdCommands,
        Self::FirstCommands,
        Self::FurtherCommands,
        Self::Queries,
        Self::SmallUploads,
        Self::LargeUploads,
        Self::ManyHosts,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ColdCommands => "cold commands",
            Self::FirstCommands => "first command of a process",
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
            Group::FirstCommands => processes::first(self, rows).await,
            Group::FurtherCommands => commands::further(self, rows).await,
            Group::Queries => queries::queries(self, rows).await,
            Group::SmallUploads => uploads::small(self, rows).await,
            Group::LargeUploads => uploads::large(self, rows).await,
            Group::ManyHosts => hosts::many(self, rows).await,
        }
    }

    /// Lets clients take turns; gives what all turns of each came to, in the order of `parts`.
    pub async fn turns(
        &self,
        authentication: Authentication,
        ports: &Ports,
        parts: &[Part<'_>],
        rounds: usize,
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = parts.iter().map(|_| Ok(Figures::default())).collect();
        for _ in 0..rounds {
            for (part, outcome) in parts.iter().zip(&mut outcomes) {
                let Ok(figures) = outcome else { continue };
                let how = (part.action, authentication, ports);
                match self.peers.run(part.client, self.stage, how, &part.arguments).await {
                    Ok(turn) => figures.add(turn),
                    Err(reason) => *outcome = Err(reason),
                }
            }
        }
        outcomes
    }

    /// Lets our own client and others do the same. `arguments` follow the URLs.
    pub async fn compare(&self, work: &Work<'_>, ports: &Ports, arguments: &[String]) -> Result<Compared, Failure> {
        let clients = std::iter::once(&Client::Own).chain(work.others);
        let part = |client: &Client| Part { client: *client, action: work.action, arguments: arguments.to_vec() };
        let parts: Vec<Part<'_>> = clients.map(part).collect();
        let mut outcomes = self.turns(work.way.authentication, ports, &parts, work.rounds).await;
        let own = outcomes.remove(0).map_err(|lack| own_lacks(&lack))?;
        Ok(Compared { own, others: work.others.iter().copied().zip(outcomes).collect() })
    }
}

/// Our own figures and those of the others.
pub struct Compared {
    pub own: Figures,
    pub others: Vec<(Client, Outcome)>,
}

impl Compared {
    /// Rows for what went over the wire, which `works` units of work in a turn share: requests and bytes near by, where
    /// nothing takes long, and round trips at a distance, where they can be counted.
    pub fn wire(
        &self,
        rows: &mut Rows,
        name: &dyn Fn(&str) -> String,
        (works, round_trip): (usize, Duration),
        requests_at_most: Target,
    ) {
        let near: [Counted; 3] = [
            ("requests", Unit::Count, requests, requests_at_most),
            ("bytes up", Unit::Bytes, bytes_up, Target::None),
            ("bytes down", Unit::Bytes, bytes_down, Target::None),
        ];
        let far: [Counted; 1] = [("round trips", Unit::Count, round_trips, Target::None)];
        for &(what, unit, figure, target) in if round_trip == NEAR { &near[..] } else { &far } {
            for (client, theirs) in &self.others {
                let theirs = (client.name(), counted(theirs, figure, works));
                rows.against(&name(what), unit, each(&self.own, figure, works), theirs, target);
            }
        }
    }

    /// A row for each other client with the middle of what was printed under a name.
    pub fn seconds(
        &self,
        rows: &mut Rows,
        row: &str,
        name: &str,
        target: impl Fn(Client) -> Target,
    ) -> Result<(), Failure> {
        for (client, theirs) in &self.others {
            let own = own_printed(&self.own, name)?;
            rows.against(row, Unit::Seconds, own, (client.name(), printed(theirs, name)), target(*client));
        }
        Ok(())
    }
}

/// The middle of the times that another client printed.
pub fn printed(outcome: &Outcome, name: &str) -> Result<Measured, Lack> {
    let figures = outcome.as_ref().map_err(Clone::clone)?;
    figures.median(name).ok_or_else(|| Lack::Skipped(format!("it printed no {name}")))
}

/// The middle of the times that our own client printed.
pub fn own_printed(figures: &Figures, name: &str) -> Result<Measured, Failure> {
    figures.median(name).ok_or_else(|| own_failed(format!("it printed no {name}")))
}

/// A figure that was counted, per unit of work, of which there were `works` in each turn.
pub fn counted(outcome: &Outcome, figure: fn(&Figures) -> f64, works: usize) -> Result<Measured, Lack> {
    outcome.as_ref().map(|figures| each(figures, figure, works)).map_err(Clone::clone)
}

/// As [`counted`], of figures that are there.
pub fn each(figures: &Figures, figure: fn(&Figures) -> f64, works: usize) -> Measured {
    Measured::exact(figure(figures) / figures.turns / works as f64)
}

pub fn own_failed(reason: String) -> Failure {
    Failure::Client(format!("this project's client failed: {reason}"))
}

pub fn own_lacks(lack: &Lack) -> Failure {
    own_failed(lack.reason().to_owned())
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

pub fn round_trips(figures: &Figures) -> f64 {
    figures.round_trips
}

pub fn processes(figures: &Figures) -> f64 {
    figures.processes
}
