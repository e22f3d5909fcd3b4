//! A balancer in front of the estate: takes orders over HTTP from who has its token, and keeps who is out.
//!
//! It speaks as many balancers do: `PATCH /members/HOST` with a JSON body that says whether the member is enabled.
//! What it does stands in the journal of the host, so that it can be told what was done to a host while it was out.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::lab::estate::Estate;
use crate::lab::host::error::LabError;

/// A running balancer. Dropping it ends it.
pub struct Balancer {
    /// What orders begin with, without a slash at the end.
    pub url: String,
    /// What it knows its operators by.
    pub token: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    estate: Estate,
    token: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    out: BTreeSet<String>,
    calls: Vec<Call>,
    troubles: VecDeque<u16>,
    refusals: Vec<Refusal>,
}

/// Orders about one host, of one kind, that are not carried out.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The host's full name.
    pub host: String,
    /// Whether it is the order to put it back.
    pub enabled: bool,
    /// The answer; none when there is to be none.
    pub status: Option<u16>,
    /// How often it still happens.
    pub times: u32,
}

/// An order as it came, and the answer; 0 when there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub path: String,
    pub body: String,
    pub status: u16,
}

impl Balancer {
    /// Serves on a port of this machine, on a thread of its own. Every host of the estate is a member.
    pub fn start(estate: &Estate) -> Result<Self, LabError> {
        let problem = |error| LabError::file(estate.folder())(error);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(problem)?;
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).map_err(problem)?;
        let port = listener.local_addr().map_err(problem)?.port();
        let token = format!("balancer-{}", uuid::Uuid::new_v4());
        let shared = Arc::new(Shared { estate: estate.clone(), token: token.clone(), state: Mutex::default() });
        runtime.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { url: format!("http://127.0.0.1:{port}"), token, shared, runtime: Some(runtime) })
    }

    /// The hosts that are out, by their full names.
    pub fn out(&self) -> Vec<String> {
        self.shared.state().out.iter().cloned().collect()
    }

    /// What it was asked for, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// Answers the next orders with these statuses, and does nothing of what they want.
    pub fn trouble(&self, statuses: &[u16]) {
        self.shared.state().troubles.extend(statuses);
    }

    /// Does not carry out some orders.
    pub fn refuse(&self, refusal: Refusal) {
        self.shared.state().refusals.push(refusal);
    }

    /// Carries out everything again.
    pub fn forgive(&self) {
        self.shared.state().refusals.clear();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // Clients that hang up are none of the server's business.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let bearer = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let (status, said) = shared.judge(&head.method, head.uri.path(), bearer.as_deref(), &body);
    shared.state().calls.push(Call { path: head.uri.path().to_owned(), body, status });
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Full::new(Bytes::from(said.to_string())));
    *response.status_mut() = status.try_into().expect("the lab answers with statuses of HTTP");
    Ok(response)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, method: &Method, path: &str, bearer: Option<&str>, body: &str) -> (u16, Value) {
        if let Some(status) = self.state().troubles.pop_front() {
            return (status, json!({ "error": "made up" }));
        }
        if bearer != Some(&format!("Bearer {}", self.token)) {
            return (401, json!({ "error": "who are you?" }));
        }
        let Some(name) = path.strip_prefix("/members/").filter(|_| method == Method::PATCH) else {
            return (404, json!({ "error": "PATCH /members/HOST" }));
        };
        let names = self.estate.host_names().unwrap_or_default();
        let Some(name) = names.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            return (404, json!({ "error": format!("no member {name}") }));
        };
        match serde_json::from_str::<Value>(body).unwrap_or_default()["enabled"].as_bool() {
            Some(enabled) => match self.refusal(&name, enabled) {
                Some(status) => (status.unwrap_or_default(), json!({ "error": "made up" })),
                None => self.set(&name, !enabled),
            },
            None => (400, json!({ "error": "enabled is true or false" })),
        }
    }

    /// The answer to an order that is not carried out.
    fn refusal(&self, name: &str, enabled: bool) -> Option<Option<u16>> {
        let mut state = self.state();
        let is_due = |refusal: &&mut Refusal| refusal.host == name && refusal.enabled == enabled && refusal.times > 0;
        let refusal = state.refusals.iter_mut().find(is_due)?;
        refusal.times -= 1;
        Some(refusal.status)
    }

    fn set(&self, name: &str, is_out: bool) -> (u16, Value) {
        let what = if is_out { "balancer_out" } else { "balancer_in" };
        if let Err(error) = self.estate.host(name).and_then(|host| host.record(what, json!({}))) {
            return (500, json!({ "error": error.to_string() }));
        }
        let mut state = self.state();
        if is_out {
            state.out.insert(name.to_owned());
        } else {
            state.out.remove(name);
        }
        (200, json!({ "name": name, "session": if is_out { "user-disabled" } else { "user-enabled" } }))
    }
}
