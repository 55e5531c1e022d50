//! A local chain of one's own: anvil, started on a free port and ended with its handle.

use alloy::primitives::Address;
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long anvil may take to answer its first question.
const START: Duration = Duration::from_secs(20);
/// Native currency given to each account: 100 units of 10^18 wei.
const BALANCE: &str = "0x56bc75e2d63100000";

/// A running anvil. It is killed when this is dropped.
pub struct Network {
    child: Child,
    http: reqwest::Client,
    url: String,
}

impl Network {
    /// Starts anvil with one block a second.
    pub async fn start(anvil: &Path, chain_id: u64) -> io::Result<Self> {
        let port = free_port()?;
        let child = Command::new(anvil)
            .args(["--host", "127.0.0.1", "--block-time", "1", "--silent", "--accounts", "1"])
            .args(["--port", &port.to_string(), "--chain-id", &chain_id.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
        let http = http.map_err(io::Error::other)?;
        let mut network = Self { child, http, url: format!("http://127.0.0.1:{port}") };
        let deadline = tokio::time::Instant::now() + START;
        while network.call("eth_chainId", json!([])).await.is_err() {
            if let Some(status) = network.child.try_wait()? {
                return Err(io::Error::other(format!("anvil ended at once: {status}")));
            }
            if tokio::time::Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "anvil did not answer in 20 s"));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(network)
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives an account enough to pay for gas.
    pub async fn fund(&self, account: Address) -> io::Result<()> {
        self.call("anvil_setBalance", json!([account, BALANCE])).await.map(drop)
    }

    async fn call(&self, method: &str, params: Value) -> io::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(&self.url).json(&body).send().await.map_err(io::Error::other)?;
        let answer: Value = answer.json().await.map_err(io::Error::other)?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(io::Error::other(answer.to_string())),
        }
    }

    /// Ends it and waits until it is gone.
    pub async fn stop(mut self) {
        let _already_gone = self.child.kill().await;
    }
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
