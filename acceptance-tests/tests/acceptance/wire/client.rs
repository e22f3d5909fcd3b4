//! The smallest client that can say anything to the lab: SOAP by hand over Basic and TLS, through the lab's proxy.

use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::lab::wire::server::WireServer;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";

/// One connection to a simulated host.
pub struct Client {
    sender: SendRequest<Full<bytes::Bytes>>,
    authorization: String,
    /// Header `w:OperationTimeout`.
    pub timeout: String,
    /// More XML for the SOAP header.
    pub header: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub authenticate: Vec<String>,
    pub text: String,
}

/// What a command did, as far as one Receive tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit_code: Option<i32>,
}

/// Sends a request head to the proxy; gives the connection and the answer's first line.
pub async fn ask_proxy(server: &WireServer, head: &str) -> (TcpStream, String) {
    let address = server.proxy_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("proxy");
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.expect("head");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(_) => break,
        }
    }
    let text = String::from_utf8(answer).expect("text");
    (stream, text.lines().next().unwrap_or_default().to_owned())
}

impl Client {
    /// Connects to the HTTPS listener of a host.
    pub async fn connect(server: &WireServer, host: &str, user: &str, password: &str) -> Self {
        let (stream, answer) = ask_proxy(server, &format!("CONNECT {host}:5986 HTTP/1.1")).await;
        assert!(answer.contains("200"), "{answer}");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(server.authority_pem().as_bytes()) {
            roots.add(certificate.expect("certificate")).expect("root");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let configuration = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).expect("name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(configuration));
        let stream = connector.connect(name, stream).await.expect("TLS");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        Self { sender, authorization, timeout: "PT20S".to_owned(), header: String::new() }
    }

    /// Posts a body; `None` when the connection broke instead of an answer.
    pub async fn post(&mut self, body: String) -> Option<Answer> {
        let request = Request::post("/wsman")
            .header("Host", "lab")
            .header("Content-Type", "application/soap+xml;charset=UTF-8")
            .header("Authorization", &self.authorization)
            .body(Full::new(body.into()))
            .expect("request");
        // The end of the answer before may still be under way to the connection's own task.
        self.sender.ready().await.ok()?;
        let response = tokio::time::timeout(Duration::from_secs(30), self.sender.send_request(request));
        let response = response.await.expect("an answer or an end within 30 s").ok()?;
        let status = response.status();
        let values = response.headers().get_all("WWW-Authenticate").iter();
        let authenticate = values.map(|value| value.to_str().expect("ASCII").to_owned()).collect();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some(Answer { status, authenticate, text: String::from_utf8(bytes.to_vec()).expect("UTF-8") })
    }

    /// Sends an operation of the command shell.
    pub async fn operate(&mut self, action: &str, shell: Option<&str>, body: &str) -> Option<Answer> {
        let action = match action {
            "Create" | "Delete" | "Get" => format!("{TRANSFER}/{action}"),
            _ => format!("{SHELL}/{action}"),
        };
        let selector =
            shell.map(|id| format!("<w:SelectorSet><w:Selector Name=\"ShellId\">{id}</w:Selector></w:SelectorSet>"));
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
             xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" xmlns:rsp=\"{SHELL}\"><s:Header>\
             <a:To>https://lab:5986/wsman</a:To><a:ReplyTo><a:Address>anonymous</a:Address></a:ReplyTo>\
             <a:Action>{action}</a:Action><a:MessageID>uuid:1</a:MessageID>\
             <w:ResourceURI>{SHELL}/cmd</w:ResourceURI><w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>\
             <w:OperationTimeout>{timeout}</w:OperationTimeout>{selector}{header}</s:Header><s:Body>{body}</s:Body>\
             </s:Envelope>",
            timeout = self.timeout,
            selector = selector.unwrap_or_default(),
            header = self.header,
        );
        self.post(envelope).await
    }

    pub async fn create(&mut self) -> Result<String, u32> {
        let body = "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams>\
                    <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>";
        let answer = self.operate("Create", None, body).await.expect("answer");
        answer.result().map(|answer| answer.between("<rsp:ShellId>", "</rsp:ShellId>").to_owned())
    }

