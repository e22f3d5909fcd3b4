//! Named findings that may pass when the configuration acknowledges them.

use crate::plan::Desired;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// The findings that can be acknowledged.
pub const NAMES: &[&str] = &[SHARED_APPLICATION_POOL, ADFS_MFA_GAP, ADFS_GAP_UNGUARDED, ADFS_RULES];

/// Components of both .NET generations would share an application pool for a while.
pub const SHARED_APPLICATION_POOL: &str = "shared_application_pool";
/// Users are not asked for the second factor while the AD FS adapter is exchanged.
pub const ADFS_MFA_GAP: &str = "adfs_mfa_gap";
/// Nobody closes that gap when the run is gone.
pub const ADFS_GAP_UNGUARDED: &str = "adfs_gap_unguarded";
/// Authentication rules name the old adapter.
pub const ADFS_RULES: &str = "adfs_rules_old_name";

/// Whether the configuration acknowledges a finding, also when that has ended.
pub fn is_stated(desired: &Desired, check: &str) -> bool {
    desired.acknowledged.iter().any(|acknowledged| acknowledged.check == check)
}

/// Reports a finding: an error unless it is acknowledged, then a warning with the stated reason.
///
/// `finding` says what was found, in full sentences. The acknowledgement to write is added to it.
pub fn report(desired: &Desired, check: &str, finding: &str, diagnostics: &mut Diagnostics) {
    let path = Path::of("acknowledge");
    let summary = format!("{}: {check}", desired.name);
    let way_out =
        format!("acknowledge = [{{ check = \"{check}\", reason = \"…\", until = \"2026-12-31T00:00:00Z\" }}]");
    match desired.acknowledged.iter().find(|acknowledged| acknowledged.check == check) {
        None => diagnostics.error_at(
            path,
            summary,
            format!("{finding} To let it pass, state who decided so and until when: {way_out}"),
        ),
        Some(acknowledged) if acknowledged.ended => diagnostics.error_at(
            path,
            summary,
            format!(
                "{finding} The acknowledgement \"{}\" ended on {}. To let it pass again, state a new end: {way_out}",
                acknowledged.reason,
                acknowledged.until.as_deref().unwrap_or("an earlier day")
            ),
        ),
        Some(acknowledged) => {
            diagnostics.warning(summary, format!("{finding} Acknowledged: {}", acknowledged.reason));
        }
    }
}
