//! JSON-RPC 2.0 over HTTP: one question or a batch, bounded in time and bytes, answers matched by id.

use super::{ChainError, revert};
use crate::telemetry::rpc_answered;
use alloy::rpc::json_rpc::ErrorPayload;
use publisher_core::time::Span;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// No answer longer than this many bytes is read.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A node's message is kept up to this many characters.
const MESSAGE_LIMIT: usize = 500;

/// Parts of a URL at least this long are treated as secrets when a node repeats them.
const SECRET_LENGTH: usize = 8;

/// Waiting times a node asks for are believed up to an hour.
const RETRY_AFTER_LIMIT_S: u64 = 3600;

/// And they are kept up to a minute: a gateway that asks for more is asked again, rather than a heartbeat missed.
const QUIET_LIMIT: Span = Span::from_s(60);

/// How a node is reached.
#[derive(Clone)]
pub struct NodeSetup {
    /// Its HTTP address; path, query and user may hold secrets.
    pub url: Url,
    /// A value for the `Authorization` header.
    pub authorization: Option<HeaderValue>,
    /// The time a whole call may take.
    pub timeout: Span,
    /// How many questions go into one HTTP request; 1 for a node that takes no batches.
    pub batch_limit: usize,
    /// It is given transactions and never read.
    pub send_only: bool,
    /// Its WebSocket address, where it is to tell of new heads; may hold secrets as well.
    pub ws: Option<Url>,
}

impl NodeSetup {
    /// A node with the usual limits: 5 s a call, 100 questions a request.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            authorization: None,
            timeout: Span::from_s(5),
            batch_limit: 100,
            send_only: false,
            ws: None,
        }
    }
}

impl fmt::Debug for NodeSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSetup")
            .field("url", &shown(&self.url))
            .field("authorization", &self.authorization.as_ref().map(|_| "hidden"))
            .field("timeout", &self.timeout)
            .field("batch_limit", &self.batch_limit)
            .field("send_only", &self.send_only)
            .field("ws", &self.ws.as_ref().map(shown))
            .finish()
    }
}

/// A node cannot be set up with this address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RPC node {url}: {reason}")]
pub struct SetupError {
    /// Scheme and host.
    pub url: String,
    /// What is wrong.
    pub reason: String,
}

/// A question: method and parameters.
pub(super) type Question = (&'static str, Value);

/// The result of one question, not decoded yet.
pub(super) type Raw = Result<Box<RawValue>, ChainError>;

/// A JSON-RPC response object. Some servers send `"error": null` with a result, or `"result": null` with an error;
/// both together say nothing.
#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Value,
    /// A null is a result too: it must not be mistaken for a missing one.
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<ErrorPayload>,
}

