//! Where the client connects: a Unix socket, or a local TCP port where there can be none.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::rpc::plugin::connection::Transport;
use crate::rpc::plugin::environment::Environment;

/// Longest path of a socket, in bytes, on the most limited system that has them.
#[cfg(unix)]
const MAXIMUM_SOCKET_PATH: usize = 103;

/// A bound listener.
pub enum Listener {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Where the client finds the listener. Dropping it removes the socket's file, so that it is kept by whoever sees the
/// process end, and not by a task that the end may cut off.
pub enum Address {
    #[cfg(unix)]
    Unix(SocketFile),
    Tcp(SocketAddr),
}

/// The file of a socket, removed with this.
#[cfg(unix)]
pub struct SocketFile(PathBuf);

impl Listener {
    /// Binds as the client wishes.
    pub async fn bind(environment: &Environment) -> io::Result<(Self, Address)> {
        #[cfg(unix)]
        {
            let path = environment.socket_folder.join(format!("plugin{}", uuid::Uuid::new_v4().simple()));
            if path.as_os_str().len() <= MAXIMUM_SOCKET_PATH && path.to_str().is_some() {
                return bind_socket(path, environment);
            }
        }
        bind_port(environment.ports).await
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Transport> {
        match self {
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl Address {
    /// The network and the address, as the handshake names them.
    pub fn named(&self) -> (&'static str, String) {
        match self {
            #[cfg(unix)]
            Self::Unix(file) => ("unix", file.0.display().to_string()),
            Self::Tcp(address) => ("tcp", address.to_string()),
        }
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // Someone else may have cleaned up; there is nobody left to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn bind_socket(path: PathBuf, environment: &Environment) -> io::Result<(Listener, Address)> {
    use std::os::unix::fs::PermissionsExt;

    let listener = UnixListener::bind(&path)?;
    let file = SocketFile(path);
    let mode = match &environment.socket_group {
        None => 0o600,
        Some(group) => {
            std::os::unix::fs::chown(&file.0, None, Some(group_id(group)?))?;
            0o660
        }
    };
    std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(mode))?;
    Ok((Listener::Unix(listener), Address::Unix(file)))
}

/// A group's number, from its number or its name in the local group file.
#[cfg(unix)]
fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group")?;
    let mut ids = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    ids.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no group {group}")))
}

async fn bind_port((first, last): (u16, u16)) -> io::Result<(Listener, Address)> {
    for port in first..=last {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            let address = listener.local_addr()?;
            return Ok((Listener::Tcp(listener), Address::Tcp(address)));
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no free port from {first} to {last}")))
}
