//! The command shells open on one host, under the quotas of WinRM.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::lab::wire::command::Command;
use crate::lab::wire::envelope::{COMMAND_SHELL, Create};
use crate::lab::wire::fault::{Fault, Shape};
use crate::lab::wire::psrp;
use crate::lab::wire::psrp::runspace::Pool;

/// Limits of WinRM, with the defaults of Windows Server 2012 and later.
#[derive(Clone, Debug)]
pub struct Quotas {
    pub max_shells_per_user: usize,
    /// Commands a shell can start in its life: for command shells the count never goes down
    /// (MS-WSMV, product behaviour 118).
    pub max_concurrent_operations_per_user: usize,
    pub max_processes_per_shell: usize,
    /// Largest request body in units of 1,024 bytes; a larger one is answered with HTTP 413.
    pub max_envelope_size_kb: usize,
    /// How the operation quota is reported.
    pub operation_quota_shape: Shape,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            max_shells_per_user: 30,
            max_concurrent_operations_per_user: 1500,
            max_processes_per_shell: 25,
            max_envelope_size_kb: 500,
            operation_quota_shape: Shape::WmiError,
        }
    }
}

/// An open shell.
pub struct Shell {
    pub id: String,
    pub owner: String,
    pub code_page: u32,
    pub no_profile: bool,
    pub created: Instant,
    pub request: Create,
    /// It is one of PowerShell's.
    pub runspace: Option<Runspace>,
    commands: Mutex<Commands>,
}

/// What a shell of PowerShell is besides.
pub struct Runspace {
    pub pool: Arc<Pool>,
    /// What the shell itself writes.
    pub streams: Command,
}

#[derive(Default)]
struct Commands {
    running: HashMap<String, Arc<Command>>,
    /// Ended commands: their output is gone, a signal to them is no error.
    ended: HashSet<String>,
    started: usize,
    /// The shell is gone; a command that was about to start must not stay behind.
    closed: bool,
}

/// All shells of a host.
#[derive(Default)]
pub struct Shells {
    open: Mutex<BTreeMap<String, Arc<Shell>>>,
}

impl Shells {
    /// Opens a shell for a user.
    pub fn create(&self, shell: Shell, quotas: &Quotas) -> Result<Arc<Shell>, Fault> {
        let mut open = self.open.lock().expect("shells");
        if open.values().filter(|other| other.owner == shell.owner).count() >= quotas.max_shells_per_user {
            return Err(Fault::too_many_shells(quotas.max_shells_per_user));
        }
        if open.contains_key(&shell.id) {
            return Err(Fault::invalid_parameter());
        }
        let shell = Arc::new(shell);
        open.insert(shell.id.clone(), Arc::clone(&shell));
        Ok(shell)
    }

    /// The user's shell of this identifier.
    pub fn find(&self, id: Option<&str>, user: &str) -> Result<Arc<Shell>, Fault> {
        let id = id.unwrap_or_default().to_ascii_uppercase();
        let shell = self.open.lock().expect("shells").get(&id).cloned().ok_or_else(|| Fault::shell_not_found(&id))?;
        if shell.owner == user { Ok(shell) } else { Err(Fault::access_denied()) }
    }

    /// Closes a shell and ends what it started.
    pub fn close(&self, id: &str) {
        let shell = self.open.lock().expect("shells").remove(&id.to_ascii_uppercase());
        shell.into_iter().for_each(|shell| shell.end_all());
    }

    /// Closes every shell, as a restart of the host or of its WinRM service does.
    pub fn close_all(&self) {
        let shells = std::mem::take(&mut *self.open.lock().expect("shells"));
        shells.into_values().for_each(|shell| shell.end_all());
    }

    /// The idle timeouts that the open shells were asked for with.
    pub fn idle_timeouts(&self) -> Vec<String> {
        let open = self.open.lock().expect("shells");
        open.values().filter_map(|shell| shell.request.idle_timeout.clone()).collect()
    }

