//! Opens a WebSocket where a guard permits it, in bounded time, with bounded messages.
//!
//! Names are resolved here, so that the addresses that were checked are the ones that are used; no redirect is
//! followed, and `wss` never becomes `ws`. Compression is not negotiated, so a message is as large as what came.

use super::session::End;
use crate::sources::guard::{Guard, is_public};
use crate::sources::reach::{self, Unresolved};
use crate::sources::tunnel;
use crate::sources::way::Way;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Url;

/// Name, connection, TLS and handshake together.
const TIMEOUT: Duration = Duration::from_secs(10);
/// One address may take so long, where there are several.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no socket. The words hold no URL.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the venue answered instead, as an HTTP status.
    pub(super) status: Option<u16>,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(detail: impl Into<String>) -> Self {
        Self { status: None, detail: detail.into() }
    }
}

pub(super) async fn dial(
    url: &Url,
    guard: Guard,
    way: &Way,
    message_max_bytes: usize,
) -> Result<Socket, Failure> {
    let opened = tokio::time::timeout(TIMEOUT, open(url, guard, way, message_max_bytes)).await;
    opened.unwrap_or_else(|_| Err(Failure::new("no connection in time")))
}

async fn open(url: &Url, guard: Guard, way: &Way, message_max_bytes: usize) -> Result<Socket, Failure> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(Failure::new("no host to connect to"));
    };
    // The brackets of an IPv6 address belong to the URL only.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = match &way.proxy {
        // What a name stands for is the proxy's to say, and what it reaches is where the proxy stands.
        Some(proxy) if guard.admits(url) => {
            let opened = tokio::time::timeout(ADDRESS_TIMEOUT, tunnel::open(proxy, name, port)).await;
            let opened = opened.map_err(|_| Failure::new("the proxy has opened no connection in time"))?;
            opened.map_err(|blocked| Failure::new(blocked.to_string()))?
        }
        Some(_) => return Err(Failure::new("not a public address; only stream_url permits others")),
        None => connect(name, port, guard).await?,
    };
    let tls = way.tls().map_err(|error| Failure::new(error.to_string()))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(message_max_bytes))
        .max_frame_size(Some(message_max_bytes));
    let connector = tls.map(|tls| Connector::Rustls(Arc::new(tls)));
    let shaken = client_async_tls_with_config(url.as_str(), tcp, Some(limits), connector).await;
    shaken.map(|(socket, _)| socket).map_err(|error| refused(&error))
}

/// A connection to one of the addresses that a name has and a guard permits.
async fn connect(name: &str, port: u16, guard: Guard) -> Result<TcpStream, Failure> {
    let found = tokio::net::lookup_host((name, port)).await;
    let found = found.map_err(|error| Failure::new(Unresolved(error.to_string()).to_string()))?;
    let mut failure = Failure::new("the name resolves to no public address; only stream_url permits others");
    for address in found.filter(|address| guard == Guard::AllowPrivate || is_public(address.ip())) {
        match tokio::time::timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Frames of ours are small, and late ones break limits.
                let _only_latency = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(error)) => failure = Failure::new(error.to_string()),
            Err(_) => failure = Failure::new("no connection in time"),
        }
    }
    Err(failure)
}

fn refused(error: &Error) -> Failure {
    match error {
        Error::Http(response) => {
            let status = response.status().as_u16();
            Failure { status: Some(status), detail: format!("HTTP status {status}") }
        }
        Error::Tls(_) | Error::Io(_) => match reach::cause(error) {
            Some((_, detail)) => Failure::new(detail),
            None => match error {
                Error::Io(error) => Failure::new(error.to_string()),
                error => Failure::new(error.to_string()),
            },
        },
        _ => Failure::new("not WebSocket"),
    }
}

/// Why a socket that was open is not any more, and that in words. The library's own may hold what the venue wrote.
pub(super) fn broken(error: &Error) -> (End, &'static str) {
    match error {
        Error::Capacity(_) => (End::TooLarge, "a message is larger than the limit"),
        Error::Protocol(_) | Error::Utf8(_) => (End::Closed, "not WebSocket"),
        _ => (End::Closed, "the connection broke"),
    }
}
