//! The scripts as text: what Windows PowerShell 5.1 would not take, and the shape every script has.

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
