//! Where the client connects: a Unix socket, or a local TCP port where there can be none.

use std::io;
use std::path::PathBuf;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::rpc::plugin::connection::Transport;
use crate::rpc::plugin::environment::Environment;

/// Longest path of a socket, in bytes, on the most limited system that has them.
#[cfg(unix)]
const MAXIMUM_SOCKET_PATH: usize = 103;

/// A bound listener. Dropping it removes its socket file.
pub enum Listener {
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener, String),
}

/// The file of a socket, removed with this.
pub struct SocketFile(PathBuf);

impl Listener {
    /// Binds as the client wishes.
    pub async fn bind(environment: &Environment) -> io::Result<Self> {
        #[cfg(unix)]
        {
            let path = environment.socket_folder.join(format!("plugin{}", uuid::Uuid::new_v4().simple()));
            if path.as_os_str().len() <= MAXIMUM_SOCKET_PATH && path.to_str().is_some() {
                return bind_socket(path, environment);
            }
        }
        bind_port(environment.ports).await
    }

    /// The network and the address, as the handshake names them.
    pub fn address(&self) -> (&'static str, String) {
        match self {
            #[cfg(unix)]
            Self::Unix(_, file) => ("unix", file.0.display().to_string()),
            Self::Tcp(_, address) => ("tcp", address.clone()),
        }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Transport> {
        match self {
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Someone else may have cleaned up; there is nobody left to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn bind_socket(path: PathBuf, environment: &Environment) -> io::Result<Listener> {
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
    Ok(Listener::Unix(listener, file))
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

async fn bind_port((first, last): (u16, u16)) -> io::Result<Listener> {
    for port in first..=last {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            let address = listener.local_addr()?.to_string();
            return Ok(Listener::Tcp(listener, address));
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no free port from {first} to {last}")))
}
