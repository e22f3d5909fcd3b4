//! The closing table: each component on each host, before and after, in the order in which it happened.

use crate::lab::estate::inventory::Installed;
use crate::lab::host::journal::Entry;

/// A table of the installations in a journal; `before` is what was installed when it began.
pub fn upgrades(journal: &[Entry], before: &[Installed]) -> String {
    let mut rows = vec![["component", "host", "before", "after"].map(str::to_owned)];
    for entry in journal.iter().filter(|entry| entry.what == "install") {
        let detail = |name: &str| entry.detail[name].as_str().unwrap_or_default().to_owned();
        let component = detail("component");
        let was = before.iter().find(|row| row.host == entry.host && row.component.name() == component);
        let version = was.map(|row| row.version.clone()).unwrap_or_default();
        rows.push([component, entry.host.clone(), version, detail("version")]);
    }
    format(&rows)
}

/// Columns padded to their widest cell.
fn format<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
