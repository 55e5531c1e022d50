//! Replicas with one journal on PostgreSQL: who publishes, who takes over, and what a zombie may not do.

use crate::BINARY;
use alloy::primitives::Address;
use anyhow::{Result, ensure};
use publisher::store::Location;
use publisher_tests::cli::run;
use publisher_tests::miner::SOON;
use publisher_tests::postgres::Postgres;
use publisher_tests::replica::{Replica, shared};
use publisher_tests::tcp_relay::TcpRelay;
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A world whose rounds are final within three seconds, and the database that its daemons share, if there can be one.
async fn deployment(feeds: usize) -> Option<(World, Postgres)> {
    shared(Options { finality: "depth:2", feeds, ..Options::default() }).await.unwrap()
}

fn all(world: &World) -> BTreeSet<Address> {
    world.accounts().into_iter().collect()
}

/// Every feed gets another price, and publishes it.
async fn rounds(world: &World, price: u64) -> Result<()> {
    for feed in &world.feeds {
        world.venues.market().set_price(feed.pair, &price.to_string())?;
    }
    for feed in &world.feeds {
        world.wait_answer(feed, i64::try_from(price * 100_000_000)?, SOON).await?;
    }
    Ok(())
}

/// Everything on chain is right, exactly once, and known to the journal.
async fn judge(world: &World) -> Result<()> {
    world.settled().await?;
    world.judge(0).await?;
    Ok(())
}

/// Two replicas of which the first was there first.
async fn two(world: &World, first: &str, second: &str) -> Result<(Replica, Replica)> {
    let leader = world.replica(BINARY, first, &[])?;
    world.wait_held(&leader, &all(world), SOON).await?;
    let standby = world.replica(BINARY, second, &[])?;
    world.wait(SOON, "the standby says so", async || Ok(!standby.logged("PUB-4008")?.is_empty())).await?;
    Ok((leader, standby))
}

/// How long after `began` a replica held every account.
async fn takes_over(world: &World, replica: &Replica, began: Instant) -> Result<Duration> {
    world.wait_held(replica, &all(world), SOON).await?;
    Ok(began.elapsed())
}

/// Without this a process that was frozen and wakes up publishes beside the one that replaced it.
#[tokio::test]
async fn f59_a_frozen_leader_is_replaced_within_8_s_and_writes_nothing_when_it_wakes() {
    let Some((world, server)) = deployment(1).await else { return };
    let (leader, standby) = two(&world, &server.url(), &server.url()).await.unwrap();
    rounds(&world, 61_000).await.unwrap();
    let before = server.sql("oracle", "SELECT max(epoch) FROM lease").unwrap();

    leader.daemon.signal("STOP").unwrap();
    let took = takes_over(&world, &standby, Instant::now()).await.unwrap();
    assert!(took <= Duration::from_secs(8), "the take-over took {took:?}");
    rounds(&world, 62_000).await.unwrap();
    let after = server.sql("oracle", "SELECT max(epoch) FROM lease").unwrap();
    assert!(after.parse::<u64>().unwrap() > before.parse::<u64>().unwrap(), "{before} {after}");
    let known = server.sql("oracle", "SELECT count(*) FROM attempt").unwrap();

    leader.daemon.signal("CONT").unwrap();
    world
        .wait(SOON, "the zombie notices", async || Ok(!leader.logged("PUB-4006")?.is_empty()))
        .await
        .unwrap();
    assert_eq!(server.sql("oracle", "SELECT count(*) FROM attempt").unwrap(), known, "a zombie wrote");
    rounds(&world, 63_000).await.unwrap();
    assert_eq!(leader.held().await.unwrap(), BTreeSet::new());
    judge(&world).await.unwrap();
}

