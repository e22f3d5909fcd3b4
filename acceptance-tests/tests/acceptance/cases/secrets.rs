//! A marker password, and the token of a balancer, appear in no state, plan, log, diagnostic, process list, or file on a
//! host.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use acceptance_tests::lab::balancer::Balancer;
use acceptance_tests::lab::estate::demo;
use acceptance_tests::tools::terraform::Release;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

/// Every file below a folder that holds the marker in any of the encodings in which it could leak.
pub fn holding(folder: &Path, marker: &str) -> Vec<String> {
    let wide: Vec<u8> = marker.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let needles = [marker.as_bytes().to_vec(), wide];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).expect("a file can be read");
            if needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Looks at the command lines of all processes, again and again, until it is stopped.
struct ProcessWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl ProcessWatch {
    fn start(marker: &str) -> Self {
        let (stop, marker) = (Arc::new(AtomicBool::new(false)), marker.to_owned());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut found = Vec::new();
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                found.extend(command_lines().into_iter().filter(|line| line.contains(&marker)));
                looks += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(looks > 10, "the processes were looked at");
            found
        });
        Self { stop, thread }
    }

    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watch does not panic")
    }
}

/// The command lines of all processes, as any user of the machine can read them.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("there is a list of processes");
    let lines = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

/// The settings of a balancer whose token comes from the environment, or with all that gives orders from a variable.
fn balancer(balancer: &Balancer, ephemeral: bool) -> String {
    let url = format!("{}/members/{{host}}?token={MARKER_QUERY}", balancer.url);
    let order = |enabled: bool| {
        let body = format!("jsonencode({{ enabled = {enabled}, comment = \"{MARKER_BODY}\" }})");
        format!("{{ url = \"{url}\", method = \"PATCH\", body = {body} }}")
    };
    let headers = if ephemeral { "headers = { Authorization = \"Bearer ${var.token}\" }" } else { "" };
    format!(
        "balancers = {{\n  lb = {{\n    type = \"http\"\n    drain_wait = \"0s\"\n    take_out = {}\n    put_back = {}\n    {headers}\n  }}\n}}",
        order(false),
        order(true)
    )
}

/// What stands in the configuration of a balancer itself, and so in the workspace, and must not be printed or logged.
const MARKER_QUERY: &str = "marker-in-the-query";
const MARKER_BODY: &str = "marker-in-the-body";

