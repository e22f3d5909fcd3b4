//! The log as the client reads it.

use azuremfa::rpc::generated::{plugin as plugin_wire, tfplugin6 as wire};
use serde_json::{Map, Value};

use crate::client::{Identity, Plugin, call, command};

/// The lines of a process that was asked for something it has not.
async fn lines_with(variables: &[(&str, &str)]) -> Vec<Map<String, Value>> {
    let mut command = command();
    command.envs(variables.iter().copied());
    let plugin = Plugin::start_with(Some(Identity::like_go_plugin()), command);
    let channel = plugin.connect().await;
    let request = wire::read_resource::Request { type_name: "azuremfa_absent".to_owned(), ..Default::default() };
    let path = "/tfplugin6.Provider/ReadResource";
    let _: wire::read_resource::Response = call(&channel, path, request).await.unwrap();
    let path = "/plugin.GRPCController/Shutdown";
    let _: plugin_wire::Empty = call(&channel, path, plugin_wire::Empty {}).await.unwrap();
    let (_, error) = plugin.rest();
    error.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[tokio::test]
async fn every_line_parses() {
    let lines = lines_with(&[("TF_LOG_PROVIDER", "TRACE")]).await;
    for line in &lines {
        for key in ["@level", "@message", "@module", "@timestamp"] {
            assert!(line[key].is_string(), "{key} of {line:?}");
        }
        let time = line["@timestamp"].as_str().unwrap();
        let digits = time.strip_suffix('Z').and_then(|time| time.split_once('.')).unwrap().1;
        assert_eq!(digits.len(), 6, "{time}");
    }
    let error = lines.iter().find(|line| line["@level"] == "error").expect("the diagnostic is logged");
    assert_eq!(error["tf_rpc"], "ReadResource");
    assert_eq!(error["tf_resource_type"], "azuremfa_absent");
    assert_eq!(error["diagnostic_summary"], "No such resource type");
    assert!(lines.iter().any(|line| line["@message"] == "served request" && line["tf_req_duration_ms"].is_number()));
}

#[tokio::test]
async fn levels_are_respected() {
    let lines = lines_with(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER_AZUREMFA", "ERROR")]).await;
    assert_eq!(lines.iter().map(|line| &line["@level"]).collect::<Vec<_>>(), ["error"]);
    assert_eq!(lines_with(&[]).await, []);
    assert_eq!(lines_with(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "off")]).await, []);
}
