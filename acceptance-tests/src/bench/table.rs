//! The table as people read it: Markdown whose columns are aligned, so that it can be read as it is printed.

use crate::bench::rows::{Row, Rows};

const COLUMNS: usize = 8;
const HEAD: [&str; COLUMNS] = ["row", "own", "peer", "theirs", "ratio", "runs", "target", "verdict"];

/// Where the targets of a cold command come from, and what they can be held against.
const TARGETS: &str = "\
    The targets of a cold command by NTLM at 20 ms, 0.70 of pypsrp and 0.55 of pywinrm, come from a measurement over HTTP: \
    0.152 s beside 0.218 s and 0.273 s. Theirs are 9 round trips, 0.180 s of waiting; 0.09 s of \
    pywinrm's are more than a session with everything loaded takes, most likely a part of what the first command of a \
    process costs; how much of it cannot be told any more. So the target beside pywinrm belongs to the rows `first command of a process`, that beside pypsrp to \
    `cold command, NTLM/HTTP` as well. All of them have both targets and say `missed` where they miss them. A client that \
    does nothing but wait takes its round trips: where the ratio of those is above a target, a row with everything loaded \
    cannot meet it. The target of an upload, 0.55 of pypsrp, comes from its `Client.copy` (0.56 s beside 0.96 s); \
    beside its shell's standard input, which it does not offer for files, nothing is promised but to be ahead. Over one \
    stream ours waits for 20 answers and the copy for 28, which is 0.71; what a ratio is below that is the copy's own work \
    between them, and less the faster the machine.";

/// The whole page.
pub fn document(rows: &Rows, clients: &[&str]) -> String {
    let mut cells = vec![HEAD.map(str::to_owned)];
    cells.extend(rows.rows.iter().map(of_row));
    let missed = rows.rows.iter().filter(|row| row.verdict == "missed").count();
    let met = rows.rows.iter().filter(|row| row.verdict == "met").count();
    let list = |lines: Vec<String>| lines.iter().map(|line| format!("- {line}\n")).collect::<String>();
    let clients = list(clients.iter().map(|&client| client.to_owned()).collect());
    let notes = if rows.notes.is_empty() { String::new() } else { format!("\n{}", list(rows.notes.clone())) };
    format!(
        "# Benchmark of the WinRM client\n\n\
         Written by `cargo bench-lab`. The hosts are the lab's, whose programs cost next to nothing, so this is the \
         transport alone. Requests, bytes and processes are exact; times are medians of so many `runs` on a machine \
         that does other work too, in which the clients took turns, and mean something only as ratios within one run. \
         `at 20 ms` is behind a proxy that adds 10 ms each way and one round trip for each new connection; it counts round \
         trips: one for a connection, and one whenever something a client sent was answered, TLS and logons too. Bytes are \
         all that TCP carries, with HTTP heads and TLS.\n\n\
         Each client times itself from the making of its session to the session's end, in a process that has loaded \
         everything; no start of a program or interpreter is in that. What it leaves out is in the rows `first command of a \
         process`: `its session` is the same in a fresh process, where everything is done for the first time; \
         `start to end` is the whole program, timed from outside.\n\n\
         {TARGETS}\n\n\
         {}\n{met} met, {missed} missed.\n{notes}\n## Clients\n\n{clients}",
        format(&cells)
    )
}

fn of_row(row: &Row) -> [String; COLUMNS] {
    [row.name.as_str(), &row.own, row.peer, &row.theirs, &row.ratio, &row.runs, &row.target, row.verdict]
        .map(str::to_owned)
}

/// A Markdown table with columns padded to their widest cell.
fn format(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        text += &line((0..COLUMNS).map(|column| format!("{:1$}", row[column], width(column))).collect());
        if number == 0 {
            text += &line((0..COLUMNS).map(|column| "-".repeat(width(column))).collect());
        }
    }
    text
}
