//! Whose run this is, as the lease on a host tells the people of other runs.

use crate::config::environment::Environment;

/// Where pipelines say the address of the job that runs.
const JOB_ADDRESSES: [&str; 4] = ["CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL"];

/// Where they say a number of it alone.
const JOB_NUMBERS: [&str; 5] =
    ["SYSTEM_JOBID", "TFC_RUN_ID", "BITBUCKET_PIPELINE_UUID", "CODEBUILD_BUILD_ID", "CI_PIPELINE_ID"];

/// No address of a job is longer.
const LONGEST: usize = 300;

/// The account, the machine and the process of this run, and the pipeline's job where there is one. Never a secret.
pub fn describe(environment: &dyn Environment) -> String {
    let user = first(environment, &["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "an unnamed account".to_owned());
    let machine = first(environment, &["HOSTNAME", "COMPUTERNAME"]).or_else(kernel_name);
    let at = machine.map(|machine| format!("@{machine}")).unwrap_or_default();
    let job = job(environment).map(|job| format!(", {job}")).unwrap_or_default();
    format!("{user}{at}, process {}{job}", std::process::id())
}

/// The job of a pipeline: its address, or what names it.
fn job(environment: &dyn Environment) -> Option<String> {
    let read = |name: &str| first(environment, &[name]);
    if let Some((repository, run)) = read("GITHUB_REPOSITORY").zip(read("GITHUB_RUN_ID")) {
        let server = read("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        return Some(without_credentials(&format!("{server}/{repository}/actions/runs/{run}")));
    }
    if let Some(address) = first(environment, &JOB_ADDRESSES) {
        return Some(without_credentials(&address));
    }
    let collection = read("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI").or_else(|| read("SYSTEM_COLLECTIONURI"));
    if let Some(((collection, project), build)) = collection.zip(read("SYSTEM_TEAMPROJECT")).zip(read("BUILD_BUILDID"))
    {
        let collection = collection.trim_end_matches('/');
        return Some(without_credentials(&format!("{collection}/{project}/_build/results?buildId={build}")));
    }
    JOB_NUMBERS.iter().find_map(|name| Some(format!("job {}", read(name)?)))
}

/// The first of these variables that has a text, in one line.
fn first(environment: &dyn Environment, names: &[&str]) -> Option<String> {
    let texts = names.iter().filter_map(|name| environment.read(name));
    let mut lines =
        texts.map(|text| text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect::<String>());
    lines.find(|line| !line.trim().is_empty())
}

/// An address without what may be a password in it: before the host, and in its query but for the number of the job.
fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (path, query) = path.split_once(['?', '#']).unwrap_or((path, ""));
    let build = query.split('&').find(|part| part.starts_with("buildId="));
    let build = build.map(|build| format!("?{build}")).unwrap_or_default();
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{host}{path}{build}")
}

/// What the kernel calls this machine, where it says so in a file.
fn kernel_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let base = [("USER", "alice"), ("HOSTNAME", "runner07")];
        let variables = base.iter().chain(variables).map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let environment: BTreeMap<String, String> = variables.collect();
        let expected = format!("alice@runner07, process {}{expected}", std::process::id());
        assert_eq!(describe(&environment), expected);
    }

    #[test]
    fn names_the_account_the_machine_and_the_process() {
        check(&[], "");
        check(&[("HOSTNAME", "run\nner07")], "");
        let nothing = describe(&BTreeMap::<String, String>::new());
        assert!(nothing.starts_with("an unnamed account"), "{nothing}");
    }

    #[test]
    fn names_the_job_of_a_pipeline() {
        let github = [("GITHUB_REPOSITORY", "contoso/mfa"), ("GITHUB_RUN_ID", "42")];
        check(&github, ", https://github.com/contoso/mfa/actions/runs/42");
        let own = [github[0], github[1], ("GITHUB_SERVER_URL", "https://git.contoso.com")];
        check(&own, ", https://git.contoso.com/contoso/mfa/actions/runs/42");
        check(&[("CI_JOB_URL", "https://git.contoso.com/mfa/-/jobs/7")], ", https://git.contoso.com/mfa/-/jobs/7");
        check(&[("SYSTEM_JOBID", "12f1"), ("BUILD_BUILDID", "9")], ", job 12f1");
        let azure = [
            ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://dev.azure.com/contoso/"),
            ("SYSTEM_TEAMPROJECT", "mfa"),
            ("BUILD_BUILDID", "9"),
            ("SYSTEM_JOBID", "12f1"),
        ];
        check(&azure, ", https://dev.azure.com/contoso/mfa/_build/results?buildId=9");
    }

    #[test]
    fn never_shows_a_secret() {
        check(
            &[("BUILD_URL", "https://me:marker@ci.contoso.com/job/7?token=marker#marker")],
            ", https://ci.contoso.com/job/7",
        );
        check(&[("GITHUB_TOKEN", "marker"), ("AZUREMFA_PASSWORD", "marker")], "");
    }
}
