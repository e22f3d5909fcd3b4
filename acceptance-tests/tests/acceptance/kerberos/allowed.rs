//! Hosts and KDCs that may not be reached: nobody is asked anything, the KDC before the host included.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::kerberos::realm::REALM;
use acceptance_tests::lab::server::{Lab, Mode};
use serde_json::{Value, json};

use crate::doctor::run::{Doctor, HOST};

/// Takes connections, and closes them when something has come.
fn kdc() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, knocks) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let count = knocks.clone();
    // Ends with the process of the tests.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 1]);
        }
    });
    (address, knocks)
}

/// One run of `doctor` while these hosts alone may be reached: its exit status, what it said, and how often the KDC and the
/// proxy that leads to the host were connected to.
fn run(allowed: &str) -> (i32, String, usize, usize) {
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let (kdc, knocks) = kdc();
    // Kerberos by `negotiate`, because of the realm.
    let doctor = Doctor::of(&lab).with("realm", json!(REALM)).with("kdc", json!(kdc));
    let mut doctor = doctor.with("proxy", Value::Null);
    doctor.environment.push(("HTTPS_PROXY".to_owned(), lab.proxy_url.clone()));
    doctor.environment.push(("AZUREMFA_ALLOWED_HOSTS".to_owned(), allowed.to_owned()));
    let run = doctor.run();
    (run.code, format!("{}{}", run.stdout, run.stderr), knocks.load(Ordering::SeqCst), lab.wire().knocks())
}

#[test]
fn the_allow_list_comes_before_the_kdc() {
    let (code, said, kdc, host) = run("*.dmz.contoso.com,127.0.0.1");
    assert_eq!((code, kdc, host), (2, 0, 0), "{said}");
    assert!(said.contains(&format!("{HOST} may not be reached")), "{said}");
    let (code, said, kdc, host) = run(HOST);
    assert_eq!((code, kdc, host), (2, 0, 0), "{said}");
    assert!(said.contains("because of its `kdc`: 127.0.0.1 may not be reached"), "{said}");
    assert!(said.contains(&format!("AZUREMFA_ALLOWED_HOSTS allows only {HOST}")), "{said}");
    // What was not asked above is asked here.
    let (code, said, kdc, host) = run(&format!("{HOST},127.0.0.1"));
    assert!(code == 1 && kdc > 0 && host > 0, "{kdc} {host}: {said}");
}