/// Without this five feeds stand still because one process died, or one of their rounds is lost or doubled.
#[tokio::test]
async fn five_feeds_are_shared_by_two_replicas_and_taken_over_when_one_is_killed() {
    let Some((world, server)) = deployment(5).await else { return };
    let first = world.replica(BINARY, &server.url(), &[]).unwrap();
    let second = world.replica(BINARY, &server.url(), &[]).unwrap();
    world
        .wait(SOON, "the accounts are shared", async || {
            let (Ok(first), Ok(second)) = (first.held().await, second.held().await) else { return Ok(false) };
            let together: BTreeSet<Address> = first.union(&second).copied().collect();
            Ok(first.len().min(second.len()) == 2 && together == all(&world))
        })
        .await
        .unwrap();
    rounds(&world, 101).await.unwrap();
    // In the middle of the next rounds.
    for feed in &world.feeds {
        world.venues.market().set_price(feed.pair, "103").unwrap();
    }
    first.daemon.kill().unwrap();
    let took = takes_over(&world, &second, Instant::now()).await.unwrap();
    assert!(took <= Duration::from_secs(8), "the take-over took {took:?}");
    for feed in &world.feeds {
        world.wait_answer(feed, 10_300_000_000, SOON).await.unwrap();
    }
    rounds(&world, 105).await.unwrap();
    judge(&world).await.unwrap();
}

/// Without this a leader that cannot reach the database goes on beside its successor.
#[tokio::test]
async fn f60_a_leader_cut_off_from_the_database_stops_before_its_lease_ends() {
    let Some((world, server)) = deployment(1).await else { return };
    let wire = TcpRelay::start((Ipv4Addr::LOCALHOST, server.port()).into()).await.unwrap();
    let through = format!("postgres://oracle@127.0.0.1:{}/oracle", wire.address().port());
    let (leader, standby) = two(&world, &through, &server.url()).await.unwrap();
    rounds(&world, 61_000).await.unwrap();
    // No transaction gets further than its beginning.
    wire.mute(true);
    let took = takes_over(&world, &standby, Instant::now()).await.unwrap();
    assert!(took <= Duration::from_secs(8), "the take-over took {took:?}");
    world.wait(SOON, "it stops itself", async || Ok(!leader.logged("PUB-4006")?.is_empty())).await.unwrap();
    let stopped = leader.logged("PUB-4006").unwrap();
    let taken = standby.logged("PUB-4004").unwrap();
    let at = |line: &serde_json::Value| line["timestamp"].as_str().unwrap_or_default().to_owned();
    assert!(at(&stopped[0]) < at(taken.last().unwrap()), "{stopped:?} {taken:?}");
    rounds(&world, 62_000).await.unwrap();
    wire.mute(false);
    world
        .wait(SOON, "it finds the database again", async || Ok(!leader.logged("PUB-5010")?.is_empty()))
        .await
        .unwrap();
    rounds(&world, 63_000).await.unwrap();
    judge(&world).await.unwrap();
}

/// Without this every update of the program costs a lease's length without rounds.
#[tokio::test]
async fn f79_sigterm_hands_over_at_once() {
    let Some((world, server)) = deployment(2).await else { return };
    let (leader, standby) = two(&world, &server.url(), &server.url()).await.unwrap();
    rounds(&world, 61_000).await.unwrap();
    world.settled().await.unwrap();
    let began = Instant::now();
    leader.daemon.drain().await.unwrap();
    let ended = began.elapsed();
    let took = takes_over(&world, &standby, began).await.unwrap();
    // Shorter than a lease: it was given up, and did not run out.
    assert!(ended <= Duration::from_secs(10) && took <= ended + Duration::from_secs(4), "{ended:?} {took:?}");
    rounds(&world, 62_000).await.unwrap();
    judge(&world).await.unwrap();
}

