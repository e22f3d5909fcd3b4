//! What is measured, and what is promised for it.

use std::io::Write;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::bench::figures::Figures;
use crate::bench::peer::{Authentication, Client, Peers, RELEASE};
use crate::bench::rows::{Rows, Target, Unit};
use crate::bench::stage::{Failure, Stage, hex};
use crate::lab::wire::record::Listener;

/// How many hosts are asked at once.
pub const HOSTS: usize = 100;
const NEAR: Duration = Duration::ZERO;
const FAR: Duration = Duration::from_millis(20);
const SESSIONS: usize = 9;
const FURTHER: usize = 10;
const SMALL: usize = 5 * 1024 * 1024;
const LARGE: usize = 100 * 1024 * 1024;
/// winrmcp needs minutes for more, and what it does grows with the length of the file.
const WINRMCP_PART: usize = 40;

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
    SmallUploads,
    LargeUploads,
    ManyHosts,
}

impl Group {
    pub const ALL: [Self; 5] =
        [Self::ColdCommands, Self::FurtherCommands, Self::SmallUploads, Self::LargeUploads, Self::ManyHosts];

    pub fn name(self) -> &'static str {
        match self {
            Self::ColdCommands => "cold commands",
            Self::FurtherCommands => "second command on a host",
            Self::SmallUploads => "upload of 5 MB",
            Self::LargeUploads => "upload of 100 MB",
            Self::ManyHosts => "100 hosts at once",
        }
    }
}

/// One way in, and what is promised for its first command.
struct Way {
    name: &'static str,
    authentication: Authentication,
    listener: Listener,
    requests: f64,
}

const NTLM_HTTP: Way =
    Way { name: "NTLM/HTTP", authentication: Authentication::Ntlm, listener: Listener::Http, requests: 6.0 };
const WAYS: [Way; 3] = [
    Way { name: "Basic/HTTPS", authentication: Authentication::Basic, listener: Listener::Https, requests: 4.0 },
    NTLM_HTTP,
    Way { name: "NTLM/HTTPS", authentication: Authentication::Ntlm, listener: Listener::Https, requests: 5.0 },
];

