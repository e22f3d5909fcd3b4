//! A file that goes to a host over several connections at once: how it is cut, read and sent.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, Take};
use tokio::task::JoinSet;

use crate::winrm::shell::LARGEST_PIECE;

/// Streams to one host at a time: as many as a session has connections, and the whole estate stays far below the 300
/// connections that a host takes.
pub const MOST_STREAMS: usize = 4;

/// What at most is hashed on both sides after a connection broke, and sent again when the hashes differ.
const MOST_RANGE: u64 = 64 * 1024 * 1024;

/// What a host takes for a full message of input besides its way: PowerShell was seen to take 22 MB/s
/// (ansible/ansible#23450).
const MESSAGE: Duration = Duration::from_millis(17);

/// What a further stream costs besides its logon: a PowerShell process takes a host a fifth of a second
/// (PowerShell/PowerShell#12843), and the others go on meanwhile.
const START: Duration = Duration::from_millis(200);

/// How many streams a file is worth when at most `most` are wanted. The messages of one stream go one after the other,
/// each for a `round_trip`, so distance is what streams save. Each must save twice what its logon and start cost: these take
/// time of the host's, too, and a logon and a process for a few hundredths of a second are no bargain.
pub fn streams(length: u64, round_trip: Duration, most: usize) -> usize {
    let messages = length as f64 / LARGEST_PIECE as f64;
    let one = (round_trip + MESSAGE).as_secs_f64() * messages;
    let cost = 2.0 * (2 * round_trip + START).as_secs_f64();
    let saves = |streams: usize| one / (streams - 1) as f64 - one / streams as f64;
    (2..=most.min(MOST_STREAMS)).take_while(|&streams| saves(streams) > cost).last().unwrap_or(1)
}

/// Cuts a file into ranges for `streams` streams: every byte is in exactly one, in order, and none is empty unless the
/// file is. There are more ranges than streams only where they would be too large to be sent twice.
pub fn cut(length: u64, streams: usize) -> Vec<Range<u64>> {
    let streams = streams.max(1) as u64;
    let rounds = length.div_ceil(MOST_RANGE.saturating_mul(streams)).max(1);
    let count = (rounds * streams).min(length).max(1);
    let (each, longer) = (length / count, length % count);
    let start = |number: u64| number * each + number.min(longer);
    (0..count).map(|number| start(number)..start(number + 1)).collect()
}

/// Reads a range of a file.
pub async fn open(path: &Path, range: &Range<u64>) -> io::Result<Take<File>> {
    let mut file = File::open(path).await?;
    file.seek(io::SeekFrom::Start(range.start)).await?;
    Ok(file.take(range.end - range.start))
}

/// Sends ranges, at most `streams` of them at once, each in a task of its own, so that several processors seal and
/// encode. After the first failure nothing goes on.
pub async fn send<T, E, F>(
    ranges: Vec<Range<u64>>,
    streams: usize,
    mut one: impl FnMut(Range<u64>) -> F,
) -> Result<Vec<T>, E>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut waiting = ranges.into_iter();
    let mut tasks = JoinSet::new();
    for range in waiting.by_ref().take(streams.max(1)) {
        tasks.spawn(one(range));
    }
    let mut sent = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let outcome = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        match outcome {
            Ok(done) => sent.push(done),
            Err(error) => {
                // Only when they have let go of the host is it free for whoever cleans up.
                tasks.shutdown().await;
                return Err(error);
            }
        }
        if let Some(range) = waiting.next() {
            tasks.spawn(one(range));
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[track_caller]
    fn check_cut(length: u64, streams: usize) {
        let ranges = cut(length, streams);
        let mut at = 0;
        for range in &ranges {
            assert!(range.start == at && (range.end > at || length == 0), "{length} in {streams}: {ranges:?}");
            assert!(range.end - range.start <= MOST_RANGE, "{length} in {streams}: {ranges:?}");
            at = range.end;
        }
        assert_eq!(at, length, "{streams} streams: {ranges:?}");
        let lengths = ranges.iter().map(|range| range.end - range.start);
        assert!(lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0) <= 1, "even: {ranges:?}");
        if length >= streams as u64 {
            assert_eq!(ranges.len() % streams, 0, "{length} in {streams}: no stream idles in the last round");
        }
    }

    #[test]
    fn every_byte_is_in_exactly_one_range() {
        let around = |edge: u64| edge.saturating_sub(2)..edge + 3;
        for streams in 1..=MOST_STREAMS {
            let edges = [0, MOST_RANGE, MOST_RANGE * 2, MOST_RANGE * 4, MOST_RANGE * 12, 1 << 40];
            edges.into_iter().flat_map(around).for_each(|length| check_cut(length, streams));
        }
        let mut random = 0x5eed_u64;
        for _ in 0..2_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            check_cut(random >> (24 + random % 40), 1 + (random >> 7) as usize % MOST_STREAMS);
        }
    }

    #[track_caller]
    fn check_streams(milliseconds: u64, expected: [usize; 6]) {
        let round_trip = Duration::from_millis(milliseconds);
        let found = [0, 1, 5, 20, 100, 5_000].map(|megabytes| streams(megabytes * 1024 * 1024, round_trip, 4));
        assert_eq!(found, expected, "{milliseconds} ms");
    }

    #[test]
    fn the_further_the_host_the_more_streams() {
        check_streams(0, [1, 1, 1, 2, 3, 4]);
        check_streams(1, [1, 1, 1, 2, 4, 4]);
        check_streams(20, [1, 1, 1, 2, 4, 4]);
        check_streams(150, [1, 1, 2, 3, 4, 4]);
        let far = Duration::from_secs(9);
        assert_eq!([9, 2, 1, 0].map(|most| streams(u64::MAX, far, most)), [4, 2, 1, 1]);
    }

    #[tokio::test]
    async fn a_range_is_read_and_no_more() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"0123456789").expect("written");
        for (range, expected) in [(0..10, "0123456789"), (3..7, "3456"), (9..10, "9"), (4..4, ""), (8..12, "89")] {
            let mut text = String::new();
            open(file.path(), &range).await.expect("open").read_to_string(&mut text).await.expect("read");
            assert_eq!(text, expected, "{range:?}");
        }
    }

    #[tokio::test]
    async fn only_so_many_go_at_once_and_all_go() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let one = |range: Range<u64>| {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, ()>(range.end - range.start)
            }
        };
        let sent = send(cut(100, 10), 3, one).await.expect("sent");
        assert_eq!((sent.iter().sum::<u64>(), sent.len(), most.load(Ordering::SeqCst)), (100, 10, 3));
    }

    #[tokio::test]
    async fn a_failure_ends_the_others() {
        let kept = Arc::new(());
        let one = |range: Range<u64>| {
            let kept = kept.clone();
            async move {
                let _kept = kept;
                if range.start == 0 { Err("broken") } else { std::future::pending::<Result<(), _>>().await }
            }
        };
        assert_eq!(send(cut(100, 4), 4, one).await, Err("broken"));
        assert_eq!(Arc::strong_count(&kept), 1, "nothing runs on");
    }
}