impl Reply {
    /// The result or the refusal; `None` if it is neither or both.
    fn word(self) -> Option<Result<Box<RawValue>, ErrorPayload>> {
        match (self.result, self.error) {
            (Some(result), None) => Some(Ok(result)),
            (Some(result), Some(error)) if result.get() == "null" => Some(Err(error)),
            (None, Some(error)) => Some(Err(error)),
            _ => None,
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod fuzz;

/// A connection pool to one node.
pub(super) struct Wire {
    http: reqwest::Client,
    url: Url,
    authorization: Option<HeaderValue>,
    batch_limit: usize,
    next_id: AtomicU64,
    /// The node asked to be left alone until then.
    quiet_until: Mutex<Option<Instant>>,
}

impl Wire {
    pub(super) fn new(setup: &NodeSetup) -> Result<Self, SetupError> {
        let fail = |reason: String| SetupError { url: shown(&setup.url), reason };
        if !matches!(setup.url.scheme(), "http" | "https") || setup.url.host_str().is_none() {
            return Err(fail("only http:// and https:// addresses can be used".into()));
        }
        if setup.timeout == Span::ZERO || setup.batch_limit == 0 {
            return Err(fail("timeout and batch limit must not be zero".into()));
        }
        let http = reqwest::Client::builder()
            .timeout(setup.timeout.into())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()
            .map_err(|e| fail(e.without_url().to_string()))?;
        let mut authorization = setup.authorization.clone();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Self {
            http,
            url: setup.url.clone(),
            authorization,
            batch_limit: setup.batch_limit,
            next_id: AtomicU64::new(1),
            quiet_until: Mutex::default(),
        })
    }

    /// Scheme and host.
    pub(super) fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Asks one question and decodes its result.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, ChainError> {
        decode(&self.call(method, params).await?)
    }

    /// Asks one question.
    pub(super) async fn call(&self, method: &'static str, params: Value) -> Raw {
        let began = Instant::now();
        let result = self.call_once(method, params).await;
        counted(method, began, result.as_ref().err());
        result
    }

    async fn call_once(&self, method: &'static str, params: Value) -> Raw {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (ok, body) = self.exchange(&request(id, method, &params)).await?;
        let reply = serde_json::from_slice::<Reply>(&body).ok().filter(|reply| reply.id == id);
        match (reply.and_then(Reply::word), ok) {
            (Some(Err(error)), _) => Err(self.refusal(&error)),
            (_, Err(status)) => Err(status),
            (Some(Ok(result)), Ok(())) => Ok(result),
            (None, Ok(())) => Err(ChainError::BadAnswer("not a JSON-RPC answer to our question")),
        }
    }

    /// Asks many questions in as few requests as the node takes. Always one result a question, in their order; a
    /// request that fails fails all of its questions.
    pub(super) async fn batch(&self, questions: &[Question]) -> Vec<Raw> {
        let mut results = Vec::with_capacity(questions.len());
        for chunk in questions.chunks(self.batch_limit) {
            match chunk {
                [(method, params)] => results.push(self.call(method, params.clone()).await),
                _ => {
                    let began = Instant::now();
                    let answers = self.batch_once(chunk).await;
                    counted("batch", began, answers.as_ref().err());
                    match answers {
                        Ok(answers) => results.extend(answers),
                        Err(error) => results.extend(chunk.iter().map(|_| Err(error.clone()))),
                    }
                }
            }
        }
        results
    }

    async fn batch_once(&self, chunk: &[Question]) -> Result<Vec<Raw>, ChainError> {
        let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        let requests =
            (first..).zip(chunk).map(|(id, (method, params))| request(id, method, params)).collect();
        let (ok, body) = self.exchange(&Value::Array(requests)).await?;
        ok?;
        let Ok(replies) = serde_json::from_slice::<Vec<Reply>>(&body) else {
            // A node that takes no batches answers with one error object, whose id is nobody's.
            return match serde_json::from_slice::<Reply>(&body).ok().and_then(Reply::word) {
                Some(Err(error)) => Err(self.refusal(&error)),
                _ => Err(ChainError::BadAnswer("not a JSON-RPC batch")),
            };
        };
        let mut results: Vec<Raw> =
            chunk.iter().map(|_| Err(ChainError::BadAnswer("missing in the batch"))).collect();
        let mut answered = vec![false; chunk.len()];
        for reply in replies {
            let place = reply.id.as_u64().and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
            let Some(place) = place else { continue };
            let (Some(slot), Some(seen)) = (results.get_mut(place), answered.get_mut(place)) else {
                continue;
            };
            *slot = match reply.word() {
                _ if *seen => Err(ChainError::BadAnswer("answered twice in the batch")),
                Some(Ok(result)) => Ok(result),
                Some(Err(error)) => Err(self.refusal(&error)),
                None => Err(ChainError::BadAnswer("neither a result nor an error")),
            };
            *seen = true;
        }
        Ok(results)
    }

    /// One HTTP request. The inner result says whether its status was 200; the body is read either way, because
    /// some nodes send their JSON-RPC errors with other statuses.
    async fn exchange(&self, body: &Value) -> Result<(Result<(), ChainError>, Vec<u8>), ChainError> {
        if let Some(left) = self.quiet() {
            return Err(ChainError::RateLimited { retry_after: Some(left) });
        }
        let mut request =
            self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body.to_string());
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let mut response = request
            .send()
            .await
            .map_err(|e| if e.is_timeout() { ChainError::Timeout } else { ChainError::Unreachable })?;
        let status = response.status().as_u16();
        let ok = match status {
            200 => Ok(()),
            429 => {
                let asked = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
                let seconds = asked.and_then(|v| v.trim().parse::<u64>().ok());
                let retry_after = seconds.map(|s| Span::from_s(s.min(RETRY_AFTER_LIMIT_S)));
                self.keep_quiet(retry_after);
                return Err(ChainError::RateLimited { retry_after });
            }
            status => Err(ChainError::Http(status)),
        };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                    return Err(ChainError::BadAnswer("larger than 8 MiB"));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok((ok, body)),
                Err(e) if e.is_timeout() => return Err(ChainError::Timeout),
                Err(_) => return Err(ChainError::BadAnswer("cut off")),
            }
        }
    }

    /// How much longer the node wants to be left alone.
    fn quiet(&self) -> Option<Span> {
        let until = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| Span::from(left))
    }

    fn keep_quiet(&self, asked: Option<Span>) {
        if let Some(asked) = asked {
            let until = Instant::now() + Duration::from(asked.min(QUIET_LIMIT));
            *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }

    fn refusal(&self, error: &ErrorPayload) -> ChainError {
        ChainError::Rpc {
            code: error.code,
            message: clean(&error.message, &self.url),
            data: error.data.as_deref().and_then(revert::data_of),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.shown()).finish()
    }
}

fn counted(method: &'static str, began: Instant, error: Option<&ChainError>) {
    rpc_answered(method, error.map_or("ok", ChainError::code), began.elapsed().into());
}

/// A node's words without control characters, without parts of our URL, and not too long.
pub(super) fn clean(message: &str, url: &Url) -> String {
    let mut text: String =
        message.chars().take(MESSAGE_LIMIT * 4).map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in secrets(url) {
        text = text.replace(&secret, "<hidden>");
    }
    match text.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// Decodes a result.
pub(super) fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<T, ChainError> {
    serde_json::from_str(raw.get()).map_err(|_| ChainError::BadAnswer("of another shape than the method's"))
}

fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn secrets(url: &Url) -> Vec<String> {
    let mut parts: Vec<String> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
    parts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    parts.push(url.username().to_owned());
    parts.extend(url.password().map(str::to_owned));
    parts.retain(|part| part.len() >= SECRET_LENGTH);
    parts
}
