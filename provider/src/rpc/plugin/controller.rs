//! GRPCController: the client's way to end the process. Without it every run waits two seconds and kills.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::rpc::generated::plugin::Empty;
use crate::rpc::generated::plugin::grpc_controller_server::GrpcController;
use crate::rpc::life::{Ending, Life};

/// The service.
pub struct Controller {
    pub life: Arc<Life>,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        tracing::trace!("asked to shut down");
        self.life.end(Ending::Shutdown);
        Ok(Response::new(Empty {}))
    }
}
