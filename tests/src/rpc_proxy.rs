//! A JSON-RPC proxy in front of a node that fails on command, so that a kind node can be met as an unkind one.
//!
//! Rules are matched per call, by method, in the order in which they were set; each may be limited in number
//! and in probability, from a seed. The elements of a batch are treated one by one; a fault of the connection
//! or of HTTP that befalls one of them befalls the answer of the whole batch, and one node answers all of it:
//! whether that one lags is decided with the first element.
//!
//! It can behave as a client that the node is not ([`Personality`]): then that client's pool stands before the
//! node's.
//!
//! Invariants: without rules and personality every answer is the upstream's; a call is forwarded exactly as often as
//! its faults say; every raw transaction that the faults let through is remembered (bounded).
//!
//! Deliberately absent: WebSockets, whose faults are [`crate::tcp_relay`]'s.

mod element;
mod fault;
mod personality;
mod pool;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy::primitives::{B256, Bytes as Raw, keccak256};
use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use publisher_doubles::loopback::{self, Server};
use serde_json::{Value, json};

pub use fault::{RpcFault, Rule};
pub use personality::{
    BESU, BESU_ZERO_GAS, ERIGON, GETH, NETHERMIND, OP, Offer, PERSONALITIES, Personality, Refused,
    Replacement, Tags,
};

use element::{Element, Spoiled};
use fault::Armed;
use pool::Pool;

/// Most raw transactions remembered.
const FORWARDED_MAX: usize = 10_000;

/// Largest request body.
const BODY_BYTES_MAX: usize = 8 << 20;

/// How long the upstream may take.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(30);

/// A raw transaction that reached the node, or the pool before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Keccak hash of the bytes: the transaction's hash.
    pub hash: B256,
    /// The signed bytes.
    pub raw: Raw,
}

#[derive(Debug, Default)]
struct Memory {
    rules: Vec<Armed>,
    calls: BTreeMap<String, u64>,
    forwarded: VecDeque<Forwarded>,
    client: Option<&'static Personality>,
}

#[derive(Debug)]
struct Shared {
    upstream: Mutex<String>,
    client: reqwest::Client,
    memory: Mutex<Memory>,
    /// One call at a time: a pool decides about one transaction after the other.
    pool: tokio::sync::Mutex<Option<Pool>>,
}

/// A running proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct RpcProxy {
    server: Server,
    shared: Arc<Shared>,
}

