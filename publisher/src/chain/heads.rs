//! New heads over a node's WebSocket: word that it is time to look, never what there is to see.
//!
//! Nothing of a notification but its arrival is used. A subscription that lies, floods or falls silent can therefore
//! make a head be asked for sooner or later, and nothing else; the head itself is always read over HTTP.

use super::ChainError;
use super::wire::{NodeSetup, clean, shown};
use futures_util::{SinkExt, StreamExt};
use publisher_core::time::Span;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

/// No message longer than this many bytes is read; a header has less than 2 KiB.
const MESSAGE_LIMIT: usize = 64 * 1024;
/// The id of the one question that is ever asked.
const QUESTION: u64 = 1;

/// Where a node tells of its heads.
#[derive(Clone)]
pub(super) struct Socket {
    url: Url,
    authorization: Option<HeaderValue>,
    timeout: Span,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&shown(&self.url)).finish()
    }
}

/// An open subscription to `newHeads`.
pub struct NewHeads {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    subscription: String,
}

/// What a node sends: the answer to our question, or a notification.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    id: Value,
    result: Option<String>,
    error: Option<alloy::rpc::json_rpc::ErrorPayload>,
    method: Option<String>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    subscription: String,
}

impl Socket {
    pub(super) fn new(setup: &NodeSetup) -> Option<Self> {
        let url = setup.ws.clone()?;
        Some(Self { url, authorization: setup.authorization.clone(), timeout: setup.timeout })
    }

    /// Connects and subscribes, within the time of one call.
    pub(super) async fn subscribe(&self) -> Result<NewHeads, ChainError> {
        tokio::time::timeout(self.timeout.into(), self.open()).await.map_err(|_| ChainError::Timeout)?
    }

    async fn open(&self) -> Result<NewHeads, ChainError> {
        let mut request = self.url.as_str().into_client_request().map_err(|error| failed(&error))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        let connected = connect_async_with_config(request, Some(limits), true).await;
        let (stream, _) = connected.map_err(|error| failed(&error))?;
        let mut heads = NewHeads { stream, subscription: String::new() };
        let question =
            format!(r#"{{"jsonrpc":"2.0","id":{QUESTION},"method":"eth_subscribe","params":["newHeads"]}}"#);
        heads.stream.send(Message::text(question)).await.map_err(|error| failed(&error))?;
        loop {
            let told = heads.told().await?;
            if told.id != QUESTION {
                continue;
            }
            return match (told.result, told.error) {
                (Some(subscription), None) => Ok(NewHeads { subscription, ..heads }),
                (None, Some(error)) => {
                    let message = clean(&error.message, &self.url);
                    Err(ChainError::Rpc { code: error.code, message, data: None })
                }
                _ => Err(ChainError::BadAnswer("neither a subscription nor an error")),
            };
        }
    }
}

impl NewHeads {
    /// Returns when the node tells of a new head.
    ///
    /// # Errors
    /// When the connection has ended, or says what no node says. It has to be opened anew then.
    pub async fn next(&mut self) -> Result<(), ChainError> {
        loop {
            let told = self.told().await?;
            let ours = told.params.is_some_and(|params| params.subscription == self.subscription);
            if ours && told.method.as_deref() == Some("eth_subscription") {
                return Ok(());
            }
        }
    }

    async fn told(&mut self) -> Result<Told, ChainError> {
        loop {
            let message = self.stream.next().await.ok_or(ChainError::Unreachable)?;
            match message.map_err(|error| failed(&error))? {
                Message::Text(text) => {
                    return serde_json::from_str(&text).map_err(|_| ChainError::BadAnswer("not JSON-RPC"));
                }
                Message::Binary(_) => return Err(ChainError::BadAnswer("binary data")),
                Message::Close(_) => return Err(ChainError::Unreachable),
                // Pings are answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

/// The library's own words may hold the address, so they are not passed on.
fn failed(error: &Error) -> ChainError {
    match error {
        Error::Http(response) => ChainError::Http(response.status().as_u16()),
        Error::Capacity(_) => ChainError::BadAnswer("too large"),
        Error::Protocol(_) | Error::Utf8(_) => ChainError::BadAnswer("not WebSocket"),
        _ => ChainError::Unreachable,
    }
}
