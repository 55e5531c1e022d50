//! The daemon before every client's pool: what anvil forgives, they do not. Each round lands exactly once all the same.

use crate::BINARY;
use alloy::consensus::TxEnvelope;
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{B256, Bytes};
use alloy::providers::Provider;
use anyhow::{Context, Result, ensure};
use publisher_tests::daemon::Daemon;
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::{
    BESU, BESU_ZERO_GAS, Forwarded, NETHERMIND, OP, Offer, PERSONALITIES, Personality, Refused, Replacement,
    RpcFault, Rule,
};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::{Value, json};

/// Prices that all deviate from the one before.
fn prices() -> impl Iterator<Item = String> {
    (0u64..).map(|n| (60_000 + n * 700).to_string())
}

/// A world whose node is this client. Nothing that was taken is sent again by the clock alone, and no answer grows old
/// while a busy machine waits.
async fn world(client: &'static Personality) -> Result<World> {
    let finality = if client.name == OP.name { "op-stack" } else { "depth:12" };
    let mut options = Options::manual(finality);
    if client.name == BESU_ZERO_GAS.name {
        options.fees = "zero-gas";
        options.anvil = &["--no-mining", "--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"];
    }
    let world = World::new(options).await?;
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"")?;
    world.edit("max_age = \"10s\"", "max_age = \"5m\"")?;
    world.configure("[chain.timing]\nresend = \"5m\"\nretry_max = \"1s\"")?;
    world.proxy.impersonate(client).await;
    Ok(world)
}

/// A daemon that has published its first round, and the prices for the next ones.
async fn begun(world: &World) -> Result<(Daemon, impl Iterator<Item = String> + use<>)> {
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    world.publish(&prices.next().context("no price")?).await?;
    Ok((daemon, prices))
}

/// Two rounds are on the chain, and nothing else.
async fn ended(world: &World, daemon: Daemon) -> Result<()> {
    daemon.kill()?;
    let rounds = world.judge(0).await?[0].len();
    ensure!(rounds == 2, "{rounds} rounds are on the chain");
    Ok(())
}

/// Clients that have words for a refusal.
fn who_say(refused: Refused) -> impl Iterator<Item = &'static Personality> {
    PERSONALITIES.into_iter().filter(move |client| client.words(refused).is_some())
}

fn offer(sent: &Forwarded) -> Result<Offer> {
    Ok(Offer::of(&TxEnvelope::decode_2718_exact(&sent.raw)?))
}

/// Sends what nobody but the test made through the proxy; the client's answer.
async fn send(world: &World, raw: &Bytes) -> Result<Value> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]});
    Ok(reqwest::Client::new().post(world.proxy.url()).json(&call).send().await?.json().await?)
}

/// How often the daemon has told of this outcome, of one transaction or of any.
fn outcomes(world: &World, outcome: &str, of: Option<B256>) -> Result<usize> {
    let told = world.logged("PUB-2004")?;
    let is_of = |line: &Value| of.is_none_or(|hash| line["hash"] == hash.to_string());
    Ok(told.iter().filter(|line| line["outcome"] == outcome && is_of(line)).count())
}

/// Waits until the daemon has told of this outcome.
async fn told(world: &World, outcome: &str, of: B256) -> Result<()> {
    world
        .wait(SOON, &format!("{of} is {outcome}"), async || Ok(outcomes(world, outcome, Some(of))? > 0))
        .await
}

/// Moves the market and waits until the pool has the transaction that follows.
async fn sent(world: &World, price: &str) -> Result<Forwarded> {
    let known = world.proxy.forwarded().len();
    world.venues.market().set_price("BTC/USD", price)?;
    world.sent_after(known).await
}

/// Without this a stuck round is replaced by what a real pool refuses, or by more than it asks for.
#[tokio::test]
async fn f09_f35_a_stuck_round_is_replaced_by_exactly_what_each_client_takes() {
    together(2, PERSONALITIES, replaced).await;
}