/// Runs import and upgrade at TRACE with all logs kept in the workspace, then looks everywhere.
fn check_nowhere(release: Release, ephemeral: bool) {
    let estate = demo::temporary().expect("the demo estate can be made");
    let Some(case) = Case::on(release, estate) else { return };
    let marker = case.lab.password.clone();
    let lb = Balancer::start(case.lab.estate()).expect("a balancer can be started");
    case.provider(&balancer(&lb, ephemeral));
    if ephemeral {
        let settings = fs::read_to_string(case.workspace.path().join("provider.tf")).expect("the settings are there");
        let settings = settings
            .replace("default = {", "default = {\n      username = \"Administrator\"\n      password = var.password");
        case.workspace.write(
            "provider.tf",
            &format!("{settings}\n{}{}", ephemeral_variable("password"), ephemeral_variable("token")),
        );
    }
    case.configure(&[
        &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "drain = \"lb\""),
        &hcl::portal("dmz", "7.0.0.9", &["portal01.dmz.contoso.com"], AFTER_GROUP),
    ]);
    let by_variable = [
        ("AZUREMFA_USERNAME", ""),
        ("AZUREMFA_PASSWORD", ""),
        ("TF_VAR_password", marker.as_str()),
        ("TF_VAR_token", lb.token.as_str()),
    ];
    let by_environment = [
        ("AZUREMFA_USERNAME", case.lab.username.as_str()),
        ("AZUREMFA_PASSWORD", marker.as_str()),
        ("AZUREMFA_BALANCER_LB_TOKEN", lb.token.as_str()),
    ];
    let mut environment = if ephemeral { by_variable.to_vec() } else { by_environment.to_vec() };
    let logs = case.workspace.path().join("trace.log").display().to_string();
    environment.extend([("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PATH", logs.as_str())]);
    let watch = ProcessWatch::start(&marker);
    let plan =
        case.workspace.run_with(&["plan", "-no-color", "-input=false", "-out=case.tfplan"], &environment).succeeded();
    // The balancer refuses the first time, which is said and logged.
    lb.trouble(&[503]);
    let apply =
        case.workspace.run_with(&["apply", "-no-color", "-input=false", "case.tfplan"], &environment).succeeded();
    assert!(lb.calls().len() > 4 && lb.calls().iter().all(|call| call.status != 401), "{:?}", lb.calls());
    assert_eq!(watch.stop(), Vec::<String>::new(), "command lines that hold the password");
    let shown = case.workspace.run(&["show", "-json", "case.tfplan"]).succeeded();
    for run in [plan, apply, shown] {
        assert!(!run.printed().contains(&marker), "terraform {} prints the password", run.command);
        assert!(!run.printed().contains(&lb.token), "terraform {} prints the token of a balancer", run.command);
        assert!(
            !run.printed().contains(demo::MARKER_PASSWORD),
            "terraform {} prints a password of a web.config",
            run.command
        );
    }
    let log = fs::read_to_string(case.workspace.path().join("trace.log")).expect("there is a log");
    assert!(log.contains("provider.terraform-provider-azuremfa"), "the provider's own log is in it");
    let logged: String = log.lines().filter(|line| line.contains("terraform-provider-azuremfa")).collect();
    assert!(logged.contains("not done by the balancer"), "what balancers answer is logged");
    assert!(!logged.contains(MARKER_QUERY) && !logged.contains(MARKER_BODY), "what is sent to a balancer is logged");
    assert_eq!(holding(case.workspace.path(), &lb.token), Vec::<String>::new());
    assert_eq!(holding(case.workspace.path(), &marker), Vec::<String>::new());
    assert_eq!(holding(case.workspace.path(), demo::MARKER_PASSWORD), Vec::<String>::new());
    // The lab's own list of accounts is not on a host.
    assert_eq!(holding(&case.lab.estate().folder().join("hosts"), &marker), Vec::<String>::new());
    assert_eq!(holding(&case.lab.estate().folder().join("hosts"), &lb.token), Vec::<String>::new());
}

fn ephemeral_variable(name: &str) -> String {
    format!("variable \"{name}\" {{\n  ephemeral = true\n  type = string\n}}\n")
}

/// A body that cannot be filled in is refused, and the part of it that looks like a placeholder may be a password.
#[test]
fn a_refused_body_is_not_printed() {
    let Some(case) = Case::demo() else { return };
    let balancer = Balancer::start(case.lab.estate()).expect("a balancer can be started");
    let settings = self::balancer(&balancer, false).replace(MARKER_BODY, "{${var.word}}");
    let variable = "variable \"word\" {\n  sensitive = true\n  type = string\n}\n";
    case.provider(&settings);
    case.configure(&[variable, &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "drain = \"lb\"")]);
    let word = "marker_of_a_body";
    case.workspace
        .run_with(&["plan", "-no-color", "-input=false"], &[("TF_VAR_word", word)])
        .ended(1)
        .says("Unknown placeholder")
        .says("The body is not shown, because it may be a secret.")
        .does_not_say(word);
    assert_eq!(balancer.calls(), []);
}

#[test]
fn a_password_from_the_environment_is_nowhere() {
    check_nowhere(Release::Installed, false);
}

#[test]
fn a_password_from_an_ephemeral_variable_is_nowhere() {
    check_nowhere(Release::Installed, true);
    check_nowhere(Release::Library, true);
}
