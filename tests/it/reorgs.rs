//! The chain takes back what it said. Blocks are mined by the tests, so that depths are exact.

use crate::BINARY;
use alloy::consensus::{Transaction, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use anyhow::{Result, ensure};
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::Forwarded;
use publisher_tests::together::together;
use publisher_tests::world::World;
use std::ops::RangeInclusive;

/// Prices that all deviate from the one before.
fn prices() -> impl Iterator<Item = String> {
    (0u64..).map(|n| (60_000 + n * 700).to_string())
}

/// What a reorg does with the block of our transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The new blocks do not have our transaction, and no pool has it.
    Dropped,
    /// The new block at the same height has it.
    Kept,
    /// Another height has it.
    Moved,
    /// An earlier attempt of the same nonce, with an older answer, takes its place.
    Replaced,
}

/// Without this a reorg of everyday depth loses a round, doubles it, or lets the daemon believe in a block that is
/// gone.
#[tokio::test]
async fn f25_f26_f27_f29_f30_reorgs_of_depth_1_to_8_drop_keep_move_and_replace_our_transaction() {
    let fates = [Fate::Dropped, Fate::Kept, Fate::Moved, Fate::Replaced];
    let cases = fates.iter().flat_map(|fate| [(*fate, 1..=4), (*fate, 5..=8)]);
    together(8, cases, |(fate, depths)| reorgs_of_depths(fate, depths)).await;
}

async fn reorgs_of_depths(fate: Fate, depths: RangeInclusive<u64>) -> Result<()> {
    let world = World::manual("depth:12").await?;
    if fate == Fate::Replaced {
        // Every head without our transaction asks for a replacement, and nothing is sent again meanwhile.
        world.configure("[chain.timing]\nbump_heads = 1\nresend = \"5m\"")?;
    }
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    let mut price = || prices.next().unwrap();
    // A head that the daemon meets only after an attempt would have it replace that one at once.
    world.publish(&price()).await?;
    world.seen().await?;
    for depth in depths {
        let before = world.rounds(world.feed()).await?.len();
        match fate {
            Fate::Replaced => replaced(&world, depth, &price(), &price()).await?,
            _ => reorged(&world, fate, depth, &price()).await?,
        }
        let grown = world.rounds(world.feed()).await?.len() - before;
        ensure!(grown == if fate == Fate::Replaced { 2 } else { 1 }, "depth {depth} made {grown} rounds");
    }
    world.judge(0).await?;
    drop(daemon);
    Ok(())
}

/// One round whose block is `depth` deep when the reorg comes.
async fn reorged(world: &World, fate: Fate, depth: u64, price: &str) -> Result<()> {
    let sent = world.publish(price).await?;
    world.mine(depth - 1).await?;
    world.seen().await?;
    let (reorgs, inclusions) = (world.logged("PUB-3001")?.len(), world.inclusions(sent.hash)?);
    let round = world.round(world.feed()).await?;
    match fate {
        Fate::Kept => world.reorg(depth, &[(sent.raw.clone(), 0)]).await?,
        Fate::Moved if depth > 1 => world.reorg(depth, &[(sent.raw.clone(), depth - 1)]).await?,
        _ => world.reorg(depth, &[]).await?,
    }
    // The heights are what they were: only hashes tell.
    let told = world.said("PUB-3001", reorgs + 1).await?;
    ensure!(told.last().is_some_and(|line| line["depth"] == depth), "depth {depth}: {told:?}");
    if fate == Fate::Dropped || depth == 1 && fate == Fate::Moved {
        world.sent_times(sent.hash, 2).await?;
        if fate == Fate::Moved {
            world.pooled(sent.hash).await?;
            world.mine(1).await?;
        } else {
            ensure!(world.round(world.feed()).await? == round - 1, "the round is still there");
            world.mined(&sent).await?;
        }
    }
    world.included(sent.hash, inclusions + 1).await?;
    ensure!(world.round(world.feed()).await? == round, "the round did not come back");
    Ok(())
}

