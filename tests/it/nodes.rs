//! Several nodes, of which some fail, lag, lie, refuse or change, while the others carry on.

use crate::BINARY;
use alloy::providers::ext::AnvilApi;
use anyhow::{Result, ensure};
use publisher_tests::cli::run;
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::{RpcFault, RpcProxy, Rule};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Everything a node is read by.
const READS: [&str; 6] = [
    "eth_getBlockByNumber",
    "eth_feeHistory",
    "eth_call",
    "eth_estimateGas",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
];

/// Prices that all deviate from the one before, and their answers.
fn prices() -> impl Iterator<Item = (String, i64)> {
    (0i64..).map(|n| 60_000 + n * 700).map(|price| (price.to_string(), price * 100_000_000))
}

fn quick() -> Options {
    Options { finality: "depth:2", ..Options::default() }
}

/// What the status page says of a node.
async fn node(world: &World, index: usize) -> Result<Value> {
    Ok(world.status().await?["nodes"][index].clone())
}

/// Waits until a node is in a state, and read or not.
async fn stands(world: &World, index: usize, state: &str, reader: bool) -> Result<()> {
    world
        .wait(SOON, &format!("node {index} is {state}, read: {reader}"), async || {
            let node = node(world, index).await?;
            Ok(node["state"] == state && node["reader"] == reader)
        })
        .await
}

fn reads(proxy: &RpcProxy) -> u64 {
    READS.iter().map(|method| proxy.calls(method)).sum()
}

fn sends(proxy: &RpcProxy) -> u64 {
    proxy.calls("eth_sendRawTransaction")
}

/// Nothing was said that only a chain in disorder deserves.
fn calm(world: &World) -> Result<()> {
    for code in ["PUB-2010", "PUB-2012", "PUB-3001", "PUB-3002", "PUB-4001"] {
        let said = world.logged(code)?;
        ensure!(said.is_empty(), "{code}: {said:?}");
    }
    Ok(())
}

/// Publishes this price and waits for its answer.
async fn publish(world: &World, (price, answer): (String, i64)) -> Result<()> {
    world.venues.market().set_price("BTC/USD", &price)?;
    world.wait_answer(world.feed(), answer, SOON).await
}

/// At which call the reader dies.
const LEGS: [&str; 4] =
    ["eth_estimateGas", "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getBlockByNumber"];

/// Without this one dead node stops every feed, or the change to another loses or doubles a round.
#[tokio::test]
async fn the_reader_dies_on_each_leg_and_another_takes_over_without_a_round_lost_or_doubled() {
    together(2, LEGS, reader_dies).await;
}

async fn reader_dies(leg: &'static str) -> Result<()> {
    let (world, others) = World::with_nodes(quick(), 2).await?;
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await?;
    stands(&world, 0, "alive", true).await?;
    // The call is lost on its way back, and the node with it.
    world.proxy.fault(Rule::new(RpcFault::DropAfterForward).on(leg).times(1));
    let before = world.proxy.calls(leg);
    let dies = async {
        world.wait(SOON, "the reader is asked", async || Ok(world.proxy.calls(leg) > before)).await?;
        world.proxy.set_upstream(NOWHERE);
        Ok(())
    };
    let (published, died) = tokio::join!(publish(&world, prices.next().unwrap()), dies);
    died.and(published)?;
    stands(&world, 0, "unreachable", false).await?;
    let changed = world.said("PUB-5019", 1).await?;
    ensure!(changed[0]["from"] == world.proxy.url(), "{changed:?}");
    publish(&world, prices.next().unwrap()).await?;
    ensure!(others.iter().all(|other| sends(other) >= 3), "not everybody was sent everything");
    // It comes back, and has to wait until it is needed.
    world.proxy.set_upstream(&world.node.endpoint());
    stands(&world, 0, "alive", false).await?;
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    daemon.drain().await?;
    let rounds = world.judge(0).await?.remove(0);
    ensure!(rounds.len() == 4, "{rounds:?}");
    ensure!(world.logged("PUB-5019")?.len() == 1, "the readers took turns");
    calm(&world)
}

