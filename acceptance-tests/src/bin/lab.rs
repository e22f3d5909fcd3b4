//! The lab as a program: serves an estate, plays installers, and does what an operator does on hosts by hand.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acceptance_tests::lab::estate::{Estate, demo};
use acceptance_tests::lab::host::error::LabError;
use acceptance_tests::lab::host::faults::{Faults, InstallerFault, Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::installer::{self, Order, Outcome};
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::lab::server::{Lab, Mode};

const USAGE: &str = "\
usage: lab serve --estate DIR [--mode native|powershell] [--new demo]
       lab show --estate DIR
       lab journal --estate DIR
       lab promote HOST --estate DIR
       lab set-version HOST VERSION [--component NAME] --estate DIR
       lab restart HOST --estate DIR
       lab pool HOST NAME started|stopped --estate DIR
       lab fault HOST installer --exit-code N [--when before|half|after] [--package NAME] [--times N] --estate DIR
       lab fault HOST script --name SCRIPT [--when before|after] [--effect error|drop|silence|garble] [--call N] [--times N] --estate DIR
       lab fault HOST web-config --estate DIR
       lab fault HOST clear --estate DIR
       lab install --host-folder DIR --file WINDOWSPATH -- ARGUMENTS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  {error}");
                cause = error.source();
            }
            ExitCode::from(2)
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode, LabError> {
    let given = Given::parse(words)?;
    let command: Vec<&str> = given.words.iter().map(String::as_str).collect();
    match command.as_slice() {
        ["install"] => return install(&given),
        ["serve"] => serve(&given)?,
        ["show"] => print!("{}", given.estate()?.table()?),
        ["journal"] => {
            for entry in given.estate()?.journal()? {
                println!(
                    "{:>4}  {}  {:<28}  {:<20}  {}",
                    entry.sequence, entry.time, entry.host, entry.what, entry.detail
                );
            }
        }
        ["promote", host] => given.estate()?.promote(host)?,
        ["pool", host, pool, state @ ("started" | "stopped")] => {
            given.estate()?.set_application_pool(host, pool, *state == "started")?;
        }
        ["restart", host] => given.estate()?.reboot(host)?,
        ["set-version", host, version] => {
            let only = given.option("component").map(component).transpose()?;
            given.estate()?.set_version(host, only, version)?;
        }
        ["fault", host, kind] => {
            let change = fault(&given, kind)?;
            given.estate()?.fault(host, change)?;
        }
        _ => return Err(LabError::request(format!("this is not understood\n{USAGE}"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// The command line: words, options and what follows `--`.
struct Given {
    words: Vec<String>,
    options: Vec<(String, String)>,
    rest: Vec<String>,
}

impl Given {
    fn parse(words: &[String]) -> Result<Self, LabError> {
        let mut given = Self { words: Vec::new(), options: Vec::new(), rest: Vec::new() };
        let mut words = words.iter().cloned();
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some("") => given.rest = words.by_ref().collect(),
                Some(name) => {
                    let value = words.next().ok_or_else(|| LabError::request(format!("--{name} needs a value")))?;
                    given.options.push((name.to_owned(), value));
                }
                None => given.words.push(word),
            }
        }
        Ok(given)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn needed(&self, name: &str) -> Result<&str, LabError> {
        self.option(name).ok_or_else(|| LabError::request(format!("--{name} is needed\n{USAGE}")))
    }

    fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> Result<T, LabError> {
        let Some(text) = self.option(name) else { return Ok(otherwise) };
        text.parse().map_err(|_| LabError::request(format!("--{name} {text} is no number")))
    }

    fn estate(&self) -> Result<Estate, LabError> {
        Estate::open(Path::new(self.needed("estate")?))
    }
}

fn serve(given: &Given) -> Result<(), LabError> {
    let folder = PathBuf::from(given.needed("estate")?);
    let estate = match given.option("new") {
        None => Estate::open(&folder)?,
        Some("demo") if folder.join("estate.json").exists() => {
            return Err(LabError::request(format!("{} has an estate already", folder.display())));
        }
        Some("demo") => demo::create(&folder)?,
        Some(other) => return Err(LabError::request(format!("there is no estate called {other}; there is demo"))),
    };
    let mode = match given.option("mode").unwrap_or("native") {
        "native" => Mode::Native,
        "powershell" => Mode::PowerShell,
        other => return Err(LabError::request(format!("the mode is native or powershell, not {other}"))),
    };
    let lab = Lab::start_in_background(&estate, mode)?;
    println!("proxy     {}", lab.proxy_url);
    println!("ca        {}", lab.ca_file.display());
    println!("username  {}", lab.username);
    println!("password  {}", lab.password);
    print!("{}", estate.table()?);
    println!("serving until interrupted");
    loop {
        std::thread::park();
    }
}

fn install(given: &Given) -> Result<ExitCode, LabError> {
    let host = HostFolder::new(given.needed("host-folder")?);
    let order = Order { file: given.needed("file")?.to_owned(), arguments: given.rest.clone() };
    let duration = installer::duration(&host);
    let wait = || {
        std::thread::sleep(duration);
        true
    };
    let code = match installer::install(&host, &order, &wait)? {
        Outcome::Exit(code) => code,
        Outcome::Ended => installer::FATAL,
        // Until somebody ends it, or the host is gone.
        Outcome::Hangs => {
            while host.path().exists() {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            installer::FATAL
        }
    };
    // A process of this system ends with 8 bits; who wants the whole number names a file for it.
    if let Some(file) = std::env::var_os("AZUREMFA_LAB_EXIT_FILE").map(PathBuf::from) {
        std::fs::write(&file, code.to_string()).map_err(LabError::file(&file))?;
    }
    std::process::exit(code)
}

fn component(name: &str) -> Result<Component, LabError> {
    Component::from_name(name).ok_or_else(|| LabError::request(format!("there is no component {name}")))
}

fn fault(given: &Given, kind: &str) -> Result<impl FnOnce(&mut Faults) + use<>, LabError> {
    let when = match given.option("when").unwrap_or("before") {
        "before" => Moment::Before,
        "half" => Moment::Half,
        "after" => Moment::After,
        other => return Err(LabError::request(format!("--when is before, half or after, not {other}"))),
    };
    let effect = match given.option("effect").unwrap_or("error") {
        "error" => ScriptEffect::Error,
        "drop" => ScriptEffect::Drop,
        "silence" => ScriptEffect::Silence,
        "garble" => ScriptEffect::Garble,
        other => return Err(LabError::request(format!("--effect is error, drop, silence or garble, not {other}"))),
    };
    let times = given.number("times", 1)?;
    let mut poked = Faults::default();
    match kind {
        "installer" => {
            let package = given.option("package").map(str::to_owned);
            poked.installer.push(InstallerFault { exit_code: given.number("exit-code", 1603)?, when, package, times });
        }
        "script" => {
            let name = given.needed("name")?.to_owned();
            poked.script.push(ScriptFault { name, when, effect, call: given.number("call", 1)?, times });
        }
        "web-config" => poked.replace_cohosted_web_config = true,
        "clear" => {}
        other => return Err(LabError::request(format!("there is no fault {other}\n{USAGE}"))),
    }
    let is_clearing = kind == "clear";
    Ok(move |faults: &mut Faults| {
        if is_clearing {
            *faults = Faults::default();
        }
        faults.installer.extend(poked.installer);
        faults.script.extend(poked.script);
        faults.replace_cohosted_web_config |= poked.replace_cohosted_web_config;
    })
}
