//! GRPCBroker: a way to more connections. Terraform opens the stream and never uses it; nor do we.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use crate::rpc::generated::plugin::ConnInfo;
use crate::rpc::generated::plugin::grpc_broker_server::GrpcBroker;
use crate::rpc::life::Life;
use crate::rpc::plugin::standard_streams::{Silence, silence};

/// The service.
pub struct Broker {
    pub life: Arc<Life>,
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = Silence<ConnInfo>;

    async fn start_stream(
        &self,
        _request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(silence(Arc::clone(&self.life))))
    }
}