/// Without this a round is sent of which nobody knows after a crash, or none is ever sent again.
#[tokio::test]
async fn f54_nothing_is_sent_while_the_database_is_down_and_everything_when_it_is_back() {
    let Some((world, mut server)) = deployment(1).await else { return };
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 61_000).await.unwrap();
    world.settled().await.unwrap();
    let sent = world.transactions().len();
    server.crash().unwrap();
    world.venues.market().set_price("BTC/USD", "62000").unwrap();
    world.wait(SOON, "it says so", async || Ok(!replica.logged("PUB-5009")?.is_empty())).await.unwrap();
    world
        .wait(SOON, "it gives its lease up", async || Ok(!replica.logged("PUB-4006")?.is_empty()))
        .await
        .unwrap();
    let ready = replica.page("/readyz").await.unwrap();
    assert!(ready.to_string().contains("journal_unavailable"), "{ready}");
    assert_eq!(world.transactions().len(), sent, "sent without a journal");
    server.resume().unwrap();
    world.wait_answer(world.feed(), 6_200_000_000_000, SOON).await.unwrap();
    judge(&world).await.unwrap();
}

/// Without this a commit whose answer was lost is written, or sent, a second time.
#[tokio::test]
async fn f55_connections_that_are_cut_off_again_and_again_double_nothing() {
    let Some((world, server)) = deployment(2).await else { return };
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 61_000).await.unwrap();
    for price in (62_000..66_000).step_by(1_000) {
        for feed in &world.feeds {
            world.venues.market().set_price(feed.pair, &price.to_string()).unwrap();
        }
        world
            .wait(SOON, "the round", async || {
                server.sql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'oracle' AND pid <> pg_backend_pid()",
                )?;
                let mut all = true;
                for feed in &world.feeds {
                    let answer = world.aggregator(feed).latestAnswer().call().await?;
                    all &= answer.to_string() == format!("{price}00000000");
                }
                Ok(all)
            })
            .await
            .unwrap();
    }
    assert!(!replica.logged("PUB-5009").unwrap().is_empty(), "it was never cut off");
    judge(&world).await.unwrap();
}

/// Without this a database that takes no writes is worse than none.
#[tokio::test]
async fn f56_a_database_that_takes_no_writes_is_waited_for() {
    let Some((world, server)) = deployment(1).await else { return };
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 61_000).await.unwrap();
    world.settled().await.unwrap();
    let sent = world.transactions().len();
    // It holds for new connections, so the old ones are ended.
    let read_only = |on: &str| {
        let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'oracle'";
        server.sql("postgres", &format!("ALTER DATABASE oracle SET default_transaction_read_only = {on}"))?;
        server.sql("postgres", all)
    };
    read_only("on").unwrap();
    world.venues.market().set_price("BTC/USD", "62000").unwrap();
    world.wait(SOON, "it says so", async || Ok(!replica.logged("PUB-5009")?.is_empty())).await.unwrap();
    world
        .wait(SOON, "it gives its lease up", async || Ok(!replica.logged("PUB-4006")?.is_empty()))
        .await
        .unwrap();
    assert_eq!(world.transactions().len(), sent, "sent without a journal");
    read_only("off").unwrap();
    world.wait_answer(world.feed(), 6_200_000_000_000, SOON).await.unwrap();
    judge(&world).await.unwrap();
}

/// Restores, as an administrator does: what was called oracle is called former from now on, and the backup oracle.
async fn restored(world: &mut World, server: &Postgres) -> Result<()> {
    for (from, to) in [("oracle", "former"), ("backup", "oracle")] {
        renamed(world, server, &format!("ALTER DATABASE {from} RENAME TO {to}")).await?;
    }
    world.databases.insert(0, Location::Server(server.url_of("former").parse()?));
    Ok(())
}

/// Carries out what PostgreSQL refuses as long as the last connection has not quite ended.
async fn renamed(world: &World, server: &Postgres, statement: &str) -> Result<()> {
    world.wait(SOON, statement, async || Ok(server.sql("postgres", statement).is_ok())).await
}

