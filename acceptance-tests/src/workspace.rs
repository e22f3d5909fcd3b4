//! One case's folder: its configuration, and Terraform run in it with nothing of the user's own settings.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::tools::provider;
use crate::tools::terraform::Cli;

/// A temporary folder in which a configuration lies and Terraform runs.
pub struct Workspace {
    folder: TempDir,
    cli: Cli,
    environment: Vec<(String, String)>,
}

/// What a run printed and how it ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// The arguments, for messages.
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Sentences by which the core blames a provider. No run may ever print one.
const BLAME: [&str; 3] = ["This is a bug in the provider", "Provider produced", "plugin crashed"];

impl Workspace {
    /// An empty workspace for a program. `environment` is added to every run.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(cli: &Cli, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("azuremfa-").expect("a temporary folder can be made");
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let workspace = Self { folder, cli: cli.clone(), environment };
        let mirror = provider::mirror();
        let settings = format!(
            "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
            mirror.display().to_string()
        );
        fs::write(workspace.path().join("terraform.rc"), settings).expect("the settings can be written");
        workspace
    }

    /// A copy of this workspace with its configuration and state.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn again(&self) -> Self {
        let folder = TempDir::with_prefix("azuremfa-").expect("a temporary folder can be made");
        copy_tree(self.path(), folder.path()).expect("a workspace can be copied");
        Self { folder, cli: self.cli.clone(), environment: self.environment.clone() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a case file can be written");
    }

    /// Copies the files of a folder (not of its subfolders).
    ///
    /// # Panics
    /// When a file cannot be copied.
    pub fn copy(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let file = entry.expect("the folder can be listed").path();
            if file.is_file() {
                fs::copy(&file, self.path().join(file.file_name().expect("a file has a name")))
                    .expect("a file can be copied");
            }
        }
    }

    /// Runs Terraform with these arguments.
    ///
    /// # Panics
    /// When it cannot be started, or blames the provider in what it prints.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs Terraform with further environment variables.
    ///
    /// # Panics
    /// When it cannot be started, or blames the provider in what it prints.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let output = self.command(arguments, environment).output().expect("Terraform can be started");
        let run = Run {
            command: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        for sentence in BLAME {
            assert!(!run.printed().contains(sentence), "the core blames the provider:\n{}", run.printed());
        }
        run
    }

    /// A command that runs Terraform here, for callers that need the running process.
    pub fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = self.cli.command();
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            // The estate's names are known to the lab's own proxy alone.
            let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
            if is_proxy || name.starts_with("TF_") || name.starts_with("AZUREMFA_") || name.starts_with("TOFU_") {
                command.env_remove(name);
            }
        }
        command.env("TF_CLI_CONFIG_FILE", self.path().join("terraform.rc"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(environment.iter().copied());
        command
    }

    /// `init`, which must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn init(&self) -> Run {
        self.run(&["init", "-no-color", "-input=false"]).succeeded()
    }

    /// `plan`, saved to `name`; exit code 0 means no changes, 2 changes, 1 errors.
    pub fn plan(&self, name: &str, further: &[&str]) -> Run {
        let out = format!("-out={name}");
        let mut arguments = vec!["plan", "-no-color", "-input=false", "-detailed-exitcode", &out];
        arguments.extend_from_slice(further);
        self.run(&arguments)
    }

    /// `apply` of a saved plan.
    pub fn apply(&self, name: &str) -> Run {
        self.run(&["apply", "-no-color", "-input=false", name])
    }

    /// The state as `show -json` prints it.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn state(&self) -> serde_json::Value {
        let run = self.run(&["show", "-json"]).succeeded();
        serde_json::from_str(&run.stdout).expect("show -json prints JSON")
    }

    /// The attributes of a resource in the state.
    ///
    /// # Panics
    /// When it is not there.
    pub fn attributes(&self, address: &str) -> serde_json::Value {
        let state = self.state();
        let resources = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        let found = resources.into_iter().find(|resource| resource["address"] == address);
        found.unwrap_or_else(|| panic!("{address} is not in the state: {state}"))["values"].clone()
    }

    /// The environment variables of every run.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The program as a person would type it.
    pub fn typed(&self) -> String {
        self.cli.typed()
    }
}

impl Run {
    /// Everything printed.
    pub fn printed(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// What was printed with line breaks and box characters folded to single spaces, for searching sentences.
    pub fn folded(&self) -> String {
        let plain = self.printed().replace(['│', '╷', '╵'], " ");
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The run, which must have ended with 0.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        self.ended(0)
    }

    /// The run, which must have ended with this code.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "terraform {}\n{}", self.command, self.printed());
        self
    }

    /// The run, which must have printed this sentence, wherever its lines broke.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn says(self, sentence: &str) -> Self {
        let folded = self.folded();
        assert!(folded.contains(sentence), "terraform {} does not say {sentence:?}:\n{}", self.command, self.printed());
        self
    }

    /// The run, which must not have printed this sentence.
    ///
    /// # Panics
    /// When it has.
    #[track_caller]
    pub fn does_not_say(self, sentence: &str) -> Self {
        let folded = self.folded();
        assert!(!folded.contains(sentence), "terraform {} says {sentence:?}:\n{}", self.command, self.printed());
        self
    }
}

/// Copies a folder with what is in it; links stay links.
pub fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, target)?;
        } else if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(source, target)?;
        }
    }
    Ok(())
}
