//! Real networks beside anvil: one set of scenarios, run by each kind of node.

use crate::BINARY;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::providers::Provider as _;
use anyhow::{Context, Result, bail, ensure};
use publisher_tests::chains::{Absent, Chain, Kind, Loss, Node, Rollup, Undo};
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::Forwarded;
use publisher_tests::world::{Options, World};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

/// An address where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Validators without which there are too few, and none of which is the daemon's node.
const STOPPED: [usize; 2] = [1, 2];

/// A network; `None` if its program cannot be had here, which is said aloud.
pub(crate) async fn network(kind: Kind) -> Result<Option<Chain>> {
    match Chain::start(kind).await? {
        Ok(chain) => Ok(Some(chain)),
        Err(Absent(reason)) => {
            say(&format!("skipped: no {kind:?} network, only anvil has met the daemon: {reason}"))?;
            Ok(None)
        }
    }
}

/// Writes past the test harness, which shows what is printed by failing tests only.
fn say(note: &str) -> Result<()> {
    Ok(std::io::stderr().write_all(format!("{note}\n").as_bytes())?)
}

/// A network with a world around it.
async fn world(kind: Kind) -> Result<Option<World>> {
    let Some(chain) = network(kind).await? else { return Ok(None) };
    let policy = Options::manual("").policy;
    let world = World::on_chain(chain, Options { policy, ..Options::default() }).await?;
    let url = world.proxy.url();
    world.edit(&format!("rpc = [\"{url}\"]"), &format!("rpc = [{{ url = \"{url}\", timeout = \"2s\" }}]"))?;
    // A sealer of Clique has filled its next block before it hears of a transaction, which may then take three heads.
    world.configure("[chain.timing]\nretry_max = \"2s\"\nanswer_timeout = \"3s\"\nbump_heads = 6")?;
    Ok(Some(world))
}

/// Prices that all deviate from the one before, and their answers.
struct Prices(i64);

impl Prices {
    fn next(&mut self) -> (String, i64) {
        self.0 += 700;
        (self.0.to_string(), self.0 * 100_000_000)
    }
}

/// The scenarios, each named in what it fails with, and the judge in the end.
async fn conforms(kind: Kind) -> Result<()> {
    let Some(mut world) = world(kind).await? else { return Ok(()) };
    let traits = kind.traits();
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = Prices(60_000);
    submit(&world, &mut prices).await.context("submit")?;
    if traits.fees == "zero-gas" {
        say(&format!("{kind:?} shows no replacement: where nothing has a price nothing is outbid"))?;
    } else {
        replace(&world, &mut prices).await.context("replace")?;
    }
    if traits.undo == Undo::Never {
        say(&format!("{kind:?} shows no reorg: its blocks are final; validators stop instead"))?;
    }
    undo(&mut world, &mut prices).await.context("undo")?;
    if traits.durable {
        restart(&mut world, &mut prices, false).await.context("restart in mid-flight")?;
    } else {
        say(&format!("{kind:?} shows no restart: its chain ends with its process"))?;
    }
    match traits.loss {
        Loss::Drop => dropped(&world, &mut prices).await.context("a transaction that the pool lost")?,
        Loss::Restart => {
            restart(&mut world, &mut prices, true).await.context("a pool that a restart lost")?
        }
    }
    submit(&world, &mut prices).await.context("submit after everything")?;
    world.settled().await?;
    daemon.drain().await?;
    world.judge(0).await?;
    for code in ["PUB-2012", "PUB-3002", "PUB-4001"] {
        ensure!(world.logged(code)?.is_empty(), "{:?}", world.logged(code)?);
    }
    Ok(())
}

/// Rounds follow scripted prices.
async fn submit(world: &World, prices: &mut Prices) -> Result<()> {
    for _ in 0..3 {
        let (price, answer) = prices.next();
        world.venues.market().set_price("BTC/USD", &price)?;
        world.wait_answer(world.feed(), answer, SOON).await?;
    }
    Ok(())
}