impl Run<'_> {
    /// Measures one group and adds its rows.
    ///
    /// # Errors
    /// When the lab or our own client fails; another client that fails is part of its row.
    pub async fn group(&self, group: Group, rows: &mut Rows) -> Result<(), Failure> {
        match group {
            Group::ColdCommands => self.cold_commands(rows).await,
            Group::FurtherCommands => self.further_commands(rows).await,
            Group::SmallUploads => self.small_uploads(rows).await,
            Group::LargeUploads => self.large_uploads(rows).await,
            Group::ManyHosts => self.many_hosts(rows).await,
        }
    }

    /// A session, one command and the session's end.
    async fn cold_commands(&self, rows: &mut Rows) -> Result<(), Failure> {
        let arguments = [SESSIONS.to_string(), "0".to_owned()];
        let sessions = SESSIONS as f64;
        for way in &WAYS {
            for (round_trip, distance) in [(NEAR, "0 ms"), (FAR, "20 ms")] {
                let (own, others) = self.compare("commands", way, (1, round_trip), &arguments).await?;
                let name = |what: &str| format!("cold command, {}, {what}", way.name);
                let target = |client| match client {
                    Client::Pypsrp if round_trip == FAR && way.authentication == Authentication::Ntlm => 0.70,
                    Client::Pywinrm if round_trip == FAR && way.authentication == Authentication::Ntlm => 0.55,
                    _ => 1.0,
                };
                if round_trip == NEAR {
                    for (what, unit, figure, target) in [
                        ("requests", Unit::Count, requests as fn(&Figures) -> f64, Target::Own(way.requests)),
                        ("bytes up", Unit::Bytes, |figures| figures.bytes_up, Target::None),
                        ("bytes down", Unit::Bytes, |figures| figures.bytes_down, Target::None),
                    ] {
                        for (client, theirs) in &others {
                            let theirs = theirs.as_ref().map(|theirs| figure(theirs) / sessions);
                            let theirs = theirs.map_err(String::as_str);
                            rows.against(&name(what), unit, figure(&own) / sessions, (*client, theirs), target);
                        }
                    }
                }
                let name = name(&format!("wall at {distance}"));
                for (client, theirs) in &others {
                    let target = if round_trip == FAR { Target::Ratio(target(*client)) } else { Target::None };
                    let theirs = theirs.as_ref().map_err(String::as_str).and_then(|theirs| printed(theirs, "cold"));
                    rows.against(&name, Unit::Seconds, own_printed(&own, "cold")?, (*client, theirs), target);
                }
            }
        }
        Ok(())
    }

    /// What each further command of a session adds.
    async fn further_commands(&self, rows: &mut Rows) -> Result<(), Failure> {
        let way = &NTLM_HTTP;
        let without = ["1".to_owned(), "0".to_owned()];
        let with = ["1".to_owned(), FURTHER.to_string()];
        let (own_without, others_without) = self.compare("commands", way, (1, FAR), &without).await?;
        let (own, others) = self.compare("commands", way, (1, FAR), &with).await?;
        let added = |with: f64, without: f64| (with - without) / FURTHER as f64;
        let own_requests = added(own.requests, own_without.requests);
        for ((client, theirs), (_, without)) in others.iter().zip(&others_without) {
            let requests = theirs.as_ref().and_then(|theirs| Ok(added(theirs.requests, without.as_ref()?.requests)));
            let requests = (*client, requests.map_err(String::as_str));
            rows.against("second command on a host, requests", Unit::Count, own_requests, requests, Target::Own(2.0));
        }
        for (client, theirs) in &others {
            let theirs = theirs.as_ref().map_err(String::as_str).and_then(|theirs| printed(theirs, "further"));
            let own = own_printed(&own, "further")?;
            let name = "second command on a host, wall at 20 ms";
            rows.against(name, Unit::Seconds, own, (*client, theirs), Target::None);
        }
        let processes = added(own.processes, own_without.processes);
        rows.own("second command on a host, new processes there", Unit::Count, processes, Target::Own(0.0));
        Ok(())
    }

    /// 5 MB to one host.
    async fn small_uploads(&self, rows: &mut Rows) -> Result<(), Failure> {
        let file = incompressible(SMALL)?;
        let part = incompressible(SMALL / WINRMCP_PART)?;
        let ports = self.stage.open(1, Listener::Http, FAR).await?;
        let how = ("upload", Authentication::Ntlm, &ports);
        let times = 3;
        let own = self.peers.run(Client::Own, self.stage, how, &file.arguments(times)).await.map_err(own_failed)?;
        let own_seconds = own_printed(&own, "upload")?;
        let per_byte = |figures: &Figures, times: usize| figures.bytes_up / (times * SMALL) as f64;
        for client in Client::OTHERS {
            let (file, times, parts) =
                if client == Client::Masterzen { (&part, 1, WINRMCP_PART as f64) } else { (&file, times, 1.0) };
            let theirs = self.peers.run(client, self.stage, how, &file.arguments(times)).await;
            let theirs = theirs.as_ref().map_err(String::as_str);
            let requests = theirs.map(|theirs| (theirs.requests * parts / times as f64).round());
            let bytes = theirs.map(|theirs| per_byte(theirs, times) * parts);
            let seconds = theirs.and_then(|theirs| printed(theirs, "upload")).map(|seconds| seconds * parts);
            if client == Client::Masterzen && theirs.is_ok() {
                rows.note(format!(
                    "masterzen: upload: measured with one {WINRMCP_PART}th of the file and multiplied, which leaves it {WINRMCP_PART} \
                     logons; what it does grows with the length of the file"
                ));
            }
            let target = match client {
                Client::Pypsrp => Target::Ratio(0.55),
                Client::Masterzen => Target::Ratio(0.05),
                _ => Target::None,
            };
            let name = |what| format!("upload of 5 MB, NTLM/HTTP, {what}");
            let own_requests = own.requests / 3.0;
            rows.against(&name("requests"), Unit::Count, own_requests, (client, requests), Target::Own(20.0));
            let own_bytes = per_byte(&own, 3);
            rows.against(&name("bytes per byte"), Unit::PerByte, own_bytes, (client, bytes), Target::Own(1.35));
            rows.against(&name("wall at 20 ms"), Unit::Seconds, own_seconds, (client, seconds), target);
        }
        Ok(())
    }

    /// 100 MB to one host.
    async fn large_uploads(&self, rows: &mut Rows) -> Result<(), Failure> {
        let name = "upload of 100 MB, 4 streams, wall at 20 ms";
        rows.absent(name, "the client uploads over one stream", "at most 0.30 of 1 stream", "missed");
        if !RELEASE {
            let reason = "unoptimised cryptography takes minutes for it; `cargo bench-lab` measures it";
            rows.absent("upload of 100 MB, 1 stream", reason, "-", "skipped");
            return Ok(());
        }
        let file = incompressible(LARGE)?;
        let ports = self.stage.open(1, Listener::Http, FAR).await?;
        let how = ("upload", Authentication::Ntlm, &ports);
        let arguments = file.arguments(1);
        let own = self.peers.run(Client::Own, self.stage, how, &arguments).await.map_err(own_failed)?;
        let theirs = self.peers.run(Client::Pypsrp, self.stage, how, &arguments).await;
        let theirs = theirs.as_ref().map_err(String::as_str);
        let name = |what| format!("upload of 100 MB, NTLM/HTTP, 1 stream, {what}");
        let requests = (Client::Pypsrp, theirs.map(|theirs| theirs.requests));
        rows.against(&name("requests"), Unit::Count, own.requests, requests, Target::None);
        let per_byte = |figures: &Figures| figures.bytes_up / LARGE as f64;
        let bytes = (Client::Pypsrp, theirs.map(per_byte));
        rows.against(&name("bytes per byte"), Unit::PerByte, per_byte(&own), bytes, Target::None);
        let seconds = (Client::Pypsrp, theirs.and_then(|theirs| printed(theirs, "upload")));
        rows.against(&name("wall at 20 ms"), Unit::Seconds, own_printed(&own, "upload")?, seconds, Target::None);
        Ok(())
    }

    /// One host, then all at once.
    async fn many_hosts(&self, rows: &mut Rows) -> Result<(), Failure> {
        let (own, others) = self.compare("hosts", &NTLM_HTTP, (HOSTS, FAR), &["5".to_owned()]).await?;
        let times_one = |figures: &Figures| Some(figures.median("all")? / figures.median("one")?);
        let own_times = times_one(&own).ok_or_else(|| own_failed("it printed no time".to_owned()))?;
        for (client, theirs) in &others {
            let theirs = theirs.as_ref().map_err(String::as_str);
            let times = theirs.and_then(|theirs| times_one(theirs).ok_or("it printed no time"));
            let name = "100 hosts at once, 20 ms, wall over one host's";
            rows.against(name, Unit::Times, own_times, (*client, times), Target::Own(3.0));
            let seconds = theirs.and_then(|theirs| printed(theirs, "all"));
            let name = "100 hosts at once, 20 ms, wall";
            rows.against(name, Unit::Seconds, own_printed(&own, "all")?, (*client, seconds), Target::None);
            let memory = theirs.and_then(|theirs| printed(theirs, "memory"));
            let name = "100 hosts at once, peak memory over idle";
            let target = Target::Own(64.0 * 1024.0);
            rows.against(name, Unit::Memory, own_printed(&own, "memory")?, (*client, memory), target);
        }
        Ok(())
    }

    /// Lets every client do the same, one after the other.
    async fn compare(
        &self,
        action: &str,
        way: &Way,
        (hosts, round_trip): (usize, Duration),
        arguments: &[String],
    ) -> Result<(Figures, Vec<(Client, Result<Figures, String>)>), Failure> {
        let ports = self.stage.open(hosts, way.listener, round_trip).await?;
        let how = (action, way.authentication, &ports);
        let own = self.peers.run(Client::Own, self.stage, how, arguments).await.map_err(own_failed)?;
        let mut others = Vec::new();
        for client in Client::OTHERS {
            others.push((client, self.peers.run(client, self.stage, how, arguments).await));
        }
        Ok((own, others))
    }
}

fn requests(figures: &Figures) -> f64 {
    figures.requests
}

fn printed<'a>(figures: &Figures, name: &str) -> Result<f64, &'a str> {
    figures.median(name).ok_or("it printed no such figure")
}

fn own_printed(figures: &Figures, name: &str) -> Result<f64, Failure> {
    figures.median(name).ok_or_else(|| own_failed(format!("it printed no {name}")))
}

fn own_failed(reason: String) -> Failure {
    Failure::Client(format!("this project's client failed: {reason}"))
}

/// A file to upload.
struct Source {
    file: NamedTempFile,
    hash: String,
}

/// A file of pseudo-random bytes, the same in every run.
fn incompressible(length: usize) -> Result<Source, Failure> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    let mut file = NamedTempFile::new()?;
    file.write_all(&bytes)?;
    Ok(Source { file, hash: hex(&Sha256::digest(&bytes)) })
}

impl Source {
    fn arguments(&self, times: usize) -> [String; 3] {
        [times.to_string(), self.file.path().to_string_lossy().into_owned(), self.hash.clone()]
    }
}
