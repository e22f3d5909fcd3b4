//! The provider's WinRM client as a program of its own, for the benchmark; see `acceptance-tests/src/bench/peer.rs`
//! for its command line.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use azuremfa::address::HostAddress;
use azuremfa::backend::Backend;
use azuremfa::backend::windows::{WindowsBackend, connection};
use azuremfa::secret::Secret;
use azuremfa::winrm::endpoint::{Authentication, DEFAULT_PATH, Endpoint, Timeouts, TlsOptions, Transport};
use azuremfa::winrm::limits::Limits;
use azuremfa::winrm::ranges;
use azuremfa::winrm::session::Session;
use azuremfa::winrm::stdin::Stdin;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["commands", authentication, url, sessions, further] => {
            commands("cold", &endpoint(authentication, url)?, sessions.parse()?, further.parse()?).await
        }
        ["first", authentication, url, sessions] => {
            commands("first", &endpoint(authentication, url)?, sessions.parse()?, 0).await
        }
        ["upload", authentication, url, times, file, hash, "--streams", "1"] => {
            upload(&endpoint(authentication, url)?, times.parse()?, file, hash).await
        }
        ["upload", authentication, url, times, file, _, "--streams", streams] => {
            upload_in_ranges(&endpoint(authentication, url)?, times.parse()?, file, streams.parse().ok()).await
        }
        ["query", authentication, url, times, further, ..] => {
            query(&endpoint(authentication, url)?, times.parse()?, further.parse()?).await
        }
        ["hosts", authentication, urls, times] => hosts(endpoints(authentication, urls)?, times.parse()?).await,
        ["queries", authentication, urls, times, ..] => queries(endpoints(authentication, urls)?, times.parse()?).await,
        _ => Err("usage: peer ACTION AUTHENTICATION URLS COUNT [ARGUMENT]".into()),
    }
}

async fn commands(name: &str, endpoint: &Endpoint, sessions: usize, further: usize) -> Outcome {
    for _ in 0..sessions {
        let begin = Instant::now();
        ask(endpoint, further).await?;
        report(name, begin.elapsed())?;
    }
    Ok(())
}

/// As the provider reads a host: its backend, its scripts, the decoding of the facts.
async fn query(endpoint: &Endpoint, times: usize, further: usize) -> Outcome {
    let connections = connections(endpoint)?;
    for _ in 0..times {
        let begin = Instant::now();
        let backend = WindowsBackend::new(Arc::clone(&connections), Arc::default());
        backend.observe(&HostAddress::named(&endpoint.host), true).await?;
        for _ in 0..further {
            let begin = Instant::now();
            backend.observe(&HostAddress::named(&endpoint.host), true).await?;
            report("further", begin.elapsed())?;
        }
        backend.close().await;
        report("query", begin.elapsed())?;
    }
    Ok(())
}

