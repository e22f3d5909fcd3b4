//! Who fetches the server setup, as an operator sees it: hosts that cannot, and a web server that only this machine
//! reaches.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acceptance_tests::lab::host::product::release;
use acceptance_tests::workspace::Run;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

const VERSION: &str = "7.0.0.9";
const THERE: &str = "https://files.contoso.com/mfa/7.0.0.9/";

/// A web server on this machine with the one setup.
struct WebServer {
    port: u16,
    certificate: PathBuf,
    requests: Arc<AtomicUsize>,
}

impl WebServer {
    /// `folder` gets the certificate that clients have to trust.
    fn start(folder: &std::path::Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map(Arc::new)
            .expect("a server");
        let certificate = folder.join("web-server.pem");
        std::fs::write(&certificate, made.cert.pem()).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (port, requests) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(0)));
        let count = requests.clone();
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            let setup = release::package("server", VERSION);
            for stream in listener.incoming().filter_map(Result::ok) {
                let connection = ServerConnection::new(tls.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream);
                if !stream.read(&mut [0; 2048]).is_ok_and(|length| length > 0) {
                    continue;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", setup.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&setup));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { port, certificate, requests }
    }
}

/// The demo's group to be upgraded with a source that only this machine reaches.
fn case(delivery: &str) -> Option<(Case, WebServer)> {
    let case = Case::demo()?;
    let server = WebServer::start(case.workspace.path());
    let here = format!("https://localhost:{}/mfa/7.0.0.9/", server.port);
    let settings = hcl::provider(&case.lab, "").replace(THERE, &here);
    let source = format!("source    = \"{here}");
    assert!(settings.contains(&source), "{settings}");
    case.workspace.write("provider.tf", &settings.replace(&source, &format!("{delivery}\n        {source}")));
    case.configure(&[&hcl::group(VERSION, &SERVERS, SERVERS[0], "")]);
    Some((case, server))
}

/// Upgrades it.
fn upgrade(delivery: &str) -> Option<(Case, Run, usize)> {
    let (case, server) = self::case(delivery)?;
    case.plan().ended(2);
    let trusted = server.certificate.display().to_string();
    let run =
        case.workspace.run_with(&["apply", "-no-color", "-input=false", "case.tfplan"], &[("SSL_CERT_FILE", &trusted)]);
    let requests = server.requests.load(Ordering::SeqCst);
    Some((case, run, requests))
}

#[test]
fn this_machine_sends_what_hosts_cannot_fetch() {
    for delivery in ["", "delivery = \"push\""] {
        let Some((case, run, requests)) = upgrade(delivery) else { return };
        let run = run.succeeded().says("The machine that runs Terraform fetched https://localhost:");
        if delivery.is_empty() {
            run.says("because the host could not").says("The remote name could not be resolved");
        } else {
            run.says("as `delivery` says");
        }
        assert_eq!(requests, 1, "once for all hosts");
        let received =
            case.journal().iter().filter(|done| done.contains("mfa0") && done.contains("receive_file")).count();
        assert!(received >= 1, "{:?}", case.journal());
        assert!(!case.journal().iter().any(|done| done.ends_with(" download")), "{:?}", case.journal());
    }
}

#[test]
fn a_host_that_must_fetch_itself_says_why_it_cannot() {
    let Some((case, run, requests)) = upgrade("delivery = \"pull\"") else { return };
    run.ended(1).says("could not be fetched: The remote name could not be resolved");
    assert_eq!(requests, 0);
    assert!(!case.journal().iter().any(|done| done.contains("receive_file")), "{:?}", case.journal());
}

/// `*.contoso.com` are the hosts, 127.0.0.1 is the proxy to them, and localhost the web server.
#[test]
fn this_machine_asks_only_servers_that_may_be_reached() {
    let plan = ["plan", "-no-color", "-input=false", "-out=case.tfplan"];
    let (allowed, all) = ("*.contoso.com,127.0.0.1", "*.contoso.com,127.0.0.1,localhost");
    let Some((case, server)) = case("delivery = \"push\"") else { return };
    let refused = case.workspace.run_with(&plan, &[("AZUREMFA_ALLOWED_HOSTS", allowed)]).ended(1);
    refused.says("this machine may not fetch the server setup 7.0.0.9 from localhost");
    case.workspace.run_with(&plan, &[("AZUREMFA_ALLOWED_HOSTS", all)]).succeeded();
    // With `auto` that shows when the host could not.
    let Some((case, other)) = self::case("") else { return };
    case.workspace.run_with(&plan, &[("AZUREMFA_ALLOWED_HOSTS", allowed)]).succeeded();
    let apply = ["apply", "-no-color", "-input=false", "case.tfplan"];
    let run = case.workspace.run_with(&apply, &[("AZUREMFA_ALLOWED_HOSTS", allowed)]).ended(1);
    run.says("localhost may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only *.contoso.com")
        .says("The host could not: ")
        .says("The remote name could not be resolved");
    let requests = [&server, &other].map(|server| server.requests.load(Ordering::SeqCst));
    assert_eq!(requests, [0, 0]);
}
