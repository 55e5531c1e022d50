//! What the owner of the contracts does to them meanwhile.

use crate::chains::Node;
use crate::world::{FeedHome, World};
use alloy::contract::{CallBuilder, CallDecoder};
use alloy::network::{Ethereum, EthereumWallet};
use alloy::primitives::{Address, I256, U256};
use alloy::providers::ext::AnvilApi;
use alloy::providers::{DynProvider, PendingTransactionBuilder, Provider, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Result, bail, ensure};
use publisher_bindings::Aggregator;

/// See [`World::rival`].
pub struct Rival(Aggregator::AggregatorInstance<DynProvider>);

impl Rival {
    /// Sends a round and does not wait for it.
    pub async fn submit(&self, round: u64, answer: i64) -> Result<()> {
        let (round, answer) = (U256::from(round), I256::try_from(answer)?);
        let _sent = self.0.submit(round, answer).gas(200_000).first().send().await?;
        Ok(())
    }
}

/// Pays so much that a block has it before everything else.
trait First {
    fn first(self) -> Self;
}

impl<P: Provider, D: CallDecoder> First for CallBuilder<P, D> {
    fn first(self) -> Self {
        self.max_priority_fee_per_gas(50_000_000_000).max_fee_per_gas(200_000_000_000)
    }
}

impl World {
    /// Grants or revokes the right to submit.
    pub async fn set_transmitter(&self, feed: &FeedHome, account: Address, may: bool) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.setTransmitter(account, may).first().send().await?).await
    }

    /// Stops an aggregator from taking rounds.
    pub async fn pause(&self, feed: &FeedHome) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.pause().first().send().await?).await
    }

    /// Lets it take rounds again.
    pub async fn unpause(&self, feed: &FeedHome) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.unpause().first().send().await?).await
    }

    /// Somebody else who may submit, and pays enough to come first in a block.
    pub async fn rival(&self, feed: &FeedHome) -> Result<Rival> {
        let Node::Anvil(anvil) = &self.node else { bail!("only anvil has accounts to spare") };
        let key: PrivateKeySigner = anvil.keys()[1].clone().into();
        self.set_transmitter(feed, key.address(), true).await?;
        let provider = ProviderBuilder::new()
            .wallet(EthereumWallet::from(key))
            .connect_http(anvil.endpoint_url())
            .erased();
        Ok(Rival(Aggregator::new(feed.aggregator, provider)))
    }

    /// Waits until a transaction of the owner is mined; mines it where nobody else does.
    async fn carried_out(&self, sent: PendingTransactionBuilder<Ethereum>) -> Result<()> {
        if self.options.anvil.contains(&"--no-mining") {
            self.owner.evm_mine(None).await?;
        }
        let receipt = sent.get_receipt().await?;
        ensure!(receipt.status(), "the owner's transaction reverted");
        Ok(())
    }
}
