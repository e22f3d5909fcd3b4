//! One run of `doctor`: its settings, and what it printed.

use std::process::{Child, Command, Stdio};

use acceptance_tests::lab::server::Lab;
use acceptance_tests::tools::provider;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// A host of the demo estate.
pub const HOST: &str = "mfa01.contoso.com";

/// Options and environment of a run.
#[derive(Clone)]
pub struct Doctor {
    pub host: String,
    /// The attributes of the connection.
    pub connection: Value,
    pub username: String,
    pub password: String,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// What a run left.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Doctor {
    /// A way to a host of the lab that works.
    pub fn of(lab: &Lab) -> Self {
        let authority = std::fs::read_to_string(&lab.ca_file).expect("the lab's authority");
        Self {
            host: HOST.to_owned(),
            connection: json!({
                "proxy": lab.proxy_url,
                "ca_certificate": authority,
                "timeouts": { "connect": "5s", "operation": "3s" },
            }),
            username: lab.username.clone(),
            password: lab.password.clone(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With an attribute of the connection changed; null removes it.
    pub fn with(mut self, attribute: &str, value: Value) -> Self {
        self.connection[attribute] = value;
        self
    }

    /// Runs it with the connection in a file.
    pub fn run(&self) -> Run {
        let file = self.connection_file();
        self.run_with(&self.all_arguments(&file))
    }

    /// Runs it with these arguments alone.
    pub fn run_with(&self, arguments: &[String]) -> Run {
        self.ended(self.start_with(arguments))
    }

    /// Starts it with the connection in this file.
    pub fn start(&self, file: &NamedTempFile) -> Child {
        self.start_with(&self.all_arguments(file))
    }

    /// The connection in a file that goes away with the value.
    pub fn connection_file(&self) -> NamedTempFile {
        let file = NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), self.connection.to_string()).expect("the connection");
        file
    }

    fn all_arguments(&self, file: &NamedTempFile) -> Vec<String> {
        let file = file.path().display().to_string();
        let mut arguments = vec!["--host".to_owned(), self.host.clone(), "--connection-file".to_owned(), file];
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }

    fn start_with(&self, arguments: &[String]) -> Child {
        let mut command = Command::new(provider::binary());
        command.arg("doctor").args(arguments).env_clear().stdin(Stdio::null());
        command.env("AZUREMFA_USERNAME", &self.username).env("AZUREMFA_PASSWORD", &self.password);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the provider starts")
    }

    /// What a process left once it has ended.
    pub fn ended(&self, process: Child) -> Run {
        let output = process.wait_with_output().expect("the provider ends");
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        if !self.password.is_empty() {
            assert!(!format!("{}{}", run.stdout, run.stderr).contains(&self.password), "the password was shown");
        }
        run
    }

    /// Runs it and gives the report.
    pub fn report(mut self) -> (i32, Value) {
        self.arguments.push("--json".to_owned());
        let run = self.run();
        let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        (run.code, report)
    }
}
