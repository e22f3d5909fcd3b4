//! The provider's WinRM client as a program of its own, for the benchmark; see `acceptance-tests/src/bench/peer.rs`
//! for its command line.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use azuremfa::secret::Secret;
use azuremfa::winrm::endpoint::{Authentication, DEFAULT_PATH, Endpoint, Timeouts, TlsOptions, Transport};
use azuremfa::winrm::ranges;
use azuremfa::winrm::session::Session;
use azuremfa::winrm::stdin::Stdin;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["commands", authentication, url, sessions, further] => {
            commands(&endpoint(authentication, url)?, sessions.parse()?, further.parse()?).await
        }
        ["upload", authentication, url, times, file, hash] => {
            upload(&endpoint(authentication, url)?, times.parse()?, file, hash).await
        }
        ["upload", authentication, url, times, file, _, streams] => {
            upload_in_ranges(&endpoint(authentication, url)?, times.parse()?, file, streams.parse()?).await
        }
        ["hosts", authentication, urls, times] => {
            let endpoints: Outcome<Vec<Endpoint>> = urls.split(',').map(|url| endpoint(authentication, url)).collect();
            hosts(&endpoints?, times.parse()?).await
        }
        _ => Err("usage: peer ACTION AUTHENTICATION URLS COUNT [ARGUMENT]".into()),
    }
}

async fn commands(endpoint: &Endpoint, sessions: usize, further: usize) -> Outcome {
    for _ in 0..sessions {
        let begin = Instant::now();
        ask(endpoint, further).await?;
        report("cold", begin.elapsed())?;
    }
    Ok(())
}

async fn upload(endpoint: &Endpoint, times: usize, file: &str, hash: &str) -> Outcome {
    for _ in 0..times {
        let begin = Instant::now();
        let session = Session::new(endpoint.clone());
        let reader = tokio::fs::File::open(file).await?;
        let output = session.run("sha256", &[], Stdin::Reader(Box::new(reader))).await?;
        session.close().await;
        report("upload", begin.elapsed())?;
        if output.stdout != hash.as_bytes() {
            return Err(format!("the host received something else: {output:?}").into());
        }
    }
    Ok(())
}

/// As the provider puts files: each range to a command of its own, over several connections. What each command must
/// answer is known beforehand, as the whole file's hash is.
async fn upload_in_ranges(endpoint: &Endpoint, times: usize, file: &str, streams: usize) -> Outcome {
    let path = PathBuf::from(file);
    let ranges = ranges::cut(std::fs::metadata(&path)?.len(), streams);
    let mut hashes = HashMap::new();
    for range in &ranges {
        let mut bytes = Vec::new();
        ranges::open(&path, range).await?.read_to_end(&mut bytes).await?;
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hashes.insert(range.start, hash);
    }
    for _ in 0..times {
        let begin = Instant::now();
        let session = Session::new(endpoint.clone());
        let send = |range: Range<u64>| {
            let (session, path) = (session.clone(), path.clone());
            async move {
                let reader = ranges::open(&path, &range).await?;
                let output = session.run("sha256", &[], Stdin::Reader(Box::new(reader))).await?;
                Outcome::Ok((range.start, output))
            }
        };
        let outputs = ranges::send(ranges.clone(), streams, send).await?;
        session.close().await;
        report("upload", begin.elapsed())?;
        for (start, output) in outputs {
            if output.stdout != hashes[&start].as_bytes() {
                return Err(format!("the host received something else at {start}: {output:?}").into());
            }
        }
    }
    Ok(())
}

async fn hosts(endpoints: &[Endpoint], times: usize) -> Outcome {
    let first = endpoints.first().ok_or("no host")?;
    for _ in 0..times {
        let begin = Instant::now();
        ask(first, 0).await?;
        report("one", begin.elapsed())?;
    }
    let idle = memory("VmRSS:")?;
    for _ in 0..times {
        let begin = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for endpoint in endpoints {
            let endpoint = endpoint.clone();
            tasks.spawn(async move { ask(&endpoint, 0).await });
        }
        while let Some(asked) = tasks.join_next().await {
            asked??;
        }
        report("all", begin.elapsed())?;
    }
    say(&format!("memory {}", memory("VmHWM:")?.saturating_sub(idle)))
}

/// One command in a session of its own, and further ones in the same session, each of them timed.
async fn ask(endpoint: &Endpoint, further: usize) -> Outcome {
    let session = Session::new(endpoint.clone());
    quick(&session).await?;
    for _ in 0..further {
        let begin = Instant::now();
        quick(&session).await?;
        report("further", begin.elapsed())?;
    }
    session.close().await;
    Ok(())
}

async fn quick(session: &Session) -> Outcome {
    let output = session.run("quick", &[], Stdin::None).await?;
    if output.stdout == b"quick\r\n" { Ok(()) } else { Err(format!("the command printed {output:?}").into()) }
}

fn endpoint(authentication: &str, url: &str) -> Outcome<Endpoint> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').ok_or("no port")?;
    let username = std::env::var("LAB_USER")?;
    let password = Secret::new(std::env::var("LAB_PASSWORD")?);
    let transport = match scheme {
        "http" => Transport::Http,
        _ => Transport::Https(TlsOptions {
            ca_certificate: Some(std::fs::read_to_string(std::env::var("LAB_AUTHORITY")?)?),
            ..TlsOptions::default()
        }),
    };
    let authentication = match authentication {
        "basic" => Authentication::Basic { username, password },
        _ => Authentication::Ntlm { username, password },
    };
    Ok(Endpoint {
        host: host.to_owned(),
        port: port.parse()?,
        transport,
        path: DEFAULT_PATH.to_owned(),
        proxy: None,
        authentication,
        timeouts: Timeouts::default(),
    })
}

/// A size in KiB from what Linux says of this process.
fn memory(field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("Linux does not say the size")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

fn report(name: &str, time: Duration) -> Outcome {
    say(&format!("{name} {:.6}", time.as_secs_f64()))
}

fn say(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
