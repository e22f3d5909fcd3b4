//! The process from start to end.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::resource::Resource;
use crate::rpc::generated::health::health_server::HealthServer;
use crate::rpc::generated::plugin::grpc_broker_server::GrpcBrokerServer;
use crate::rpc::generated::plugin::grpc_controller_server::GrpcControllerServer;
use crate::rpc::generated::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::rpc::life::Life;
use crate::rpc::log;
use crate::rpc::plugin::broker::Broker;
use crate::rpc::plugin::connection;
use crate::rpc::plugin::controller::Controller;
use crate::rpc::plugin::environment::Environment;
use crate::rpc::plugin::handshake;
use crate::rpc::plugin::health::Health;
use crate::rpc::plugin::listener::Listener;
use crate::rpc::plugin::standard_streams::StandardStreams;
use crate::rpc::plugin::tls::{ServerTls, TlsError, server_tls};
use crate::rpc::plugin::watch::{self, Mode};
use crate::rpc::server::Server;

/// How long the last replies may take to leave.
const LAST_REPLIES: Duration = Duration::from_millis(400);

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the runtime could not start")]
    Runtime(#[source] io::Error),
    #[error("the client's TLS wishes cannot be met")]
    Tls(#[from] TlsError),
    #[error("no socket or port could be opened")]
    Listen(#[source] io::Error),
    #[error("signals could not be watched")]
    Watch(#[source] io::Error),
    #[error("the handshake could not be written")]
    Handshake(#[source] io::Error),
    #[error("serving failed")]
    Serve(#[source] tonic::transport::Error),
}

/// Runs the process: answers a person, or serves a client until it is asked to end.
pub fn run(
    arguments: impl Iterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<String>,
    resources: &'static [&'static dyn Resource],
) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let environment = Environment::read(&variable);
    if has("--version") {
        return exit_code(handshake::version().map_err(ServeError::Handshake));
    }
    if has("--help") {
        return exit_code(handshake::help().map_err(ServeError::Handshake));
    }
    let mode = if has("--debug") { Mode::Debug } else { Mode::Plugin };
    if mode == Mode::Plugin && !environment.has_cookie {
        handshake::help_as_error();
        return ExitCode::FAILURE;
    }
    log::start(variable);
    exit_code(serve_until_end(&environment, mode, resources))
}

fn exit_code(result: Result<(), ServeError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            handshake::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve_until_end(
    environment: &Environment,
    mode: Mode,
    resources: &'static [&'static dyn Resource],
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(serve(environment, mode, resources));
    // An operation that did not heed the stop must not hold the process; its host-side work goes on and is found again.
    runtime.shutdown_background();
    result
}

async fn serve(
    environment: &Environment,
    mode: Mode,
    resources: &'static [&'static dyn Resource],
) -> Result<(), ServeError> {
    let life = Arc::new(Life::default());
    watch::start(&life, mode).map_err(ServeError::Watch)?;
    let tls = match (&environment.client_certificate, mode) {
        (Some(certificate), Mode::Plugin) => Some(server_tls(certificate)?),
        _ => None,
    };
    let (listener, address) = Listener::bind(environment).await.map_err(ServeError::Listen)?;
    let acceptor = tls.as_ref().map(|ServerTls { config, .. }| TlsAcceptor::from(Arc::clone(config)));
    let incoming = connection::accept(listener, acceptor, Arc::clone(&life));
    match mode {
        Mode::Debug => handshake::announce_debugging(&address.named()),
        Mode::Plugin => {
            let certificate = tls.as_ref().map(|tls| tls.certificate.as_ref());
            handshake::announce(&address.named(), certificate, environment.asks_for_multiplexing)
        }
    }
    .map_err(ServeError::Handshake)?;

    let server = Server::new(resources, Arc::clone(&life));
    let context = server.context();
    let ended = CancellationToken::new();
    tokio::spawn({
        let ended = ended.clone().drop_guard();
        async move {
            context.end().await;
            drop(ended);
        }
    });
    let serving = tonic::transport::Server::builder()
        .add_service(server.into_service())
        .add_service(GrpcControllerServer::new(Controller { life: Arc::clone(&life) }))
        .add_service(GrpcStdioServer::new(StandardStreams { life: Arc::clone(&life) }))
        .add_service(GrpcBrokerServer::new(Broker { life: Arc::clone(&life) }))
        .add_service(HealthServer::new(Health { life: Arc::clone(&life) }))
        .serve_with_incoming_shutdown(incoming, ended.clone().cancelled_owned());
    let deadline = async {
        ended.cancelled().await;
        tokio::time::sleep(LAST_REPLIES).await;
    };
    tokio::select! {
        served = serving => served.map_err(ServeError::Serve),
        () = deadline => Ok(()),
    }
}