impl RpcProxy {
    /// Starts on a free loopback port in front of `upstream_url`.
    pub async fn start(upstream_url: &str) -> io::Result<Self> {
        let client = reqwest::Client::builder().timeout(UPSTREAM_TIMEOUT).no_proxy().build();
        let client = client.map_err(io::Error::other)?;
        let upstream = Mutex::new(upstream_url.to_owned());
        let shared =
            Arc::new(Shared { upstream, client, memory: Mutex::default(), pool: Default::default() });
        let router = Router::new()
            .fallback(post(answer))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), router).await?;
        Ok(Self { server, shared })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Puts another node behind the same address, as when a load balancer switches.
    pub fn set_upstream(&self, url: &str) {
        *self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner) = url.to_owned();
    }

    /// Sets a rule beside those that are set.
    pub fn fault(&self, rule: Rule) {
        self.shared.memory().rules.push(Armed::new(rule));
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.shared.memory().rules.clear();
    }

    /// The node's present head block, to be served later by [`RpcFault::StaleHead`]. No rule applies.
    pub async fn head(&self) -> anyhow::Result<Value> {
        let ask =
            json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", false]});
        let answer = self.shared.forward(&ask).await.context("the upstream has no head")?;
        answer.get("result").filter(|block| block.is_object()).cloned().context("the upstream has no head")
    }

    /// Behaves as this client from now on, with an empty pool.
    pub async fn impersonate(&self, client: &'static Personality) {
        self.shared.memory().client = Some(client);
        *self.shared.pool.lock().await = Some(Pool::new(client));
    }

    /// Lets the pool take transactions, and keeps them from the node, so that no block has them. Without a
    /// personality there is no pool, and nothing happens; so it is with [`RpcProxy::release`].
    pub async fn hold(&self) {
        if let Some(pool) = self.shared.pool.lock().await.as_mut() {
            pool.hold();
        }
    }

    /// Gives the node all that the pool holds.
    pub async fn release(&self) {
        if let Some(pool) = self.shared.pool.lock().await.as_mut() {
            pool.release(&self.shared).await;
        }
    }

    /// Does something to the node while no client's answer is made, so that none shows it half done: a client switches
    /// to another branch at once, anvil goes back and then mines block after block.
    pub async fn at_once<T>(&self, change: impl Future<Output = T>) -> T {
        let _pool = self.shared.pool.lock().await;
        change.await
    }

    /// Puts a transaction into the pool that came by another way and never reaches a block.
    pub async fn plant(&self, raw: &Raw) -> anyhow::Result<()> {
        let mut pool = self.shared.pool.lock().await;
        pool.as_mut().and_then(|pool| pool.plant(raw)).context("no pool, or no transaction")
    }

    /// Calls of the method that arrived, whatever became of them.
    pub fn calls(&self, method: &str) -> u64 {
        self.shared.memory().calls.get(method).copied().unwrap_or_default()
    }

    /// The raw transactions that reached the node, or the pool before it, oldest first, one for each time.
    pub fn forwarded(&self) -> Vec<Forwarded> {
        self.shared.memory().forwarded.iter().cloned().collect()
    }

    /// Stops, and returns once the port is closed.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl Shared {
    /// A poisoned lock means that a test panicked elsewhere; no update here spans a panic.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call and draws the faults that befall it.
    fn befall(&self, method: &str) -> Vec<RpcFault> {
        let mut memory = self.memory();
        *memory.calls.entry(method.to_owned()).or_default() += 1;
        let befalling = memory.rules.iter_mut().filter_map(|rule| rule.draw(method)).collect();
        memory.rules.retain(|rule| !rule.is_spent());
        befalling
    }

    /// The answer of the node, or of the client that the proxy behaves as; `None` when there is none.
    async fn ask(&self, call: &Value) -> Option<Value> {
        if call.get("method").and_then(Value::as_str) == Some("eth_sendRawTransaction")
            && let Some(raw) = element::raw_transaction(call)
        {
            let mut memory = self.memory();
            if memory.forwarded.len() == FORWARDED_MAX {
                memory.forwarded.pop_front();
            }
            memory.forwarded.push_back(Forwarded { hash: keccak256(&raw), raw });
        }
        // Calls wait for each other only where there is a pool.
        if self.memory().client.is_none() {
            return self.forward(call).await;
        }
        self.pool.lock().await.as_mut()?.answer(self, call).await
    }

    /// Sends one call upstream; `None` when the upstream does not answer with JSON.
    async fn forward(&self, call: &Value) -> Option<Value> {
        let upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let response = self.client.post(upstream).json(call).send().await.ok()?;
        response.json().await.ok()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let calls = match serde_json::from_slice(&body) {
        Ok(Value::Array(calls)) => calls,
        Ok(call @ Value::Object(_)) => vec![call],
        _ => return json_response(&rpc_error(&Value::Null, -32_700, "Parse error")),
    };
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    // All faults are drawn first: a connection that closes beforehand must not have forwarded anything.
    let mut elements: Vec<_> = calls.into_iter().map(|call| Element::new(&shared, call)).collect();
    element::answer_from_one_node(&mut elements);
    let pause_ms = elements.iter().map(Element::delay_ms).max().unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    if let Some(spoiled) = elements.iter().find_map(Element::spoiled_before) {
        return spoil(spoiled, Bytes::new());
    }
    let spoiled_after = elements.iter().find_map(Element::spoiled_after);
    let mut answers = Vec::with_capacity(elements.len());
    for element in elements {
        match element.answer(&shared).await {
            Some(answer) => answers.push(answer),
            None => return (StatusCode::BAD_GATEWAY, "the upstream did not answer").into_response(),
        }
    }
    let answer = if is_batch { Value::Array(answers) } else { answers.pop().unwrap_or_default() };
    match spoiled_after {
        Some(spoiled) => spoil(spoiled, Bytes::from(answer.to_string())),
        None => json_response(&answer),
    }
}

fn spoil(how: Spoiled, whole: Bytes) -> Response {
    match how {
        Spoiled::HangUp => loopback::hang_up(),
        Spoiled::Html502 => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
            (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
        }
        Spoiled::RateLimited { retry_after_s } => {
            let limit =
                rpc_error(&Value::Null, -32_005, "daily request count exceeded, request rate limited");
            let mut response = (StatusCode::TOO_MANY_REQUESTS, axum::Json(limit)).into_response();
            if let Some(seconds) = retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
        Spoiled::Empty => StatusCode::OK.into_response(),
        Spoiled::Truncated => {
            let half = whole.len() / 2;
            loopback::truncated(json_response(&Value::Null), &whole, half)
        }
    }
}

fn json_response(answer: &Value) -> Response {
    axum::Json(answer).into_response()
}

fn rpc_error(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

#[cfg(test)]
mod tests;