    pub async fn command(&mut self, shell: &str, program: &str) -> Result<String, u32> {
        let body = format!("<rsp:CommandLine><rsp:Command>{program}</rsp:Command></rsp:CommandLine>");
        let answer = self.operate("Command", Some(shell), &body).await.expect("answer");
        answer.result().map(|answer| answer.between("<rsp:CommandId>", "</rsp:CommandId>").to_owned())
    }

    pub async fn send(&mut self, shell: &str, command: &str, input: &[u8], end: bool) -> Result<(), u32> {
        let input = BASE64_STANDARD.encode(input);
        let body = format!(
            "<rsp:Send><rsp:Stream Name=\"stdin\" CommandId=\"{command}\" End=\"{end}\">{input}</rsp:Stream></rsp:Send>"
        );
        self.operate("Send", Some(shell), &body).await.expect("answer").result().map(drop)
    }

    pub async fn receive(&mut self, shell: &str, command: &str) -> Result<Output, u32> {
        let body = format!(
            "<rsp:Receive><rsp:DesiredStream CommandId=\"{command}\">stdout stderr</rsp:DesiredStream></rsp:Receive>"
        );
        Ok(self.operate("Receive", Some(shell), &body).await.expect("answer").result()?.output())
    }

    /// Receives until the command is done.
    pub async fn receive_all(&mut self, shell: &str, command: &str) -> Result<Output, u32> {
        let mut all = Output::default();
        while all.exit_code.is_none() {
            let next = self.receive(shell, command).await?;
            all.stdout.extend(next.stdout);
            all.stderr.extend(next.stderr);
            all.exit_code = next.exit_code;
        }
        Ok(all)
    }

    pub async fn signal(&mut self, shell: &str, command: &str, code: &str) -> Result<(), u32> {
        let body =
            format!("<rsp:Signal CommandId=\"{command}\"><rsp:Code>{SHELL}/signal/{code}</rsp:Code></rsp:Signal>");
        self.operate("Signal", Some(shell), &body).await.expect("answer").result().map(drop)
    }

    pub async fn delete(&mut self, shell: &str) -> Result<(), u32> {
        self.operate("Delete", Some(shell), "").await.expect("answer").result().map(drop)
    }
}

impl Answer {
    /// The answer, or the code of the fault it is.
    pub fn result(self) -> Result<Self, u32> {
        match self.fault() {
            Some(code) => Err(code),
            None => {
                assert_eq!(self.status, StatusCode::OK, "{}", self.text);
                Ok(self)
            }
        }
    }

    /// Code of the fault, in either of the two shapes.
    pub fn fault(&self) -> Option<u32> {
        let code = match self.text.contains("f:WSManFault") {
            true => self.between("Code=\"", "\""),
            false if self.text.contains("p:MSFT_WmiError") => {
                self.between("<p:error_Code xsi:type=\"cim:cimUnsignedInt\">", "<")
            }
            false => return None,
        };
        assert_eq!(self.status, StatusCode::INTERNAL_SERVER_ERROR);
        Some(code.parse().expect("code"))
    }

    fn between(&self, before: &str, after: &str) -> &str {
        let start = self.text.find(before).unwrap_or_else(|| panic!("no {before} in {}", self.text)) + before.len();
        let rest = &self.text[start..];
        &rest[..rest.find(after).expect("end")]
    }

    fn output(&self) -> Output {
        let document = roxmltree::Document::parse(&self.text).expect("XML");
        let mut output = Output::default();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let text = node.text().unwrap_or_default();
            match (node.tag_name().name(), node.attribute("Name")) {
                ("Stream", Some("stdout")) => output.stdout.extend(BASE64_STANDARD.decode(text).expect("base64")),
                ("Stream", Some("stderr")) => output.stderr.extend(BASE64_STANDARD.decode(text).expect("base64")),
                ("ExitCode", _) => output.exit_code = Some(text.parse().expect("exit code")),
                _ => {}
            }
        }
        output
    }
}
