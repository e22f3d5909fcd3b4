//! MIT Kerberos as Debian packages it: KDC, `kinit`, and the GSSAPI for Python, unpacked below the tools folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{Unavailable, once, output_of, python_environment_with};

/// The programs and libraries of MIT Kerberos.
#[derive(Clone, Debug)]
pub struct Kerberos {
    root: PathBuf,
}

const PACKAGES: [&str; 20] = [
    "krb5-kdc",
    "krb5-admin-server",
    "krb5-user",
    "libkadm5srv-mit12",
    "libkadm5clnt-mit12",
    "libkdb5-10",
    "libgssrpc4",
    "libverto1",
    "libverto-libev1",
    "libev4",
    "libss2",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libk5crypto3",
    "libkrb5support0",
    "libcom-err2",
    "libkeyutils1",
    "libfaketime",
    "python3-decorator",
    "python3-gssapi",
];

/// What a program is built with that links MIT's libraries.
const HEADERS: [&str; 12] = [
    "comerr-dev",
    "krb5-multidev",
    "libcom-err2",
    "libgssapi-krb5-2",
    "libgssrpc4",
    "libk5crypto3",
    "libkadm5clnt-mit12",
    "libkadm5srv-mit12",
    "libkdb5-10",
    "libkrb5-3",
    "libkrb5-dev",
    "libkrb5support0",
];

/// Exactly these, so that a new release of a client does not change what is tested. The two of Kerberos are built: pypsrp
/// takes `krb5`, pywinrm takes `pykerberos`.
const CLIENTS: [&str; 6] = [
    "pypsrp==0.9.1",
    "pyspnego==0.12.4",
    "krb5==0.10.0",
    "pywinrm==0.5.0",
    "requests_ntlm==1.3.0",
    "pykerberos==1.2.4",
];

impl Kerberos {
    /// Fetches it, or finds what was fetched before.
    ///
    /// # Errors
    /// Says why it cannot be had on this machine.
    pub fn find() -> Result<Self, Unavailable> {
        let root = once("kerberos", |folder| unpack(&PACKAGES, folder))?;
        let kerberos = Self { root };
        // The modules are built for one version of Python.
        let check = "import gssapi.raw.ext_dce";
        output_of(kerberos.in_its_environment(&mut Command::new("python3")).args(["-c", check]))?;
        Ok(kerberos)
    }

    /// A program by its name, such as `kinit`.
    pub fn program(&self, name: &str) -> Command {
        let folder = ["usr/sbin", "usr/bin"].map(|folder| self.root.join(folder).join(name));
        let file = folder.iter().find(|file| file.is_file()).unwrap_or(&folder[0]);
        let mut command = Command::new(file);
        self.in_its_environment(&mut command);
        command
    }

    /// Lets a program find the libraries and Python's modules.
    pub fn in_its_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_LIBRARY_PATH", self.libraries())
            .env("PYTHONPATH", self.root.join("usr/lib/python3/dist-packages"))
    }

    /// Where the KDC's database modules are.
    pub fn database_modules(&self) -> PathBuf {
        self.libraries().join("krb5/plugins/kdb")
    }

    /// What lets a process believe in another time, by `LD_PRELOAD`.
    pub fn other_clock(&self) -> PathBuf {
        self.libraries().join("faketime/libfaketime.so.1")
    }

    /// Python with pypsrp, pywinrm and what they need for Kerberos. Some of it is built, against MIT's headers.
    ///
    /// # Errors
    /// Says why it cannot be had on this machine.
    pub fn python_with_clients(&self) -> Result<PathBuf, Unavailable> {
        let root = once("kerberos-headers", |folder| unpack(&HEADERS, folder))?;
        let libraries = root.join(libraries());
        let both = |first: PathBuf, folder: &str| format!("{}:{}", first.display(), first.join(folder).display());
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = [
            ("PATH", format!("{}:{path}", root.join("usr/bin").display())),
            ("C_INCLUDE_PATH", both(root.join("usr/include"), "mit-krb5")),
            ("LIBRARY_PATH", both(libraries.clone(), "mit-krb5")),
            // krb5's setup also loads the library, to see what it has.
            ("LD_LIBRARY_PATH", format!("{}:{}", libraries.display(), self.libraries().display())),
        ];
        python_environment_with("kerberos-clients", &CLIENTS, &environment)
    }

    fn libraries(&self) -> PathBuf {
        self.root.join(libraries())
    }
}

fn libraries() -> PathBuf {
    Path::new("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

/// Fetches Debian packages and unpacks them into a folder.
fn unpack(packages: &[&str], folder: &Path) -> Result<(), Unavailable> {
    let archives = folder.join("archives");
    let problem = |error: std::io::Error| Unavailable(format!("{}: {error}", archives.display()));
    std::fs::create_dir_all(archives.join("lists/partial")).map_err(problem)?;
    let download = |options: &[String]| {
        let mut command = Command::new("apt-get");
        output_of(command.args(options).args(["download", "--quiet"]).args(packages).current_dir(&archives)).map(drop)
    };
    if download(&[]).is_err() {
        // The machine's own lists may be missing or old; renewing them takes root and changes the machine.
        let own = |name: &str, folder: &str| format!("{name}={}", archives.join(folder).display());
        let options =
            [own("-oDir::State::Lists", "lists"), own("-oDir::Cache", "cache"), "-oDebug::NoLocking=1".to_owned()];
        output_of(Command::new("apt-get").args(&options).args(["update", "--quiet"]))?;
        download(&options)?;
    }
    for entry in std::fs::read_dir(&archives).map_err(problem)? {
        let file = entry.map_err(problem)?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            output_of(Command::new("dpkg").arg("-x").arg(&file).arg(folder))?;
        }
    }
    std::fs::remove_dir_all(&archives).map_err(problem)
}
