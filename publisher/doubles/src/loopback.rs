//! A small HTTP/1 server on loopback that can also misbehave below HTTP, and turn a connection into a WebSocket.
//!
//! Invariants: only loopback addresses are served; at most [`MAX_CONNECTIONS`] connections are open; dropping
//! the [`Server`] ends its accept loop and every connection with it, even one that is stalling on purpose.
//!
//! It exists because `axum::serve` can neither close a connection without an answer nor be stopped while a
//! handler sleeps.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::tls::Tls;

/// Most connections served at once; more wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 512;

/// How long the first part of a truncated body has to reach the wire.
const FLUSH: Duration = Duration::from_millis(20);

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    key_sha256: Option<String>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves `router` at `bind`; port 0 takes a free one. An address that is not loopback is
    /// `InvalidInput`, because the doubles hold test keys and obey whoever asks.
    pub async fn start(bind: SocketAddr, router: Router) -> io::Result<Self> {
        Self::behind(None, bind, router).await
    }

    /// The same behind TLS, good or bad.
    pub async fn start_tls(tls: Tls, bind: SocketAddr, router: Router) -> io::Result<Self> {
        Self::behind(Some(tls), bind, router).await
    }

    async fn behind(tls: Option<Tls>, bind: SocketAddr, router: Router) -> io::Result<Self> {
        if !bind.ip().is_loopback() {
            let reason = format!("{bind} is not a loopback address; a double serves this machine only");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let (acceptor, key_sha256) = tls.map_or(Ok(None), Tls::acceptor)?.unzip();
        let door = Door { tls, acceptor };
        Ok(Self { address, key_sha256, accepting: tokio::spawn(accept(listener, door, router)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The SHA-256, in hex, of the SubjectPublicKeyInfo of the key that it shows, made anew by each; none without TLS.
    pub fn key_sha256(&self) -> Option<&str> {
        self.key_sha256.as_deref()
    }

    /// Stops, and returns once the port is closed and every connection is gone.
    pub async fn stop(mut self) {
        self.accepting.abort();
        // The only outcomes are "cancelled" and "ended", and both are what was asked for.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The accept loop owns all connections, so that ending it ends them.
async fn accept(listener: TcpListener, door: Door, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(door.clone().enter(stream, router.clone()))),
                // Out of descriptors or a peer that left while queued: the next accept may do better.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What stands between a connection and HTTP.
#[derive(Clone)]
struct Door {
    tls: Option<Tls>,
    acceptor: Option<TlsAcceptor>,
}

impl Door {
    async fn enter(self, mut stream: TcpStream, router: Router) {
        // Small answers go out at once; a refusal only costs latency.
        let _ = stream.set_nodelay(true);
        match (self.tls, self.acceptor) {
            (_, Some(acceptor)) => {
                // A client that does not trust us leaves in the middle of it.
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(stream, router).await;
                }
            }
            // Only the server's end ends it.
            (Some(Tls::Stalls), _) => std::future::pending().await,
            (Some(Tls::Resets), _) => {
                let _begun = stream.read_u8().await;
                // What is closed without lingering is reset.
                let _ = stream.set_zero_linger();
            }
            _ => converse(stream, router).await,
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let upgraded = Slot::default();
    let slot = upgraded.clone();
    let answer = service_fn(move |request| {
        let router = TowerToHyperService::new(router.clone());
        let slot = slot.clone();
        async move {
            let answered: Result<Response, Infallible> = router.call(request).await;
            if let Ok(Some(upgrade)) = answered.as_ref().map(|response| response.extensions().get::<Slot>()) {
                slot.put(upgrade.take());
            }
            match answered {
                Ok(response) if response.extensions().get::<HangUp>().is_none() => Ok(response),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            }
        }
    });
    // A connection that ends in an error is what half of the faults are for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).with_upgrades().await;
    // What became a WebSocket stays this connection's task, so that it ends with the server.
    if let Some(conversation) = upgraded.take() {
        conversation.await;
    }
}

/// A WebSocket, from the server's side.
pub type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is said on a connection after it has become a WebSocket.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Conversation>>>);

impl Slot {
    fn put(&self, conversation: Option<Conversation>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = conversation;
    }

    fn take(&self) -> Option<Conversation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether a request is the beginning of a WebSocket (RFC 6455, section 4.1).
pub fn asks_for_web_socket(request: &Request) -> bool {
    request.headers().get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The response that makes a WebSocket of the connection, on which `talk` goes on; HTTP 400 where there is no key.
pub fn web_socket<F: Future<Output = ()> + Send>(
    mut request: Request,
    talk: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response {
    let mut response = Response::new(Body::empty());
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let conversation = async move {
        // A client that left before has nothing to be told.
        if let Ok(upgraded) = upgrade.await {
            talk(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
        }
    };
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let slot = Slot::default();
    slot.put(Some(Box::pin(conversation)));
    response.extensions_mut().insert(slot);
    response
}

/// A response extension: close the connection instead of answering.
#[derive(Clone, Copy, Debug)]
struct HangUp;

/// A response that never reaches the wire: the connection closes without an answer.
pub fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

/// The response's head and the first `keep` bytes of `whole`, then a closed connection: the announced length
/// is that of the whole body.
pub fn truncated(mut response: Response, whole: &Bytes, keep: usize) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let kept = whole.slice(..keep.min(whole.len()));
    *response.body_mut() = Body::new(Unreliable { chunk: Some(kept), pause: Box::pin(sleep(FLUSH)) });
    response
}

/// The response with `whole` sent one byte per `every`, its length announced.
pub fn dripping(mut response: Response, whole: &Bytes, every: Duration) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let mut pace = interval(every.max(Duration::from_millis(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    *response.body_mut() = Body::new(Drip { pace, rest: whole.clone() });
    response
}

/// The response with `start` and then white space up to `total` bytes. The length is not announced, so a
/// reader has to count for itself; the server never holds more than one chunk.
pub fn padded(mut response: Response, start: Bytes, total: u64) -> Response {
    response.headers_mut().remove(header::CONTENT_LENGTH);
    let padding = total.saturating_sub(u64::try_from(start.len()).unwrap_or(u64::MAX));
    *response.body_mut() = Body::new(Padding { start: Some(start), padding });
    response
}

/// One chunk, then an error that makes the server drop the connection.
struct Unreliable {
    chunk: Option<Bytes>,
    /// The server flushes only when the body has nothing more to say at the moment.
    pause: Pin<Box<Sleep>>,
}

impl HttpBody for Unreliable {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(chunk) = self.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        self.pause.as_mut().poll(context).map(|()| Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}

struct Drip {
    pace: Interval,
    rest: Bytes,
}

impl HttpBody for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.pace.poll_tick(context).map(|_| Some(Ok(Frame::data(self.rest.split_to(1)))))
    }
}

struct Padding {
    start: Option<Bytes>,
    padding: u64,
}

/// What one chunk of padding is made of.
static SPACES: [u8; 16_384] = [b' '; 16_384];

impl HttpBody for Padding {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        let chunk = usize::try_from(self.padding).unwrap_or(usize::MAX).min(SPACES.len());
        if chunk == 0 {
            return Poll::Ready(None);
        }
        self.padding -= u64::try_from(chunk).unwrap_or_default();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES).slice(..chunk)))))
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    async fn fetch(server: &Server, path: &str) -> Result<String, reqwest::Error> {
        let response = reqwest::get(format!("http://{}{path}", server.address())).await?;
        response.text().await
    }

    #[tokio::test]
    async fn only_loopback_is_served() {
        let open = Server::start(SocketAddr::from(([0, 0, 0, 0], 0)), Router::new()).await;
        assert_eq!(open.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[tokio::test]
    async fn stopping_ends_a_stalled_connection_and_frees_the_port() {
        let forever = get(|| async {
            sleep(Duration::from_secs(3_600)).await;
            "late"
        });
        let server = Server::start(loopback(), Router::new().route("/", forever)).await.unwrap();
        let address = server.address();
        let asked = tokio::spawn(reqwest::get(format!("http://{address}/")));
        sleep(Duration::from_millis(100)).await;
        server.stop().await;
        assert!(asked.await.unwrap().is_err());
        assert!(TcpStream::connect(address).await.is_err());
        Server::start(address, Router::new()).await.unwrap();
    }

    #[tokio::test]
    async fn the_wire_can_be_cut_starved_and_flooded() {
        let whole = Bytes::from_static(b"0123456789");
        let (cut, slow) = (whole.clone(), whole.clone());
        let router = Router::new()
            .route("/gone", get(|| async { hang_up() }))
            .route("/cut", get(|| async move { truncated(Response::default(), &cut, 5) }))
            .route(
                "/slow",
                get(|| async move { dripping(Response::default(), &slow, Duration::from_millis(5)) }),
            )
            .route("/big", get(|| async { padded(Response::default(), Bytes::from_static(b"{}"), 100_000) }))
            .route("/fine", get(|| async { "fine" }));
        let server = Server::start(loopback(), router).await.unwrap();

        assert!(fetch(&server, "/gone").await.is_err());
        assert!(fetch(&server, "/cut").await.is_err());
        assert_eq!(fetch(&server, "/slow").await.unwrap(), "0123456789");
        let big = fetch(&server, "/big").await.unwrap();
        assert_eq!((big.len(), big.trim()), (100_000, "{}"));
        assert_eq!(fetch(&server, "/fine").await.unwrap(), "fine");
    }
}
