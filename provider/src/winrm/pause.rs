//! Pauses before something is tried again. Those who failed together must not come back together.

use std::time::Duration;

use uuid::Uuid;

/// A pause of about this length.
pub fn give_or_take_a_fifth(base: Duration) -> Duration {
    let [random, ..] = *Uuid::new_v4().as_bytes();
    varied(base, random)
}

fn varied(base: Duration, random: u8) -> Duration {
    base * 4 / 5 + base * u32::from(random) / 640
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_by_a_fifth_at_most() {
        let base = Duration::from_secs(5);
        let pauses: Vec<Duration> = (0..=u8::MAX).map(|random| varied(base, random)).collect();
        assert!(pauses.iter().all(|pause| (base * 4 / 5..=base * 6 / 5).contains(pause)));
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "every random number makes a difference");
    }
}
