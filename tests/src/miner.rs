//! A chain that moves when the test says so: blocks, reorgs, pools, and what the daemon has seen of them.

use crate::daemon::Daemon;
use crate::journal;
use crate::rpc_proxy::{Forwarded, Offer};
use crate::world::{Options, World};
use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{B256, Bytes, TxKind, U256};
use alloy::providers::ext::AnvilApi;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, ensure};
use publisher_doubles::venues::Venue;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Long enough for anything that comes at all.
pub const SOON: Duration = Duration::from_secs(60);

impl Options {
    /// Blocks are mined by the test alone, and a deviation is published at once.
    pub fn manual(finality: &'static str) -> Self {
        Self {
            finality,
            policy: "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nbreaker = \"off\"\nsettle = \"off\"",
            anvil: &["--no-mining"],
            ..Self::default()
        }
    }
}

impl World {
    /// A world of [`Options::manual`] whose daemon looks at the chain ten times a second.
    pub async fn manual(finality: &'static str) -> Result<Self> {
        let world = Self::new(Options::manual(finality)).await?;
        world.edit("block_time = \"1s\"", "block_time = \"200ms\"")?;
        Ok(world)
    }

    /// Adds tables after `[chain]` to the configuration.
    pub fn configure(&self, tables: &str) -> Result<()> {
        self.edit("[journal]\n", &format!("{tables}\n[journal]\n"))
    }

    /// Starts the daemon as an operator does who has looked at every halt.
    pub fn acknowledging(&self, binary: &str) -> Result<Daemon> {
        Daemon::start_with(binary, &self.config(), self.dir.path(), &["--acknowledge-halts"], &[])
    }