/// Without this a node that was left behind decides what is believed.
#[tokio::test]
async fn f08_a_node_that_lags_has_no_vote_and_is_not_read() {
    let (world, _others) = World::with_nodes(quick(), 1).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    let block = world.proxy.head().await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::StaleHead { block }));
    stands(&world, 0, "lagging", false).await.unwrap();
    for price in prices.by_ref().take(2) {
        publish(&world, price).await.unwrap();
    }
    assert!(node(&world, 0).await.unwrap()["behind"].as_u64() > Some(0));
    assert_eq!(world.logged("PUB-5016").unwrap().len(), 1);
    world.proxy.clear();
    stands(&world, 0, "alive", false).await.unwrap();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 4);
    calm(&world).unwrap();
}

/// Without this a node that asks for peace is shut out for good, or a heartbeat is missed for its sake.
#[tokio::test]
async fn f15_while_one_node_asks_to_be_left_alone_the_others_are_used() {
    const ASKED: Duration = Duration::from_secs(40);
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    let limit = RpcFault::RateLimited429 { retry_after_s: Some(ASKED.as_secs()) };
    world.proxy.fault(Rule::new(limit).times(1));
    world.said("PUB-5017", 1).await.unwrap();
    let limited = Instant::now();
    stands(&world, 0, "limited", false).await.unwrap();
    let before = (reads(&world.proxy), sends(&world.proxy));
    let sent = sends(&others[0]);
    publish(&world, prices.next().unwrap()).await.unwrap();
    assert!(limited.elapsed() < ASKED - Duration::from_secs(5), "too slow to show anything");
    assert_eq!((reads(&world.proxy), sends(&world.proxy)), before, "it was not left alone");
    assert!(sends(&others[0]) > sent);
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    calm(&world).unwrap();
}

/// Without this a refusal by one node makes the round be signed anew, although another has it already.
#[tokio::test]
async fn f24_a_node_that_refuses_every_transaction_changes_nothing_while_another_takes_them() {
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    let refusal = RpcFault::Refusal { code: -32003, message: "Intrinsic gas exceeds gas limit" };
    world.proxy.fault(Rule::new(refusal).on("eth_sendRawTransaction"));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in prices().take(3) {
        publish(&world, price).await.unwrap();
    }
    world.settled().await.unwrap();
    let page = world.get("/metrics").await.unwrap().1;
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 3);
    assert_eq!(world.proxy.forwarded().len(), 0);
    assert!(sends(&world.proxy) >= 3 && others[0].forwarded().len() >= 3);
    for line in world.logged("PUB-2004").unwrap() {
        assert!(line["outcome"] == "accepted" || line["outcome"] == "known", "{line}");
    }
    assert!(world.logged("PUB-2006").unwrap().is_empty(), "it raised the fee of what was taken");
    let conflicts = page.lines().find_map(|line| line.strip_prefix("publisher_send_conflicts_total "));
    assert!(conflicts.is_some_and(|count| count.parse::<u64>().unwrap() >= 3), "{conflicts:?}");
    calm(&world).unwrap();
}

/// Without this a node without a pool is sent every transaction, again and again.
#[tokio::test]
async fn f20_a_node_without_a_pool_is_spared_and_the_others_are_used() {
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    let closed = RpcFault::Refusal { code: -32002, message: "Transaction pool not enabled" };
    world.proxy.fault(Rule::new(closed).on("eth_sendRawTransaction"));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    let told = world.said("PUB-5018", 1).await.unwrap();
    assert_eq!(told[0]["node"], world.proxy.url());
    stands(&world, 1, "alive", true).await.unwrap();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    assert!(others[0].forwarded().len() >= 2);
    assert!(sends(&world.proxy) < sends(&others[0]), "it was not spared");
    calm(&world).unwrap();
}