/// Moves the price and waits until the transaction that follows is in the node's pool. It is known by its nonce: one
/// more attempt at the round before it may be on its way.
async fn sent(world: &World, price: &str) -> Result<Forwarded> {
    let before = world.transactions().iter().filter_map(nonce).max();
    world.venues.market().set_price("BTC/USD", price)?;
    let sent = first(world, |sent| nonce(sent) > before).await?;
    world.pooled(sent.hash).await?;
    Ok(sent)
}

/// Waits until a transaction is sent of which the predicate holds.
async fn first(world: &World, is: impl Fn(&Forwarded) -> bool) -> Result<Forwarded> {
    let find = || world.transactions().into_iter().find(&is);
    world.wait(SOON, "such a transaction is sent", async || Ok(find().is_some())).await?;
    find().context("the proxy forgot it")
}

fn nonce(sent: &Forwarded) -> Option<u64> {
    Some(TxEnvelope::decode_2718(&mut sent.raw.as_ref()).ok()?.nonce())
}

/// A transaction that others outbid is replaced, by as much as the node asks for, with the fresher price.
async fn replace(world: &World, prices: &mut Prices) -> Result<()> {
    let before = world.rounds(world.feed()).await?.len();
    let (bumps, (older, _), (newer, answer)) =
        (world.said("PUB-2006", 0).await?.len(), prices.next(), prices.next());
    let replaced = world.squeezed(async {
        // Whatever is on its way from here on cannot land before it is replaced.
        let mined = world.owner.get_transaction_count(world.feed().account).await?;
        world.venues.market().set_price("BTC/USD", &older)?;
        let older = first(world, |sent| nonce(sent) >= Some(mined)).await?;
        world.pooled(older.hash).await?;
        world.price("BTC/USD", &newer).await?;
        world.said("PUB-2006", bumps + 1).await?;
        let second = first(world, |sent| nonce(sent) == nonce(&older) && sent.hash != older.hash).await?;
        world
            .wait_logged("PUB-2004", SOON, |line| {
                line["hash"] == second.hash.to_string() && line["outcome"] == "accepted"
            })
            .await
    });
    replaced.await?;
    world.wait_answer(world.feed(), answer, SOON).await?;
    let rounds = world.rounds(world.feed()).await?.len();
    ensure!(rounds == before + 1, "{} rounds instead of one", rounds - before);
    for line in world.logged("PUB-2004")? {
        ensure!(line["outcome"] != "replacement_underpriced", "a bump was too small: {line}");
    }
    Ok(())
}

