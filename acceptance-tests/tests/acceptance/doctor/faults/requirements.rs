//! The other direction of the guide for administrators: whatever it asks of a host, it says what `doctor` makes of a host
//! without it, or why `doctor` cannot know.
//!
//! Steps are told by their number in parentheses, settings by their names. Both stand in the first column of a table of
//! quotations, which [`super::guide`] holds to be real, or in a paragraph about `doctor`.

use std::collections::BTreeSet;
use std::fs;

use acceptance_tests::paths;
use regex::Regex;

use super::guide;

/// What asks nothing of a host.
const INTRODUCTION: &str = "Check a host";

/// What one section asks, and what it answers.
#[derive(Debug, Default)]
struct Section<'g> {
    title: &'g str,
    /// Steps as `(1)`, settings by their names, and points of a list by their text.
    asked: Vec<&'g str>,
    /// What is missing, by the tables.
    missing: Vec<&'g str>,
    /// Paragraphs and points about `doctor`.
    said: Vec<String>,
}

#[test]
fn every_section_has_a_table_and_answers_for_all_that_it_asks() {
    let guide = fs::read_to_string(paths::root().join(guide::GUIDE)).expect("the guide").replace("\r\n", "\n");
    let sections = sections(&guide);
    assert!(sections.len() > 7, "{} sections", sections.len());
    let open: Vec<String> = sections.iter().flat_map(Section::open).collect();
    assert!(open.is_empty(), "the guide does not say what `doctor` makes of these: {open:#?}");
}

fn sections(guide: &str) -> Vec<Section<'_>> {
    let sections = guide.split("\n## ").skip(1).map(section);
    sections.filter(|section| section.title != INTRODUCTION).collect()
}

fn section(text: &str) -> Section<'_> {
    let step = Regex::new(r"^(\d+)\. ").expect("a pattern");
    let setting = Regex::new(r"(?:Set-Item -Path WSMan:\S+\\|New-ItemProperty .*-Name )(\w+)").expect("a pattern");
    let mut section = Section { title: text.lines().next().unwrap_or_default(), ..Section::default() };
    let (mut in_code, mut in_table) = (false, false);
    let mut paragraph = String::new();
    for line in text.lines().skip(1) {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            section.asked.extend(setting.captures(line).map(|setting| setting.get(1).expect("a name").as_str()));
            continue;
        }
        if line.starts_with('|') {
            let row: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            in_table |= matches!(row[..], [_, head] if guide::is_column(head));
            section.missing.extend(row.first().filter(|_| in_table));
            continue;
        }
        in_table = false;
        section.asked.extend(step.captures(line).map(|step| step.get(1).expect("a number").as_str()));
        section.asked.extend(line.strip_prefix("- "));
        if line.is_empty() || line.starts_with("- ") {
            section.said.push(std::mem::take(&mut paragraph));
        }
        paragraph.push_str(line);
        paragraph.push('\n');
    }
    section.said.push(paragraph);
    section.said.retain(|paragraph| paragraph.contains("`doctor`"));
    section
}

impl Section<'_> {
    /// What it leaves open.
    fn open(&self) -> Vec<String> {
        let title = self.title;
        let unanswered =
            self.asked.iter().filter(|asked| !self.answers(asked)).map(|asked| format!("{title}: {asked}"));
        let no_table = self.missing.is_empty().then(|| format!("{title}: it has no table"));
        let steps: BTreeSet<&str> = self.asked.iter().copied().collect();
        let dangling = self.numbers().into_iter().filter(|number| !steps.contains(number.as_str()));
        let dangling = dangling.map(|number| format!("{title}: there is no step ({number})"));
        no_table.into_iter().chain(unanswered).chain(dangling).collect()
    }

    fn answers(&self, asked: &str) -> bool {
        if asked.contains(' ') {
            // A point of a list answers for itself.
            return self.said.iter().any(|said| said.contains(asked));
        }
        if asked.parse::<u32>().is_ok() {
            return self.numbers().contains(asked);
        }
        let name = format!("`{asked}`");
        self.missing.iter().any(|missing| missing.contains(&name)) || self.said.iter().any(|said| said.contains(&name))
    }

    /// The steps that are answered.
    fn numbers(&self) -> BTreeSet<String> {
        let numbers = Regex::new(r"\((\d)\)").expect("a pattern");
        let said = self.said.iter().map(String::as_str);
        let texts = self.missing.iter().copied().chain(said);
        texts
            .flat_map(|text| numbers.captures_iter(text).map(|number| number[1].to_owned()).collect::<Vec<_>>())
            .collect()
    }
}

#[test]
fn what_is_left_open_is_named() {
    let table = "| what is missing | what `doctor` says |\n|---|---|\n| the one (1), `Strict` | TCP: `x` |\n";
    let code = "```powershell\nSet-Item -Path WSMan:\\localhost\\Service\\Strict -Value 1\n```\n";
    let open = |rest: &str| {
        let guide = format!("\n## Listener\n\n1. One.\n{code}{rest}");
        sections(&guide).iter().flat_map(Section::open).collect::<Vec<_>>()
    };
    assert_eq!(open(table), [""; 0]);
    assert_eq!(open(""), ["Listener: it has no table", "Listener: 1", "Listener: Strict"]);
    assert_eq!(open(&format!("2. Two.\n\n{table}")), ["Listener: 2"]);
    assert_eq!(open(&format!("2. Two.\n\n{table}\n`doctor` cannot see the other (2).\n")), [""; 0]);
    assert_eq!(open(&format!("{table}\n`doctor` cannot see (3).\n")), ["Listener: there is no step (3)"]);
    assert_eq!(open(&format!("- A point.\n\n{table}")), ["Listener: A point."]);
    assert_eq!(open(&format!("- A point that `doctor` sees.\n\n{table}")), [""; 0]);
}