/// Without this a node that alters transactions goes on getting them.
#[tokio::test]
async fn f03_a_node_with_another_hash_is_quarantined_and_ours_is_watched() {
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::ForeignHash).on("eth_sendRawTransaction").times(1));
    // Only who is first is answered with a hash at all.
    others[0].fault(Rule::new(RpcFault::Delay { ms: 300 }).on("eth_sendRawTransaction"));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    let told = world.said("PUB-5008", 1).await.unwrap();
    assert_eq!((&told[0]["level"], &told[0]["node"]), (&"ERROR".into(), &world.proxy.url().into()));
    stands(&world, 0, "quarantined", false).await.unwrap();
    world.settled().await.unwrap();
    let before = sends(&world.proxy);
    publish(&world, prices.next().unwrap()).await.unwrap();
    assert_eq!(sends(&world.proxy), before, "it was sent another one");
    assert!(sends(&others[0]) >= 2);
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    calm(&world).unwrap();
}

/// Without this a switched load balancer behind one address gets transactions, or stops the others' feeds.
#[tokio::test]
async fn f18_a_node_that_turns_into_another_chain_gets_nothing_and_the_others_go_on() {
    let (world, _others) = World::with_nodes(quick(), 1).await.unwrap();
    let elsewhere = World::new(Options {
        anvil: &["--block-time", "1", "--timestamp", "1700000000"],
        ..Options::default()
    })
    .await
    .unwrap();
    elsewhere.owner.anvil_set_chain_id(139).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    world.proxy.set_upstream(&elsewhere.node.endpoint());
    let told = world.said("PUB-5007", 1).await.unwrap();
    assert_eq!((&told[0]["level"], &told[0]["node"]), (&"ERROR".into(), &world.proxy.url().into()));
    stands(&world, 1, "alive", true).await.unwrap();
    // A poll that was on its way may still arrive.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = (reads(&world.proxy), sends(&world.proxy));
    for price in prices.by_ref().take(2) {
        publish(&world, price).await.unwrap();
    }
    assert_eq!((reads(&world.proxy), sends(&world.proxy)), before, "another chain's node was used");
    let page = world.get("/readyz").await.unwrap();
    assert_eq!(page.0, 200, "{}", page.1);
    world.proxy.set_upstream(&world.node.endpoint());
    stands(&world, 0, "alive", false).await.unwrap();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 4);
    calm(&world).unwrap();
}

/// Without this one lying node makes the daemon cry thief and halt an account for good.
#[tokio::test]
async fn f07_a_nonce_that_one_node_makes_up_convicts_nobody() {
    together(2, [0usize, 1], made_up_nonce).await;
}

async fn made_up_nonce(liar: usize) -> Result<()> {
    let (world, others) = World::with_nodes(quick(), 1).await?;
    let liar = if liar == 0 { &world.proxy } else { &others[0] };
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    liar.fault(Rule::new(RpcFault::Nonce(99)));
    // The round lands, and nothing is concluded about it.
    publish(&world, prices.next().unwrap()).await?;
    let told = world.said("PUB-5020", 1).await?;
    ensure!(told[0]["what"] == "nonce" && told[0]["level"] == "ERROR", "{told:?}");
    let (height, _) = world.head().await?;
    world.wait(SOON, "four blocks", async || Ok(world.head().await?.0 > height + 4)).await?;
    ensure!(world.logged("PUB-2009")?.len() == 1, "a view was believed in which nodes differ");
    ensure!(world.logged("PUB-5020")?.len() == 1, "told more than once");
    calm(&world)?;
    liar.clear();
    world.said("PUB-2009", 2).await?;
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    daemon.drain().await?;
    ensure!(world.judge(0).await?[0].len() == 3);
    calm(&world)
}

/// Without this a node whose index is behind holds every round, although the other knows better.
#[tokio::test]
async fn f22_a_receipt_that_one_node_does_not_have_is_found_at_the_other() {
    together(2, [0usize, 1], hidden_receipt).await;
}

