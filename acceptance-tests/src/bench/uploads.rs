//! Files to a host.

use std::io::Write;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::bench::figures::Figures;
use crate::bench::peer::{Client, RELEASE};
use crate::bench::rows::{Lack, Measured, Rows, Target, Unit};
use crate::bench::run::{
    FAR, NTLM_HTTP, Outcome, Part, ROUNDS, Run, bytes_up, counted, each, own_lacks, own_printed, printed, requests,
};
use crate::bench::stage::{Failure, hex};

const SMALL: usize = 5 * 1024 * 1024;
const LARGE: usize = 100 * 1024 * 1024;
/// winrmcp needs minutes for more, and what it does grows with the length of the file.
const WINRMCP_PART: usize = 40;
/// Uploads in one turn.
const TIMES: usize = 2;

/// A file to upload.
struct Source {
    file: NamedTempFile,
    hash: String,
}

/// The figures of one size: ours by streams, then the others'.
struct Uploads {
    size: usize,
    times: usize,
    /// `size` as people say it.
    label: &'static str,
    own: [Outcome; 3],
}

/// The last is as many as the provider takes for that file at that distance.
const STREAMS: [&str; 3] = ["1", "4", "auto"];

/// Where a copied file goes.
const DESTINATION: &str = "C:\\Windows\\Temp\\upload.bin";

/// 5 MB to one host.
pub async fn small(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    let file = incompressible(SMALL)?;
    let part = incompressible(SMALL / WINRMCP_PART)?;
    let ports = run.stage.open(1, NTLM_HTTP.listener, FAR).await?;
    let mut parts: Vec<Part<'_>> = STREAMS.iter().map(|streams| file.own(TIMES, streams)).collect();
    parts.push(file.copy(TIMES));
    parts.extend([Client::Pypsrp, Client::Pywinrm].map(|client| file.upload(client, TIMES)));
    let mut outcomes = run.turns(NTLM_HTTP.authentication, &ports, &parts, ROUNDS).await.into_iter();
    let winrmcp = [part.upload(Client::Masterzen, 1)];
    let winrmcp = run.turns(NTLM_HTTP.authentication, &ports, &winrmcp, 1).await.remove(0);
    let mut next = || outcomes.next().expect("there is an outcome for each part");
    let uploads = Uploads { size: SMALL, times: TIMES, label: "5 MB", own: [next(), next(), next()] };
    let copied = next().and_then(|figures| match run.stage.take_hash(DESTINATION) {
        Ok(hash) if hash == file.hash => Ok(figures),
        Ok(hash) => Err(Lack::Skipped(format!("the host received something else: {hash}"))),
        Err(error) => Err(Lack::Skipped(format!("the file is not on the host: {error}"))),
    });
    uploads.rows(rows, ("pypsrp copy", &copied), Target::Ratio(0.55))?;
    uploads.rows(rows, ("pypsrp stdin", &next()), Target::Ratio(1.0))?;
    uploads.rows(rows, (Client::Pywinrm.name(), &next()), Target::None)?;
    uploads.against_winrmcp(rows, &winrmcp)?;
    uploads.against_one_stream(rows, Target::None)
}

/// 100 MB to one host.
pub async fn large(run: &Run<'_>, rows: &mut Rows) -> Result<(), Failure> {
    if !RELEASE {
        let reason = "unoptimised cryptography takes minutes for it; `cargo bench-lab` measures it";
        rows.absent("upload of 100 MB", reason, "at most 0.30 of 1 stream", "skipped");
        return Ok(());
    }
    let file = incompressible(LARGE)?;
    let ports = run.stage.open(1, NTLM_HTTP.listener, FAR).await?;
    let mut parts: Vec<Part<'_>> = STREAMS.iter().map(|streams| file.own(1, streams)).collect();
    parts.push(file.upload(Client::Pypsrp, 1));
    let mut outcomes = run.turns(NTLM_HTTP.authentication, &ports, &parts, ROUNDS).await.into_iter();
    let mut next = || outcomes.next().expect("there is an outcome for each part");
    let uploads = Uploads { size: LARGE, times: 1, label: "100 MB", own: [next(), next(), next()] };
    uploads.rows(rows, ("pypsrp stdin", &next()), Target::None)?;
    uploads.against_one_stream(rows, Target::Ratio(0.30))
}

impl Uploads {
    fn name(&self, streams: &str, what: &str) -> String {
        let streams = match streams {
            "1" => "1 stream",
            "auto" => "streams as chosen",
            _ => "4 streams",
        };
        format!("upload of {}, NTLM/HTTP, {streams}, {what}", self.label)
    }

    /// Ours over one stream.
    fn single(&self) -> Result<&Figures, Failure> {
        self.own[0].as_ref().map_err(own_lacks)
    }

    fn per_byte(&self, measured: Measured) -> Measured {
        Measured::exact(measured.value / self.size as f64)
    }

