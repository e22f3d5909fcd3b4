//! The main job, told as a story: an estate on 6.3.1.1 is imported, planned, upgraded in two reviewed stages, and watched for drift.

use std::io::Write;

use crate::demo::stage::{Broken, Stage};
use crate::lab::estate::demo as demo_estate;
use crate::lab::host::product::component::Component;
use crate::lab::server::{Lab, Mode};
use crate::paths;
use crate::tools::terraform::Cli;
use crate::workspace::Workspace;

mod stage;
mod table;

/// How to tell the story.
pub struct Demo<'a> {
    pub cli: &'a Cli,
    pub out: &'a mut dyn Write,
    /// Whether the output is read by a person at a terminal.
    pub colour: bool,
    /// Whether the estate stays up afterwards.
    pub keep: bool,
}

const OLD: &str = "6.3.1.1";
const NEW: &str = "7.0.0.9";
const FIRST_MASTER: &str = "mfa01.contoso.com";
const SECOND_MASTER: &str = "mfa02.contoso.com";
const DRIFTED: &str = "mfa03.contoso.com";

/// Runs the story.
///
/// # Errors
/// When anything is not as promised, says what.
pub fn run(demo: Demo<'_>) -> Result<(), Broken> {
    let estate = demo_estate::temporary()?;
    let before = estate.installed()?;
    let lab = Lab::start_in_background(&estate, Mode::Native)?;
    let (username, password) = (lab.username.as_str(), lab.password.as_str());
    let account = [
        ("AZUREMFA_USERNAME", username),
        ("AZUREMFA_PASSWORD", password),
        ("AZUREMFA_DMZ_USERNAME", username),
        ("AZUREMFA_DMZ_PASSWORD", password),
    ];
    let workspace = Workspace::new(demo.cli, &account);
    workspace.copy(&paths::root().join("examples/estate"));
    let mut stage = Stage { lab: &lab, workspace: &workspace, out: demo.out, colour: demo.colour };

    stage.heading(&format!("A simulated estate on {OLD}, driven by {}", demo.cli.title))?;
    stage.estate()?;
    stage.settings(NEW, FIRST_MASTER)?;
    stage.terraform(&["init", "-input=false"], 0)?;

    stage.heading("Stage one: import what is there, and upgrade up to the promotion that only a person can do")?;
    stage.plan("stage-one.tfplan", 2)?.shows(&format!("\"{OLD}\" -> \"{NEW}\""))?;
    stage.terraform(&["apply", "-input=false", "stage-one.tfplan"], 0)?;

    stage.heading(&format!("By hand: the operator promotes {SECOND_MASTER}, and says so in the configuration"))?;
    estate.promote(SECOND_MASTER)?;
    stage.settings(NEW, SECOND_MASTER)?;

    stage.heading("Stage two: the old master, then everything that waited for the group")?;
    stage.plan("stage-two.tfplan", 2)?;
    stage.terraform(&["apply", "-input=false", "stage-two.tfplan"], 0)?;

    stage.heading("Every host runs its pin")?;
    stage.plan("nothing.tfplan", 0)?.shows("No changes")?;

    stage.heading(&format!("Drift: {DRIFTED} is set back to {OLD} on the host itself"))?;
    let done = estate.journal()?;
    estate.set_version(DRIFTED, Some(Component::Server), OLD)?;
    stage.plan("drift.tfplan", 2)?.shows(&format!("version = \"{OLD}\" -> \"{NEW}\""))?;

    stage.heading("What happened, in the order in which it happened")?;
    let table = table::upgrades(&done, &before);
    stage.say(&table)?;
    for component in Component::ALL.map(Component::name) {
        if !table.contains(component) {
            return Err(Broken::Missing { what: "the closing table".to_owned(), text: component.to_owned() });
        }
    }
    if demo.keep {
        stage.keep()?;
    }
    Ok(())
}
