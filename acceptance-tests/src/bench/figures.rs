//! What a client's turns came to.

use std::collections::BTreeMap;

use crate::bench::rows::Measured;

/// Some turns of a client: what it timed itself, and what the lab and the ports saw meanwhile.
#[derive(Debug, Default)]
pub struct Figures {
    /// Values that the client printed, by name, in their order.
    pub printed: BTreeMap<String, Vec<f64>>,
    pub requests: f64,
    pub bytes_up: f64,
    pub bytes_down: f64,
    /// Waits for the way there and back, on all connections; counted by the ports.
    pub round_trips: f64,
    /// Processes that were started on the hosts.
    pub processes: f64,
    /// How many turns these are.
    pub turns: f64,
}

impl Figures {
    /// Reads the lines `name value` that a client prints; other lines are none of ours.
    pub fn read(text: &str) -> Self {
        let mut figures = Self::default();
        for line in text.lines() {
            if let Some((name, value)) = line.split_once(' ')
                && let Ok(value) = value.trim().parse()
            {
                figures.printed.entry(name.to_owned()).or_default().push(value);
            }
        }
        figures
    }

    /// Adds another turn.
    pub fn add(&mut self, turn: Self) {
        for (name, mut values) in turn.printed {
            self.printed.entry(name).or_default().append(&mut values);
        }
        self.requests += turn.requests;
        self.bytes_up += turn.bytes_up;
        self.bytes_down += turn.bytes_down;
        self.round_trips += turn.round_trips;
        self.processes += turn.processes;
        self.turns += turn.turns;
    }

    /// The middle of what was printed under a name; robust against a machine that others use too. `None` when
    /// nothing was.
    pub fn median(&self, name: &str) -> Option<Measured> {
        let values = self.printed.get(name)?;
        Some(Measured { value: median(values)?, runs: values.len() })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected: Option<f64>) {
        assert_eq!(median(values), expected);
    }

    #[test]
    fn takes_the_middle() {
        check(&[], None);
        check(&[3.0], Some(3.0));
        check(&[9.0, 1.0, 2.0], Some(2.0));
        check(&[9.0, 1.0, 2.0, 4.0], Some(3.0));
    }

    #[test]
    fn turns_add_up() {
        let turn = |text: &str| Figures { requests: 6.0, turns: 1.0, ..Figures::read(text) };
        let mut figures = Figures::default();
        figures.add(turn("cold 0.5\n"));
        figures.add(turn("cold 0.7\ncold 0.9\n"));
        assert_eq!((figures.requests, figures.turns), (12.0, 2.0));
        assert_eq!(figures.median("cold"), Some(Measured { value: 0.7, runs: 3 }));
        assert_eq!(figures.median("further"), None);
    }

    #[test]
    fn reads_named_values_and_nothing_else() {
        let figures = Figures::read("cold 0.5\nhash 12ab\ncold 0.7\nwarning: late\nmemory 12\n");
        assert_eq!(figures.printed.keys().collect::<Vec<_>>(), ["cold", "memory"]);
        assert_eq!(figures.printed["cold"], [0.5, 0.7]);
    }
}