/// Without this a restored backup publishes rounds again that the chain has long had, on one replica or the other.
#[tokio::test]
async fn f57_a_restored_backup_of_the_database_halts_every_replica_and_makes_no_duplicate() {
    let Some((mut world, server)) = deployment(1).await else { return };
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 61_000).await.unwrap();
    world.settled().await.unwrap();
    replica.daemon.drain().await.unwrap();
    renamed(&world, &server, "CREATE DATABASE backup TEMPLATE oracle").await.unwrap();
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 62_000).await.unwrap();
    rounds(&world, 63_000).await.unwrap();
    world.settled().await.unwrap();
    replica.daemon.drain().await.unwrap();
    restored(&mut world, &server).await.unwrap();

    let sent = world.transactions().len();
    let (leader, standby) = two(&world, &server.url(), &server.url()).await.unwrap();
    let told = async || Ok(leader.logged("PUB-2012")?.iter().any(|line| line["nonce"] == 1));
    world.wait(SOON, "the leader says what it cannot explain", told).await.unwrap();
    world.wait(SOON, "it halts", async || Ok(!leader.logged("PUB-4001")?.is_empty())).await.unwrap();
    leader.daemon.drain().await.unwrap();
    world.wait_held(&standby, &all(&world), SOON).await.unwrap();
    world.wait(SOON, "the halt stays", async || Ok(!standby.logged("PUB-4001")?.is_empty())).await.unwrap();
    world.price("BTC/USD", "64000").await.unwrap();
    standby.daemon.drain().await.unwrap();
    assert_eq!(world.transactions().len(), sent, "sent while halted");

    let _acknowledged = world.replica(BINARY, &server.url(), &["--acknowledge-halts"]).unwrap();
    rounds(&world, 65_000).await.unwrap();
    judge(&world).await.unwrap();
}

/// What the standby that is promoted does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// How a round ended.
    End,
    /// Everything about a round.
    Round,
}

/// Without this a fail-over to a server that lacks the last commits gives their nonces away a second time, or leaves a
/// round that was on its way to itself.
#[tokio::test]
async fn f58_after_a_fail_over_that_lost_commits_everything_is_recovered_before_anything_is_sent() {
    together(2, [Unknown::End, Unknown::Round], failed_over).await;
}

async fn failed_over(unknown: Unknown) -> Result<()> {
    // Blocks come when they are asked for, or the copy of the server would come too late.
    let options = Options { finality: "depth:2", ..Options::manual("depth:2") };
    let Some((mut world, mut server)) = shared(options).await? else { return Ok(()) };
    world.edit("block_time = \"1s\"", "block_time = \"200ms\"")?;
    let wire = TcpRelay::start((Ipv4Addr::LOCALHOST, server.port()).into()).await?;
    let url = format!("postgres://oracle@{}/oracle", wire.address());
    let replica = world.replica(BINARY, &url, &[])?;
    let sent = async |world: &World, price: &str| {
        let known = world.proxy.forwarded().len();
        world.venues.market().set_price("BTC/USD", price)?;
        world.pooled(world.sent_after(known).await?.hash).await
    };
    sent(&world, "61000").await?;
    world.mine(4).await?;
    world.settled().await?;
    if unknown == Unknown::End {
        sent(&world, "62000").await?;
    }
    let standby = server.standby(true)?;
    if unknown == Unknown::Round {
        sent(&world, "62000").await?;
    }
    world.mine(4).await?;
    world.settled().await?;
    let known = world.transactions().len();
    server.crash()?;
    standby.promote()?;
    wire.lead_to((Ipv4Addr::LOCALHOST, standby.port()).into());
    world.databases.push(Location::Server(standby.url().parse()?));

    world.wait(SOON, "the lease is taken anew", async || Ok(replica.logged("PUB-4004")?.len() > 1)).await?;
    let mut replica = replica;
    match unknown {
        Unknown::End => {
            world.settled().await?;
            ensure!(world.transactions().len() == known, "the round had landed");
            sent(&world, "63000").await?;
        }
        Unknown::Round => {
            let told = async || {
                world.mine(1).await?; // It looks twice, at different heights.
                Ok(replica.logged("PUB-2012")?.iter().any(|line| line["nonce"] == 1))
            };
            world.wait(SOON, "it says what it cannot explain", told).await?;
            world.halted().await?;
            world.price("BTC/USD", "64000").await?;
            ensure!(world.transactions().len() == known, "sent while halted");
            let sent = world.proxy.forwarded().len();
            replica.daemon.end()?;
            replica = world.replica(BINARY, &url, &["--acknowledge-halts"])?;
            world.pooled(world.sent_after(sent).await?.hash).await?;
        }
    }
    world.mine(4).await?;
    server.resume()?; // The judge wants to know what it knew.
    judge(&world).await?;
    replica.daemon.drain().await
}

