//! GRPCStdio: copies of the standard streams. Nothing of ours goes there, so the stream stays open and empty.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::rpc::generated::plugin::StdioData;
use crate::rpc::generated::plugin::grpc_stdio_server::GrpcStdio;
use crate::rpc::life::Life;

/// The service.
pub struct StandardStreams {
    pub life: Arc<Life>,
}

/// A stream that says nothing and ends when the process may.
pub type Silence<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Silence until the process may end; an open stream would hold the end up.
pub fn silence<T: Send + 'static>(life: Arc<Life>) -> Silence<T> {
    Box::pin(futures_util::stream::unfold(life, |life| async move {
        life.may_end().await;
        None
    }))
}

#[tonic::async_trait]
impl GrpcStdio for StandardStreams {
    type StreamStdioStream = Silence<StdioData>;

    async fn stream_stdio(&self, _request: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(silence(Arc::clone(&self.life))))
    }
}
