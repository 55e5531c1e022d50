//! One node of a network as a child process.

use super::PATIENCE;
use crate::ports::free_port;
use alloy::primitives::hex;
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// See the module's documentation. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) dir: PathBuf,
    /// Its identity among its peers and, where it makes blocks, the account that does.
    pub(super) key: PrivateKeySigner,
    pub(super) http_port: u16,
    pub(super) p2p_port: u16,
    /// Where a consensus client drives it.
    pub(super) engine_port: u16,
    pub(super) program: PathBuf,
    /// Where it is started from.
    pub(super) home: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) rpc: DynProvider,
    /// The method that it answers as soon as it runs.
    greeting: &'static str,
    child: Option<Child>,
}

impl Member {
    /// A node that does not run yet.
    pub(super) fn new(program: &Path, dir: PathBuf, key: PrivateKeySigner) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let (http_port, p2p_port, engine_port) = (free_port()?, free_port()?, free_port()?);
        let rpc = ProviderBuilder::default()
            .connect_http(format!("http://127.0.0.1:{http_port}").parse()?)
            .erased();
        let (program, home, args) = (program.to_owned(), dir.clone(), Vec::new());
        let greeting = "eth_blockNumber";
        Ok(Self {
            dir,
            key,
            http_port,
            p2p_port,
            engine_port,
            program,
            home,
            args,
            rpc,
            greeting,
            child: None,
        })
    }

    /// The same of a program that is no node of a chain.
    pub(super) fn greeted_by(mut self, greeting: &'static str) -> Self {
        self.greeting = greeting;
        self
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Under which its peers dial it.
    pub(super) fn enode(&self) -> String {
        let point = self.key.credential().verifying_key().to_encoded_point(false);
        let id = point.as_bytes().get(1..).unwrap_or_default();
        format!("enode://{}@127.0.0.1:{}?discport=0", hex::encode(id), self.p2p_port)
    }

    /// Adds arguments for every start.
    pub(super) fn arg<T: Into<OsString>>(&mut self, args: impl IntoIterator<Item = T>) {
        self.args.extend(args.into_iter().map(Into::into));
    }

    /// Runs the program once with other arguments and waits for it.
    pub(super) fn run(&self, args: &[&str]) -> Result<()> {
        let output = Command::new(&self.program).args(args).current_dir(&self.dir).output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {args:?}: {words}", self.program.display());
        Ok(())
    }

    /// Starts it, and returns once it answers.
    pub(super) async fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = Command::new(&self.program)
            .args(&self.args)
            .current_dir(&self.home)
            .envs([
                ("CI", "true"),
                ("HARDHAT_DISABLE_TELEMETRY_PROMPT", "true"),
                ("PRIVATE_CONFIG", "ignore"),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} did not start", self.program.display()))?;
        let child = self.child.insert(child);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.rpc.raw_request::<_, Value>(self.greeting.into(), json!([])).await.is_err() {
            let ended = child.try_wait()?;
            let late = tokio::time::Instant::now() > deadline;
            if ended.is_some() || late {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let tail: Vec<&str> = log.lines().skip(log.lines().count().saturating_sub(20)).collect();
                anyhow::bail!("the node does not answer ({ended:?}):\n{}", tail.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(super) fn runs(&self) -> bool {
        self.child.is_some()
    }

    fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// Ends it without a word, as `kill -9` does.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub(super) async fn ask(&self, method: &'static str, params: Value) -> Result<Value> {
        let asked = self.rpc.raw_request(method.into(), params).await;
        asked.with_context(|| format!("{} {method}", self.endpoint()))
    }

    /// How many peers it has.
    pub(super) async fn peers(&self) -> Result<usize> {
        let count = self.ask("net_peerCount", json!([])).await?;
        let digits = count.as_str().and_then(|text| text.strip_prefix("0x")).context("no number of peers")?;
        Ok(usize::from_str_radix(digits, 16)?)
    }

    /// Waits until it has exactly so many peers.
    pub(super) async fn has_peers(&self, wanted: usize) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.peers().await? != wanted {
            ensure!(tokio::time::Instant::now() < deadline, "it does not have {wanted} peers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _gone = self.kill();
    }
}