async fn replaced(client: &'static Personality) -> Result<()> {
    let world = world(client).await?;
    world.edit("[chain.timing]", "[chain.timing]\nbump_heads = 2")?;
    let (daemon, mut prices) = begun(&world).await?;
    world.seen().await?;
    world.proxy.hold().await;
    let stuck = sent(&world, &prices.next().unwrap()).await?;
    told(&world, "accepted", stuck.hash).await?;
    let old = offer(&stuck)?;
    if client.replacement != (Replacement::EffectivePrice { percent: 0 }) {
        let nearly = |wei: u128| wei * 10_999 / 10_000;
        let less = Offer { cap_wei: nearly(old.cap_wei), tip_wei: nearly(old.tip_wei) };
        let answer = send(&world, &world.foreign_at(1, less)?).await?;
        let words = client.words(Refused::Replacement).context("no words")?;
        ensure!(
            (&answer["error"]["code"], &answer["error"]["message"]) == (&words.0.into(), &words.1.into())
        );
    }
    world.price("BTC/USD", &prices.next().unwrap()).await?;
    let known = world.proxy.forwarded().len();
    for _ in 0..2 {
        world.mine(1).await?;
        world.seen().await?;
    }
    let second = world.sent_after(known).await?;
    told(&world, "accepted", second.hash).await?;
    let head = world.owner.get_block_by_number(Default::default()).await?.context("no head")?;
    let base_fee_wei = head.header.base_fee_per_gas.unwrap_or_default().into();
    let new = offer(&second)?;
    for (field, raised, less) in [
        ("cap", new.cap_wei > old.cap_wei, Offer { cap_wei: new.cap_wei.saturating_sub(1), ..new }),
        ("tip", new.tip_wei > old.tip_wei, Offer { tip_wei: new.tip_wei.saturating_sub(1), ..new }),
    ] {
        let enough = client.replacement.takes(old, less, base_fee_wei);
        ensure!(!raised || !enough, "{new:?} after {old:?} offers a {field} higher than it must");
    }
    world.proxy.release().await;
    world.mined(&second).await?;
    ensure!(outcomes(&world, "replacement_underpriced", None)? == 0, "it offered what the client refuses");
    daemon.kill()?;
    let rounds = world.judge(0).await?.remove(0);
    let answers: Vec<i128> = rounds.iter().map(|round| round.answer).collect();
    ensure!(answers == [6_000_000_000_000, 6_140_000_000_000], "{answers:?}");
    Ok(())
}

/// Without this a round whose transaction returns to the pool by itself is paid for twice, and one whose transaction
/// does not is lost.
#[tokio::test]
async fn f25_f26_a_reorg_gives_the_transaction_back_or_loses_it_and_there_is_never_a_second_one() {
    together(2, PERSONALITIES, taken_back).await;
}

async fn taken_back(client: &'static Personality) -> Result<()> {
    let world = world(client).await?;
    let (daemon, mut prices) = begun(&world).await?;
    let sent = world.publish(&prices.next().unwrap()).await?;
    world.mine(1).await?;
    world.seen().await?;
    world.reorg(2, &[]).await?;
    world.said("PUB-2010", 1).await?;
    world.sent_times(sent.hash, 2).await?;
    if client.repools {
        told(&world, "known", sent.hash).await?;
    }
    world.mined(&sent).await?;
    ensure!(world.transactions().len() == 2, "another transaction was made");
    ended(&world, daemon).await
}

/// Without this a client's own words for "I have it" make the daemon believe that the bytes were never sent.
#[tokio::test]
async fn f02_f10_a_duplicate_is_success_in_every_clients_words() {
    together(2, PERSONALITIES, duplicated).await;
}

async fn duplicated(client: &'static Personality) -> Result<()> {
    let world = world(client).await?;
    let (daemon, mut prices) = begun(&world).await?;
    world.proxy.fault(Rule::new(RpcFault::DropAfterForward).on("eth_sendRawTransaction").times(1));
    let sent = sent(&world, &prices.next().unwrap()).await?;
    told(&world, "known", sent.hash).await?;
    world.mined(&sent).await?;
    ensure!(world.transactions().len() == 2, "another transaction was made");
    ended(&world, daemon).await
}

/// Without this an account whose nonce has a dearer transaction in the pool offers the same for ever, or takes the
/// refusal for success.
#[tokio::test]
async fn f09_a_refused_replacement_is_raised_until_the_client_takes_it() {
    let paid = PERSONALITIES.into_iter().filter(|client| client.name != BESU_ZERO_GAS.name);
    together(2, paid, refused).await;
}

async fn refused(client: &'static Personality) -> Result<()> {
    let world = world(client).await?;
    let daemon = world.daemon(BINARY, &[])?;
    let mut prices = prices();
    let first = offer(&world.publish(&prices.next().unwrap()).await?)?;
    let dearer = |wei: u128| wei * 105 / 100;
    let planted = Offer { cap_wei: dearer(first.cap_wei), tip_wei: dearer(first.tip_wei) };
    world.proxy.plant(&world.foreign_at(1, planted)?).await?;
    let refused = sent(&world, &prices.next().unwrap()).await?;
    told(&world, "replacement_underpriced", refused.hash).await?;
    let mut last = refused;
    world
        .wait(SOON, "the client takes one", async || {
            last = world.transactions().pop().context("nothing was sent")?;
            Ok(outcomes(&world, "accepted", Some(last.hash))? > 0)
        })
        .await?;
    world.mined(&last).await?;
    let offers: Vec<Offer> = world.transactions().iter().map(offer).collect::<Result<_>>()?;
    let rises = offers.array_windows().skip(1);
    ensure!(rises.clone().count() > 0 && rises.into_iter().all(|[a, b]| b.cap_wei > a.cap_wei), "{offers:?}");
    ended(&world, daemon).await
}

