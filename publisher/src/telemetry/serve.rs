//! `/metrics`, `/healthz`, `/readyz` and `/status` over HTTP.
//!
//! Read-only and without authentication: it is meant for loopback or a cluster's own network.

use super::emit::scraped;
use super::health::Health;
use super::metrics::Recorder;
use super::readiness::{Phase, readiness};
use super::status::{Loops, Status};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, routing::get};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// How often recorded values are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// A bound telemetry server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    health: Health,
    recorder: Recorder,
}

impl Server {
    /// Takes the address; port 0 takes any free one.
    pub async fn bind(address: SocketAddr, health: Health, recorder: Recorder) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, health, recorder })
    }

    /// The address taken.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` completes.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let upkeep = {
            let recorder = self.recorder.clone();
            async move {
                loop {
                    tokio::time::sleep(UPKEEP).await;
                    recorder.upkeep();
                }
            }
        };
        let app = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/status", get(status))
            .with_state((self.health, self.recorder));
        tokio::select! {
            served = async { axum::serve(self.listener, app).await } => served,
            () = upkeep => Ok(()),
            () = stop => Ok(()),
        }
    }
}

type Shared = State<(Health, Recorder)>;

async fn metrics(State((health, recorder)): Shared) -> Response {
    scraped(&health.state(), health.now());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

async fn healthz(State((health, _)): Shared) -> Response {
    let loops = Loops::of(&health.state(), health.now());
    (status_of(loops.healthy), Json(loops)).into_response()
}

async fn readyz(State((health, _)): Shared) -> Response {
    let readiness = readiness(&health.state(), health.now());
    (status_of(readiness.phase == Phase::Ready), Json(readiness)).into_response()
}

async fn status(State((health, _)): Shared) -> Json<Status> {
    Json(Status::of(&health.state(), health.now()))
}

const fn status_of(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[cfg(test)]
mod tests;
