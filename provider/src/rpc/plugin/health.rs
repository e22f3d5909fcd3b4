//! The health service, for go-plugin's ping.

use std::sync::Arc;

use futures_util::StreamExt;
use tonic::{Request, Response, Status};

use crate::rpc::generated::health::health_check_response::ServingStatus;
use crate::rpc::generated::health::health_server::Health as HealthService;
use crate::rpc::generated::health::{HealthCheckRequest, HealthCheckResponse};
use crate::rpc::life::Life;
use crate::rpc::plugin::standard_streams::{Silence, silence};

/// The name under which go-plugin asks for the plugin; empty asks for the server as a whole.
const SERVICES: [&str; 2] = ["plugin", ""];

/// The service.
pub struct Health {
    pub life: Arc<Life>,
}

#[tonic::async_trait]
impl HealthService for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match status(&request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no such service")),
            status => Ok(Response::new(HealthCheckResponse { status: status.into() })),
        }
    }

    type WatchStream = Silence<HealthCheckResponse>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let first = HealthCheckResponse { status: status(&request.get_ref().service).into() };
        // The status does not change before the end.
        let events = tokio_stream::once(Ok(first)).chain(silence(Arc::clone(&self.life)));
        Ok(Response::new(Box::pin(events)))
    }
}

fn status(service: &str) -> ServingStatus {
    if SERVICES.contains(&service) { ServingStatus::Serving } else { ServingStatus::ServiceUnknown }
}
