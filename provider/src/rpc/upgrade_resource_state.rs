//! UpgradeResourceState: reads a stored state, which may be of an older version, into today's schema.
//!
//! Called for every object, also at an equal version. All schemas are at version 0; the first that is raised brings
//! its conversion to the resource.

use std::sync::Arc;

use crate::rpc::context::Context;
use crate::rpc::decode_json::{self, Leniency};
use crate::rpc::diagnostic;
use crate::rpc::encode::encode;
use crate::rpc::generated::tfplugin6::upgrade_resource_state::{Request, Response};
use crate::rpc::reply::Reply;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

const RPC: &str = "UpgradeResourceState";

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    match upgrade(&context, request) {
        Ok(state) => Response { upgraded_state: Some(encode(state)), diagnostics: Vec::new() },
        Err(diagnostics) => Response::failed(diagnostic::to_wire(diagnostics)),
    }
}

fn upgrade(context: &Context, request: Request) -> Result<Value, Diagnostics> {
    let resource = context.resource(&request.type_name)?;
    let raw = request.raw_state.unwrap_or_default();
    let type_name = resource.type_name();
    if raw.json.is_empty() {
        let detail = "It was written by a client older than Terraform 0.12, or is empty. Import the component again.";
        return Err(unreadable(type_name, detail));
    }
    match decode_json::decode(resource.schema(), &raw.json, Leniency::Lenient) {
        Ok(state) if state.as_map().is_some() => Ok(state),
        Ok(_) => {
            Err(unreadable(type_name, "It is null. Remove the object from the state and import the component again."))
        }
        Err(error) => Err(diagnostic::undecodable(RPC, "stored state", &error)),
    }
}

fn unreadable(type_name: &str, detail: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.error(format!("The stored state of a {type_name} cannot be read"), detail);
    diagnostics
}
