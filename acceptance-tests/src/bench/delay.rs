//! A TCP proxy that makes loopback as slow as a distant host, and counts what goes through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::bench::alarm::wait_until;

/// A port in front of another. Dropping it closes the port and its connections.
pub struct Delay {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

/// What went through. Bytes are TCP payload, so with HTTP heads and TLS.
#[derive(Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    round_trips: AtomicU64,
}

/// Chunks on the way in one direction; more than this is on no link of interest, and bounds the memory.
const ON_THE_WAY: usize = 256;

impl Delay {
    /// Opens a port at `address` that leads to `target` and back in `round_trip`. Port 0 is any.
    ///
    /// Half of it is added each way, and the first bytes of a connection come one round trip later, as the
    /// connection's own set-up takes that long.
    pub async fn open(address: SocketAddr, target: SocketAddr, round_trip: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(serve(listener, target, round_trip, Arc::clone(&counts)));
        Ok(Self { address, counts, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that clients have sent so far.
    pub fn bytes_up(&self) -> u64 {
        self.counts.up.load(Ordering::Relaxed)
    }

    /// Bytes that have gone to clients so far.
    pub fn bytes_down(&self) -> u64 {
        self.counts.down.load(Ordering::Relaxed)
    }

    /// How often clients have waited for the way there and back so far: once for each connection, and once whenever
    /// something they sent was answered. What several connections wait for at the same time counts on each.
    ///
    /// Meant for a distance: what comes back without delay may pass what a client is still sending.
    pub fn round_trips(&self) -> u64 {
        self.counts.round_trips.load(Ordering::Relaxed)
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, round_trip: Duration, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connect(client, target, round_trip, Arc::clone(&counts)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, round_trip: Duration, counts: Arc<Counts>) {
    let established = Instant::now() + round_trip;
    counts.round_trips.fetch_add(1, Ordering::Relaxed);
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Waiting for more to send at once would be a delay that nobody asked for.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let way = Way { established, delay: round_trip / 2 };
    let client_waits = AtomicBool::new(false);
    let sent = |length| {
        counts.up.fetch_add(length, Ordering::Relaxed);
        // After its last words, length 0, a client waits for nothing.
        client_waits.store(length > 0, Ordering::Relaxed);
    };
    let received = |length| {
        counts.down.fetch_add(length, Ordering::Relaxed);
    };
    let answered = || {
        if client_waits.swap(false, Ordering::Relaxed) {
            counts.round_trips.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(
        carry((client_reads, sent), (server_writes, || ()), way),
        carry((server_reads, received), (client_writes, answered), way),
    );
}

/// How long what arrives takes.
#[derive(Clone, Copy)]
struct Way {
    established: Instant,
    delay: Duration,
}

/// Carries one direction to its end; what has arrived leaves one delay later, however much is on the way. `arrived` is
/// told the length of each piece and 0 at the end, `leaves` called before each piece goes on.
async fn carry(
    (mut from, arrived): (impl AsyncRead + Unpin, impl Fn(u64)),
    (mut to, leaves): (impl AsyncWrite + Unpin, impl Fn()),
    way: Way,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(ON_THE_WAY);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            arrived(length as u64);
            let when = Instant::now().max(way.established) + way.delay;
            if sender.send((when, Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
                return;
            }
        }
        arrived(0);
    };
    let write = async move {
        while let Some((when, bytes)) = receiver.recv().await {
            wait_until(when).await;
            leaves();
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A server that sends each byte back at once.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("port");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn adds_a_round_trip_to_each_exchange_and_one_to_the_first() {
        let round_trip = Duration::from_millis(40);
        let delay = Delay::open(ANY, echo().await, round_trip).await.expect("delay");
        let mut stream = TcpStream::connect(delay.address()).await.expect("connection");
        for (sent, at_least) in [(b"first", 2), (b"again", 1)] {
            let begin = Instant::now();
            stream.write_all(sent).await.expect("sent");
            let mut received = [0; 5];
            stream.read_exact(&mut received).await.expect("received");
            assert_eq!(&received, sent);
            assert!(begin.elapsed() >= round_trip * at_least, "{:?}", begin.elapsed());
        }
        assert_eq!((delay.bytes_up(), delay.bytes_down()), (10, 10));
        assert_eq!(delay.round_trips(), 3);
    }

    #[tokio::test]
    async fn what_is_sent_without_waiting_is_one_round_trip() {
        let delay = Delay::open(ANY, echo().await, Duration::from_millis(100)).await.expect("delay");
        let mut stream = TcpStream::connect(delay.address()).await.expect("connection");
        for piece in [b"one", b"two"] {
            stream.write_all(piece).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut received = [0; 6];
        stream.read_exact(&mut received).await.expect("received");
        assert_eq!(&received, b"onetwo");
        stream.write_all(b"bye").await.expect("sent");
        drop(stream);
        tokio::time::sleep(Duration::from_millis(150)).await;
        // Nobody waits for the answer to the last words.
        assert_eq!((delay.round_trips(), delay.bytes_down()), (2, 9));
    }

    #[tokio::test]
    async fn carries_the_end_of_a_connection() {
        let delay = Delay::open(ANY, echo().await, Duration::ZERO).await.expect("delay");
        let mut stream = TcpStream::connect(delay.address()).await.expect("connection");
        let sent = vec![7; 1_000_000];
        let (mut reads, mut writes) = stream.split();
        let mut received = Vec::new();
        let send = async {
            writes.write_all(&sent).await.expect("sent");
            writes.shutdown().await.expect("ended");
        };
        let (_, read) = tokio::join!(send, reads.read_to_end(&mut received));
        read.expect("received");
        assert_eq!(received, sent);
    }
}
