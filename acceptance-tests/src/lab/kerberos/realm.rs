//! A realm with a KDC of its own, on a free port of loopback.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::lab::kerberos::acceptor::Acceptor;
use crate::tools::kerberos::Kerberos;

/// The realm of the lab's domain.
pub const REALM: &str = "CONTOSO.COM";
/// The realm of a domain below it.
pub const CHILD: &str = "CHILD.CONTOSO.COM";

/// A running realm. Dropping it ends the KDC and removes its database.
pub struct Realm {
    programs: Kerberos,
    folder: TempDir,
    kdc: Child,
    reserved: Reserved,
}

/// A port that is nobody else's for as long as this lives.
///
/// The KDC cannot be told to take any free port, and it shares its port with others that are willing (`SO_REUSEPORT`): two
/// realms that had found the same port free would each get a part of the other's requests. So the port stays bound here,
/// where nothing listens, from before the KDC takes it.
struct Reserved {
    number: u16,
    _socket: TcpSocket,
}

impl Reserved {
    fn port() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { number: socket.local_addr()?.port(), _socket: socket })
    }
}

impl Realm {
    /// Starts an empty realm. `clock` is how the KDC's clock differs, such as `+10m`.
    pub fn start(programs: &Kerberos, clock: Option<&str>) -> io::Result<Self> {
        Self::start_named(programs, REALM, clock, "")
    }

    /// Starts an empty realm of another name. `mappings` say in which realms hosts are, a line each.
    pub fn start_named(programs: &Kerberos, realm: &str, clock: Option<&str>, mappings: &str) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let reserved = Reserved::port()?;
        let port = reserved.number;
        write_configuration(folder.path(), programs, realm, port, mappings)?;
        let mut create = command(programs, folder.path(), "kdb5_util");
        succeed(create.args(["create", "-s", "-r", realm, "-P", "the lab's master key"]).output()?)?;
        let mut kdc = command(programs, folder.path(), "krb5kdc");
        with_clock(&mut kdc, programs, clock);
        let kdc = kdc.arg("-n").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut realm = Self { programs: programs.clone(), folder, kdc, reserved };
        realm.await_kdc()?;
        Ok(realm)
    }

    /// The KDC's address.
    pub fn kdc(&self) -> String {
        format!("127.0.0.1:{}", self.reserved.number)
    }

    /// Does things to the database, as `kadmin.local` is told them.
    pub fn administer(&self, queries: &[&str]) {
        let mut administer = self.command("kadmin.local");
        let administer = administer.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut administer = administer.spawn().expect("kadmin.local starts");
        let mut input = administer.stdin.take().expect("it is piped");
        // What it says of a query is short, so it does not wait to be read before the last one is written.
        io::Write::write_all(&mut input, format!("{}\n", queries.join("\n")).as_bytes()).expect("it reads");
        drop(input);
        let output = administer.wait_with_output().expect("kadmin.local ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its exit status says nothing, and what it notes on the way begins with these words.
        let failed = said.lines().any(|line| !line.starts_with("No policy specified for ") && !line.is_empty());
        assert!(output.status.success() && !failed, "{queries:?}: {said}");
    }

    /// Makes an account with a password.
    pub fn account(&self, name: &str, password: &str) {
        self.administer(&[&format!("addprinc -pw \"{password}\" {name}")]);
    }

    /// Makes accounts of services with random keys.
    pub fn services(&self, names: &[&str]) {
        self.administer_each(names, |name| format!("addprinc -randkey {name}"));
    }

    /// A keytab with the keys of accounts, which keep them.
    pub fn keytab(&self, name: &str, accounts: &[&str]) -> PathBuf {
        let file = self.folder.path().join(name);
        self.administer_each(accounts, |account| format!("ktadd -norandkey -k {} {account}", file.display()));
        file
    }

    fn administer_each(&self, names: &[&str], query: impl Fn(&str) -> String) {
        let queries: Vec<String> = names.iter().map(|name| query(name)).collect();
        self.administer(&queries.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// A credential cache with a ticket, fetched by `kinit` with these arguments.
    pub fn ticket(&self, name: &str, account: &str, password: &str, arguments: &[&str]) -> PathBuf {
        let file = self.folder.path().join(name);
        let mut kinit = self.command("kinit");
        kinit.arg("-c").arg(&file).args(arguments).arg(account);
        let mut kinit =
            kinit.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kinit");
        io::Write::write_all(&mut kinit.stdin.take().expect("it is piped"), format!("{password}\n").as_bytes())
            .expect("kinit reads the password");
        succeed(kinit.wait_with_output().expect("kinit ends")).expect("kinit gets a ticket");
        file
    }

    /// The hosts' side, with the keys in this keytab, and with a clock of its own.
    pub fn acceptor(&self, keytab: &Path, clock: Option<&str>) -> io::Result<Arc<Acceptor>> {
        let mut python = Command::new("python3");
        self.configure(&mut python);
        // Each token is used once anyway, and the usual file would be shared with the machine.
        python.env("KRB5RCACHENAME", "none:");
        with_clock(&mut python, &self.programs, clock);
        Acceptor::start(python, keytab)
    }

    /// Lets a program use this realm's settings and MIT's libraries.
    pub fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.programs.in_its_environment(command).env("KRB5_CONFIG", self.folder.path().join("krb5.conf"))
    }

    /// The file that tells other programs of the realm.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("krb5.conf")
    }

    /// Another file beside it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("a file can be written");
        file
    }

    fn command(&self, program: &str) -> Command {
        command(&self.programs, self.folder.path(), program)
    }

    fn await_kdc(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, self.reserved.number)).is_ok();
            if let Some(status) = self.kdc.try_wait()? {
                let log = fs::read_to_string(self.folder.path().join("kdc.log")).unwrap_or_default();
                return Err(io::Error::other(format!("the KDC ended with {status}: {log}")));
            }
            if answers {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the KDC does not answer"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

fn command(programs: &Kerberos, folder: &Path, program: &str) -> Command {
    let mut command = programs.program(program);
    command
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"))
        .stdin(Stdio::null());
    command
}

fn with_clock(command: &mut Command, programs: &Kerberos, clock: Option<&str>) {
    if let Some(clock) = clock {
        command.env("LD_PRELOAD", programs.other_clock()).env("FAKETIME", clock);
    }
}

fn succeed(output: Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn write_configuration(folder: &Path, programs: &Kerberos, realm: &str, port: u16, mappings: &str) -> io::Result<()> {
    let path = folder.display();
    let client = format!(
        "[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n \
         dns_canonicalize_hostname = false\n udp_preference_limit = 1\n\
         [realms]\n {realm} = {{\n  kdc = 127.0.0.1:{port}\n }}\n\
         [domain_realm]\n{mappings} .contoso.com = {realm}\n localhost = {realm}\n"
    );
    let server = format!(
        "[kdcdefaults]\n kdc_listen = \"\"\n kdc_tcp_listen = \"127.0.0.1:{port}\"\n\
         [realms]\n {realm} = {{\n  database_name = {path}/principal\n  key_stash_file = {path}/stash\n  \
         acl_file = {path}/acl\n  default_principal_flags = +preauth\n }}\n\
         [dbmodules]\n db_module_dir = {}\n\
         [logging]\n kdc = FILE:{path}/kdc.log\n",
        programs.database_modules().display()
    );
    fs::write(folder.join("krb5.conf"), client)?;
    fs::write(folder.join("kdc.conf"), server)
}
