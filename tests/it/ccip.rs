//! Rounds that go on to another chain: the daemon writes an `OracleWithCCIP` at home, an operator's relayer carries its
//! messages between two `LocalRouter`s, and a full aggregator stands at the other end.

use crate::BINARY;
use alloy::network::EthereumWallet;
use alloy::node_bindings::{Anvil, AnvilInstance};
use alloy::primitives::{Address, B256, Bytes, I256, U256, keccak256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolError, SolValue};
use anyhow::{Context, Result};
use publisher_bindings::local_router::ILocalRouter::Packet;
use publisher_bindings::oracle_with_ccip::ICcipLanes::Lane;
use publisher_bindings::{AggregatorProxy, CcipFeedReceiver, LocalRouter, OracleWithCCIP};
use publisher_tests::miner::SOON;
use publisher_tests::world::{Options, World};

/// Selectors are the operator's agreement, and no chain ids.
const HOME: u64 = 0x1000_0000_0000_008a;
const AWAY: u64 = 0x1000_0000_0000_008b;
const AWAY_CHAIN: u64 = 139;
const FEE_WEI: u64 = 1_000_000;
/// What the receiver's dearest round costs, with room.
const RECEIVER_GAS: u64 = 300_000;

/// The source chain with its daemon's feed, and the destination chain.
struct Lanes {
    world: World,
    _away_node: AnvilInstance,
    oracle: OracleWithCCIP::OracleWithCCIPInstance<DynProvider>,
    home_router: LocalRouter::LocalRouterInstance<DynProvider>,
    away_router: LocalRouter::LocalRouterInstance<DynProvider>,
    receiver: CcipFeedReceiver::CcipFeedReceiverInstance<DynProvider>,
}

impl Lanes {
    async fn new() -> Result<Self> {
        let mut world = World::new(Options { finality: "depth:2", ..Options::default() }).await?;
        let path = tokio::task::spawn_blocking(|| publisher::anvil::find(|_| {})).await??;
        let away_node = Anvil::at(path).chain_id(AWAY_CHAIN).timeout(20_000).try_spawn()?;
        let key: PrivateKeySigner = away_node.first_key().clone().into();
        let relayer = key.address();
        let away = ProviderBuilder::new()
            .wallet(EthereumWallet::from(key))
            .connect_http(away_node.endpoint_url())
            .erased();

        let owner = world.owner_address;
        let home_router = LocalRouter::deploy(world.owner.clone(), HOME, owner).await?;
        let away_router = LocalRouter::deploy(away.clone(), AWAY, relayer).await?;
        settled(home_router.setRemote(AWAY, U256::from(AWAY_CHAIN), *away_router.address()).send().await?)
            .await?;
        settled(home_router.setFee(AWAY, Address::ZERO, true, FEE_WEI.try_into()?).send().await?).await?;
        settled(away_router.setRemote(HOME, U256::from(138), *home_router.address()).send().await?).await?;
        settled(away_router.setRelayers(vec![relayer], U256::ONE).send().await?).await?;

        let feed_id = keccak256("BTC / USD");
        let (min, max) = (I256::ONE, I256::try_from(1_000_000_000_000_000i64)?);
        let feed = world.feed().clone();
        let oracle = OracleWithCCIP::deploy(
            world.owner.clone(),
            8,
            "BTC / USD".to_owned(),
            min,
            max,
            owner,
            feed.account,
            0,
            *home_router.address(),
            feed_id,
        )
        .await?;
        let proxy = AggregatorProxy::deploy(world.owner.clone(), *oracle.address(), owner).await?;
        let receiver = CcipFeedReceiver::deploy(
            away,
            *away_router.address(),
            feed_id,
            8,
            "BTC / USD".to_owned(),
            min,
            max,
            relayer,
        )
        .await?;
        settled(receiver.setSource(HOME, *oracle.address(), true).send().await?).await?;
        let lane = Lane {
            receiver: receiver.address().abi_encode().into(),
            extraArgs: extra_args(RECEIVER_GAS),
            feeToken: Address::ZERO,
            maxFee: FEE_WEI.try_into()?,
        };
        settled(oracle.setLane(AWAY, lane).send().await?).await?;
        // The daemon's account is the daemon's alone: rounds are sent on by another one.
        settled(oracle.setTransmitter(owner, true).send().await?).await?;
        let funds = TransactionRequest::default().to(*oracle.address()).value(U256::from(100 * FEE_WEI));
        settled(world.owner.send_transaction(funds).await?).await?;

        world.edit(&feed.aggregator.to_string(), &oracle.address().to_string())?;
        world.edit(&feed.proxy.to_string(), &proxy.address().to_string())?;
        world.feeds[0].aggregator = *oracle.address();
        world.feeds[0].proxy = *proxy.address();
        Ok(Self { world, _away_node: away_node, oracle, home_router, away_router, receiver })
    }

