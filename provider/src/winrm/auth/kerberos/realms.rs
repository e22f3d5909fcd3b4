//! Where the KDCs of realms are: what the settings say, else `krb5.conf`, else DNS.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::auth::kerberos::identity::{self, PORT};
use crate::winrm::auth::kerberos::krb5_conf::Krb5Conf;
use crate::winrm::auth::kerberos::login::Login;

/// What is known of realms. The KDCs that have answered are remembered, the last one first.
pub struct Realms {
    home: String,
    setting: Option<String>,
    files: Vec<PathBuf>,
    answering: Mutex<HashMap<String, Vec<String>>>,
}

impl Realms {
    /// Nothing is looked up yet.
    pub fn new(login: &Login) -> Self {
        Self {
            home: login.realm.clone(),
            setting: login.kdc.clone(),
            files: login.krb5_conf.clone(),
            answering: Mutex::default(),
        }
    }

    /// The realm that a host is in, when `krb5.conf` says it is another one than the account's.
    pub fn of_host(&self, host: &str) -> Option<String> {
        let realm = Krb5Conf::read(&self.files).realm_of(host)?.to_ascii_uppercase();
        (!realm.is_empty() && !realm.eq_ignore_ascii_case(&self.home)).then_some(realm)
    }

    /// The KDCs of a realm as `host:port`, in the order in which they are to be asked.
    pub async fn kdcs(&self, realm: &str, limit: Duration) -> Result<Vec<String>, Failure> {
        if let Some(setting) = self.setting.as_deref().filter(|_| realm.eq_ignore_ascii_case(&self.home)) {
            return Ok(vec![identity::with_port(setting)]);
        }
        if let Some(known) = self.answering().get(realm) {
            return Ok(known.clone());
        }
        let conf = Krb5Conf::read(&self.files);
        let named = conf.kdcs(realm);
        if !named.is_empty() {
            return Ok(named.iter().map(|kdc| identity::with_port(kdc)).collect());
        }
        self.ask_dns(realm, &conf, limit).await
    }

    async fn ask_dns(&self, realm: &str, conf: &Krb5Conf, limit: Duration) -> Result<Vec<String>, Failure> {
        // Two questions, and time for the KDCs themselves.
        let limit = limit / 3;
        let name = format!("_kerberos._tcp.{}", realm.to_ascii_lowercase());
        let records = if conf.looks_up_kdcs() {
            match timeout(limit, records(&name)).await {
                Ok(Ok(kdcs)) => return Ok(kdcs),
                Ok(Err(problem)) => problem,
                Err(_) => format!("DNS did not answer for {name} within {} s", limit.as_secs_f32()),
            }
        } else {
            "`dns_lookup_kdc` there forbids to ask DNS".to_owned()
        };
        // Active Directory's DNS resolves a realm's own name to its domain controllers, and so may a file of hosts.
        let host = realm.to_ascii_lowercase();
        let resolved = timeout(limit, lookup_host((host.as_str(), PORT))).await;
        if resolved.is_ok_and(|resolved| resolved.is_ok_and(|mut addresses| addresses.next().is_some())) {
            return Ok(vec![format!("{host}:{PORT}")]);
        }
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        Err(Failure::NoKdc {
            realm: realm.to_owned(),
            referring: (!realm.eq_ignore_ascii_case(&self.home)).then(|| self.home.clone()),
            looked: format!("{} names none, {records}, and the name {host} has no address", files.join(" or ")),
        })
    }

    /// One of these has answered: it is asked first from now on.
    pub fn prefer(&self, realm: &str, mut kdcs: Vec<String>, answered: usize) {
        kdcs[..=answered].rotate_right(1);
        self.answering().insert(realm.to_owned(), kdcs);
    }

    /// None of them has answered: they are looked for again.
    pub fn forget(&self, realm: &str) {
        self.answering().remove(realm);
    }