    /// Identifiers of the open shells.
    pub fn ids(&self) -> Vec<String> {
        self.open.lock().expect("shells").keys().cloned().collect()
    }
}

impl Shell {
    /// A shell as its creator asked for.
    pub fn new(id: String, owner: &str, code_page: u32, no_profile: bool, request: Create) -> Self {
        Self {
            id,
            owner: owner.to_owned(),
            code_page,
            no_profile,
            created: Instant::now(),
            request,
            runspace: None,
            commands: Mutex::default(),
        }
    }

    /// A shell of PowerShell, as its creator asked for.
    pub fn of_powershell(owner: &str, request: Create, pool: Arc<Pool>) -> Self {
        let id = request.shell_id.as_deref().and_then(chosen_id).unwrap_or_else(new_id);
        let streams = Command::new(pool.streams());
        Self { runspace: Some(Runspace { pool, streams }), ..Self::new(id, owner, 65001, false, request) }
    }

    /// The resource that it is an instance of.
    pub fn resource(&self) -> &'static str {
        if self.runspace.is_some() { psrp::RESOURCE } else { COMMAND_SHELL }
    }

    /// Counts a command that is about to start; refuses it when a quota is used up.
    pub fn admit(&self, quotas: &Quotas) -> Result<(), Fault> {
        let mut commands = self.commands.lock().expect("commands");
        let maximum = quotas.max_concurrent_operations_per_user;
        if commands.started >= maximum {
            return Err(Fault::too_many_operations(maximum, quotas.operation_quota_shape));
        }
        if commands.running.values().filter(|command| command.is_running()).count() >= quotas.max_processes_per_shell {
            return Err(Fault::too_many_processes());
        }
        commands.started += 1;
        Ok(())
    }

    /// Keeps a started command under the identifier that the client chose, or a new one; gives it.
    pub fn insert(&self, id: Option<&str>, command: Command) -> Result<String, Fault> {
        let mut commands = self.commands.lock().expect("commands");
        if commands.closed {
            command.abort();
            return Err(Fault::shell_not_found(&self.id));
        }
        let id = id.map_or_else(new_id, str::to_ascii_uppercase);
        commands.running.insert(id.clone(), Arc::new(command));
        Ok(id)
    }

    /// The command of this identifier, unless it has ended.
    pub fn command(&self, id: &str) -> Result<Arc<Command>, Fault> {
        let commands = self.commands.lock().expect("commands");
        commands.running.get(&id.to_ascii_uppercase()).cloned().ok_or_else(Fault::command_not_found)
    }

    /// Whether there has been such a command and it has ended.
    pub fn has_ended(&self, id: &str) -> bool {
        self.commands.lock().expect("commands").ended.contains(&id.to_ascii_uppercase())
    }

    /// Forgets a command whose exit code was received or which was terminated.
    pub fn forget(&self, id: &str) {
        let mut commands = self.commands.lock().expect("commands");
        let id = id.to_ascii_uppercase();
        if commands.running.remove(&id).is_some() {
            commands.ended.insert(id);
        }
    }

    /// Number of processes that run now.
    pub fn running(&self) -> usize {
        let commands = self.commands.lock().expect("commands");
        commands.running.values().filter(|command| command.is_running()).count()
    }

    fn end_all(&self) {
        let mut commands = self.commands.lock().expect("commands");
        commands.closed = true;
        std::mem::take(&mut commands.running).into_values().for_each(|command| command.abort());
        if let Some(runspace) = &self.runspace {
            runspace.streams.abort();
        }
    }
}

/// An identifier that a client has chosen, as the host writes it.
pub(super) fn chosen_id(id: &str) -> Option<String> {
    uuid::Uuid::parse_str(id).ok().map(|id| id.to_string().to_uppercase())
}

/// An identifier of the host's own.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string().to_uppercase()
}
