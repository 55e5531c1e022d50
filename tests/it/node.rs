//! The node fails, lies, lags, changes or charges otherwise than before.

use crate::BINARY;
use alloy::primitives::U256;
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use anyhow::{Result, ensure};
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use std::time::{Duration, Instant};

/// Prices that all deviate from the one before, and their answers.
fn prices() -> impl Iterator<Item = (String, i64)> {
    (0i64..).map(|n| 60_000 + n * 700).map(|price| (price.to_string(), price * 100_000_000))
}

/// A world whose calls end after a second and whose delays are short.
async fn world(options: Options) -> Result<World> {
    let world = World::new(options).await?;
    let url = world.proxy.url();
    world.edit(&format!("rpc = [\"{url}\"]"), &format!("rpc = [{{ url = \"{url}\", timeout = \"1s\" }}]"))?;
    world.configure("[chain.timing]\nretry_max = \"2s\"\nanswer_timeout = \"2s\"")?;
    Ok(world)
}

/// Every way in which an answer can fail to arrive.
fn losses() -> [RpcFault; 10] {
    [
        RpcFault::DropBefore,
        RpcFault::DropAfterForward,
        RpcFault::Truncate,
        RpcFault::WrongId,
        RpcFault::EmptyBody,
        RpcFault::Html502,
        RpcFault::Delay { ms: 1_300 },
        RpcFault::UnknownError { forwarded: false },
        RpcFault::UnknownError { forwarded: true },
        RpcFault::RateLimited429 { retry_after_s: None },
    ]
}

/// Every method the daemon uses on the way of a round.
const METHODS: [&str; 8] = [
    "eth_getBlockByNumber",
    "eth_feeHistory",
    "eth_call",
    "eth_estimateGas",
    "eth_sendRawTransaction",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_chainId",
];

/// Without this one lost answer frees a nonce, doubles a round, or stops the feed.
#[tokio::test]
async fn f01_f02_f13_f14_answers_are_lost_on_each_leg_of_each_method() {
    let cases = METHODS.iter().flat_map(|method| [(*method, 0), (*method, 1)]);
    together(6, cases, |(method, half)| lost_answers(method, half)).await;
}

/// One half of the losses, one after the other.
async fn lost_answers(method: &'static str, half: usize) -> Result<()> {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await?;
    world.edit("max_age = \"10s\"", "max_age = \"5m\"")?;
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[])?;
    world.wait_round(&feed, 1, SOON).await?;
    let losses: Vec<RpcFault> = losses().into_iter().skip(half).step_by(2).collect();
    for (fault, (price, answer)) in losses.iter().cloned().zip(prices()) {
        let calls = world.proxy.calls(method);
        world.proxy.fault(Rule::new(fault.clone()).on(method).times(2));
        if method == "eth_chainId" {
            // Who the node is is asked again after it failed.
            world.proxy.fault(Rule::new(RpcFault::DropBefore).on("eth_getBlockByNumber").times(1));
        }
        world.venues.market().set_price("BTC/USD", &price)?;
        world.wait_answer(&feed, answer, SOON).await?;
        let met = async || Ok(world.proxy.calls(method) > calls);
        world.wait(SOON, &format!("{method} meets {fault:?}"), met).await?;
        world.proxy.clear();
    }
    world.settled().await?;
    daemon.drain().await?;
    let rounds = world.judge(0).await?.remove(0);
    ensure!(rounds.len() == losses.len() + 1, "{} rounds", rounds.len());
    Ok(())
}

/// Without this a daemon starts only on a good day, and a bad line that lasts adds up to a wrong nonce.
#[tokio::test]
async fn a_line_that_loses_a_tenth_of_everything_from_the_first_call_on() {
    together(2, [11u64, 12], bad_line).await;
}

async fn bad_line(seed: u64) -> Result<()> {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await?;
    let feed = world.feed().clone();
    for (n, fault) in (0u64..).zip(losses()) {
        world.proxy.fault(Rule::new(fault).at_random(1, seed * 100 + n));
    }
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    for _ in 0..6 {
        let (price, answer) = prices.next().unwrap();
        world.venues.market().set_price("BTC/USD", &price)?;
        world.wait_answer(&feed, answer, 2 * SOON).await?;
    }
    world.proxy.clear();
    world.settled().await?;
    daemon.drain().await?;
    world.judge(0).await?;
    Ok(())
}