    fn answering(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<String>>> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn records(name: &str) -> Result<Vec<String>, String> {
    let resolver = TokioResolver::builder_tokio().map_err(|error| format!("DNS cannot be asked: {error}"))?;
    ask(&resolver.build(), name).await
}

/// SRV records (RFC 2782), the best first. The error is part of a sentence.
async fn ask(resolver: &TokioResolver, name: &str) -> Result<Vec<String>, String> {
    // A dot at the end keeps the resolver from trying other domains.
    let found = resolver.srv_lookup(format!("{name}.")).await.map_err(|error| {
        if error.is_no_records_found() || error.is_nx_domain() {
            format!("DNS has no record {name}")
        } else {
            format!("DNS did not answer for {name}: {error}")
        }
    })?;
    let mut records: Vec<_> = found.iter().filter(|record| !record.target().is_root()).collect();
    records.sort_by_key(|record| (record.priority(), u16::MAX - record.weight()));
    let address = |target: String, port| format!("{}:{port}", target.trim_end_matches('.'));
    let kdcs: Vec<_> = records.iter().map(|record| address(record.target().to_ascii(), record.port())).collect();
    if kdcs.is_empty() { Err(format!("the record {name} in DNS says that there are none")) } else { Ok(kdcs) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use hickory_resolver::config::{NameServerConfigGroup, ResolverConfig};
    use hickory_resolver::name_server::TokioConnectionProvider;
    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::SRV;
    use hickory_resolver::proto::rr::{Name, RData, Record};
    use tokio::net::UdpSocket;

    use super::*;

    /// A DNS server that has these records for each name, or none.
    async fn server(records: Vec<SRV>) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let mut message = Message::from_vec(&buffer[..length]).expect("a question");
                let name = message.queries()[0].name().clone();
                message.set_message_type(MessageType::Response).set_recursion_available(true);
                if records.is_empty() {
                    message.set_response_code(ResponseCode::NXDomain);
                }
                for record in &records {
                    message.add_answer(Record::from_rdata(name.clone(), 60, RData::SRV(record.clone())));
                }
                let answer = message.to_vec().expect("an answer");
                socket.send_to(&answer, client).await.expect("it is sent");
            }
        });
        address
    }

    async fn ask_server(records: Vec<SRV>) -> Result<Vec<String>, String> {
        let address = server(records).await;
        let servers = NameServerConfigGroup::from_ips_clear(&[address.ip()], address.port(), true);
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let resolver = TokioResolver::builder_with_config(config, TokioConnectionProvider::default()).build();
        ask(&resolver, "_kerberos._tcp.contoso.com").await
    }

    fn record(priority: u16, weight: u16, port: u16, target: &str) -> SRV {
        SRV::new(priority, weight, port, Name::from_ascii(target).expect("a name"))
    }

    #[tokio::test]
    async fn records_are_asked_for_and_sorted() {
        let records = vec![
            record(10, 0, 88, "far.contoso.com."),
            record(0, 10, 88, "dc02.contoso.com."),
            record(0, 90, 8888, "dc01.contoso.com."),
        ];
        let expected = ["dc01.contoso.com:8888", "dc02.contoso.com:88", "far.contoso.com:88"];
        assert_eq!(ask_server(records).await.expect("records"), expected);
    }

    #[tokio::test]
    async fn no_record_and_an_empty_one_are_told_apart() {
        let none = ask_server(Vec::new()).await.expect_err("no record");
        assert_eq!(none, "DNS has no record _kerberos._tcp.contoso.com");
        let empty = ask_server(vec![record(0, 0, 0, ".")]).await.expect_err("no KDC");
        assert_eq!(empty, "the record _kerberos._tcp.contoso.com in DNS says that there are none");
    }

    fn realms(kdc: Option<&str>, conf: &str) -> (Realms, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), conf).expect("it is written");
        let realms = Realms {
            home: "CONTOSO.COM".to_owned(),
            setting: kdc.map(str::to_owned),
            files: vec![file.path().to_owned()],
            answering: Mutex::default(),
        };
        (realms, file)
    }

    const CONF: &str = "[libdefaults]\ndns_lookup_kdc = no\n[realms]\nCONTOSO.COM = {\nkdc = a\nkdc = b:89\nkdc = c\n}\n\
                        [domain_realm]\n.child.contoso.com = CHILD.CONTOSO.COM\n.contoso.com = CONTOSO.COM\n";

    #[tokio::test]
    async fn the_setting_goes_before_the_file_and_what_answered_before_the_rest() {
        let limit = Duration::from_secs(5);
        let (set, _file) = realms(Some("dc01"), CONF);
        assert_eq!(set.kdcs("CONTOSO.COM", limit).await.expect("a KDC"), ["dc01:88"]);
        let (named, _file) = realms(None, CONF);
        let kdcs = named.kdcs("CONTOSO.COM", limit).await.expect("KDCs");
        assert_eq!(kdcs, ["a:88", "b:89", "c:88"]);
        named.prefer("CONTOSO.COM", kdcs, 1);
        assert_eq!(named.kdcs("CONTOSO.COM", limit).await.expect("KDCs"), ["b:89", "a:88", "c:88"]);
        named.forget("CONTOSO.COM");
        assert_eq!(named.kdcs("CONTOSO.COM", limit).await.expect("KDCs"), ["a:88", "b:89", "c:88"]);
        assert_eq!(named.of_host("web.child.contoso.com").as_deref(), Some("CHILD.CONTOSO.COM"));
        assert_eq!(named.of_host("web.contoso.com"), None);
    }

    #[tokio::test]
    async fn where_was_looked_is_said() {
        let (realms, file) = realms(None, CONF);
        let failure = realms.kdcs("NOWHERE.INVALID", Duration::from_secs(5)).await.expect_err("no KDC");
        let expected = format!(
            "the realm CONTOSO.COM refers to the realm NOWHERE.INVALID, and no KDC of that one is known: {} names none, \
             `dns_lookup_kdc` there forbids to ask DNS, and the name nowhere.invalid has no address",
            file.path().display()
        );
        assert_eq!(failure.to_string(), expected);
    }
}
