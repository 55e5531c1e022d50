//! What the owner of the contracts does to them meanwhile.

use crate::world::{FeedHome, World};
use alloy::network::Ethereum;
use alloy::primitives::Address;
use alloy::providers::PendingTransactionBuilder;
use alloy::providers::ext::AnvilApi;
use anyhow::{Result, ensure};

impl World {
    /// Grants or revokes the right to submit.
    pub async fn set_transmitter(&self, feed: &FeedHome, account: Address, may: bool) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.setTransmitter(account, may).send().await?).await
    }

    /// Stops an aggregator from taking rounds.
    pub async fn pause(&self, feed: &FeedHome) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.pause().send().await?).await
    }

    /// Lets it take rounds again.
    pub async fn unpause(&self, feed: &FeedHome) -> Result<()> {
        let aggregator = self.aggregator(feed);
        self.carried_out(aggregator.unpause().send().await?).await
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
