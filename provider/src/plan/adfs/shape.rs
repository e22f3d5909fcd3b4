//! Whether hosts are one farm that can be changed: one primary, in the first batch, and nobody ahead.

use crate::plan::Desired;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::checks::Survey;
use crate::tf::path::Path;

/// What is wrong with the shape of a farm.
pub struct Problem {
    pub path: Path,
    pub summary: String,
    /// Full sentences, with the way out.
    pub detail: String,
}

/// The first problem; one at a time, because each hides the next.
pub fn problem(desired: &Desired, batches: &[Vec<String>], farm: &Farm<'_>, survey: &Survey<'_>) -> Option<Problem> {
    let primaries = farm.primaries();
    if primaries.len() > 1 {
        return Some(several_farms(&primaries));
    }
    let all_run = farm.seen().count() == desired.hosts.len() && farm.seen().all(|(_, adfs)| farm::is_running(adfs));
    match primaries.first().copied().or_else(|| farm.named_primary()) {
        // A host may be declared by another name than AD FS has for it, so only what was seen wholly can be judged.
        Some(primary) if !desired.hosts.iter().any(|host| host == primary) => {
            return all_run.then(|| outside(&format!("The primary of the farm, {primary},")));
        }
        Some(primary) if !is_in_first(batches, primary) => return Some(second_batch(batches, primary)),
        Some(_) => {}
        None if all_run && farm.seen().any(|(_, adfs)| farm::is_secondary(adfs)) => {
            return Some(outside("The primary of the farm"));
        }
        None => {}
    }
    ahead(desired, survey)
}

fn several_farms(primaries: &[&str]) -> Problem {
    Problem {
        path: Path::of("batches"),
        summary: "its hosts are of several farms".to_owned(),
        detail: format!(
            "{} each say that they are the primary of an AD FS farm. A resource stands for one farm: declare one for each.",
            primaries.join(" and ")
        ),
    }
}

fn outside(who: &str) -> Problem {
    Problem {
        path: Path::of("batches"),
        summary: "its primary is not among its hosts".to_owned(),
        detail: format!(
            "{who} is not among the hosts, and the adapter is registered there. Add it to the first batch."
        ),
    }
}

fn second_batch(batches: &[Vec<String>], primary: &str) -> Problem {
    Problem {
        path: Path::of("batches"),
        summary: format!("the primary {primary} has to be in the first batch"),
        detail: format!(
            "{primary} is the primary of the farm and stands in the second batch. The adapter is registered there, and that \
             needs the new one installed, so the primary is upgraded first. Write: batches = {}",
            reordered(batches, primary)
        ),
    }
}

/// One host that is ahead is told of by the shared checks; it matters here only when others are to be worked on.
fn ahead(desired: &Desired, survey: &Survey<'_>) -> Option<Problem> {
    let ahead = survey.seen().find(|seen| survey.is_working() && seen.evidence.lowest > desired.pin)?;
    Some(Problem {
        path: Path::of("version"),
        summary: format!("{} is ahead of the others", ahead.host),
        detail: format!(
            "{} runs {}, and the farm has one registration for all hosts: another one cannot be brought to {} beside it. \
             Raise version.",
            ahead.host, ahead.evidence.lowest, desired.pin
        ),
    })
}

fn is_in_first(batches: &[Vec<String>], host: &str) -> bool {
    batches.first().is_some_and(|first| first.iter().any(|known| known == host))
}

/// The batches with the primary at the head of the first, and what was there in the primary's place.
fn reordered(batches: &[Vec<String>], primary: &str) -> String {
    let first = batches.first().and_then(|batch| batch.first()).map_or("", String::as_str);
    let moved = |host: &String| match host.as_str() {
        host if host == primary => first.to_owned(),
        host if host == first => primary.to_owned(),
        host => host.to_owned(),
    };
    let written = batches.iter().map(|batch| format!("{:?}", batch.iter().map(moved).collect::<Vec<_>>()));
    format!("[{}]", written.collect::<Vec<_>>().join(", "))
}