/// Without this a node that confirms what it throws away holds the feed for ever.
#[tokio::test]
async fn f04_a_false_success_is_noticed_and_the_same_bytes_go_out_again() {
    let world = World::manual("depth:12").await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::FalseSuccess).on("eth_sendRawTransaction").times(1));
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let told = world.said("PUB-2004", 1).await.unwrap();
    assert_eq!(told[0]["outcome"], "accepted");
    let sent = world.sent_after(0).await.unwrap();
    assert_eq!(told[0]["hash"], sent.hash.to_string());
    world.mined(&sent).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
}

/// Without this a transaction that a pool threw out is waited for until an operator comes.
#[tokio::test]
async fn f05_a_transaction_that_the_pool_evicts_goes_out_again() {
    let world = World::manual("depth:12").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.sent_after(0).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    world.forget(sent.hash).await.unwrap();
    // The same bytes come first, without a head that could ask for a bump.
    world.sent_times(sent.hash, 2).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    world.forget(sent.hash).await.unwrap();
    world.price("BTC/USD", "61000").await.unwrap();
    for _ in 0..3 {
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    world.said("PUB-2006", 1).await.unwrap();
    let bumped = world.wait(SOON, "the bump is sent", async || {
        Ok(world.proxy.forwarded().last().is_some_and(|last| last.hash != sent.hash))
    });
    bumped.await.unwrap();
    let sent = world.proxy.forwarded().pop().unwrap();
    world.mined(&sent).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
}

/// Without this a node or a gateway that alters transactions is believed.
#[tokio::test]
async fn f03_another_hash_than_ours_raises_an_alarm_and_ours_is_watched() {
    let world = world(Options::default()).await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::ForeignHash).on("eth_sendRawTransaction").times(1));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-5008", 1).await.unwrap();
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    let sent = world.proxy.forwarded()[0].hash;
    world.included(sent, 1).await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
    assert!(world.proxy.forwarded().iter().all(|one| one.hash == sent), "it signed another one");
}

/// Without this a node that is still building its index makes the daemon send again, bump, or cry thief.
#[tokio::test]
async fn f22_a_receipt_that_cannot_be_told_is_not_a_receipt_that_is_absent() {
    let world = World::manual("depth:12").await.unwrap();
    world.configure("[chain.timing]\nresend = \"5m\"").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.sent_after(0).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::ReceiptIndexing));
    world.mine(1).await.unwrap();
    for _ in 0..6 {
        let asked = world.proxy.calls("eth_getTransactionReceipt");
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
        world
            .wait(SOON, "it looks again", async || Ok(world.proxy.calls("eth_getTransactionReceipt") > asked))
            .await
            .unwrap();
    }
    assert_eq!(world.proxy.forwarded().len(), 1, "{:?}", world.logged("PUB-2006"));
    assert!(world.logged("PUB-2012").unwrap().is_empty());
    world.proxy.clear();
    world.included(sent.hash, 1).await.unwrap();

    // A receipt that is missing once, beside a nonce that is used, convicts nobody either.
    let known = world.proxy.forwarded().len();
    world.venues.market().set_price("BTC/USD", "61000").unwrap();
    let sent = world.sent_after(known).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    world.seen().await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::HideReceipt).on("eth_getTransactionReceipt").times(1));
    let asked = world.proxy.calls("eth_getTransactionReceipt");
    world.mine(1).await.unwrap();
    world
        .wait(SOON, "it looks once", async || Ok(world.proxy.calls("eth_getTransactionReceipt") > asked))
        .await
        .unwrap();
    world.mine(1).await.unwrap();
    world.included(sent.hash, 1).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    assert!(world.logged("PUB-4001").unwrap().is_empty());
}

