//! A way to a KDC on which its answers are counted.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Passes requests on, one connection each. Dropping it closes the way.
pub struct Counter {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    kdc: String,
    delay: Duration,
    is_closed: AtomicBool,
    answers: Mutex<Answers>,
}

/// How many answers of each kind a KDC has given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Tickets for accounts that have proved themselves (AS-REP).
    pub accounts: usize,
    /// Tickets for services (TGS-REP).
    pub services: usize,
    /// Refusals, and demands for a proof (KRB-ERROR).
    pub errors: usize,
}

impl Counter {
    /// A way to the KDC at this address, each of whose answers takes so much longer.
    pub fn start(kdc: String, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { kdc, delay, is_closed: AtomicBool::default(), answers: Mutex::default() });
        let here = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if here.is_closed.load(Ordering::SeqCst) {
                    break;
                }
                let (here, Ok(client)) = (Arc::clone(&here), client) else { continue };
                // Whoever goes away in the middle has gone away.
                std::thread::spawn(move || here.serve(client));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it is asked.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What the KDC has answered since this was asked last.
    pub fn take(&self) -> Answers {
        std::mem::take(&mut self.shared.answers())
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let request = message(&mut client)?;
        let mut kdc = TcpStream::connect(&self.kdc)?;
        kdc.write_all(&request)?;
        let answer = message(&mut kdc)?;
        std::thread::sleep(self.delay);
        {
            let mut answers = self.answers();
            let count = match answer.get(4) {
                Some(0x6b) => &mut answers.accounts,
                Some(0x6d) => &mut answers.services,
                _ => &mut answers.errors,
            };
            *count += 1;
        }
        client.write_all(&answer)?;
        client.shutdown(Shutdown::Both)
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One message with its length in front.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = length.to_vec();
    stream.take(u64::from(u32::from_be_bytes(length))).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
