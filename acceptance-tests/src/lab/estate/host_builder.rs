//! Makes hosts of an estate: what is on them, and what is missing.

use serde_json::json;

use crate::lab::estate::Estate;
use crate::lab::estate::operator::REPLICATION_PORT;
use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{adapter, programs, redistributable, server, web};
use crate::lab::host::product::component::Component;
use crate::lab::host::product::files;
use crate::lab::host::product::web_config::{self, Settings};
use crate::lab::host::state::{AdfsMember, Application, ApplicationPool, Iis, OperatingSystem, Service, Site, State};
use crate::lab::host::windows_path::join;
use crate::lab::host::{registry, time};

/// `Release` of .NET Framework 4.6.2.
pub const DOTNET_462: i64 = 394_802;

/// A host before it is written.
pub struct HostBuilder {
    state: State,
    components: Vec<Part>,
}

/// Something that is installed on the host.
enum Part {
    Server { version: String },
    Web { component: Component, version: String, place: Place, settings: Settings },
    Adapter { version: String },
    Agent { version: String },
}

/// Where a web component lies.
#[derive(Clone, Debug)]
pub struct Place {
    pub virtual_directory: String,
    pub application_pool: String,
    pub runtime: String,
    pub pipeline: String,
}

impl Place {
    /// A virtual directory in an application pool, whose runtime is `v2.0` or `v4.0`.
    pub fn new(virtual_directory: &str, application_pool: &str, runtime: &str) -> Self {
        Self {
            virtual_directory: virtual_directory.to_owned(),
            application_pool: application_pool.to_owned(),
            runtime: runtime.to_owned(),
            pipeline: "Integrated".to_owned(),
        }
    }

    /// The same in a pool of the classic pipeline.
    #[must_use]
    pub fn classic(mut self) -> Self {
        "Classic".clone_into(&mut self.pipeline);
        self
    }
}

impl HostBuilder {
    /// A Windows Server 2016 with PowerShell 5.1 and .NET Framework 4.6.2, and nothing of the product on it.
    pub fn new(name: &str) -> Self {
        let (computer, domain) = name.split_once('.').unwrap_or((name, ""));
        let mut state = State {
            name: name.to_owned(),
            computer_name: computer.to_ascii_uppercase(),
            domain: domain.to_owned(),
            operating_system: OperatingSystem {
                caption: "Microsoft Windows Server 2016 Standard".to_owned(),
                version: "10.0.14393".to_owned(),
                last_boot: "2026-11-01T02:00:00Z".to_owned(),
            },
            powershell_version: "5.1.14393.5582".to_owned(),
            administrator: true,
            ..State::default()
        };
        registry::set(&mut state.registry, registry::DOTNET, "Release", DOTNET_462);
        Self { state, components: Vec::new() }
    }

    /// MFA Server as a member of a replication group.
    #[must_use]
    pub fn server(mut self, group: &str, version: &str) -> Self {
        self.state.replication_group = Some(group.to_owned());
        self.components.push(Part::Server { version: version.to_owned() });
        self
    }

    /// A web component.
    #[must_use]
    pub fn web(mut self, component: Component, version: &str, place: Place, settings: Settings) -> Self {
        self.components.push(Part::Web { component, version: version.to_owned(), place, settings });
        self
    }

    /// A member of an AD FS farm. The farm's file is written by [`Estate::write_farm`].
    #[must_use]
    pub fn adfs(mut self, farm: &str, role: Option<&str>) -> Self {
        self.state.adfs =
            Some(AdfsMember { farm: farm.to_owned(), role: role.map(str::to_owned), refuses_system: None });
        self
    }

    /// The files of the AD FS adapter.
    #[must_use]
    pub fn adapter(mut self, version: &str) -> Self {
        self.components.push(Part::Adapter { version: version.to_owned() });
        self
    }

    /// The 5.x predecessor of MFA Server.
    #[must_use]
    pub fn phonefactor_agent(mut self, version: &str) -> Self {
        self.components.push(Part::Agent { version: version.to_owned() });
        self
    }

    /// The Visual C++ redistributable of an architecture (`x64`, `x86`).
    #[must_use]
    pub fn visual_c(mut self, architectures: &[&str]) -> Self {
        for architecture in architectures {
            redistributable::install(&mut self.state, architecture, redistributable::BUNDLED);
        }
        self
    }

    /// Another version of .NET Framework, by its `Release`; none: not installed.
    #[must_use]
    pub fn dotnet(mut self, release: Option<i64>) -> Self {
        registry::remove(&mut self.state.registry, registry::DOTNET);
        if let Some(release) = release {
            registry::set(&mut self.state.registry, registry::DOTNET, "Release", release);
        }
        self
    }

    /// Another version of PowerShell, such as `4.0`.
    #[must_use]
    pub fn powershell(mut self, version: &str) -> Self {
        version.clone_into(&mut self.state.powershell_version);
        self
    }

    /// The account that logs on is no administrator.
    #[must_use]
    pub fn not_administrator(mut self) -> Self {
        self.state.administrator = false;
        self
    }

