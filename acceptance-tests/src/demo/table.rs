//! The closing table: each component on each host, before and after, in the order in which it happened.

use crate::lab::host::journal::Entry;

/// A table of the installations in a journal. `before` is the version the whole estate was on.
pub fn upgrades(journal: &[Entry], before: &str) -> String {
    let header = ["component", "host", "before", "after"].map(str::to_owned);
    let mut rows = vec![header];
    for entry in journal.iter().filter(|entry| entry.what == "install") {
        let detail = |name: &str| entry.detail[name].as_str().unwrap_or("").to_owned();
        rows.push([detail("component"), entry.host.clone(), before.to_owned(), detail("version")]);
    }
    format(&rows)
}

/// Columns padded to their widest cell.
pub fn format<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