/// Without this a daemon that is asked to slow down is shut out for good.
#[tokio::test]
async fn f15_retry_after_is_honoured() {
    const ASKED_S: u64 = 4;
    let world = world(Options { finality: "depth:2", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    world.settled().await.unwrap();
    let everything = || METHODS.iter().map(|method| world.proxy.calls(method)).sum::<u64>();
    let limit = RpcFault::RateLimited429 { retry_after_s: Some(ASKED_S) };
    world.proxy.fault(Rule::new(limit).times(1));
    let before = everything();
    world.wait(SOON, "a call meets the limit", async || Ok(everything() > before)).await.unwrap();
    let limited = Instant::now();
    world.venues.market().set_price("BTC/USD", "61000").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let during = everything();
    tokio::time::sleep(Duration::from_millis(ASKED_S * 1000 - 800).saturating_sub(limited.elapsed())).await;
    assert_eq!(everything(), during, "it went on asking");
    world.wait_answer(&feed, 6_100_000_000_000, SOON).await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
}

/// Without this a node behind the others looks like a reorg, and every round is sent again.
#[tokio::test]
async fn f08_a_node_that_lags_behind_is_no_reorg() {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    let lagging = async {
        let mut past = world.proxy.head().await.unwrap();
        for seed in 0.. {
            // Half of all requests reach a node that is a second or two behind.
            let now = world.proxy.head().await.unwrap();
            world.proxy.clear();
            world.proxy.fault(Rule::new(RpcFault::StaleHead { block: past }).at_random(50, seed));
            past = now;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let publishing = async {
        for (price, answer) in prices().take(4) {
            world.venues.market().set_price("BTC/USD", &price).unwrap();
            world.wait_answer(&feed, answer, SOON).await.unwrap();
        }
    };
    tokio::select! {
        () = lagging => {}
        () = publishing => {}
    }
    world.proxy.clear();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    world.judge(0).await.unwrap();
    for code in ["PUB-3001", "PUB-3002", "PUB-2010", "PUB-4001"] {
        assert_eq!(world.logged(code).unwrap(), Vec::<serde_json::Value>::new());
    }
}

/// Which other chain answers at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// The node says another chain id.
    Id,
    /// Another node with another chain id.
    Node,
    /// A node of the same chain id whose chain began anew.
    Genesis,
}

/// Without this a switched load balancer or a reset chain gets our transactions, and loses us our nonces.
#[tokio::test]
async fn f18_f19_another_chain_behind_the_same_address_is_refused_and_nothing_is_signed() {
    together(3, [Other::Id, Other::Node, Other::Genesis], other_chain).await;
}

async fn other_chain(other: Other) -> Result<()> {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await?;
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"")?;
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[])?;
    world.wait_round(&feed, 1, SOON).await?;
    world.settled().await?;
    let elsewhere = World::new(Options {
        anvil: &["--block-time", "1", "--timestamp", "1700000000"],
        ..Options::default()
    })
    .await?;
    match other {
        Other::Id => world.proxy.fault(Rule::new(RpcFault::ChainId(139))),
        Other::Node => {
            elsewhere.owner.anvil_set_chain_id(139).await?;
            world.proxy.set_upstream(&elsewhere.node.endpoint());
        }
        Other::Genesis => world.proxy.set_upstream(&elsewhere.node.endpoint()),
    }
    let told = world.said("PUB-5007", 1).await?;
    ensure!(told[0]["level"] == "ERROR", "{told:?}");
    let before = (world.signer.sign_requests(), world.proxy.forwarded().len());
    world.price("BTC/USD", "61000").await?;
    world.wait(SOON, "not ready", async || Ok(world.get("/readyz").await?.0 == 503)).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = (world.signer.sign_requests(), world.proxy.forwarded().len());
    ensure!(before == after, "signed or sent for another chain: {before:?} {after:?}");
    world.proxy.clear();
    world.proxy.set_upstream(&world.node.endpoint());
    world.said("PUB-5006", 1).await?;
    world.wait_answer(&feed, 6_100_000_000_000, SOON).await?;
    world.settled().await?;
    daemon.drain().await?;
    world.judge(0).await?;
    for code in ["PUB-3002", "PUB-4001", "PUB-2012"] {
        ensure!(world.logged(code)?.is_empty(), "{code} was said about another chain");
    }
    Ok(())
}

/// Without this the return of a node releases every round that was missed, one after the other.
#[tokio::test]
async fn f17_after_an_outage_comes_one_fresh_round_and_not_a_backlog() {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    world.settled().await.unwrap();
    world.proxy.set_upstream("http://127.0.0.1:1");
    world.said("PUB-5005", 1).await.unwrap();
    let mut last = 0;
    for (price, answer) in prices().take(20) {
        world.venues.market().set_price("BTC/USD", &price).unwrap();
        last = answer;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.get("/readyz").await.unwrap().0, 503);
    world.proxy.set_upstream(&world.node.endpoint());
    world.wait_answer(&feed, last, SOON).await.unwrap();
    world.said("PUB-5006", 1).await.unwrap();
    world.wait(SOON, "ready again", async || Ok(world.get("/readyz").await?.0 == 200)).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
}

/// Without this an own attempt that landed first is taken for a stranger's, or its round is written twice.
#[tokio::test]
async fn f06_nonce_too_low_after_an_earlier_attempt_of_ours_landed_is_that_attempts_round() {
    let world = World::manual("depth:2").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.publish("60000").await.unwrap();
    world.seen().await.unwrap();
    let known = world.proxy.forwarded().len();
    world.venues.market().set_price("BTC/USD", "61000").unwrap();
    let first = world.sent_after(known).await.unwrap();
    world.pooled(first.hash).await.unwrap();
    // Every later attempt is refused as if the first had landed already, which comes to pass only then.
    let used = RpcFault::Refusal { code: -32000, message: "nonce too low: next nonce 2, tx nonce 1" };
    world.proxy.fault(Rule::new(used).on("eth_sendRawTransaction"));
    for _ in 0..4 {
        world.base_fee(200_000_000_000).await.unwrap();
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    world.said("PUB-2006", 1).await.unwrap();
    world
        .wait(SOON, "the bump is refused", async || {
            Ok(world.logged("PUB-2004")?.iter().any(|line| line["outcome"] == "nonce_used"))
        })
        .await
        .unwrap();
    world.base_fee(1_000_000_000).await.unwrap();
    let _again = world.owner.send_raw_transaction(&first.raw).await.unwrap();
    world.mined(&first).await.unwrap();
    world.proxy.clear();
    world.publish("62000").await.unwrap();
    for code in ["PUB-2012", "PUB-4001"] {
        assert!(world.logged(code).unwrap().is_empty(), "{code}: the first attempt was ours");
    }
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 3);
}

/// Without this a spike of the base fee holds every round until it is over, and lands stale prices then.
#[tokio::test]
async fn f34_when_the_base_fee_rises_a_hundredfold_a_bump_lands_once_with_a_fresher_price() {
    let world = World::manual("depth:12").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    world.publish(&prices.next().unwrap().0).await.unwrap();
    for _ in 0..3 {
        world.seen().await.unwrap();
        let known = world.proxy.forwarded().len();
        world.venues.market().set_price("BTC/USD", &prices.next().unwrap().0).unwrap();
        let first = world.sent_after(known).await.unwrap();
        world.pooled(first.hash).await.unwrap();
        let (price, answer) = prices.next().unwrap();
        world.price("BTC/USD", &price).await.unwrap();
        let spike = base_fee(&world).await * 100;
        let (round, bumps) =
            (world.round(world.feed()).await.unwrap(), world.logged("PUB-2006").unwrap().len());
        for _ in 0..3 {
            world.base_fee(spike).await.unwrap();
            world.mine(1).await.unwrap();
            world.seen().await.unwrap();
        }
        assert_eq!(world.round(world.feed()).await.unwrap(), round, "the spike came too late");
        world.said("PUB-2006", bumps + 1).await.unwrap();
        let bumped = world.sent_after(known + 1).await.unwrap();
        assert_ne!(bumped.hash, first.hash);
        world.base_fee(spike).await.unwrap();
        world.mined(&bumped).await.unwrap();
        let rounds = world.rounds(world.feed()).await.unwrap();
        assert_eq!(rounds.last().unwrap().answer, i128::from(answer), "the fresher price");
        // Down again, for the next time.
        for _ in 0..3 {
            world.base_fee(1_000_000_000).await.unwrap();
            world.mine(1).await.unwrap();
        }
    }
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 4);
}