/// The chain takes back a round, which comes back.
async fn undo(world: &mut World, prices: &mut Prices) -> Result<()> {
    let (price, answer) = prices.next();
    let reorgs = world.logged("PUB-3001")?.len();
    match world.chain()?.traits.undo {
        Undo::Snapshot => {
            let snapshot = world.chain()?.ask(0, "evm_snapshot", json!([])).await?;
            let sent = sent(world, &price).await?;
            world.included(sent.hash, 1).await?;
            let reverted = world.chain()?.ask(0, "evm_revert", json!([snapshot])).await?;
            ensure!(reverted == true, "no snapshot {snapshot}");
            world.said("PUB-3001", reorgs + 1).await?;
            world.included(sent.hash, 2).await?;
        }
        Undo::SetHead => {
            let sent = sent(world, &price).await?;
            world.included(sent.hash, 1).await?;
            let receipt = world.chain()?.ask(0, "eth_getTransactionReceipt", json!([sent.hash])).await?;
            let height = hex_number(&receipt["blockNumber"])?;
            world.chain()?.ask(0, "debug_setHead", json!([format!("{:#x}", height - 1)])).await?;
            world.said("PUB-3001", reorgs + 1).await?;
            world.included(sent.hash, 2).await?;
        }
        Undo::Rejoin => {
            // Nobody may seal two of three blocks: who leaves the last one to the others may seal one when alone.
            world.chain()?.ask(0, "miner_stop", json!([])).await?;
            let (height, _) = world.head().await?;
            world
                .wait(SOON, "two blocks of the others", async || Ok(world.head().await?.0 > height + 1))
                .await?;
            world.chain()?.cut_off(0).await?;
            let sent = sent(world, &price).await?;
            let known = world.transactions().len();
            world.chain()?.ask(0, "miner_start", json!([])).await?;
            world.included(sent.hash, 1).await?;
            let (height, _) = world.head().await?;
            let others = world.chain()?;
            while hex_number(&others.ask(1, "eth_blockNumber", json!([])).await?)? <= height + 1 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            world.chain()?.join(0).await?;
            world.said("PUB-3001", reorgs + 1).await?;
            // The pool has it again by itself, and nothing else is signed for it.
            world.included(sent.hash, 2).await?;
            ensure!(world.transactions().len() == known, "another transaction was sent");
        }
        Undo::Beneath => {
            let kept = rollup(world)?.stop_batches().await?;
            let sent = sent(world, &price).await?;
            world.included(sent.hash, 1).await?;
            rollup(world)?.take_back(kept).await?;
            world.said("PUB-3001", reorgs + 1).await?;
            world.included(sent.hash, 2).await?;
            // Included is not final as long as the chain beneath does not hold it.
            let closed = world.logged("PUB-2011")?;
            let early = closed.iter().find(|line| line["hash"] == sent.hash.to_string());
            ensure!(early.is_none(), "an unsafe round was taken for final: {early:?}");
            rollup(world)?.resume_batches().await?;
            world.settled().await?;
        }
        Undo::Never => return halt(world, prices).await,
    }
    world.wait_answer(world.feed(), answer, SOON).await
}

fn rollup(world: &mut World) -> Result<&mut Rollup> {
    world.chain()?.rollup().context("this is no rollup")
}

/// One of four validators stops and nothing changes; a second one stops, and with it the chain, until both are back.
async fn halt(world: &mut World, prices: &mut Prices) -> Result<()> {
    world.chain()?.kill(3)?;
    submit(world, prices).await.context("with three of four validators")?;
    world.chain()?.kill(2)?;
    standing(world).await?;
    let (price, answer) = prices.next();
    let again = world.logged("PUB-2005")?.len();
    sent(world, &price).await?;
    let known = world.transactions().len();
    let (height, _) = world.head().await?;
    world.said("PUB-2005", again + 2).await?;
    ensure!(world.head().await?.0 == height, "two of four validators made a block");
    ensure!(world.transactions().len() == known, "a chain that stands still was taken for a fee too low");
    world.chain()?.revive(3).await?;
    world.chain()?.revive(2).await?;
    world.wait_answer(world.feed(), answer, SOON).await
}

/// Waits until the chain has stopped: a block may have been on its way.
async fn standing(world: &World) -> Result<()> {
    let mut last = 0;
    world
        .wait(SOON, "the chain stands still", async || {
            let (before, (height, _)) = (last, world.head().await?);
            last = height;
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(before == height)
        })
        .await
}

/// Moves the price and waits until the transaction that follows is in the node's pool, where it stays for a while.
/// Where nothing can be outbid, validators have to stop; these come back with [`resume`].
async fn held_up(world: &mut World, price: &str) -> Result<Forwarded> {
    if world.chain()?.traits.fees != "zero-gas" {
        return world.squeezed(sent(world, price)).await;
    }
    for validator in STOPPED {
        world.chain()?.kill(validator)?;
    }
    standing(world).await?;
    sent(world, price).await
}

async fn resume(world: &mut World) -> Result<()> {
    if world.chain()?.traits.fees == "zero-gas" {
        for validator in STOPPED {
            world.chain()?.revive(validator).await?;
        }
    }
    Ok(())
}

