//! Decoders of files that users bring: keytabs, credential caches, certificates with their keys, and connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use azuremfa::address::HostAddress;
use azuremfa::doctor::arguments::Arguments;
use azuremfa::doctor::settings;
use azuremfa::secret::Secret;
use azuremfa::winrm::auth::kerberos::{cache, keytab, replay::Replay};
use azuremfa::winrm::client_certificate::ClientCertificate;
use azuremfa::winrm::endpoint::TlsOptions;
use azuremfa::winrm::proxy::Proxy;
use azuremfa::winrm::verifier::HostVerifier;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs;
use tempfile::NamedTempFile;

use super::Decoder;

pub const DECODERS: &[Decoder] = &[
    ("keytab", decode_keytab, 5_000, keytabs),
    ("credential cache", decode_cache, 3_000, caches),
    ("client certificate in PEM", decode_pem, 1_000, pems),
    ("client certificate in PKCS#12", decode_pkcs12, 150, pkcs12s),
    ("trusted certificates", decode_authorities, 1_000, authorities),
    ("connection file", decode_connection, 1_500, connections),
    ("proxy", decode_proxy, 3_000, proxies),
];

/// What is not damaged is read whole.
pub fn check_corpora() {
    assert!(keytabs().iter().all(|file| keytab::parse(file).is_ok_and(|entries| entries.len() == 3)));
    assert!(caches().iter().all(|file| cache::parse(file).is_ok_and(|cache| cache.ticket_granting().is_some())));
    assert!(pems().iter().all(|file| opens_pem(file)));
    assert!(pkcs12s().iter().all(|file| opens_pkcs12(file)));
    assert!(authorities().iter().all(|file| trusts(file)));
    assert!(connections().iter().all(|file| read_connection(file).is_ok()));
    assert!(proxies().iter().all(|text| String::from_utf8_lossy(text).parse::<Proxy>().is_ok()));
}

fn decode_keytab(bytes: &[u8]) {
    let Ok(entries) = keytab::parse(bytes) else { return };
    let size: usize = entries.iter().map(|entry| entry.key.bytes.len() + entry.name.len() + entry.realm.len()).sum();
    assert!(size <= 2 * bytes.len(), "more than there is");
    for name in [None, Some("svc")] {
        if let Ok(entry) = keytab::choose(&entries, name, None) {
            assert!(
                entry.key.suite().is_some() && bytes.windows(entry.key.bytes.len()).any(|it| it == &**entry.key.bytes)
            );
        }
    }
}

fn decode_cache(bytes: &[u8]) {
    let Ok(cache) = cache::parse(bytes) else { return };
    for ticket in &cache.tickets {
        assert!(ticket.bytes.is_empty() || bytes.windows(ticket.bytes.len()).any(|it| it == ticket.bytes));
        // With a key that is of no use it is an error, and no ticket.
        assert_eq!(Replay::of(ticket).is_ok(), ticket.session_key.suite().is_some());
        let _ = (ticket.lasts(), ticket.has_ended(), ticket.granted_by());
    }
    assert!(cache.ticket_granting().is_none_or(|ticket| ticket.server.names.len() == 2));
}

/// Certificate and key in one text.
fn decode_pem(bytes: &[u8]) {
    if opens_pem(bytes) {
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains("BEGIN CERTIFICATE") && text.contains("PRIVATE KEY"), "made of nothing");
    }
}

fn opens_pem(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    ClientCertificate::from_pem(&text, &Secret::new(text.as_ref())).is_ok()
}

fn decode_pkcs12(bytes: &[u8]) {
    let _ = opens_pkcs12(bytes);
}

const PASSWORD: &str = "M4rk3r-pkcs12-passw0rd";

fn opens_pkcs12(bytes: &[u8]) -> bool {
    ClientCertificate::from_pkcs12(&Secret::new(STANDARD.encode(bytes)), &Secret::new(PASSWORD)).is_ok()
}

fn decode_authorities(bytes: &[u8]) {
    assert!(!trusts(bytes) || String::from_utf8_lossy(bytes).contains("BEGIN CERTIFICATE"), "trust in nothing");
}

fn trusts(bytes: &[u8]) -> bool {
    let ca_certificate = Some(String::from_utf8_lossy(bytes).into_owned());
    let provider = Arc::new(aws_lc_rs::default_provider());
    HostVerifier::new(&TlsOptions { ca_certificate, ..TlsOptions::default() }, &provider).is_ok()
}