    /// Ours over one stream and over several, beside another client's one.
    fn rows(&self, rows: &mut Rows, (peer, theirs): (&'static str, &Outcome), wall: Target) -> Result<(), Failure> {
        let promised = |limit: f64| if self.size == SMALL { Target::Own(limit) } else { Target::None };
        let chosen = self.own[2].as_ref().map_err(own_lacks)?;
        for (streams, own) in [("1", self.single()?), ("auto", chosen)] {
            let their_requests = counted(theirs, requests, self.times);
            let name = self.name(streams, "requests");
            rows.against(&name, Unit::Count, each(own, requests, self.times), (peer, their_requests), promised(20.0));
            let their_bytes = counted(theirs, bytes_up, self.times).map(|bytes| self.per_byte(bytes));
            let own_bytes = self.per_byte(each(own, bytes_up, self.times));
            let name = self.name(streams, "bytes per byte");
            rows.against(&name, Unit::PerByte, own_bytes, (peer, their_bytes), promised(1.35));
        }
        for (streams, own) in STREAMS.iter().zip(&self.own) {
            let Ok(own) = own else { continue };
            let name = self.name(streams, "wall at 20 ms");
            let seconds = printed(theirs, "upload");
            rows.against(&name, Unit::Seconds, own_printed(own, "upload")?, (peer, seconds), wall);
        }
        Ok(())
    }

    fn against_winrmcp(&self, rows: &mut Rows, theirs: &Outcome) -> Result<(), Failure> {
        let peer = Client::Masterzen.name();
        let whole = |part: Measured| Measured { value: part.value * WINRMCP_PART as f64, ..part };
        let own = self.single()?;
        let name = self.name("1", "requests");
        let requests_of = (peer, counted(theirs, requests, 1).map(whole));
        rows.against(&name, Unit::Count, each(own, requests, self.times), requests_of, Target::None);
        let name = self.name("1", "bytes per byte");
        let bytes = (peer, counted(theirs, bytes_up, 1).map(whole).map(|bytes| self.per_byte(bytes)));
        rows.against(&name, Unit::PerByte, self.per_byte(each(own, bytes_up, self.times)), bytes, Target::None);
        let name = self.name("1", "wall at 20 ms");
        let seconds = (peer, printed(theirs, "upload").map(whole));
        rows.against(&name, Unit::Seconds, own_printed(own, "upload")?, seconds, Target::Ratio(0.05));
        if theirs.is_ok() {
            rows.note(format!(
                "{peer}: upload: measured with one {WINRMCP_PART}th of the file and multiplied, which leaves it {WINRMCP_PART} \
                 openings and ends; what it does grows with the length of the file"
            ));
        }
        Ok(())
    }

    /// Ours over several streams beside ours over one.
    fn against_one_stream(&self, rows: &mut Rows, wall: Target) -> Result<(), Failure> {
        const PEER: &str = "own, 1";
        let [_, streams, _] = STREAMS;
        let single = self.single()?;
        let name = self.name(streams, "wall at 20 ms");
        let several = match &self.own[1] {
            Ok(several) => several,
            Err(lack) => {
                let verdict = if matches!(wall, Target::None) { "-" } else { "missed" };
                rows.absent(&name, lack.reason(), &wall.write(Unit::Seconds), verdict);
                return Ok(());
            }
        };
        let of = |figures| each(figures, requests, self.times);
        let name_of = |what| self.name(streams, what);
        rows.against(&name_of("requests"), Unit::Count, of(several), (PEER, Ok(of(single))), Target::None);
        let of = |figures| self.per_byte(each(figures, bytes_up, self.times));
        rows.against(&name_of("bytes per byte"), Unit::PerByte, of(several), (PEER, Ok(of(single))), Target::None);
        let one = (PEER, Ok(own_printed(single, "upload")?));
        rows.against(&name, Unit::Seconds, own_printed(several, "upload")?, one, wall);
        Ok(())
    }
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
    fn path(&self) -> String {
        self.file.path().to_string_lossy().into_owned()
    }

    /// To a program that answers with the hash.
    fn upload(&self, client: Client, times: usize) -> Part<'static> {
        Part { client, action: "upload", arguments: vec![times.to_string(), self.path(), self.hash.clone()] }
    }

    /// To a file, in pypsrp's own way.
    fn copy(&self, times: usize) -> Part<'static> {
        let arguments = vec![times.to_string(), self.path(), DESTINATION.to_owned()];
        Part { client: Client::Pypsrp, action: "copy", arguments }
    }

    /// Only ours can be told how many streams to use.
    fn own(&self, times: usize, streams: &str) -> Part<'static> {
        let mut part = self.upload(Client::Own, times);
        part.arguments.extend(["--streams".to_owned(), streams.to_owned()]);
        part
    }
}
