//! The rows of the table: what was measured, what is promised, and whether the promise holds.

/// All rows, and notes on them.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// One comparison.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub own: String,
    pub peer: &'static str,
    pub theirs: String,
    pub ratio: String,
    /// Of how many values each figure is the median; nothing for figures that are exact.
    pub runs: String,
    pub target: String,
    pub verdict: &'static str,
}

/// A figure, and of how many values it is the median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub value: f64,
    /// None for one that was counted and is exact.
    pub runs: usize,
}

/// Why there is no figure of another client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It is not here, or it failed; a note says why.
    Skipped(String),
    /// What it is made of cannot do this at all, in the table's words.
    Unable(&'static str),
}

/// How a figure is written.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    Count,
    Bytes,
    /// Bytes on the wire per byte of the file.
    PerByte,
    Seconds,
    Times,
    /// Given in KiB.
    Memory,
}

/// What a row promises.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Our own figure is at most this.
    Own(f64),
    /// Our own figure is at most this part of the other's.
    Ratio(f64),
    /// Nothing is promised.
    None,
}

impl Rows {
    /// Adds a remark below the table, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Our own figure beside another one, or beside the reason why there is none.
    pub fn against(
        &mut self,
        name: &str,
        unit: Unit,
        own: Measured,
        (peer, theirs): (&'static str, Result<Measured, Lack>),
        target: Target,
    ) {
        if let Err(Lack::Skipped(reason)) = &theirs {
            self.note(format!("{peer}: skipped: {reason}"));
        }
        // A promise about our own figure is judged once, not beside each client.
        let repeated = matches!(target, Target::Own(_)) && self.rows.iter().any(|row| row.name == name);
        let target = if repeated { Target::None } else { target };
        self.rows.push(Row {
            name: name.to_owned(),
            own: unit.write(own.value),
            peer,
            theirs: theirs.as_ref().map_or_else(|lack| lack.word().to_owned(), |theirs| unit.write(theirs.value)),
            ratio: theirs.as_ref().map_or("-".to_owned(), |theirs| write_ratio(own.value / theirs.value)),
            runs: own.write_runs(theirs.as_ref().ok().copied()),
            target: target.write(unit),
            verdict: target.judge(own.value, theirs.as_ref().map(|theirs| theirs.value)),
        });
    }

    /// Something promised that there is no figure for; `verdict` says whether that breaks the promise.
    pub fn absent(&mut self, name: &str, reason: &str, target: &str, verdict: &'static str) {
        self.note(format!("{name}: {reason}"));
        self.rows.push(Row {
            name: name.to_owned(),
            own: "none".to_owned(),
            peer: "-",
            theirs: "-".to_owned(),
            ratio: "-".to_owned(),
            runs: "-".to_owned(),
            target: target.to_owned(),
            verdict,
        });
    }
}

impl Lack {
    /// Why there is none.
    pub fn reason(&self) -> &str {
        match self {
            Self::Skipped(reason) => reason,
            Self::Unable(words) => words,
        }
    }

    /// What stands in the figure's place.
    fn word(&self) -> &'static str {
        match self {
            Self::Skipped(_) => "skipped",
            Self::Unable(words) => words,
        }
    }
}

impl Measured {
    /// A figure that was counted.
    pub fn exact(value: f64) -> Self {
        Self { value, runs: 0 }
    }

    fn write_runs(self, theirs: Option<Self>) -> String {
        match (self.runs, theirs.map(|theirs| theirs.runs)) {
            (0, _) => "-".to_owned(),
            (own, Some(theirs)) if own != theirs => format!("{own}/{theirs}"),
            (own, _) => own.to_string(),
        }
    }
}

fn write_ratio(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.01 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Count if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Count => format!("{value:.1}"),
            Self::Bytes => format!("{value:.0} B"),
            Self::PerByte => format!("{value:.3}"),
            Self::Seconds => format!("{value:.3} s"),
            Self::Times => format!("{value:.1} times"),
            Self::Memory => format!("{:.1} MiB", value / 1024.0),
        }
    }
}

impl Target {
    /// The promise as the table shows it.
    pub fn write(self, unit: Unit) -> String {
        match self {
            Self::Own(limit) => format!("at most {}", unit.write(limit)),
            Self::Ratio(limit) => format!("ratio at most {limit:.2}"),
            Self::None => "-".to_owned(),
        }
    }

    fn judge(self, own: f64, theirs: Result<f64, &Lack>) -> &'static str {
        let met = match self {
            Self::Own(limit) => own <= limit,
            Self::Ratio(limit) => match theirs {
                Ok(theirs) => own <= limit * theirs,
                Err(Lack::Skipped(_)) => return "skipped",
                Err(Lack::Unable(_)) => return "-",
            },
            Self::None => return "-",
        };
        if met { "met" } else { "missed" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: Target, own: f64, theirs: Result<f64, Lack>, ratio: &str, verdict: &str) {
        let mut rows = Rows::default();
        let notes = usize::from(matches!(theirs, Err(Lack::Skipped(_))));
        let measured = |value| Measured { value, runs: 3 };
        rows.against("row", Unit::Seconds, measured(own), ("pypsrp", theirs.map(measured)), target);
        assert_eq!((rows.rows[0].ratio.as_str(), rows.rows[0].verdict), (ratio, verdict));
        assert_eq!(rows.notes.len(), notes);
    }

    fn skipped() -> Lack {
        Lack::Skipped("not here".to_owned())
    }

    #[test]
    fn a_figure_that_is_not_there_is_said_in_words() {
        for (lack, words) in [(skipped(), "skipped"), (Lack::Unable("cannot: reason"), "cannot: reason")] {
            let mut rows = Rows::default();
            rows.against("row", Unit::Count, Measured::exact(1.0), ("pypsrp", Err(lack)), Target::None);
            assert_eq!(rows.rows[0].theirs, words);
        }
    }

    #[test]
    fn says_how_often_was_measured() {
        let times = |runs| Measured { value: 1.0, runs };
        assert_eq!(times(3).write_runs(Some(times(3))), "3");
        assert_eq!(times(3).write_runs(Some(times(1))), "3/1");
        assert_eq!(times(3).write_runs(None), "3");
        assert_eq!(Measured::exact(1.0).write_runs(Some(Measured::exact(2.0))), "-");
    }

    #[test]
    fn judges_by_the_target() {
        check(Target::Ratio(0.5), 1.0, Ok(2.0), "0.50", "met");
        check(Target::Ratio(0.5), 1.1, Ok(2.0), "0.55", "missed");
        check(Target::Ratio(0.5), 1.0, Err(skipped()), "-", "skipped");
        check(Target::Ratio(0.05), 1.0, Ok(512.0), "0.0020", "met");
        check(Target::Own(4.0), 4.0, Ok(8.0), "0.50", "met");
        check(Target::Own(4.0), 5.0, Err(skipped()), "-", "missed");
        check(Target::Ratio(0.5), 1.0, Err(Lack::Unable("cannot")), "-", "-");
        check(Target::None, 5.0, Ok(5.0), "1.00", "-");
    }
}
