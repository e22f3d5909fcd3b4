//! What a host must have before a component of 7.0 or later is installed on it.

use crate::backend::facts::HostFacts;
use crate::plan::token::SetKind;
use crate::plan::version::Version;

/// `Release` of .NET Framework 4.5.
const DOTNET_45: i64 = 378_389;
/// Visual C++ 2015 Update 1. 2017 and later use the same family and compare higher.
const VC_2015_UPDATE_1: (u32, u32, u32) = (14, 0, 23506);

/// What is missing on a host, one phrase each, in words that complete "HOST lacks …".
pub fn missing(kind: SetKind, facts: &HostFacts, pin: &Version) -> Vec<String> {
    let mut missing = Vec::new();
    if pin.major() < 7 {
        return missing;
    }
    if facts.dotnet_release.is_none_or(|release| release < DOTNET_45) {
        let found = facts.dotnet_release.map_or_else(|| "none".to_owned(), |release| format!("release {release}"));
        missing.push(format!(".NET Framework 4.5 or later (found {found}; release {DOTNET_45} is the least)"));
    }
    // The server setup brings both packages itself, also for what shares its host.
    if kind != SetKind::ServerGroup && facts.server.is_none() {
        missing.extend(missing_visual_c(facts, pin));
    }
    missing
}

/// Which of the Visual C++ packages that a component's package needs are missing, also where a server's setup may have
/// brought them before.
pub fn missing_visual_c(facts: &HostFacts, pin: &Version) -> Vec<String> {
    if pin.major() < 7 {
        return Vec::new();
    }
    let packages = [("x64", facts.vc_redist_x64.as_deref()), ("x86", facts.vc_redist_x86.as_deref())];
    let missing = packages.into_iter().filter(|(_, found)| !found.is_some_and(is_update_1));
    missing
        .map(|(architecture, found)| {
            format!(
                "the Visual C++ 2015 Update 1 redistributable or later, {architecture} (found {}; 14.0.23506 is the least)",
                found.unwrap_or("none")
            )
        })
        .collect()
}

/// Compares the first three segments; the registry writes a leading `v` on some systems.
fn is_update_1(text: &str) -> bool {
    let mut segments = text.trim_start_matches(['v', 'V']).split('.').map(|segment| segment.parse::<u32>().ok());
    let mut next = || segments.next().flatten();
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(build)) => (major, minor, build) >= VC_2015_UPDATE_1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visual_c_is_compared_by_three_segments() {
        for (text, expected) in [
            ("14.0.23506", true),
            ("v14.0.24215.01", true),
            ("14.40.33810", true),
            ("14.0.23026", false),
            ("13.9.99999", false),
            ("14", false),
            ("", false),
        ] {
            assert_eq!(is_update_1(text), expected, "{text}");
        }
    }
}