/// Without this the first that an operator hears of a wrong database is that nothing is published.
#[tokio::test]
async fn check_online_says_what_is_wrong_with_the_database() {
    let Some((world, mut server)) = deployment(1).await else { return };
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    rounds(&world, 61_000).await.unwrap();
    replica.daemon.drain().await.unwrap();
    let mut journal = format!("path = \"{}\"", world.journal().display());
    // The worst of what is said about the journal at a URL, and the exit code.
    let mut check = async |url: String| {
        let url = format!("url = \"{url}\"");
        world.edit(&journal, &url).unwrap();
        journal = url;
        let args = ["check", "--online", "--json"];
        let ran = run(BINARY, world.dir.path(), &args, &[]).await.unwrap();
        let checks = ran.json().unwrap()["checks"].as_array().cloned().unwrap_or_default();
        let about = |check: &&Value| check["what"].as_str().is_some_and(|what| what.starts_with("journal "));
        let said: Vec<String> = checks.iter().filter(about).map(Value::to_string).collect();
        (ran.code, said.join("\n"))
    };
    let cluster = server.sql("oracle", "SELECT cluster FROM lease").unwrap();
    let (code, said) = check(server.url()).await;
    assert!(code == 0 && said.contains("PostgreSQL") && said.contains(&cluster), "{code} {said}");
    assert!(said.contains("chain 138") && said.contains("\"verdict\":\"ok\""), "{said}");
    // The harness does not care for power cuts, and operators should.
    assert!(said.contains("fsync = off") && said.contains("\"verdict\":\"warn\""), "{said}");

    for statement in [
        "CREATE DATABASE none",
        "CREATE DATABASE foreign_chain TEMPLATE oracle",
        "CREATE DATABASE newer TEMPLATE oracle",
        "CREATE DATABASE stranger",
    ] {
        server.sql("postgres", statement).unwrap();
    }
    for (database, statement) in [
        ("foreign_chain", "ALTER TABLE chain DISABLE TRIGGER ALL; UPDATE chain SET chain_id = 1"),
        ("newer", "INSERT INTO _sqlx_migrations VALUES (99991231, 'later', now(), true, '\\x00', 0)"),
        ("stranger", "CREATE TABLE theirs (id BIGINT)"),
    ] {
        server.sql(database, statement).unwrap();
    }
    let standby = server.standby(true).unwrap();
    for (url, code, wanted) in [
        (server.url_of("none"), 0, "no journal yet"),
        (server.url_of("foreign_chain"), 1, "belongs to chain 1 with genesis"),
        (server.url_of("newer"), 1, "use the publisher that wrote it, or a newer one"),
        (server.url_of("stranger"), 1, "tables of another program"),
        (server.url_of("missing"), 69, "check journal.url"),
        (standby.url(), 69, "promote"),
    ] {
        let (ended, said) = check(url).await;
        assert!(ended == code && said.contains(wanted), "{wanted}: {ended} {said}");
    }
    server.crash().unwrap();
    let (code, said) = check(server.url()).await;
    assert!(code == 69 && said.contains("\"verdict\":\"unavailable\""), "{code} {said}");
}

/// Without this a replica whose machine starts before that of the database has to be started by hand.
#[tokio::test]
async fn f54_a_replica_that_starts_before_its_database_waits_for_it() {
    let Some((world, mut server)) = deployment(1).await else { return };
    server.crash().unwrap();
    let replica = world.replica(BINARY, &server.url(), &[]).unwrap();
    let waits =
        async || Ok(replica.logged("PUB-5014")?.iter().any(|line| line.to_string().contains("journal ")));
    world.wait(SOON, "it waits for the database", waits).await.unwrap();
    server.resume().unwrap();
    rounds(&world, 61_000).await.unwrap();
    judge(&world).await.unwrap();
}