    /// Mines so many blocks.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        for _ in 0..blocks {
            self.owner.evm_mine(None).await?;
        }
        Ok(())
    }

    /// The base fee of the next block, in wei.
    pub async fn base_fee(&self, wei: u128) -> Result<()> {
        Ok(self.owner.anvil_set_next_block_base_fee_per_gas(wei).await?)
    }

    /// Takes a transaction out of the node's pool, as a pool does that is full.
    pub async fn forget(&self, hash: B256) -> Result<()> {
        let gone = self.owner.anvil_drop_transaction(hash).await?;
        ensure!(gone == Some(hash), "{hash} was not in the pool");
        Ok(())
    }

    /// Takes the newest blocks away; nobody is told.
    pub async fn rollback(&self, depth: u64) -> Result<()> {
        Ok(self.owner.anvil_rollback(Some(depth)).await?)
    }

    /// Remembers the chain as it is.
    pub async fn snapshot(&self) -> Result<U256> {
        Ok(self.owner.anvil_snapshot().await?)
    }

    /// Makes the chain what it was; nobody is told.
    pub async fn revert(&self, snapshot: U256) -> Result<()> {
        ensure!(self.owner.anvil_revert(snapshot).await?, "the node has no snapshot {snapshot}");
        Ok(())
    }

    /// Waits until the daemon's head is the node's.
    pub async fn seen(&self) -> Result<()> {
        self.wait(SOON, "the daemon sees the node's head", async || {
            let (_, hash) = self.head().await?;
            Ok(self.status().await.is_ok_and(|status| status["head"]["hash"] == hash.to_string()))
        })
        .await
    }

    /// The status page.
    pub async fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.get("/status").await?.1)?)
    }

    /// Moves a market and waits until every venue has told the daemon twice, so that it has digested it once.
    pub async fn price(&self, pair: &str, price: &str) -> Result<()> {
        let market = self.venues.market();
        market.set_price(pair, price)?;
        // The simulator serves more venues than a world asks.
        let asked =
            Venue::ALL.into_iter().filter(|venue| *venue != Venue::Custom && market.requests(*venue) > 0);
        let asked: Vec<Venue> = asked.collect();
        let venues = || asked.iter().copied();
        let before: Vec<u64> = venues().map(|venue| market.requests(venue)).collect();
        self.wait(SOON, "every venue is asked again", async || {
            Ok(venues().zip(&before).all(|(venue, before)| market.requests(venue) >= before + 3))
        })
        .await
    }

    /// Waits until a transaction reaches the node that is none of the first `known` ones, sent again; returns it.
    pub async fn sent_after(&self, known: usize) -> Result<Forwarded> {
        let news = || {
            let sent = self.proxy.forwarded();
            let (old, new) = sent.split_at(known.min(sent.len()));
            new.iter().find(|new| old.iter().all(|old| old.hash != new.hash)).cloned()
        };
        self.wait(SOON, "another transaction is sent", async || Ok(news().is_some())).await?;
        news().context("the proxy forgot it")
    }

    /// Waits until a transaction has been sent so often.
    pub async fn sent_times(&self, hash: B256, times: usize) -> Result<()> {
        self.wait(SOON, &format!("{hash} is sent {times} times"), async || {
            Ok(self.proxy.forwarded().iter().filter(|sent| sent.hash == hash).count() >= times)
        })
        .await
    }

    /// How often the daemon has said that a block includes this transaction.
    pub fn inclusions(&self, hash: B256) -> Result<usize> {
        Ok(self.logged("PUB-2009")?.iter().filter(|line| line["hash"] == hash.to_string()).count())
    }

    /// Waits until the daemon has said so often that a block includes this transaction.
    pub async fn included(&self, hash: B256, times: usize) -> Result<()> {
        self.wait(SOON, &format!("{hash} is included {times} times"), async || {
            Ok(self.inclusions(hash)? >= times)
        })
        .await
    }

    /// Waits until the daemon has said something so often.
    pub async fn said(&self, code: &str, times: usize) -> Result<Vec<Value>> {
        self.wait(SOON, &format!("{code} is said {times} times"), async || {
            Ok(self.logged(code)?.len() >= times)
        })
        .await?;
        self.logged(code)
    }

    /// Moves the first market, mines the round that follows into one block and waits until the daemon knows.
    pub async fn publish(&self, price: &str) -> Result<Forwarded> {
        let known = self.proxy.forwarded().len();
        self.venues.market().set_price(self.feed().pair, price)?;
        let sent = self.sent_after(known).await?;
        self.mined(&sent).await?;
        Ok(sent)
    }

    /// Waits until a transaction is in the pool, mines it and waits until the daemon knows.
    pub async fn mined(&self, sent: &Forwarded) -> Result<()> {
        let before = self.inclusions(sent.hash)?;
        self.pooled(sent.hash).await?;
        self.mine(1).await?;
        self.included(sent.hash, before + 1).await
    }

    /// Waits until the node holds a transaction, mined or not.
    pub async fn pooled(&self, hash: B256) -> Result<()> {
        use alloy::providers::Provider;
        self.wait(SOON, &format!("{hash} is in the pool"), async || {
            Ok(self.owner.get_transaction_by_hash(hash).await?.is_some())
        })
        .await
    }

    /// A transaction of the first feed's account that the daemon did not make: it sends nothing to nobody.
    pub fn foreign(&self, nonce: u64) -> Result<Bytes> {
        self.foreign_at(nonce, Offer { cap_wei: 100_000_000_000, tip_wei: 2_000_000_000 })
    }

    /// The same for this price.
    pub fn foreign_at(&self, nonce: u64, offer: Offer) -> Result<Bytes> {
        let key = PrivateKeySigner::from_bytes(&B256::from([1; 32]))?;
        ensure!(key.address() == self.feed().account, "the first account's key is another one");
        let mut tx = TxEip1559 {
            chain_id: 138,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: offer.cap_wei,
            max_priority_fee_per_gas: offer.tip_wei,
            to: TxKind::Call(key.address()),
            ..TxEip1559::default()
        };
        let signature = key.sign_transaction_sync(&mut tx)?;
        Ok(TxEnvelope::from(tx.into_signed(signature)).encoded_2718().into())
    }

    /// Waits until the journal knows the end of every round it knows.
    pub async fn settled(&self) -> Result<()> {
        let journal = self.journals().pop().context("there is no journal")?;
        self.wait(SOON, "every round in the journal is closed", async || {
            let nonces = journal::read(&journal, async |reader| reader.account_nonces().await).await?;
            Ok(nonces.iter().all(|account| account.open == 0))
        })
        .await
    }

    /// Waits until the journal knows of a halt: the log says so first, and who kills the daemon in between finds none.
    pub async fn halted(&self) -> Result<()> {
        let journal = self.journals().pop().context("there is no journal")?;
        self.wait(SOON, "the journal knows of a halt", async || {
            let recovered = journal::read(&journal, async |reader| reader.recovered().await).await?;
            Ok(!recovered.halts.is_empty())
        })
        .await
    }

    /// Copies the journal, the way backups are made of files. The judge reads copies named `former`, too.
    pub fn back_up(&self, name: &str) -> Result<()> {
        self.copy_journal(&self.journal(), &self.dir.path().join(format!("{name}.db")))
    }

    /// Puts a copy in the journal's place.
    pub fn restore(&self, name: &str) -> Result<()> {
        self.copy_journal(&self.dir.path().join(format!("{name}.db")), &self.journal())
    }

    fn copy_journal(&self, from: &Path, to: &Path) -> Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let with = |path: &Path| path.with_extension(format!("db{suffix}"));
            if with(to).exists() {
                std::fs::remove_file(with(to))?;
            }
            if with(from).exists() {
                std::fs::copy(with(from), with(to))?;
            }
        }
        Ok(())
    }
}
