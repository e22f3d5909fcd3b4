//! Web components after their package has run: web.config, theme, application pool.

use serde::Deserialize;
use serde_json::json;

use crate::backend::Report;
use crate::backend::error::HostError;
use crate::backend::step::Backup;
use crate::backend::windows::scripts::{COMPARE_DIRECTORY, MERGE_WEB_CONFIG, SET_APPLICATION_POOL_RUNTIME};
use crate::backend::windows::work::{SHORT_SILENCE, Work, join};

/// Where the vendor's own theme lies in a portal's folder.
const THEME: &str = "App_Themes\\Default";

/// Puts the old web.config back or carries its values into the new one. `path` is the file or its folder.
pub async fn merge_config(work: &Work<'_>, path: &str, backup: &Backup) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Outcome {
        Unchanged,
        Restored,
        Merged,
    }
    #[derive(Deserialize)]
    struct Reply {
        outcome: Outcome,
        not_carried: Vec<String>,
        placeholders: Vec<String>,
    }
    let file =
        if path.to_ascii_lowercase().ends_with("web.config") { path.to_owned() } else { join(path, "web.config") };
    // The old file holds the SDK's URL as well; nothing else is to be written.
    let arguments = json!({
        "path": file,
        "backup_id": backup.id,
        "name": backup.name,
        "web_service_sdk_url": null,
    });
    let reply: Reply = work.run_until_heard(MERGE_WEB_CONFIG, arguments, SHORT_SILENCE).await?;
    let host = work.host;
    let mut notes = Vec::new();
    if !reply.not_carried.is_empty() {
        notes.push(format!(
            "On {host} the new {file} has no place for {}; look whether they are still needed.",
            reply.not_carried.join(", ")
        ));
    }
    if !reply.placeholders.is_empty() {
        notes.push(format!(
            "On {host} {} in {file} still holds what the vendor ships, because the old file held no other value.",
            reply.placeholders.join(", ")
        ));
    }
    tracing::info!(host, file, restored = matches!(reply.outcome, Outcome::Restored), "web.config was looked after");
    Ok(Report { already: matches!(reply.outcome, Outcome::Unchanged), notes })
}

/// Says which files of the theme setup replaced. `path` is the portal's folder, which was backed up, or the theme's.
pub async fn compare_theme(work: &Work<'_>, path: &str, backup: &Backup) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        changed: Vec<String>,
        missing: Vec<String>,
    }
    let portal = portal_folder(path);
    let arguments = json!({"path": portal, "backup_id": backup.id, "name": backup.name, "subfolder": THEME});
    let reply: Reply = work.run(COMPARE_DIRECTORY, arguments).await?;
    let lost: Vec<_> = reply.changed.into_iter().chain(reply.missing).collect();
    let note = (!lost.is_empty()).then(|| {
        format!(
            "On {} setup replaced or removed {} of {}. If they were yours, take them from the backup {}.",
            work.host,
            lost.join(", "),
            join(portal, THEME),
            backup.id
        )
    });
    Ok(Report { already: false, notes: note.into_iter().collect() })
}

fn portal_folder(path: &str) -> &str {
    let path = path.trim_end_matches('\\');
    let start = path.len().saturating_sub(THEME.len());
    match path.get(start..) {
        Some(end) if end.eq_ignore_ascii_case(THEME) => path[..start].trim_end_matches('\\'),
        _ => path,
    }
}

/// Moves an application pool to CLR v4.0.
pub async fn set_application_pool(work: &Work<'_>, application_pool: &str) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        already: bool,
    }
    let arguments = json!({"application_pool": application_pool, "runtime": "v4.0"});
    let reply: Reply = work.run_until_heard(SET_APPLICATION_POOL_RUNTIME, arguments, SHORT_SILENCE).await?;
    Ok(Report { already: reply.already, notes: Vec::new() })
}