/// One round whose second attempt, with a fresher answer, gives way to its first.
async fn replaced(world: &World, depth: u64, older: &str, newer: &str) -> Result<()> {
    let known = world.proxy.forwarded().len();
    world.venues.market().set_price("BTC/USD", older)?;
    let first = world.sent_after(known).await?;
    world.pooled(first.hash).await?;
    world.forget(first.hash).await?;
    world.price("BTC/USD", newer).await?;
    world.mine(1).await?;
    let second = world.sent_after(known + 1).await?;
    ensure!(second.hash != first.hash, "nothing replaced what the pool had lost");
    world.mined(&second).await?;
    let round = world.round(world.feed()).await?;
    let answer = world.rounds(world.feed()).await?.last().map(|r| r.answer);
    ensure!(answer == scaled(newer), "a replacement must carry the fresher answer, not {answer:?}");
    world.mine(depth - 1).await?;
    world.seen().await?;
    let known = world.proxy.forwarded().len();
    world.reorg(depth, &[(first.raw.clone(), 0)]).await?;
    world.included(first.hash, 1).await?;
    ensure!(world.round(world.feed()).await? == round, "the round did not stay one");
    let answer = world.rounds(world.feed()).await?.last().map(|r| r.answer);
    ensure!(answer == scaled(older), "the first attempt's answer counts, not {answer:?}");
    // The answer on chain deviates from the value again, so the next round follows at once. Further attempts of the
    // same nonce, which can never land, do not count.
    let (done, mut next) = (nonce(&first)?, None);
    world
        .wait(SOON, "the next round is sent", async || {
            for sent in world.proxy.forwarded().into_iter().skip(known) {
                if nonce(&sent)? > done {
                    next = Some(sent);
                    break;
                }
            }
            Ok(next.is_some())
        })
        .await?;
    world.mined(&next.unwrap()).await
}

fn nonce(sent: &Forwarded) -> Result<u64> {
    Ok(TxEnvelope::decode_2718_exact(&sent.raw)?.nonce())
}

fn scaled(price: &str) -> Option<i128> {
    price.parse::<i128>().ok().map(|price| price * 100_000_000)
}

/// Without this a reorg deeper than anything the daemon remembers loses its rounds, or stops it.
#[tokio::test]
async fn f31_a_reorg_deeper_than_the_window_is_recovered_from_the_journal() {
    // Nothing becomes final meanwhile.
    let options = publisher_tests::world::Options {
        anvil: &["--no-mining", "--slots-in-an-epoch", "1000"],
        ..publisher_tests::world::Options::manual("tag")
    };
    let world = World::new(options).await.unwrap();
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"").unwrap();
    // A replacement would carry a fresher answer, and blocks come faster here than a busy daemon sends.
    world.configure("[chain.timing]\nbump_heads = 1000").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    for price in prices().take(3) {
        world.publish(&price).await.unwrap();
    }
    let before = world.rounds(world.feed()).await.unwrap();
    for _ in 0..140 {
        world.mine(1).await.unwrap();
    }
    world.seen().await.unwrap();
    world.reorg(143, &[]).await.unwrap();
    world.said("PUB-3003", 1).await.unwrap();
    world
        .wait(SOON, "every round is back", async || {
            world.mine(1).await?;
            world.seen().await?;
            Ok(world.round(world.feed()).await? == 3)
        })
        .await
        .unwrap();
    let after = world.judge(0).await.unwrap().remove(0);
    let answers = |rounds: &[publisher_tests::history::ChainRound]| -> Vec<i128> {
        rounds.iter().map(|round| round.answer).collect()
    };
    assert_eq!(answers(&after), answers(&before));
}

/// Without this, rounds that one reorg takes together come back out of order, or not at all.
#[tokio::test]
async fn several_rounds_that_one_reorg_takes_come_back_in_order() {
    let world = World::manual("depth:12").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let mut sent = Vec::new();
    for price in prices().take(3) {
        sent.push(world.publish(&price).await.unwrap());
    }
    let before = world.rounds(world.feed()).await.unwrap();
    world.reorg(3, &[]).await.unwrap();
    for sent in &sent {
        world.sent_times(sent.hash, 2).await.unwrap();
        world.pooled(sent.hash).await.unwrap();
    }
    world.mine(1).await.unwrap();
    for sent in &sent {
        world.included(sent.hash, 2).await.unwrap();
    }
    let after = world.judge(0).await.unwrap().remove(0);
    assert_eq!(
        after.iter().map(|r| r.answer).collect::<Vec<_>>(),
        before.iter().map(|r| r.answer).collect::<Vec<_>>()
    );
}

/// Without this a transaction that waits in a pool while the blocks below it change is forgotten, or sent twice.
#[tokio::test]
async fn a_reorg_while_the_next_round_waits_in_the_pool() {
    let world = World::manual("depth:12").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    for depth in 1..=4 {
        let first = world.publish(&prices.next().unwrap()).await.unwrap();
        world.mine(depth - 1).await.unwrap();
        world.seen().await.unwrap();
        let known = world.proxy.forwarded().len();
        world.venues.market().set_price("BTC/USD", &prices.next().unwrap()).unwrap();
        let second = world.sent_after(known).await.unwrap();
        world.pooled(second.hash).await.unwrap();
        world.reorg(depth, &[]).await.unwrap();
        world.sent_times(first.hash, 2).await.unwrap();
        world.pooled(first.hash).await.unwrap();
        world.mine(1).await.unwrap();
        world.included(first.hash, 2).await.unwrap();
        world.included(second.hash, 1).await.unwrap();
    }
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 8);
}