    /// Any other change of the state, before it is written.
    #[must_use]
    pub fn state(mut self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state);
        self
    }

    /// Writes the host into an estate.
    pub fn write(self, estate: &Estate) -> Result<HostFolder, LabError> {
        let Self { mut state, components } = self;
        let host = estate.enlist(&state.name)?;
        if state.address.is_empty() {
            state.address = format!("10.0.0.{}", estate.host_names()?.len());
        }
        for folder in ["C:\\ProgramData", "C:\\Windows\\System32"] {
            host.create_folder(folder).map_err(LabError::file(host.path()))?;
        }
        for part in components {
            part.write(&host, &mut state).map_err(LabError::file(host.path()))?;
        }
        if state.adfs.is_some() {
            // Not before any file of the adapter.
            state.services.insert("adfssrv".to_owned(), adfs_service());
        }
        host.create(&state)?;
        Ok(host)
    }
}

impl Part {
    fn write(self, host: &HostFolder, state: &mut State) -> std::io::Result<()> {
        match self {
            Self::Server { version } => write_server(host, state, &version),
            Self::Web { component, version, place, settings } => {
                let folder = write_place(state, &place);
                web::write_application(host, state, component, &folder, &version)?;
                host.write(&join(&folder, "web.config"), web_config::text(component, &version, &settings))?;
                programs::replace(state, component, &version, "");
                Ok(())
            }
            Self::Adapter { version } => {
                let folder = programs::product_folder(state);
                adapter::write_files(host, state, &folder, &version)?;
                programs::replace(state, Component::AdfsAdapter, &version, &folder);
                Ok(())
            }
            Self::Agent { version } => write_agent(host, state, &version),
        }
    }
}

fn write_server(host: &HostFolder, state: &mut State, version: &str) -> std::io::Result<()> {
    let folder = programs::product_folder(state);
    registry::set(&mut state.registry, registry::PRODUCT, "InstallPath", folder.clone());
    registry::set(&mut state.registry, registry::PRODUCT, "Pfsvc_ncan_ip_tcp_port", REPLICATION_PORT);
    let program = join(&folder, "pfsvc.exe");
    files::write_versioned(host, state, &program, version)?;
    server::write_packages(host, &folder, version)?;
    host.write(&join(&folder, "Data\\PhoneFactor.pfdata"), format!("users and settings of {}\r\n", state.name))?;
    host.write(&join(&folder, "Data\\licence.dat"), "activated\r\n")?;
    host.write(
        &join(&folder, "Logs\\MultiFactorAuthSvc.log"),
        "2026-11-01T02:00:20.006280Z|i|2960|4036|pfsvc|started\r\n",
    )?;
    server::start_service(state, &program);
    for name in ["MultiFactorAuthAdSync", "MultiFactorAuthRadius"] {
        let service = Service { state: "Stopped".to_owned(), start_mode: "Manual".to_owned(), ..Service::default() };
        state.services.insert(name.to_owned(), service);
    }
    programs::replace(state, Component::Server, version, &folder);
    Ok(())
}

fn write_agent(host: &HostFolder, state: &mut State, version: &str) -> std::io::Result<()> {
    let folder = "C:\\Program Files\\PhoneFactor\\";
    registry::set(&mut state.registry, registry::PRODUCT, "InstallPath", folder);
    let key = format!("{}\\{{0F6A2F7C-5E0A-4C8B-9E55-5D0B8C1C7A11}}", registry::UNINSTALL[1]);
    for (name, value) in
        [("DisplayName", "PhoneFactor Agent"), ("DisplayVersion", version), ("InstallLocation", folder)]
    {
        registry::set(&mut state.registry, &key, name, json!(value));
    }
    host.write(&join(folder, "Data\\PhoneFactor.pfdata"), "users and settings\r\n")?;
    files::write_versioned(host, state, &join(folder, "pfsvc.exe"), version)
}

/// Makes site, pool and application as far as they are not there; gives the application's folder.
fn write_place(state: &mut State, place: &Place) -> String {
    let iis = state.iis.get_or_insert_with(default_iis);
    iis.application_pools.insert(place.application_pool.clone(), pool(&place.runtime, &place.pipeline));
    let physical_path = format!("C:\\inetpub\\wwwroot\\{}", place.virtual_directory);
    let application = Application {
        path: format!("/{}", place.virtual_directory),
        physical_path: physical_path.clone(),
        application_pool: place.application_pool.clone(),
    };
    iis.sites[0].applications.push(application);
    physical_path
}

fn default_iis() -> Iis {
    let root = Application {
        path: "/".to_owned(),
        physical_path: "C:\\inetpub\\wwwroot".to_owned(),
        application_pool: "DefaultAppPool".to_owned(),
    };
    let site = Site { name: "Default Web Site".to_owned(), id: 1, applications: vec![root] };
    let pools = [("DefaultAppPool".to_owned(), pool("v4.0", "Integrated"))];
    Iis { sites: vec![site], application_pools: pools.into() }
}

fn pool(runtime: &str, pipeline: &str) -> ApplicationPool {
    ApplicationPool { runtime: runtime.to_owned(), pipeline: pipeline.to_owned(), state: "Started".to_owned() }
}

fn adfs_service() -> Service {
    Service {
        display_name: "Active Directory Federation Services".to_owned(),
        state: "Running".to_owned(),
        start_mode: "Auto".to_owned(),
        path_name: "C:\\Windows\\ADFS\\Microsoft.IdentityServer.ServiceHost.exe".to_owned(),
        account: "CONTOSO\\adfs$".to_owned(),
        process_id: Some(2400),
        started_at: Some(time::now()),
    }
}
