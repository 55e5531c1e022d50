//! A node that says what a test tells it to, for tests of this module and of the driver.

use super::{Node, NodeSetup};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use publisher_core::time::Span;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Script = dyn Fn(&Value) -> Response + Send + Sync;
type Heard = Arc<Mutex<Vec<Value>>>;

/// A scripted node on loopback; it stops with the test's runtime.
pub(crate) struct Double {
    pub(crate) url: String,
    /// Every request body so far.
    pub(crate) heard: Heard,
}

impl Double {
    /// Answers each HTTP request by `script`.
    pub(crate) async fn http(script: impl Fn(&Value) -> Response + Send + Sync + 'static) -> Self {
        let heard = Heard::default();
        let script: Arc<Script> = Arc::new(script);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state((script, heard.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, heard }
    }

    /// A node at an address of which nothing is known.
    pub(crate) fn at(address: std::net::SocketAddr) -> Self {
        Self { url: format!("http://{address}"), heard: Heard::default() }
    }

    /// Takes connections, reads a request, sends `answer` and hangs up; without an answer it stays silent.
    pub(crate) async fn tcp(answer: Option<&'static str>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let double = Self::at(listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"}") && stream.read_buf(&mut request).await.unwrap() > 0 {}
                match answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    None => silent.push(stream),
                }
            }
        });
        double
    }

    /// Answers each question with `Ok(result)` or `Err((code, message, data))`; batches in reverse order.
    pub(crate) async fn rpc(
        script: impl Fn(&str, &Value) -> Result<Value, (i64, &'static str, Value)> + Send + Sync + 'static,
    ) -> Self {
        let one =
            move |question: &Value| match script(question["method"].as_str().unwrap(), &question["params"]) {
                Ok(result) => json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }),
                Err((code, message, data)) => json!({
                    "jsonrpc": "2.0", "id": question["id"],
                    "error": { "code": code, "message": message, "data": data },
                }),
            };
        Self::http(move |body| {
            json_body(&match body {
                Value::Array(questions) => questions.iter().rev().map(&one).collect(),
                question => one(question),
            })
        })
        .await
    }

    pub(crate) fn node(&self) -> Node {
        self.node_with(100)
    }

    pub(crate) fn node_with(&self, batch_limit: usize) -> Node {
        let mut setup = NodeSetup::new(self.url.parse().unwrap());
        setup.timeout = Span::from_ms(500);
        setup.batch_limit = batch_limit;
        Node::new(&setup).unwrap()
    }

    pub(crate) fn requests(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

async fn answer(State((script, heard)): State<(Arc<Script>, Heard)>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    heard.lock().unwrap().push(body.clone());
    script(&body)
}

pub(crate) fn json_body(value: &Value) -> Response {
    text(200, value.to_string())
}

pub(crate) fn text(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// An answer to `question` with `result`.
pub(crate) fn result(question: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })
}