/// Without this, a stranger who has our key makes the daemon pay for the same round at one nonce after another.
#[tokio::test]
async fn f07_a_foreign_transaction_in_the_new_block_halts_the_account_until_an_operator_has_looked() {
    let world = World::manual("depth:12").await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    world.publish(&prices.next().unwrap()).await.unwrap();
    world.publish(&prices.next().unwrap()).await.unwrap();
    world.reorg(1, &[(world.foreign(1).unwrap(), 0)]).await.unwrap();
    // One look does not convict: it takes a second one, a block later.
    world.seen().await.unwrap();
    world.mine(1).await.unwrap();
    let told = world.said("PUB-2012", 1).await.unwrap();
    assert_eq!(told[0]["nonce"], 1);
    nothing_is_sent(&world, &prices.next().unwrap()).await;
    assert_eq!(world.get("/readyz").await.unwrap().0, 503);
    daemon.kill().unwrap();

    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-4001", 2).await.unwrap();
    nothing_is_sent(&world, &prices.next().unwrap()).await;
    daemon.kill().unwrap();

    let _daemon = world.acknowledging(BINARY).unwrap();
    let known = world.proxy.forwarded().len();
    world.said("PUB-4002", 1).await.unwrap();
    let sent = world.sent_after(known).await.unwrap();
    world.mined(&sent).await.unwrap();
    world.publish(&prices.next().unwrap()).await.unwrap();
    assert_eq!(world.judge(1).await.unwrap()[0].len(), 3);
}

/// Moves the market and some blocks, and makes sure that the daemon saw both and neither signed nor sent anything.
async fn nothing_is_sent(world: &World, price: &str) {
    world.seen().await.unwrap();
    let before = (world.proxy.forwarded().len(), world.signer.sign_requests());
    world.price("BTC/USD", price).await.unwrap();
    for _ in 0..3 {
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    world.price("BTC/USD", price).await.unwrap();
    let after = (world.proxy.forwarded().len(), world.signer.sign_requests());
    // A self-test at start signs, too, but not after the head was seen.
    assert_eq!(before, after, "sent or signed while halted");
}

/// Without this, what happened to the chain while nobody looked stays unknown for ever.
#[tokio::test]
async fn f33_a_reorg_while_the_daemon_is_down_is_found_at_start() {
    let cases = [(1, Fate::Dropped), (3, Fate::Moved), (5, Fate::Dropped), (2, Fate::Kept)];
    together(4, cases, |(depth, fate)| reorged_while_down(depth, fate)).await;
}

async fn reorged_while_down(depth: u64, fate: Fate) -> Result<()> {
    let world = World::manual("depth:12").await?;
    // On a busy machine an answer could grow old while the daemon is down, and would be signed anew.
    world.edit("max_age = \"10s\"", "max_age = \"5m\"")?;
    let mut prices = prices();
    for _ in 0..2 {
        let daemon = world.daemon(BINARY, &[])?;
        let sent = world.publish(&prices.next().unwrap()).await?;
        world.mine(depth - 1).await?;
        world.seen().await?;
        daemon.kill()?;
        let times = world.proxy.forwarded().iter().filter(|s| s.hash == sent.hash).count();
        let inclusions = world.inclusions(sent.hash)?;
        let txs = [(sent.raw.clone(), if fate == Fate::Moved { depth - 1 } else { 0 })];
        world.reorg(depth, if fate == Fate::Dropped { &[] } else { &txs }).await?;
        let daemon = world.daemon(BINARY, &[])?;
        if fate == Fate::Dropped {
            world.sent_times(sent.hash, times + 1).await?;
            world.mined(&sent).await?;
        }
        world.included(sent.hash, inclusions + 1).await?;
        daemon.kill()?;
    }
    ensure!(world.judge(0).await?[0].len() == 2, "two prices make two rounds");
    Ok(())
}

/// Without this a node that goes back without saying so leaves rounds behind that consumers do not see.
#[tokio::test]
async fn f28_silent_rollbacks_are_found_by_looking() {
    let world = World::manual("depth:12").await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    world.publish(&prices.next().unwrap()).await.unwrap();
    for (depth, by_snapshot) in [(1, false), (4, false), (1, true), (3, true)] {
        world.seen().await.unwrap();
        let snapshot = world.snapshot().await.unwrap();
        let sent = world.publish(&prices.next().unwrap()).await.unwrap();
        world.mine(depth - 1).await.unwrap();
        world.seen().await.unwrap();
        let reorgs = world.logged("PUB-3001").unwrap().len();
        if by_snapshot {
            world.revert(snapshot).await.unwrap();
        } else {
            world.rollback(depth).await.unwrap();
        }
        // No new head comes: the lower one has to be believed by itself.
        world.said("PUB-3001", reorgs + 1).await.unwrap();
        world.sent_times(sent.hash, 2).await.unwrap();
        world.mined(&sent).await.unwrap();
    }
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 5);
}

