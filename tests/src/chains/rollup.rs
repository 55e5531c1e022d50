//! A rollup of the OP Stack around its execution client: the chain beneath it, the client that derives and sequences,
//! and the batcher that writes down what was sequenced.
//!
//! Only the execution client is the daemon's node. What the others make of it is what `op-stack` finality means: a
//! block is unsafe until the chain beneath holds it, and goes with the block beneath that it was made on.

use super::member::Member;
use super::programs::{Absent, Program};
use super::{Kind, OWNER, genesis};
use alloy::primitives::hex;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An execution client that dies forgets blocks that its database has not given to the system yet: six were seen, and
/// this is twice as many.
const FORGOTTEN: u64 = 12;

/// The programs besides the execution client.
pub(super) struct Programs {
    beneath: PathBuf,
    deriver: PathBuf,
    batcher: PathBuf,
}

impl Programs {
    /// Those that a kind of network needs, if any.
    pub(super) fn find(kind: Kind) -> Result<std::result::Result<Option<Self>, Absent>> {
        if kind != Kind::OpStack {
            return Ok(Ok(None));
        }
        let mut found = Vec::new();
        for program in [Program::Geth, Program::OpNode, Program::OpBatcher] {
            match program.find()? {
                Ok(path) => found.push(path),
                Err(absent) => return Ok(Err(absent)),
            }
        }
        let [beneath, deriver, batcher] =
            <[PathBuf; 3]>::try_from(found).map_err(|_| anyhow::anyhow!("three programs"))?;
        Ok(Ok(Some(Self { beneath, deriver, batcher })))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Rollup {
    beneath: Member,
    deriver: Member,
    batcher: Member,
}

impl Rollup {
    /// Builds it around an execution client that runs and has nothing but its genesis.
    pub(super) async fn start(programs: &Programs, folder: &Path, execution: &Member) -> Result<Self> {
        let key = PrivateKeySigner::from_slice(&OWNER)?;
        let config = folder.join("beneath.json");
        std::fs::write(&config, genesis::beneath()?.to_string())?;
        let mut beneath = Member::new(&programs.beneath, folder.join("beneath"), key.clone())?;
        let (http, data) = (beneath.http_port.to_string(), beneath.dir.join("data"));
        let (data, file) = (data.to_string_lossy().into_owned(), config.to_string_lossy().into_owned());
        beneath.run(&["--datadir", &data, "--state.scheme", "hash", "init", &file])?;
        beneath.arg(["--datadir", &data, "--state.scheme", "hash", "--gcmode", "archive", "--ipcdisable"]);
        beneath.arg(["--http", "--http.port", &http, "--http.api", "eth,net,web3,debug"]);
        beneath.arg(["--authrpc.port", "0", "--datadir.minfreedisk", "0", "--dev", "--dev.period", "2"]);
        beneath.start().await?;

        let first = |member| block(member, "0x0");
        let (under, over) = (first(&beneath).await?, first(execution).await?);
        let rollup = folder.join("rollup.json");
        std::fs::write(&rollup, genesis::rollup(&under, &over, key.address())?.to_string())?;

        let mut deriver =
            Member::new(&programs.deriver, folder.join("deriver"), key.clone())?.greeted_by("health_status");
        let (layer1, engine) = (beneath.endpoint(), format!("http://127.0.0.1:{}", execution.engine_port));
        let secret = execution.dir.join("data/geth/jwtsecret");
        deriver.arg(["--l1", &layer1, "--l1.trustrpc", "--l1.rpckind", "standard", "--l1.beacon.ignore"]);
        deriver.arg(["--l1.http-poll-interval", "500ms", "--l1.epoch-poll-interval", "2s"]);
        deriver.arg(["--rollup.l1-chain-config".as_ref(), config.as_os_str()]);
        deriver.arg(["--l2".as_ref(), engine.as_ref(), "--l2.jwt-secret".as_ref(), secret.as_os_str()]);
        deriver.arg(["--rollup.config".as_ref(), rollup.as_os_str()]);
        deriver.arg(["--sequencer.enabled", "--sequencer.l1-confs", "0", "--verifier.l1-confs", "0"]);
        deriver.arg(["--p2p.disable", "--rpc.addr", "127.0.0.1"]);
        deriver.arg(["--rpc.port".to_owned(), deriver.http_port.to_string()]);
        deriver.start().await?;

        let mut batcher =
            Member::new(&programs.batcher, folder.join("batcher"), key)?.greeted_by("health_status");
        batcher.arg(["--l1-eth-rpc", &layer1, "--l2-eth-rpc", &execution.endpoint()]);
        batcher.arg(["--rollup-rpc", &deriver.endpoint(), "--private-key", &hex::encode_prefixed(OWNER)]);
        batcher.arg(["--data-availability-type", "calldata", "--max-channel-duration", "1"]);
        batcher.arg(["--poll-interval", "500ms", "--num-confirmations", "1", "--rpc.addr", "127.0.0.1"]);
        batcher.arg(["--txmgr.receipt-query-interval", "500ms"]);
        // It would ask the execution client for smaller blocks while much of it is unsafe.
        batcher.arg(["--throttle.unsafe-da-bytes-lower-threshold", "0"]);
        batcher.arg(["--rpc.port".to_owned(), batcher.http_port.to_string()]);
        batcher.start().await?;
        Ok(Self { beneath, deriver, batcher })
    }

    /// Stops the batcher, and waits until the sequencer has built so much on blocks beneath that come after all batches
    /// that an execution client which dies forgets nothing else. Returns a height beneath that is between the two.
    pub async fn stop_batches(&mut self) -> Result<u64> {
        self.batcher.kill()?;
        // No batch has more than what is made by now, and the next block beneath may have the last batch.
        let (made, _) = self.unsafe_head().await?;
        let height = quantity(&block(&self.beneath, "latest").await?["number"])? + 2;
        for _ in 0..600 {
            let (number, origin) = self.unsafe_head().await?;
            if origin > height && number > made + FORGOTTEN {
                return Ok(height);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("the sequencer builds on no block beneath after {height}")
    }

    /// The height of the newest block, and of the block beneath that it was made on.
    async fn unsafe_head(&self) -> Result<(u64, u64)> {
        let status = self.deriver.ask("optimism_syncStatus", json!([])).await?;
        let head = &status["unsafe_l2"];
        let origin = head["l1origin"]["number"].as_u64();
        Ok((head["number"].as_u64().context("no head")?, origin.context("no origin")?))
    }

    /// The chain beneath takes back all blocks after this height, and the rollup what it built on them.
    pub async fn take_back(&self, height: u64) -> Result<()> {
        self.beneath.ask("debug_setHead", json!([format!("{height:#x}")])).await?;
        Ok(())
    }

    pub(super) fn kill_deriver(&mut self) -> Result<()> {
        self.deriver.kill()
    }

    pub(super) async fn start_deriver(&mut self) -> Result<()> {
        self.deriver.start().await
    }

    /// Starts the batcher again.
    pub async fn resume_batches(&mut self) -> Result<()> {
        self.batcher.start().await
    }
}

fn quantity(value: &Value) -> Result<u64> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).context("no number")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

async fn block(member: &Member, number: &str) -> Result<Value> {
    let block = member.ask("eth_getBlockByNumber", json!([number, false])).await?;
    anyhow::ensure!(block.is_object(), "there is no block {number}");
    Ok(block)
}