/// Without this a client that is full for a while costs a round, or a second signature.
#[tokio::test]
async fn f12_a_full_pool_is_waited_for_with_the_same_bytes() {
    together(2, who_say(Refused::PoolFull).map(|client| (client, Refused::PoolFull)), waited_for).await;
}

/// Without this a node that comes into sync or opens its pool has to be waited for by an operator.
#[tokio::test]
async fn f20_a_node_that_syncs_or_has_no_pool_is_waited_for_with_the_same_bytes() {
    let syncing = [&BESU, &NETHERMIND].map(|client| (client, Refused::Syncing));
    together(2, syncing.into_iter().chain([(&BESU, Refused::PoolClosed)]), waited_for).await;
}

async fn waited_for((client, refused): (&'static Personality, Refused)) -> Result<()> {
    let world = world(client).await?;
    let (daemon, mut prices) = begun(&world).await?;
    let calls = world.proxy.calls("eth_sendRawTransaction");
    world.proxy.fault(Rule::new(RpcFault::Refuses(refused)).on("eth_sendRawTransaction").times(3));
    let sent = sent(&world, &prices.next().unwrap()).await?;
    told(&world, if refused == Refused::PoolFull { "pool_full" } else { "node_unready" }, sent.hash).await?;
    ensure!(world.proxy.calls("eth_sendRawTransaction") >= calls + 4, "it was not refused three times");
    world.mined(&sent).await?;
    ensure!(world.logged("PUB-2002")?.len() == 2, "something was signed anew");
    ended(&world, daemon).await
}

/// Without this an account that a permissioned network locks out burns signatures, or cannot come back.
#[tokio::test]
async fn f21_an_account_that_besu_does_not_permit_signs_nothing_more_until_it_is_permitted() {
    let world = world(&BESU).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let mut prices = prices();
    world.publish(&prices.next().unwrap()).await.unwrap();
    let calls = world.proxy.calls("eth_sendRawTransaction");
    world.proxy.fault(Rule::new(RpcFault::Refuses(Refused::Forbidden)));
    world.venues.market().set_price("BTC/USD", &prices.next().unwrap()).unwrap();
    world.wait(SOON, "it is told", async || Ok(outcomes(&world, "forbidden", None)? == 1)).await.unwrap();
    for price in prices.take(3) {
        world.price("BTC/USD", &price).await.unwrap();
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    assert_eq!(world.proxy.calls("eth_sendRawTransaction"), calls + 1, "it was not tried slowly");
    assert_eq!(world.logged("PUB-2002").unwrap().len(), 2, "it signed what cannot be sent");
    // A restart does not wait for the slow clock.
    daemon.kill().unwrap();
    world.proxy.clear();
    let known = world.proxy.forwarded().len();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.sent_after(known).await.unwrap();
    world.mined(&sent).await.unwrap();
    daemon.kill().unwrap();
    assert!(world.judge(0).await.unwrap()[0].len() >= 2);
}

/// Without this a block that only the sequencer stands behind counts as final.
#[tokio::test]
async fn a_round_on_the_op_stack_is_over_when_its_block_is_safe_and_not_before() {
    let world = world(&OP).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.publish("60000").await.unwrap();
    for _ in 0..2 {
        world.mine(1).await.unwrap();
        world.seen().await.unwrap();
    }
    assert!(world.logged("PUB-2011").unwrap().is_empty(), "an unsafe block counted as final");
    world.mine(1).await.unwrap();
    world.said("PUB-2011", 1).await.unwrap();
    daemon.kill().unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
}

/// Without this a Besu network is configured for a finality that it never reaches.
#[tokio::test]
async fn besu_knows_no_finalized_block_and_the_daemon_refuses_to_wait_for_one() {
    let world = world(&BESU).await.unwrap();
    let garbage = send(&world, &Bytes::from_static(b"\x02garbage")).await.unwrap();
    assert_eq!(garbage["error"]["code"], -32602);
    world.edit("depth:12", "tag").unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    assert_eq!(daemon.ended().await.unwrap().code(), Some(64));
    assert!(world.log_text().contains("finalized"), "{}", world.log_text());
}
