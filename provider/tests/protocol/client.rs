//! A client as Terraform is one: starts the binary, reads the handshake, connects with its certificate, calls.

use std::io::{BufRead, BufReader, Read};
use std::pin::Pin;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-azuremfa");
pub const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// Far more than anything here takes, for machines under load.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub trait Bytes: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Bytes for T {}

/// A certificate made as go-plugin makes it, or not quite.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub pem: String,
    key: Vec<u8>,
}

impl Identity {
    pub fn like_go_plugin() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, "localhost");
        parameters.distinguished_name.push(DnType::OrganizationName, "HashiCorp");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), key: key.serialize_der() }
    }
}

/// A running provider and the first line it wrote.
pub struct Plugin {
    pub child: Child,
    pub handshake: Handshake,
    pub output: BufReader<ChildStdout>,
    pub identity: Option<Identity>,
}

#[derive(Debug, Clone)]
pub struct Handshake {
    pub line: String,
    pub network: String,
    pub address: String,
    pub certificate: String,
}

/// The binary as a plugin, not yet started; the environment is the test's alone.
pub fn command() -> Command {
    let mut command = Command::new(BINARY);
    for variable in ["TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_AZUREMFA", "PLUGIN_CLIENT_CERT"] {
        command.env_remove(variable);
    }
    command.env(COOKIE.0, COOKIE.1).env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Plugin {
    /// Starts the binary as Terraform does, with a client certificate.
    pub fn start() -> Self {
        Self::start_with(Some(Identity::like_go_plugin()), command())
    }

    pub fn start_with(identity: Option<Identity>, mut command: Command) -> Self {
        if let Some(identity) = &identity {
            command.env("PLUGIN_CLIENT_CERT", &identity.pem);
        }
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let handshake = Handshake::read(&mut output);
        Self { child, handshake, output, identity }
    }

    pub async fn connect(&self) -> Channel {
        let identity = self.identity.as_ref();
        connect(&self.handshake, identity).await.unwrap()
    }

    /// The exit status, or none when the process still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait(&mut self.child, limit)
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What else was written, after the end: standard output and standard error.
    pub fn rest(mut self) -> (String, String) {
        self.child.wait().unwrap();
        let (mut output, mut error) = (String::new(), String::new());
        self.output.read_to_string(&mut output).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        (output, error)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            None if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
            status => return status,
        }
    }
}

impl Handshake {
    pub fn read(output: &mut impl BufRead) -> Self {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let fields: Vec<_> = line.trim_end_matches('\n').split('|').map(str::to_owned).collect();
        assert!(fields.len() >= 6, "no handshake: {line:?}");
        assert_eq!((fields[0].as_str(), fields[1].as_str(), fields[4].as_str()), ("1", "6", "grpc"), "{line:?}");
        Self { network: fields[2].clone(), address: fields[3].clone(), certificate: fields[5].clone(), line }
    }
}

/// Connects as a client with `identity`, or with none; TLS if the handshake has a certificate.
pub async fn connect(handshake: &Handshake, identity: Option<&Identity>) -> Result<Channel, tonic::transport::Error> {
    let tls = (!handshake.certificate.is_empty()).then(|| tls(handshake, identity));
    let dial = Dial { handshake: handshake.clone(), tls };
    Endpoint::from_static("http://localhost").connect_with_connector(dial).await
}

fn tls(handshake: &Handshake, identity: Option<&Identity>) -> TlsConnector {
    let der = STANDARD_NO_PAD.decode(&handshake.certificate).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
            builder.with_client_auth_cert(vec![identity.certificate.clone()], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

struct Dial {
    handshake: Handshake,
    tls: Option<TlsConnector>,
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Box<dyn Bytes>>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let (handshake, tls) = (self.handshake.clone(), self.tls.clone());
        Box::pin(async move {
            let stream: Box<dyn Bytes> = match handshake.network.as_str() {
                "unix" => Box::new(UnixStream::connect(&handshake.address).await?),
                _ => Box::new(TcpStream::connect(&handshake.address).await?),
            };
            let Some(tls) = tls else { return Ok(TokioIo::new(stream)) };
            let stream = tls.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
            // As grpc-go does since 1.67.
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err(std::io::Error::other("h2 was not agreed"));
            }
            Ok(TokioIo::new(Box::new(stream) as Box<dyn Bytes>))
        })
    }
}

/// Calls `/package.Service/Method`.
pub async fn call<Req, Res>(channel: &Channel, path: &'static str, request: Req) -> Result<Res, Status>
where
    Req: Message + 'static,
    Res: Message + Default + 'static,
{
    let codec = tonic_prost::ProstCodec::<Req, Res>::default();
    let mut client = ready(channel).await?;
    Ok(client.unary(Request::new(request), PathAndQuery::from_static(path), codec).await?.into_inner())
}

/// Calls a method that answers with a stream, and reads it to its end.
pub async fn stream<Req, Res>(channel: &Channel, path: &'static str, request: Req) -> Result<Vec<Res>, Status>
where
    Req: Message + 'static,
    Res: Message + Default + 'static,
{
    let codec = tonic_prost::ProstCodec::<Req, Res>::default();
    let mut client = ready(channel).await?;
    let request = Request::new(request);
    let mut events = client.server_streaming(request, PathAndQuery::from_static(path), codec).await?.into_inner();
    let mut all = Vec::new();
    while let Some(event) = events.message().await? {
        all.push(event);
    }
    Ok(all)
}

pub async fn ready(channel: &Channel) -> Result<tonic::client::Grpc<Channel>, Status> {
    let client = tonic::client::Grpc::new(channel.clone());
    let mut client = client.max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(client)
}