/// Without this a runaway base fee empties the account, or stops the feed for good.
#[tokio::test]
async fn f34_above_the_cap_nothing_dearer_is_signed_and_the_round_lands_when_it_fits_again() {
    let world = World::manual("depth:12").await.unwrap();
    world.edit("fees = \"eip1559\"", "fees = { profile = \"eip1559\", max_fee = \"20 gwei\" }").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.publish("60000").await.unwrap();
    world.base_fee(100_000_000_000).await.unwrap();
    world.mine(1).await.unwrap();
    world.seen().await.unwrap();
    world.venues.market().set_price("BTC/USD", "61000").unwrap();
    world.said("PUB-2007", 1).await.unwrap();
    for _ in 0..5 {
        world.base_fee(100_000_000_000).await.unwrap();
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    assert_eq!(world.round(world.feed()).await.unwrap(), 1);
    for _ in 0..3 {
        world.base_fee(1_000_000_000).await.unwrap();
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    world
        .wait(SOON, "the round lands", async || {
            world.mine(1).await?;
            world.seen().await?;
            Ok(world.round(world.feed()).await? == 2)
        })
        .await
        .unwrap();
    world.judge(0).await.unwrap();
    let asked = world.signer.asked();
    assert!(!asked.is_empty());
}

/// Without this an account that ran dry stays silent after it was refilled, or burns its nonces meanwhile.
#[tokio::test]
async fn f38_an_account_that_ran_dry_goes_on_by_itself_once_it_is_refilled() {
    let world = world(Options { finality: "depth:2", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    world.settled().await.unwrap();
    world.owner.anvil_set_balance(feed.account, U256::ZERO).await.unwrap();
    world.venues.market().set_price("BTC/USD", "61000").unwrap();
    world.said("PUB-2008", 1).await.unwrap();
    let (height, _) = world.head().await.unwrap();
    world.wait(SOON, "four blocks", async || Ok(world.head().await?.0 > height + 4)).await.unwrap();
    world.owner.anvil_set_balance(feed.account, U256::from(10).pow(U256::from(20))).await.unwrap();
    world.wait_answer(&feed, 6_100_000_000_000, SOON).await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    assert!(world.logged("PUB-2006").unwrap().is_empty(), "an empty account needs no higher fee");
}

/// Without this a free chain asks for money that nobody has there.
#[tokio::test]
async fn f36_on_a_chain_without_gas_prices_an_account_without_funds_publishes() {
    let world = world(Options {
        fees: "zero-gas",
        finality: "instant",
        anvil: &["--block-time", "1", "--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"],
        ..Options::default()
    })
    .await
    .unwrap();
    let feed = world.feed().clone();
    world.owner.anvil_set_balance(feed.account, U256::ZERO).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for (price, answer) in prices().take(3) {
        world.venues.market().set_price("BTC/USD", &price).unwrap();
        world.wait_answer(&feed, answer, SOON).await.unwrap();
    }
    daemon.drain().await.unwrap();
    world.judge(0).await.unwrap();
    for line in world.logged("PUB-2009").unwrap() {
        assert_eq!(line["gas_price_wei"], "0");
    }
    assert_eq!(world.owner.get_balance(feed.account).await.unwrap(), U256::ZERO);
}

/// Without this a chain before London gets transactions that it cannot read.
#[tokio::test]
async fn f39_before_london_legacy_transactions_work_and_others_are_refused_at_start() {
    let world = world(Options {
        fees: "legacy",
        anvil: &["--block-time", "1", "--hardfork", "berlin"],
        ..Options::default()
    })
    .await
    .unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for (price, answer) in prices().take(3) {
        world.venues.market().set_price("BTC/USD", &price).unwrap();
        world.wait_answer(&feed, answer, SOON).await.unwrap();
    }
    daemon.drain().await.unwrap();
    world.judge(0).await.unwrap();
    let known = world.proxy.forwarded().len();
    world.edit("fees = \"legacy\"", "fees = \"eip1559\"").unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    assert_eq!(daemon.ended().await.unwrap().code(), Some(64));
    assert!(world.log_text().contains("no base fee"), "{}", world.log_text());
    assert_eq!(world.proxy.forwarded().len(), known);
}

async fn base_fee(world: &World) -> u128 {
    let head = world.owner.get_block_by_number(Default::default()).await.unwrap().unwrap();
    head.header.base_fee_per_gas.unwrap().into()
}
