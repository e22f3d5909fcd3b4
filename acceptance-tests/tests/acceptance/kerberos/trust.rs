//! Accounts of one domain on hosts of another one.

use std::path::Path;

use acceptance_tests::lab::kerberos::realm::{CHILD, REALM, Realm};

use super::domain::{Domain, Setup, lab_in, over_http, programs};
use crate::doctor::run::{Doctor, HOST};

/// The account's realm, and a lab whose host is in the realm below it.
pub fn domains() -> Option<(Domain, Realm)> {
    let programs = programs()?;
    let parent = Realm::start_named(&programs, REALM, None, &format!(" {HOST} = {CHILD}\n")).expect("the realm");
    let child = Realm::start_named(&programs, CHILD, None, "").expect("the realm below");
    let trust = format!("krbtgt/{CHILD}@{REALM}");
    [&parent, &child].into_iter().for_each(|realm| realm.account(&trust, "what both know"));
    let lab = lab_in(&child, &Setup::default());
    parent.account(&lab.username, &lab.password);
    Some((Domain { realm: parent, lab }, child))
}

/// With what the machine knows of realms.
pub fn knowing(mut doctor: Doctor, configuration: &Path) -> Doctor {
    doctor.environment.push(("KRB5_CONFIG".to_owned(), configuration.display().to_string()));
    doctor
}

#[test]
fn a_host_of_a_trusting_domain_is_reached() {
    let Some((domain, child)) = domains() else { return };
    // One says in which realm the host is; without it the account's KDC refers to that.
    let kdcs = format!("[realms]\n{CHILD} = {{\n  kdc = {}\n}}\n", child.kdc());
    let configurations = [child.configuration(), child.write("kdcs.conf", &kdcs)];
    let doctors = [domain.doctor(), over_http(domain.doctor())];
    for (doctor, configuration) in doctors.into_iter().zip(configurations) {
        let run = knowing(doctor, &configuration).run();
        assert_eq!(run.code, 0, "{}{}\n{:?}", run.stdout, run.stderr, domain.lab.host(HOST).record().refusals);
    }
}