/// To any host, as the endpoint has it.
fn connections(endpoint: &Endpoint) -> Outcome<Arc<connection::Connections>> {
    let (username, password) = account()?;
    let connection = connection::Connection {
        username: Some(username),
        password: Some(password),
        authentication: match endpoint.authentication {
            Authentication::Basic { .. } => connection::Authentication::Basic,
            _ => connection::Authentication::Ntlm,
        },
        use_https: matches!(endpoint.transport, Transport::Https(_)),
        ca_certificate: Some(trusted()?),
        port: endpoint.port,
        ..connection::Connection::new(connection::DEFAULT)
    };
    Ok(Arc::new(connection::Connections { connections: vec![connection], ..connection::Connections::default() }))
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
/// answer is known beforehand, as the whole file's hash is. Without a number of streams the provider's choice is taken.
async fn upload_in_ranges(endpoint: &Endpoint, times: usize, file: &str, streams: Option<usize>) -> Outcome {
    let path = PathBuf::from(file);
    let length = std::fs::metadata(&path)?.len();
    let possible: Vec<usize> = streams.map_or((1..=ranges::MOST_STREAMS).collect(), |streams| vec![streams]);
    let mut hashes = HashMap::new();
    for range in possible.into_iter().flat_map(|streams| ranges::cut(length, streams)) {
        let mut bytes = Vec::new();
        ranges::open(&path, &range).await?.read_to_end(&mut bytes).await?;
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hashes.insert(range, hash);
    }
    for _ in 0..times {
        let begin = Instant::now();
        let session = Session::new(endpoint.clone());
        let streams = match streams {
            Some(streams) => streams,
            None => {
                session.open().await?;
                ranges::streams(length, session.round_trip().unwrap_or_default(), ranges::MOST_STREAMS)
            }
        };
        let send = |range: Range<u64>| {
            let (session, path) = (session.clone(), path.clone());
            async move {
                let reader = ranges::open(&path, &range).await?;
                let output = session.run("sha256", &[], Stdin::Reader(Box::new(reader))).await?;
                Outcome::Ok((range, output))
            }
        };
        let outputs = ranges::send(ranges::cut(length, streams), streams, send).await?;
        session.close().await;
        report("upload", begin.elapsed())?;
        for (range, output) in outputs {
            if output.stdout != hashes[&range].as_bytes() {
                return Err(format!("the host received something else at {range:?}: {output:?}").into());
            }
        }
    }
    Ok(())
}

async fn hosts(endpoints: Vec<Endpoint>, times: usize) -> Outcome {
    let ask = |endpoints: Vec<Endpoint>| async move {
        let mut tasks = JoinSet::new();
        endpoints.into_iter().for_each(|endpoint| drop(tasks.spawn(async move { ask(&endpoint, 0).await })));
        all(tasks).await
    };
    many(&endpoints, times, ask).await
}

/// All hosts by one backend over one connection.
async fn queries(endpoints: Vec<Endpoint>, times: usize) -> Outcome {
    let connections = connections(endpoints.first().ok_or("no host")?)?;
    let ask = |endpoints: Vec<Endpoint>| {
        let backend = Arc::new(WindowsBackend::new(Arc::clone(&connections), Arc::default()));
        async move {
            let mut tasks: JoinSet<Outcome> = JoinSet::new();
            for endpoint in endpoints {
                let backend = Arc::clone(&backend);
                tasks.spawn(
                    async move { Ok(backend.observe(&HostAddress::named(&endpoint.host), true).await.map(drop)?) },
                );
            }
            all(tasks).await?;
            backend.close().await;
            Ok(())
        }
    };
    many(&endpoints, times, ask).await
}

/// One host, then all, with the memory that takes.
async fn many<F: Future<Output = Outcome>>(
    endpoints: &[Endpoint],
    times: usize,
    ask: impl Fn(Vec<Endpoint>) -> F,
) -> Outcome {
    let mut idle = 0;
    for (name, asked) in [("one", &endpoints[..1]), ("all", endpoints)] {
        idle = memory("VmRSS:")?;
        for _ in 0..times {
            let begin = Instant::now();
            ask(asked.to_vec()).await?;
            report(name, begin.elapsed())?;
        }
    }
    say(&format!("memory {}", memory("VmHWM:")?.saturating_sub(idle)))
}

async fn all(mut tasks: JoinSet<Outcome>) -> Outcome {
    while let Some(asked) = tasks.join_next().await {
        asked??;
    }
    Ok(())
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

fn endpoints(authentication: &str, urls: &str) -> Outcome<Vec<Endpoint>> {
    urls.split(',').map(|url| endpoint(authentication, url)).collect()
}

fn endpoint(authentication: &str, url: &str) -> Outcome<Endpoint> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').ok_or("no port")?;
    let (username, password) = account()?;
    let transport = match scheme {
        "http" => Transport::Http,
        _ => Transport::Https(TlsOptions { ca_certificate: Some(trusted()?), ..TlsOptions::default() }),
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
        limits: Limits::default(),
    })
}

fn trusted() -> Outcome<String> {
    Ok(std::fs::read_to_string(std::env::var("LAB_AUTHORITY")?)?)
}

fn account() -> Outcome<(String, Secret)> {
    Ok((std::env::var("LAB_USER")?, Secret::new(std::env::var("LAB_PASSWORD")?)))
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
