//! A store that many feeds of a world share, and what it says.

use crate::world::{Options, World};
use alloy::primitives::{Address, B256, I256, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;
use anyhow::{Context, Result, ensure};
use publisher_bindings::{FeedFacade, FeedStore};
use std::time::Duration;

/// A report that the store accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its sequence.
    pub sequence: u64,
    /// The numbers of its feeds.
    pub feeds: Vec<u16>,
    /// Their answers in units of 10^-8.
    pub answers: Vec<(u16, i64)>,
    /// Those of which no round was written.
    pub skipped: Vec<u16>,
    /// Its block time in seconds since the Unix epoch.
    pub updated_at: u64,
    /// Its transaction, and the block that includes that.
    pub origin: (B256, B256),
    /// Gas that its transaction used.
    pub gas_used: u64,
}

/// `sequence4 | observedAt4`, and `feed2 | answer8` for each entry (`IFeedStore`).
const HEAD_BYTES: usize = 8;
const ENTRY_BYTES: usize = 10;

impl World {
    /// A world whose feeds share a store and an account; consumers read a facade of each. The first feed of the
    /// configuration is number 0 of the store, and so on.
    pub async fn with_store(options: Options) -> Result<(Self, Address)> {
        const GAS: u64 = 3_500_000;
        let mut world = Self::new(Options { one_account: true, ..options }).await?;
        let (owner, first) =
            (world.owner.clone(), world.owner.get_transaction_count(world.owner_address).await?);
        let store = world.owner_address.create(first);
        let created = FeedStore::deploy_builder(&owner, 300, world.owner_address, world.feed().account);
        let _sent = created.gas(GAS).send().await?;
        let contract = FeedStore::new(store, owner.clone());
        let (min, max) = (I256::ONE, I256::try_from(i64::MAX)?);
        let mut nonce = first;
        for (number, feed) in world.feeds.iter_mut().enumerate() {
            let added = contract.addFeed(8, feed.id.to_owned(), min, max);
            let _sent = added.gas(GAS).send().await?;
            let facade = FeedFacade::deploy_builder(&owner, store, U256::from(number)).gas(GAS);
            let _sent = facade.send().await?;
            nonce += 2;
            feed.aggregator = world.owner_address.create(nonce);
            feed.store = Some((store, u16::try_from(number)?));
        }
        let last = world.feeds.last().map(|feed| feed.aggregator).unwrap_or_default();
        let there = async || Ok(!owner.get_code_at(last).await?.is_empty());
        world.wait(Duration::from_secs(20), "the last facade", there).await?;
        let toml = world.toml();
        let mut edited = format!("[store.main]\naddress = \"{store}\"\nearly = \"80%\"\n");
        let mut number = 0;
        for line in toml.lines() {
            match line.split_once(" = ") {
                Some(("aggregator", _)) => {
                    edited.push_str(&format!("store = \"main\"\nstore_id = {number}\n"));
                    number += 1;
                }
                Some(("proxy", _)) => {
                    let facade = world.feeds.get(number - 1).map(|feed| feed.aggregator).unwrap_or_default();
                    edited.push_str(&format!("proxy = \"{facade}\"\n"));
                }
                _ => edited.push_str(&format!("{line}\n")),
            }
        }
        for feed in &mut world.feeds {
            feed.proxy = feed.aggregator;
        }
        std::fs::write(world.config(), edited)?;
        Ok((world, store))
    }

    /// The store, as its owner.
    pub fn store(&self, store: Address) -> FeedStore::FeedStoreInstance<DynProvider> {
        FeedStore::new(store, self.owner.clone())
    }

    /// Every report that a store has accepted on the canonical chain, in order.
    pub async fn batches(&self, store: Address) -> Result<Vec<Batch>> {
        let logs = self.owner.get_logs(&Filter::new().address(store).from_block(0)).await?;
        let mut batches: Vec<Batch> = Vec::new();
        for log in logs {
            match log.topic0() {
                Some(&FeedStore::ReportAccepted::SIGNATURE_HASH) => batches.push(self.batch(&log).await?),
                Some(&FeedStore::FeedSkipped::SIGNATURE_HASH) => {
                    // It follows the report that it is about.
                    let skipped = log.log_decode::<FeedStore::FeedSkipped>()?.inner.data;
                    let batch = batches.last_mut().context("an entry was skipped before any report")?;
                    ensure!(batch.sequence == skipped.sequence.to::<u64>(), "skipped in another report");
                    batch.skipped.push(skipped.feed.to());
                }
                _ => {}
            }
        }
        Ok(batches)
    }

    /// An accepted report, as far as its own event tells.
    async fn batch(&self, log: &Log) -> Result<Batch> {
        let event = log.log_decode::<FeedStore::ReportAccepted>()?.inner.data;
        let entries = event.report.get(HEAD_BYTES..).unwrap_or_default().chunks_exact(ENTRY_BYTES);
        let answers: Vec<(u16, i64)> = entries
            .filter_map(|entry| {
                let (feed, answer) = entry.split_first_chunk()?;
                Some((u16::from_be_bytes(*feed), i64::from_be_bytes(answer.try_into().ok()?)))
            })
            .collect();
        let origin = log.transaction_hash.zip(log.block_hash).context("an event out of no block")?;
        let receipt = self.owner.get_transaction_receipt(origin.0).await?;
        Ok(Batch {
            sequence: event.sequence.to(),
            feeds: answers.iter().map(|(feed, _)| *feed).collect(),
            answers,
            skipped: Vec::new(),
            updated_at: log.block_timestamp.context("an event of no time")?,
            origin,
            gas_used: receipt.map_or(0, |receipt| receipt.gas_used),
        })
    }

    /// Judges every feed as [`World::judge`] does: each sequence exactly once and in order, and no transaction of the
    /// account but those.
    pub async fn judge_batches(&self, store: Address) -> Result<Vec<Batch>> {
        self.judge_feeds(&[]).await?;
        let batches = self.batches(store).await?;
        let sequences: Vec<u64> = batches.iter().map(|batch| batch.sequence).collect();
        let expected: Vec<u64> = (1..=batches.len() as u64).collect();
        ensure!(sequences == expected, "sequences {sequences:?} are not 1, 2, 3, …");
        let spent = self.owner.get_transaction_count(self.feed().account).await?;
        ensure!(spent == batches.len() as u64, "{spent} transactions for {} batches", batches.len());
        Ok(batches)
    }
}
