//! A host of the demo estate in a Kerberos realm.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::kerberos::realm::{REALM, Realm};
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::skip;
use acceptance_tests::tools::kerberos::Kerberos;
use serde_json::{Value, json};

use crate::doctor::run::{Doctor, HOST};

/// The realm, and a lab whose host is in it.
pub struct Domain {
    pub realm: Realm,
    pub lab: Lab,
}

/// How a domain is set up.
#[derive(Default)]
pub struct Setup {
    /// The names under which the realm knows the host; both when empty.
    pub services: Vec<String>,
    /// The hosts that are in the realm; the one that `doctor` checks when empty.
    pub hosts: Vec<&'static str>,
    /// How the KDC's clock differs, such as `+10m`.
    pub kdc_clock: Option<&'static str>,
    /// How the host's clock differs.
    pub host_clock: Option<&'static str>,
    /// The host's keys are made anew after its keytab was written, so that it cannot open tickets.
    pub new_keys: bool,
    /// The host answers tickets with nothing that proves it.
    pub no_proof: bool,
}

impl Domain {
    /// Starts one. `None`, said and counted, when MIT Kerberos cannot be had here.
    pub fn start(setup: &Setup) -> Option<Self> {
        let programs = programs()?;
        let realm = Realm::start(&programs, setup.kdc_clock).expect("the realm");
        let lab = lab_in(&realm, setup);
        realm.account(&lab.username, &lab.password);
        Some(Self { realm, lab })
    }

    /// `doctor` with a connection that uses Kerberos with the lab's user name and password.
    pub fn doctor(&self) -> Doctor {
        let doctor = Doctor::of(&self.lab);
        doctor.with("auth", json!("kerberos")).with("realm", json!(REALM)).with("kdc", json!(self.realm.kdc()))
    }

    /// The same without user name and password.
    pub fn doctor_without_password(&self) -> Doctor {
        Doctor { username: String::new(), password: String::new(), ..self.doctor() }
    }
}

/// MIT Kerberos. `None`, said and counted, when it cannot be had here.
pub fn programs() -> Option<Kerberos> {
    match Kerberos::find() {
        Ok(programs) => Some(programs),
        Err(reason) => {
            skip::skipped("Kerberos", &reason.to_string());
            None
        }
    }
}

/// A lab whose hosts are in a realm.
pub fn lab_in(realm: &Realm, setup: &Setup) -> Lab {
    let services = if setup.services.is_empty() { service_names() } else { setup.services.clone() };
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    realm.services(&services);
    let keytab = realm.keytab("host.keytab", &services);
    if setup.new_keys {
        services.iter().for_each(|service| realm.administer(&[&format!("cpw -randkey {service}")]));
    }
    let acceptor = realm.acceptor(&keytab, setup.host_clock).expect("the acceptor");
    let settings = Settings { kerberos: Some(acceptor), no_proof: setup.no_proof, ..Settings::default() };
    let estate = demo::temporary().expect("the estate");
    let hosts = if setup.hosts.is_empty() { vec![HOST] } else { setup.hosts.clone() };
    let builder = Lab::builder(&estate).mode(Mode::Native);
    let builder = hosts.iter().fold(builder, |builder, host| builder.winrm(host, settings.clone()));
    builder.start_in_background().expect("the lab")
}

/// What Windows registers for a host.
pub fn service_names() -> Vec<String> {
    vec![format!("WSMAN/{HOST}"), format!("HTTP/{HOST}")]
}

/// Over plain HTTP, with encrypted messages.
pub fn over_http(doctor: Doctor) -> Doctor {
    doctor.with("use_https", json!(false)).with("ca_certificate", Value::Null)
}
