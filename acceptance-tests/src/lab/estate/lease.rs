//! Another run's leases, as a provider on another machine would lay them on hosts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::lab::estate::Estate;
use crate::lab::host::error::LabError;
use crate::lab::host::native::work_folder;
use crate::lab::host::time;

/// Whose leases they are.
pub const OWNER: &str = "alice@runner07, process 42, https://ci.contoso.com/job/7";

/// A lease that is renewed until this is dropped.
pub struct Renewed {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Estate {
    /// Lays the lease of another run on a host. Nobody renews it.
    pub fn lay_lease(&self, host: &str, set: &str, seconds_left: i64) -> Result<(), LabError> {
        let host = self.host(host)?;
        let lease = json!({
            "format": 1, "run": "99999999-2222-4333-8444-555555555555", "owner": OWNER, "set": set,
            "taken_at": time::ago(600), "renewed_at": time::ahead(seconds_left - 300), "expires_at": time::ahead(seconds_left),
        });
        host.write(&path(), lease.to_string()).map_err(LabError::file(host.path()))
    }

    /// Lays the lease of another run on a host and goes on renewing it.
    pub fn keep_lease(&self, host: &str, set: &str) -> Result<Renewed, LabError> {
        self.lay_lease(host, set, 300)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (estate, host, set, told) = (self.clone(), host.to_owned(), set.to_owned(), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(200));
                estate.lay_lease(&host, &set, 300).expect("the host is there");
            }
        });
        Ok(Renewed { ended, thread: Some(thread) })
    }

    /// Lets the time of the lease that lies on a host pass without a sign of its run.
    pub fn let_lease_end(&self, host: &str) -> Result<(), LabError> {
        let Some(mut lease) = self.lease(host)? else { return Ok(()) };
        lease["renewed_at"] = time::ago(600).into();
        lease["expires_at"] = time::ago(300).into();
        let host = self.host(host)?;
        host.write(&path(), lease.to_string()).map_err(LabError::file(host.path()))?;
        let real = host.real(&path()).map_err(LabError::file(host.path()))?;
        let file = std::fs::File::options().write(true).open(&real).map_err(LabError::file(&real))?;
        file.set_modified(SystemTime::now() - Duration::from_secs(600)).map_err(LabError::file(&real))
    }

    /// The lease that lies on a host.
    pub fn lease(&self, host: &str) -> Result<Option<Value>, LabError> {
        let host = self.host(host)?;
        Ok(host.read(&path()).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn path() -> String {
    work_folder::path("lease.json")
}
