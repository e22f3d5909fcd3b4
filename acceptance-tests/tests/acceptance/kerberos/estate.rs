//! An upgrade by Terraform in which every host is reached by Kerberos, and where its password does not turn up.

use acceptance_tests::workspace::Workspace;

use super::domain::{Domain, Setup};
use crate::cases::secrets::holding;
use crate::support::case::{Case, cli};
use crate::support::hcl::{self, SERVERS};
use acceptance_tests::lab::kerberos::realm::REALM;
use acceptance_tests::tools::terraform::Release;

#[test]
fn a_group_is_upgraded_and_the_password_is_nowhere() {
    let services = SERVERS.iter().map(|host| format!("WSMAN/{host}")).collect();
    let Some(cli) = cli(Release::Installed) else { return };
    let Some(domain) = Domain::start(&Setup { services, hosts: SERVERS.to_vec(), ..Setup::default() }) else { return };
    let Domain { realm, lab } = domain;
    let marker = lab.password.clone();
    let workspace = Workspace::new(&cli, &[("AZUREMFA_USERNAME", &lab.username), ("AZUREMFA_PASSWORD", &marker)]);
    let case = Case { cli, lab, workspace };
    let kerberos = format!(
        "default = {{\n      auth  = \"kerberos\"\n      realm = \"{REALM}\"\n      kdc   = \"{}\"",
        realm.kdc()
    );
    let provider = hcl::provider(&case.lab, "").replace("default = {", &kerberos);
    case.workspace.write("provider.tf", &provider);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    let log = case.workspace.path().join("trace.log").display().to_string();
    let trace = [("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PATH", log.as_str())];
    let plan = ["plan", "-no-color", "-input=false", "-out=case.tfplan"];
    case.workspace.run_with(&plan, &trace).succeeded();
    case.workspace.run_with(&["apply", "-no-color", "-input=false", "case.tfplan"], &trace).succeeded();
    case.promote(SERVERS[1]);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[1], "")]);
    case.converge();
    case.settled();
    for host in SERVERS {
        let record = case.lab.host(host).record();
        assert!(record.logons > 0 && record.refusals.is_empty(), "{host}: {record:?}");
    }
    let logged = std::fs::read_to_string(&log).expect("there is a log");
    assert!(logged.contains("the KDC gave a ticket"), "the login itself is in the log");
    assert_eq!(holding(case.workspace.path(), &marker), Vec::<String>::new());
}