    /// Sends the home feed's latest round; the packet that the router announced.
    async fn publish(&self) -> Result<Packet> {
        let sent = settled(self.oracle.publish(AWAY).send().await?).await?;
        let block = sent.block_number.context("not in a block")?;
        let events = self.home_router.MessageSent_filter().from_block(block).to_block(block).query().await?;
        let (event, _) = events.into_iter().next_back().context("no message was announced")?;
        Ok(event.packet)
    }

    /// Carries a packet over, as a relayer does.
    async fn deliver(&self, packet: Packet) -> Result<()> {
        settled(self.away_router.deliver(packet).send().await?).await?;
        Ok(())
    }

    async fn price(&self, price: &str, answer: i64) -> Result<()> {
        self.world.venues.market().set_price("BTC/USD", price)?;
        self.world.wait_answer(self.world.feed(), answer, SOON).await
    }
}

/// The generic extra arguments of version 2: gas limit, out of order allowed.
fn extra_args(gas: u64) -> Bytes {
    let mut encoded = vec![0x18, 0x1d, 0xcf, 0x10];
    encoded.extend((U256::from(gas), true).abi_encode_params());
    encoded.into()
}

async fn settled(
    pending: alloy::providers::PendingTransactionBuilder<alloy::network::Ethereum>,
) -> Result<alloy::rpc::types::TransactionReceipt> {
    let receipt = pending.get_receipt().await?;
    anyhow::ensure!(receipt.status(), "{} reverted", receipt.transaction_hash);
    Ok(receipt)
}

/// Without it a chain that no public lane reaches has no feed, or one that repeats, reorders or freshens its rounds.
#[tokio::test]
async fn rounds_of_the_daemon_arrive_on_another_chain_once_and_in_order() {
    let lanes = Lanes::new().await.unwrap();
    let daemon = lanes.world.daemon(BINARY, &[]).unwrap();
    lanes.price("67000", 6_700_000_000_000).await.unwrap();
    let first = lanes.publish().await.unwrap();
    lanes.price("68000", 6_800_000_000_000).await.unwrap();
    let second = lanes.publish().await.unwrap();
    lanes.price("69000", 6_900_000_000_000).await.unwrap();
    let third = lanes.publish().await.unwrap();

    // A lane takes a round once: paying twice for one would be waste.
    let again = lanes.oracle.publish(AWAY).call().await.unwrap_err();
    let data = again.as_revert_data().unwrap();
    assert_eq!(data[..4], OracleWithCCIP::RoundAlreadyPublished::SELECTOR);

    // The first arrives twice, the third before the second.
    lanes.deliver(first.clone()).await.unwrap();
    lanes.deliver(first).await.unwrap();
    lanes.deliver(third).await.unwrap();
    lanes.deliver(second).await.unwrap();
    assert_eq!(lanes.receiver.latestRound().call().await.unwrap(), U256::from(2));
    assert_eq!(lanes.receiver.getAnswer(U256::ONE).call().await.unwrap().to_string(), "6700000000000");
    assert_eq!(lanes.receiver.latestAnswer().call().await.unwrap().to_string(), "6900000000000");
    let dropped = lanes.receiver.RoundDropped_filter().from_block(0).query().await.unwrap();
    assert_eq!(dropped.len(), 1, "the second came after the third and is dropped, without a revert");

    // What arrived is what the daemon wrote, with the time it was written at home.
    let there = lanes.receiver.latestRoundData().call().await.unwrap();
    let here = lanes.oracle.latestRoundData().call().await.unwrap();
    assert_eq!(there.answer, here.answer);
    assert!(there.updatedAt <= here.updatedAt, "a message makes a round no fresher");

    lanes.world.mine(6).await.unwrap();
    lanes.world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    lanes.world.judge(0).await.unwrap();
}

/// Without it anybody who finds the receiver could write its feed.
#[tokio::test]
async fn nobody_but_the_lane_writes_the_other_end() {
    let lanes = Lanes::new().await.unwrap();
    let daemon = lanes.world.daemon(BINARY, &[]).unwrap();
    lanes.price("67000", 6_700_000_000_000).await.unwrap();
    let packet = lanes.publish().await.unwrap();
    daemon.kill().unwrap();

    let mut forged = packet.clone();
    forged.sender = Address::repeat_byte(7);
    let refused = lanes.away_router.deliver(forged).call().await.unwrap_err();
    assert_eq!(refused.as_revert_data().unwrap()[..4], LocalRouter::ReceiverFailed::SELECTOR);
    let stranger: PrivateKeySigner = PrivateKeySigner::from_bytes(&B256::repeat_byte(9)).unwrap();
    let call = lanes.away_router.deliver(packet.clone()).from(stranger.address());
    let refused = call.call().await.unwrap_err();
    assert_eq!(refused.as_revert_data().unwrap()[..4], LocalRouter::NotRelayer::SELECTOR);
    assert_eq!(lanes.receiver.latestRound().call().await.unwrap(), U256::ZERO);
    lanes.deliver(packet).await.unwrap();
    assert_eq!(lanes.receiver.latestRound().call().await.unwrap(), U256::ONE);
}
