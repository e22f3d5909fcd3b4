//! How often a KDC is asked: the provider's client in this process, and a KDC whose answers are counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::lab::kerberos::counter::{Answers, Counter};
use acceptance_tests::lab::kerberos::realm::{REALM, Realm};
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::machine::{Account, ClosureMachine, CommandLine, Process};
use acceptance_tests::lab::wire::server::WireServer;
use azuremfa::secret::Secret;
use azuremfa::winrm::auth::kerberos::tickets::Tickets;
use azuremfa::winrm::endpoint::{
    Authentication, DEFAULT_PATH, Endpoint, HttpScheme, KerberosCredentials, KerberosLogin, Timeouts, Transport,
};
use azuremfa::winrm::error::Error;
use azuremfa::winrm::limits::Limits;
use azuremfa::winrm::session::Session;

use super::domain::programs;

const USER: &str = "operator";
const PASSWORD: &str = "operator-password";

/// A realm with hosts, and what the client knows of it.
struct Estate {
    realm: Realm,
    server: WireServer,
    kdc: Counter,
    keytab: PathBuf,
    hosts: Vec<String>,
    tickets: Tickets,
}

impl Estate {
    /// So many hosts. `None`, said and counted, when MIT Kerberos cannot be had here.
    async fn start(hosts: usize) -> Option<Self> {
        let programs = programs()?;
        let realm = Realm::start(&programs, None).expect("the realm");
        let hosts: Vec<String> = (0..hosts).map(|number| format!("mfa{number:03}.contoso.com")).collect();
        let services: Vec<String> = hosts.iter().map(|host| format!("WSMAN/{host}")).collect();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        realm.services(&services);
        realm.account(USER, PASSWORD);
        let keytab = realm.keytab("host.keytab", &services);
        let acceptor = realm.acceptor(&keytab, None).expect("the acceptor");
        let settings = Settings { kerberos: Some(acceptor), ..Settings::default() };
        let start = |_: CommandLine| Process::spawn(|process| async move { process.exit(0).await });
        let server = hosts.iter().fold(WireServer::builder(), |server, host| {
            let account = Account::administrator(USER, PASSWORD);
            server.host_with(Arc::new(ClosureMachine { name: host.clone(), account, start }), settings.clone())
        });
        let server = server.start().await.expect("the server");
        // Slow enough that whoever wants the same ticket has to wait for it.
        let kdc = Counter::start(realm.kdc(), Duration::from_millis(200)).expect("the counter");
        Some(Self { realm, server, kdc, keytab, hosts, tickets: Tickets::default() })
    }

    fn session(&self, host: &str, password: &str) -> Session {
        let credentials = KerberosCredentials::Password { username: USER.to_owned(), password: Secret::new(password) };
        Session::new(Endpoint {
            host: host.to_owned(),
            port: 5985,
            transport: Transport::Http,
            path: DEFAULT_PATH.to_owned(),
            proxy: Some(self.server.proxy_url().parse().expect("the lab's proxy")),
            authentication: Authentication::Kerberos(KerberosLogin {
                credentials,
                realm: Some(REALM.to_owned()),
                kdc: Some(self.kdc.address()),
                krb5_conf: Vec::new(),
                scheme: HttpScheme::Kerberos,
                tickets: self.tickets.clone(),
            }),
            timeouts: Timeouts { connect: Duration::from_secs(60), ..Timeouts::default() },
            limits: Limits::default(),
        })
    }

    /// Logs on to hosts at once, each over a connection of its own, and ends the sessions.
    async fn log_on(&self, hosts: &[String], password: &str) -> Vec<Result<(), Error>> {
        let log_on = |host: &String| {
            let session = self.session(host, password);
            tokio::spawn(async move {
                let opened = session.open().await;
                session.close().await;
                opened
            })
        };
        let logons: Vec<_> = hosts.iter().map(log_on).collect();
        let mut results = Vec::new();
        for logon in logons {
            results.push(logon.await.expect("a logon"));
        }
        results
    }

    #[track_caller]
    fn check(&self, accounts: usize, services: usize, errors: usize) {
        assert_eq!(self.kdc.take(), Answers { accounts, services, errors });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_proves_itself_once_and_each_host_costs_one_ticket() {
    let Some(estate) = Estate::start(100).await else { return };
    // Twice each: all want the first ticket at once, and two want each of the others.
    let twice = [estate.hosts.as_slice(), estate.hosts.as_slice()].concat();
    for logged_on in estate.log_on(&twice, PASSWORD).await {
        logged_on.expect("a logon");
    }
    // The error is the KDC's demand for a proof.
    estate.check(1, 100, 1);
    for logged_on in estate.log_on(&estate.hosts, PASSWORD).await {
        logged_on.expect("a logon");
    }
    estate.check(0, 0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_renewed_before_they_end() {
    let Some(estate) = Estate::start(1).await else { return };
    estate.realm.administer(&[&format!("modprinc -maxlife \"10 seconds\" {USER}")]);
    for _ in 0..2 {
        estate.log_on(&estate.hosts, PASSWORD).await.remove(0).expect("a logon");
    }
    estate.check(1, 1, 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    estate.log_on(&estate.hosts, PASSWORD).await.remove(0).expect("a logon");
    estate.check(1, 1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kdc_does_not_take_any_more_is_fetched_anew() {
    let Some(estate) = Estate::start(2).await else { return };
    estate.log_on(&estate.hosts[..1], PASSWORD).await.remove(0).expect("a logon");
    estate.check(1, 1, 1);
    estate.realm.administer(&[&format!("cpw -randkey krbtgt/{REALM}")]);
    estate.log_on(&estate.hosts[1..], PASSWORD).await.remove(0).expect("a logon");
    // It refused the kept ticket, and demanded a proof.
    estate.check(1, 1, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_does_not_take_any_more_is_fetched_anew() {
    let Some(estate) = Estate::start(1).await else { return };
    estate.log_on(&estate.hosts, PASSWORD).await.remove(0).expect("a logon");
    estate.check(1, 1, 1);
    let service = format!("WSMAN/{}", estate.hosts[0]);
    estate.realm.administer(&[&format!("cpw -randkey {service}")]);
    std::fs::remove_file(&estate.keytab).expect("the keytab");
    estate.realm.keytab("host.keytab", &[&service]);
    estate.log_on(&estate.hosts, PASSWORD).await.remove(0).expect("a logon");
    estate.check(0, 1, 0);
    // A host that takes no ticket at all is asked twice, and no more.
    estate.realm.administer(&[&format!("cpw -randkey {service}")]);
    std::fs::remove_file(&estate.keytab).expect("the keytab");
    let refused = estate.log_on(&estate.hosts, PASSWORD).await.remove(0).expect_err("no keys");
    assert!(refused.kind.refuses_credentials(), "{refused}");
    estate.check(0, 1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_by_all() {
    let Some(estate) = Estate::start(8).await else { return };
    for logged_on in estate.log_on(&estate.hosts, "another").await {
        let error = logged_on.expect_err("a wrong password").kind.to_string();
        assert!(error.contains("the password of operator is wrong"), "{error}");
    }
    // The demand for a proof, and the refusal of the one that was given.
    estate.check(0, 0, 2);
    // The right one is another login, and owes nothing to what was kept of the wrong one.
    estate.log_on(&estate.hosts[..1], PASSWORD).await.remove(0).expect("a logon");
    estate.check(1, 1, 1);
}