/// What finality was promised, and how deep the reorg is that breaks the promise.
#[derive(Clone, Copy, Debug)]
struct Promise {
    finality: &'static str,
    anvil: &'static [&'static str],
    depth: u64,
    keeps: bool,
    down: bool,
}

/// Without this a chain that breaks its promise is written to as if nothing had happened; or never again, although
/// an operator has looked.
#[tokio::test]
async fn f32_a_reorg_below_finality_halts_everything_until_it_is_acknowledged() {
    let promise =
        |finality, depth, keeps, down| Promise { finality, anvil: &["--no-mining"], depth, keeps, down };
    let tag =
        Promise { anvil: &["--no-mining", "--slots-in-an-epoch", "1"], ..promise("tag", 5, false, false) };
    let cases = [
        promise("instant", 1, true, false),
        promise("instant", 1, false, false),
        promise("instant", 2, false, true),
        promise("depth:2", 5, true, false),
        promise("depth:2", 5, false, false),
        tag,
    ];
    together(6, cases, finality_broken).await;
}

async fn finality_broken(promise: Promise) -> Result<()> {
    let options = publisher_tests::world::Options {
        anvil: promise.anvil,
        ..publisher_tests::world::Options::manual(promise.finality)
    };
    let world = World::new(options).await?;
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"")?;
    let mut daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    let mut price = || prices.next().unwrap();
    world.publish(&price()).await?;
    let sent = world.publish(&price()).await?;
    world.mine(promise.depth - 1).await?;
    // Both rounds count as final.
    world.said("PUB-2011", 2).await?;
    world.seen().await?;
    let txs = [(sent.raw.clone(), 0)];
    let txs = if promise.keeps { &txs[..] } else { &[] };
    if promise.down {
        daemon.kill()?;
        world.reorg(promise.depth, txs).await?;
        daemon = world.daemon(BINARY, &[])?;
    } else {
        world.reorg(promise.depth, txs).await?;
    }
    world.said("PUB-3002", 1).await?;
    world.said("PUB-4001", 1).await?;
    nothing_is_sent(&world, &price()).await;
    ensure!(world.get("/readyz").await?.0 == 503, "a halted daemon is not ready");
    daemon.kill()?;
    let daemon = world.daemon(BINARY, &[])?;
    world.said("PUB-4001", 2).await?;
    nothing_is_sent(&world, &price()).await;
    daemon.kill()?;

    let _daemon = world.acknowledging(BINARY)?;
    world.said("PUB-4002", 1).await?;
    // The round that was lost comes back or is told anew; either way every round is there once in the end.
    let goal = world.round(world.feed()).await? + 2;
    world.venues.market().set_price("BTC/USD", &price())?;
    mine_until(&world, goal).await?;
    world.judge(0).await?;
    Ok(())
}

/// Mines whatever comes until the first feed has the round.
async fn mine_until(world: &World, round: u64) -> Result<()> {
    let mut prices = prices().skip(100);
    world
        .wait(SOON, &format!("round {round}"), async || {
            world.price("BTC/USD", &prices.next().unwrap()).await?;
            world.mine(1).await?;
            Ok(world.round(world.feed()).await? >= round)
        })
        .await?;
    world.seen().await
}

/// Without this, a round counts as final while the chain's own tag says that it is not, or never.
#[tokio::test]
async fn the_finality_tag_alone_makes_rounds_final() {
    let options = publisher_tests::world::Options {
        anvil: &["--no-mining", "--slots-in-an-epoch", "1"],
        ..publisher_tests::world::Options::manual("tag")
    };
    let world = World::new(options).await.unwrap();
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    for round in 1..=3 {
        let sent = world.publish(&prices.next().unwrap()).await.unwrap();
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
        assert_eq!(world.logged("PUB-2011").unwrap().len(), round - 1, "finalized is two blocks behind");
        // Above the tag a reorg is everyday life.
        world.reorg(2, &[]).await.unwrap();
        world.sent_times(sent.hash, 2).await.unwrap();
        world.mined(&sent).await.unwrap();
        world.mine(2).await.unwrap();
        let closed = world.said("PUB-2011", round).await.unwrap();
        assert_eq!(closed[round - 1]["hash"], sent.hash.to_string());
    }
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 3);
    assert!(world.logged("PUB-3002").unwrap().is_empty());
}
