//! A store that many feeds of a world share, and what it says.

use crate::world::{Options, World};
use alloy::primitives::{Address, I256, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use anyhow::{Result, ensure};
use publisher_bindings::{FeedFacade, FeedStore};
use std::time::Duration;

/// A report that the store accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its sequence.
    pub sequence: u64,
    /// The numbers of its feeds.
    pub feeds: Vec<u16>,
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
            feed.stored = true;
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
        let accepted = FeedStore::ReportAccepted::SIGNATURE_HASH;
        let filter = Filter::new().address(store).event_signature(accepted).from_block(0);
        let mut batches = Vec::new();
        for log in self.owner.get_logs(&filter).await? {
            let event = log.log_decode::<FeedStore::ReportAccepted>()?.inner.data;
            let entries = event.report.get(HEAD_BYTES..).unwrap_or_default().chunks(ENTRY_BYTES);
            let number = |entry: &[u8]| entry.first_chunk::<2>().map(|two| u16::from_be_bytes(*two));
            let hash = log.transaction_hash.unwrap_or_default();
            let receipt = self.owner.get_transaction_receipt(hash).await?;
            batches.push(Batch {
                sequence: event.sequence.to(),
                feeds: entries.filter_map(number).collect(),
                gas_used: receipt.map_or(0, |receipt| receipt.gas_used),
            });
        }
        Ok(batches)
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
