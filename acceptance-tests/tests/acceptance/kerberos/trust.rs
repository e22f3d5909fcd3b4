//! Accounts of one domain on hosts of another one.

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
pub fn knowing(mut doctor: Doctor, realm: &Realm) -> Doctor {
    doctor.environment.push(("KRB5_CONFIG".to_owned(), realm.configuration().display().to_string()));
    doctor
}

#[test]
fn a_host_of_a_trusting_domain_is_reached() {
    let Some((domain, child)) = domains() else { return };
    for doctor in [domain.doctor(), over_http(domain.doctor())] {
        let run = knowing(doctor, &child).run();
        assert_eq!(run.code, 0, "{}{}\n{:?}", run.stdout, run.stderr, domain.lab.host(HOST).record().refusals);
    }
}