async fn hidden_receipt(hides: usize) -> Result<()> {
    let (world, others) = World::with_nodes(quick(), 1).await?;
    let hides = if hides == 0 { &world.proxy } else { &others[0] };
    hides.fault(Rule::new(RpcFault::HideReceipt));
    let daemon = world.daemon(BINARY, &[])?;
    for price in prices().take(3) {
        publish(&world, price).await?;
    }
    world.settled().await?;
    daemon.drain().await?;
    ensure!(world.judge(0).await?[0].len() == 3);
    ensure!(world.logged("PUB-5020")?.is_empty(), "a slow index is no contradiction");
    calm(&world)
}

/// Without this a round is closed that never was on the chain.
#[tokio::test]
async fn f04_a_receipt_that_one_node_forges_is_not_believed() {
    let (world, others) = World::with_nodes(Options::manual("depth:12"), 1).await.unwrap();
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"").unwrap();
    for proxy in [&world.proxy, &others[0]] {
        proxy.fault(Rule::new(RpcFault::FalseSuccess).on("eth_sendRawTransaction"));
    }
    world.proxy.fault(Rule::new(RpcFault::ForgedReceipt));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-2004", 1).await.unwrap();
    for _ in 0..3 {
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    let told = world.said("PUB-5020", 1).await.unwrap();
    assert_eq!(told[0]["what"], "receipt");
    assert!(world.logged("PUB-2009").unwrap().is_empty(), "{:?}", world.logged("PUB-2009"));
    for proxy in [&world.proxy, &others[0]] {
        proxy.clear();
    }
    world
        .wait(SOON, "the round lands", async || {
            world.mine(1).await?;
            world.seen().await?;
            Ok(world.round(world.feed()).await? == 1)
        })
        .await
        .unwrap();
    world.said("PUB-2009", 1).await.unwrap();
    drop(daemon);
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
    calm(&world).unwrap();
}

/// Which node makes blocks up, how many real ones it takes back, and how far ahead it claims to be.
const INVENTIONS: [(usize, u64, u64); 4] = [(0, 0, 50), (0, 6, 0), (1, 0, 50), (1, 6, 0)];

/// Without this one node that makes blocks up closes rounds that never were, convicts our own account of theft, or
/// halts the chain for a violation of finality.
#[tokio::test]
async fn f07_f32_blocks_that_one_node_makes_up_end_nothing() {
    together(2, INVENTIONS, inventions).await;
}

async fn inventions((liar, back, ahead): (usize, u64, u64)) -> Result<()> {
    let (world, others) = World::with_nodes(quick(), 1).await?;
    // A machine that is busy may keep the blocks themselves for seconds.
    world.edit("block_time = \"1s\"", "block_time = \"3s\"")?;
    let proxy = if liar == 0 { &world.proxy } else { &others[0] };
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    let (height, _) = world.head().await?;
    let fork = proxy.head().await?;
    world.wait(SOON, "some blocks", async || Ok(world.head().await?.0 >= height + back)).await?;
    world.seen().await?;
    proxy.fault(Rule::new(RpcFault::Invents { fork, ahead }));
    publish(&world, prices.next().unwrap()).await?;
    if liar == 0 {
        let told = world.said("PUB-5020", 1).await?;
        ensure!(told[0]["what"] == "head" && told[0]["level"] == "ERROR", "{told:?}");
    }
    stands(&world, 1 - liar, "alive", true).await?;
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    calm(&world)?;
    proxy.clear();
    publish(&world, prices.next().unwrap()).await?;
    world.settled().await?;
    daemon.drain().await?;
    ensure!(world.judge(0).await?[0].len() == 4);
    calm(&world)
}

