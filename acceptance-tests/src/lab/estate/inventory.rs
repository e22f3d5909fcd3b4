//! What is installed where: the lab's own view, to compare with what the provider says.

use crate::lab::estate::Estate;
use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{programs, server, web};
use crate::lab::host::product::adapter;
use crate::lab::host::product::component::Component;
use crate::lab::host::state::State;
use crate::lab::host::windows_path::join;

/// A component on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub component: Component,
    pub host: String,
    /// From the uninstall entry; empty when there is none.
    pub version: String,
    /// From the file: of the adapter, the assembly's version.
    pub file_version: Option<String>,
}

impl Estate {
    /// Every component on every host, by host.
    pub fn installed(&self) -> Result<Vec<Installed>, LabError> {
        let mut all = Vec::new();
        for host in self.hosts()? {
            let state = host.state()?;
            all.extend(Component::ALL.into_iter().filter_map(|component| installed(&host, &state, component)));
        }
        Ok(all)
    }

    /// The version of a component on a host; none when it is not there.
    pub fn version_of(&self, host: &str, component: Component) -> Result<Option<String>, LabError> {
        let host = self.host(host)?;
        let state = host.state()?;
        Ok(installed(&host, &state, component).map(|installed| installed.version))
    }

    /// A table of component, host and version for people.
    pub fn table(&self) -> Result<String, LabError> {
        let installed = self.installed()?;
        let width = installed.iter().map(|row| row.host.len()).max().unwrap_or_default();
        let line = |row: &Installed| {
            let note = row.disagreement().map(|file| format!("  (file: {file})")).unwrap_or_default();
            format!("{:<22}  {:<width$}  {}{note}\n", row.component.name(), row.host, row.version)
        };
        Ok(installed.iter().map(line).collect())
    }
}

impl Installed {
    /// The version in the file when it is not that of the uninstall entry.
    pub fn disagreement(&self) -> Option<&str> {
        let expected = match self.component {
            Component::AdfsAdapter => adapter::assembly_version(&self.version),
            _ => self.version.clone(),
        };
        self.file_version.as_deref().filter(|found| *found != expected)
    }
}

fn installed(host: &HostFolder, state: &State, component: Component) -> Option<Installed> {
    let entry = programs::installed(state, component);
    let file = file(host, state, component);
    if entry.is_none() && file.is_none() {
        return None;
    }
    let file_version = file.and_then(|file| state.file_version(&file).map(str::to_owned));
    Some(Installed { component, host: state.name.clone(), version: entry.unwrap_or_default(), file_version })
}

/// The file whose version is the component's.
pub fn file(host: &HostFolder, state: &State, component: Component) -> Option<String> {
    match component {
        Component::Server => state.service(server::SERVICE).and_then(|service| server::program(&service.path_name)),
        Component::AdfsAdapter => {
            let assembly = join(&programs::product_folder(state), adapter::ASSEMBLY_FILE);
            host.is_file(&assembly).then_some(assembly)
        }
        component => {
            let library = component.web()?.library;
            let folder = web::folders(host, state, component).into_iter().next()?;
            Some(join(&folder, &format!("bin\\{library}")))
        }
    }
}