/// The node dies with a transaction in its pool, and comes back with or without it.
async fn restart(world: &mut World, prices: &mut Prices, loses_pool: bool) -> Result<()> {
    let (price, answer) = prices.next();
    let (gone, back) = (world.logged("PUB-5005")?.len(), world.logged("PUB-5006")?.len());
    if let Some(rollup) = world.chain()?.rollup() {
        // It may forget what it made last, which must not have counted as final: without it finality looks violated.
        rollup.stop_batches().await?;
    }
    let sent = held_up(world, &price).await?;
    world.chain()?.kill(0)?;
    world.said("PUB-5005", gone + 1).await?;
    // Nobody talks to it before the test has looked into its pool.
    world.proxy.set_upstream(NOWHERE);
    if loses_pool {
        world.chain()?.lose_pool(0)?;
    }
    world.chain()?.revive(0).await?;
    if loses_pool {
        // Peers may have given it back by now.
        let known = world.chain()?.traits.members == 1 && known(world, &sent).await?;
        ensure!(!known, "the pool was to be lost");
    } else {
        // It reads the file in its own time.
        world.wait(SOON, "the pool is back", async || known(world, &sent).await).await?;
    }
    resume(world).await?;
    world.proxy.set_upstream(&world.node.endpoint());
    world.said("PUB-5006", back + 1).await?;
    world.wait_answer(world.feed(), answer, SOON).await?;
    if let Some(rollup) = world.chain()?.rollup() {
        rollup.resume_batches().await?;
        world.settled().await?;
    }
    Ok(())
}

/// Whether the daemon's node knows a transaction, mined or not.
async fn known(world: &World, sent: &Forwarded) -> Result<bool> {
    let found = world.owner.get_transaction_by_hash(sent.hash).await?;
    Ok(found.is_some())
}

/// The node throws a transaction away without a word.
async fn dropped(world: &World, prices: &mut Prices) -> Result<()> {
    let (price, answer) = prices.next();
    let squeezed = world.squeezed(async {
        let sent = sent(world, &price).await?;
        let Node::Real(chain) = &world.node else { bail!("this world stands on anvil") };
        let gone = chain.ask(0, "hardhat_dropTransaction", json!([sent.hash])).await?;
        ensure!(gone == true, "{} was not in the pool", sent.hash);
        Ok(world.proxy.forwarded().len())
    });
    let known = squeezed.await?;
    // The same bytes, or a dearer attempt if its turn comes first.
    world.sent_after(known).await?;
    world.wait_answer(world.feed(), answer, SOON).await
}

fn hex_number(value: &Value) -> Result<u64> {
    let text = value.as_str().and_then(|text| text.strip_prefix("0x")).context("no number")?;
    Ok(u64::from_str_radix(text, 16)?)
}

/// Without this the rules and words of a pool that is not anvil's are met in production for the first time.
#[tokio::test]
async fn f05_f09_f28_hardhat_conforms() {
    conforms(Kind::Hardhat).await.unwrap();
}

/// Without this the client that most chains run has never met the daemon.
#[tokio::test]
async fn f05_f09_f28_geth_conforms() {
    conforms(Kind::Geth).await.unwrap();
}

/// Without this no sibling head that a real sealer made, and no pool that takes reorged transactions back by itself, has
/// met the daemon.
#[tokio::test]
async fn f25_f26_f27_clique_conforms() {
    conforms(Kind::Clique).await.unwrap();
}

/// Without this validators that stop make the daemon pay, bump or forget.
#[tokio::test]
async fn f05_f36_qbft_conforms_with_validators_that_stop() {
    conforms(Kind::Qbft).await.unwrap();
}

/// Without this no unsafe block that a sequencer takes back, and none that its execution client forgets when it dies,
/// has met the daemon.
#[tokio::test]
async fn f05_f09_f25_f28_op_stack_conforms() {
    conforms(Kind::OpStack).await.unwrap();
}