/// Without this the return of the nodes releases every round that was missed, or wakes nobody.
#[tokio::test]
async fn f17_all_nodes_go_and_come_back_and_one_fresh_round_follows() {
    let (world, others) = World::with_nodes(quick(), 2).await.unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    world.settled().await.unwrap();
    let all = || others.iter().chain([&world.proxy]);
    all().for_each(|proxy| proxy.set_upstream(NOWHERE));
    world.said("PUB-5005", 3).await.unwrap();
    world.wait(SOON, "not ready", async || Ok(world.get("/readyz").await?.0 == 503)).await.unwrap();
    let mut last = 0;
    for (price, answer) in prices.take(5) {
        world.venues.market().set_price("BTC/USD", &price).unwrap();
        last = answer;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(daemon.is_running().unwrap());
    all().for_each(|proxy| proxy.set_upstream(&world.node.endpoint()));
    world.said("PUB-5006", 3).await.unwrap();
    world.wait_answer(world.feed(), last, SOON).await.unwrap();
    world.wait(SOON, "ready again", async || Ok(world.get("/readyz").await?.0 == 200)).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    calm(&world).unwrap();
}

/// Without this one node that is away keeps a publisher from starting, and one of another chain does not.
#[tokio::test]
async fn at_the_start_a_node_that_is_away_is_a_warning_and_another_chain_is_a_refusal() {
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    let path = world.config().display().to_string();
    let check = ["check", "--online", "--config", &path];
    world.proxy.set_upstream(NOWHERE);
    let ran = run(BINARY, world.dir.path(), &check, &[]).await.unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("works, with warnings"), "{}", ran.out);
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    publish(&world, prices.next().unwrap()).await.unwrap();
    let warned = world.said("PUB-5013", 1).await.unwrap();
    assert!(warned.iter().any(|line| line["what"] == format!("node {}", world.proxy.url())), "{warned:?}");
    let status = run(BINARY, world.dir.path(), &["status", "--config", &path], &[]).await.unwrap();
    for (proxy, state) in [(&world.proxy, "unreachable"), (&others[0], "alive")] {
        let line = status.out.lines().find(|line| line.contains(&proxy.url()));
        assert!(line.is_some_and(|line| line.contains(state)), "{}", status.out);
    }
    world.proxy.set_upstream(&world.node.endpoint());
    stands(&world, 0, "alive", false).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();

    others[0].fault(Rule::new(RpcFault::ChainId(139)));
    let ran = run(BINARY, world.dir.path(), &check, &[]).await.unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = ran.out.lines().find(|line| line.contains(&others[0].url()));
    assert!(line.is_some_and(|line| line.contains("WRONG") && line.contains("139")), "{}", ran.out);
    let before = sends(&world.proxy) + sends(&others[0]);
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    assert_eq!(daemon.ended().await.unwrap().code(), Some(64));
    let refused = world.said("PUB-5015", 1).await.unwrap();
    assert!(refused.iter().any(|line| line["what"] == format!("node {}", others[0].url())), "{refused:?}");
    assert_eq!(world.round(world.feed()).await.unwrap(), 1);
    assert_eq!(sends(&world.proxy) + sends(&others[0]), before);
}

/// Without this a private relay is asked what it cannot answer, or is never sent anything.
#[tokio::test]
async fn a_node_that_is_only_sent_to_gets_every_transaction_and_is_never_read() {
    let (world, others) = World::with_nodes(quick(), 1).await.unwrap();
    let relay = &others[0];
    let url = format!("url = \"{}\"", relay.url());
    world.edit(&url, &format!("{url}, send_only = true")).unwrap();
    // The node that is read takes none, so that the relay is what they land by.
    world.proxy.fault(Rule::new(RpcFault::FalseSuccess).on("eth_sendRawTransaction"));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in prices().take(2) {
        publish(&world, price).await.unwrap();
    }
    assert_eq!(node(&world, 1).await.unwrap()["send_only"], true);
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
    assert_eq!((reads(relay), world.proxy.forwarded().len()), (0, 0));
    assert!(relay.forwarded().len() >= 2);
    calm(&world).unwrap();
}