fn decode_connection(bytes: &[u8]) {
    match read_connection(bytes) {
        Ok(way) => {
            assert_eq!(way.endpoint.host, HOST);
            assert!(bytes.trim_ascii().ends_with(b"}"), "a connection of what is no object");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

const HOST: &str = "mfa01.contoso.com";

fn read_connection(bytes: &[u8]) -> Result<settings::Way, settings::SettingsError> {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    let arguments = Arguments {
        host: HostAddress::named(HOST),
        connection_file: Some(file.path().to_owned()),
        connection: "default".to_owned(),
        json: false,
    };
    settings::read(&arguments, &BTreeMap::new())
}

/// No login of a proxy is shown.
fn decode_proxy(bytes: &[u8]) {
    if let Ok(proxy) = String::from_utf8_lossy(bytes).parse::<Proxy>() {
        let shown = format!("{proxy} {proxy:?} {}", proxy.authority());
        assert!(!shown.contains('@') && !shown.contains("M4rk3r"), "{shown}");
    }
}

// === What they are fed with ===

fn text16(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat()
}

fn data32(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
}

/// As `ktutil` writes one: a principal with two keys, and one of two names, with a hole between.
fn keytabs() -> Vec<Vec<u8>> {
    let entry = |names: &[&str], kind: u16, key: &[u8]| {
        let mut bytes = u16::try_from(names.len()).expect("few").to_be_bytes().to_vec();
        bytes.extend(text16("CONTOSO.COM"));
        names.iter().for_each(|name| bytes.extend(text16(name)));
        bytes.extend([0, 0, 0, 1, 0x67, 0, 0, 0, 3]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(u16::try_from(key.len()).expect("short").to_be_bytes());
        bytes.extend(key);
        bytes.extend([0, 0, 0, 3]);
        data32(&bytes)
    };
    let hole = [0xff, 0xff, 0xff, 0xfe, 0, 0].to_vec();
    let host = entry(&["HTTP", HOST], 23, &[7; 16]);
    vec![[vec![5, 2], entry(&["svc"], 17, &[2; 16]), hole, entry(&["svc"], 18, &[3; 32]), host].concat()]
}

/// As `kinit` writes one: an entry of configuration, a ticket-granting ticket, and one for a service.
pub fn caches() -> Vec<Vec<u8>> {
    let principal = |names: &[&str], realm: &str| {
        let count = u32::try_from(names.len()).expect("few").to_be_bytes();
        let names: Vec<u8> = names.iter().flat_map(|name| data32(name.as_bytes())).collect();
        [&[0, 0, 0, 1], count.as_slice(), &data32(realm.as_bytes()), &names].concat()
    };
    let ticket = |server: &[&str], realm: &str| {
        let mut bytes = [principal(&["svc"], "CONTOSO.COM"), principal(server, realm)].concat();
        bytes.extend([0, 18]);
        bytes.extend(data32(&[3; 32]));
        [1_u32, 2, 2_000_000_000, 4].iter().for_each(|time| bytes.extend(time.to_be_bytes()));
        bytes.extend([0, 0x40, 0xe1, 0, 0, 0, 0, 0, 1, 0, 2]);
        bytes.extend(data32(&[127, 0, 0, 1]));
        bytes.extend([0; 4]);
        bytes.extend(data32(b"ticket"));
        bytes.extend(data32(b""));
        bytes
    };
    let header = [5, 4, 0, 12, 0, 1, 0, 8, 0xff, 0xff, 0xff, 0xf9, 0, 0, 0, 0].to_vec();
    let tickets = [
        ticket(&["krb5_ccache_conf_data", "fast_avail"], "X-CACHECONF:"),
        ticket(&["krbtgt", "CONTOSO.COM"], "CONTOSO.COM"),
        ticket(&["HTTP", HOST], "CONTOSO.COM"),
    ];
    vec![[header, principal(&["svc"], "CONTOSO.COM"), tickets.concat()].concat()]
}

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../client_certificate/", $name)).as_slice()
    };
}

fn pems() -> Vec<Vec<u8>> {
    let pairs = [
        (file!("certificate.pem"), file!("key.pem")),
        (file!("certificate.pem"), file!("key-sec1.pem")),
        (file!("rsa-certificate.pem"), file!("rsa-key-pkcs1.pem")),
    ];
    pairs.map(|(certificate, key)| [certificate, key].concat()).to_vec()
}

fn pkcs12s() -> Vec<Vec<u8>> {
    [file!("modern.p12"), file!("legacy.p12"), file!("windows-3des.p12")].map(<[u8]>::to_vec).to_vec()
}

fn authorities() -> Vec<Vec<u8>> {
    vec![file!("authority.pem").to_vec(), [file!("authority.pem"), file!("rsa-certificate.pem")].concat()]
}

fn connections() -> Vec<Vec<u8>> {
    let texts = [
        r#"{ "username": "CONTOSO\\mfa-upgrade", "password": "M4rk3r", "auth": "ntlm", "proxy": "http://runner:M4rk3r@proxy.contoso.com:3128", "timeouts": { "connect": "30s", "operation": "20s", "overall": "2h" }, "max_connections": 2 }"#,
        "\u{feff}{ \"username\": \"u\", \"password\": \"p\", \"hosts\": [\"*.contoso.com\", \"mfa0?\"], \"use_https\": false, \"port\": 5985, \"path\": \"/wsman\", \"proxy\": \"\" }",
        r#"{"auth":"kerberos","realm":"CONTOSO.COM","kdc":"dc01.contoso.com:88","keytab":"/etc/azuremfa.keytab","server_name":"winrm.contoso.com","insecure_skip_verify":true}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn proxies() -> Vec<Vec<u8>> {
    let texts = ["http://proxy.contoso.com:3128", "http://runner:M4rk3r%40%3A@proxy:80/", "http://[2001:db8::1]:3128"];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
