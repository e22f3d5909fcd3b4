//! The scripts as text: what Windows PowerShell 5.1 would not take, and the shape every script has.

use std::fmt::Write as _;
use std::process::Command;

use acceptance_tests::{paths, skip};

#[test]
fn scripts_would_run_on_windows_powershell() {
    let Some(powershell) = super::powershell_for("check-scripts") else { return };
    let checker = match powershell.parent().map(|folder| folder.join("check-scripts.ps1")) {
        Some(checker) if checker.is_file() => checker,
        _ => paths::root().join("../shared/tools/check-scripts.ps1"),
    };
    if !checker.is_file() {
        skip::skipped("check-scripts", "check-scripts.ps1 is not beside PowerShell nor beside the checkout");
        return;
    }
    let output = Command::new(&powershell)
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(&checker)
        .arg(super::script_folder())
        .env("NO_COLOR", "1")
        .output()
        .expect("PowerShell starts");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn every_script_has_help_and_parameters() {
    for name in super::script_names() {
        let text = std::fs::read_to_string(super::script_folder().join(format!("{name}.ps1"))).expect("a script");
        let (head, _) = text.split_once("param(").unwrap_or_else(|| panic!("{name} has no param block"));
        assert!(head.starts_with("#Requires -Version 5.1\n<#\n.SYNOPSIS\n"), "{name} does not start with its help");
        assert!(!text.contains("Write-Host "), "{name} writes past its reply");
    }
}

/// The commands that the guides give administrators, as the real PowerShell reads them.
#[test]
fn commands_of_the_guides_are_powershell() {
    let Some(powershell) = super::powershell_for("commands of the guides") else { return };
    let mut text = String::new();
    let mut blocks = 0;
    for guide in std::fs::read_dir(paths::root().join("docs/guides")).expect("the guides") {
        let guide = std::fs::read_to_string(guide.expect("a guide").path()).expect("a guide");
        for block in guide.split("```powershell\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            blocks += 1;
            let _ = writeln!(text, "# {blocks}\n{block}");
        }
    }
    assert!(blocks > 10, "{blocks} blocks");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let parse = "$errors = $null; $null = [Management.Automation.Language.Parser]::ParseFile($env:GUIDE, [ref]$null, \
        [ref]$errors); $errors | ForEach-Object { \"$($_.Extent.StartLineNumber): $($_.Message)\" }";
    let output = Command::new(&powershell)
        .args(["-NoProfile", "-NonInteractive", "-Command", parse])
        .env("GUIDE", file.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("PowerShell starts");
    let errors = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.trim().is_empty(), "{errors}");
}
