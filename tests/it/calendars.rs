//! Markets that close and open, and rounds at fixed times, under a running daemon.

use crate::BINARY;
use alloy::primitives::keccak256;
use alloy::providers::ext::AnvilApi;
use anyhow::{Context, Result};
use publisher::calendar::utc;
use publisher::store::{Location, RoundEntry};
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::cli::run;
use publisher_tests::journal;
use publisher_tests::miner::SOON;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Statuses take turns of so many seconds all day long: whenever a test begins, and however slow its machine is, the
/// next change is near. Two turns divide a day, so that whose turn it is follows from the time alone.
const TURN_S: i64 = 8;
const DAY_S: i64 = 86_400;
/// So far behind are the times that one venue gives.
const LATE_MS: i64 = 2_000;
/// The price moves so often, by more than the deviation.
const MOVES: Duration = Duration::from_millis(250);

fn now_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// A world of three venues whose feed keeps the hours of a market that is open, and is then something else, in turn.
async fn alternating(other: &str, conduct: &str) -> Result<World> {
    let policy = "heartbeat = \"2s\"\ndeviation = \"0.3%\"\nmax_age = \"10s\"\nbreaker = \"off\"\nsettle = \"off\"\ncalendar = \"turns\"";
    let world = World::new(Options { finality: "depth:1", policy, venues: 3, ..Options::default() }).await?;
    let on_market = match other {
        "closed" => format!("closed = \"{conduct}\""),
        other => format!("closed = \"freeze\"\n{other} = \"{conduct}\""),
    };
    world.configure(&format!(
        "[calendar.turns]\nfile = \"turns.toml\"\n[defaults.policy.on_market]\n{on_market}\nunknown = \"freeze\"\n"
    ))?;
    let time = |s: i64| format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    let mut sessions = String::new();
    for from_s in (0..DAY_S).step_by(usize::try_from(TURN_S)?) {
        let status = if is_open(from_s * 1000) { "open" } else { other };
        if status != "closed" {
            let to_s = (from_s + TURN_S) % DAY_S;
            let (from, to) = (time(from_s), time(to_s));
            writeln!(sessions, "{{ status = \"{status}\", from = \"{from}\", to = \"{to}\" }},")?;
        }
    }
    let today_ms = now_ms()?;
    let date = |days: i64| utc(Wall::from_ms(today_ms + days * DAY_S * 1000))[..10].to_owned();
    let (from, to) = (date(-1), date(2));
    let week = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    let calendar = format!(
        "about = \"A market in a hurry\"\nzone = \"UTC\"\nfrom = \"{from}\"\nto = \"{to}\"\n[[week]]\n{week}\nsessions = [\n{sessions}]\n"
    );
    std::fs::write(world.dir.path().join("turns.toml"), calendar)?;
    Ok(world)
}

/// Which turn it is, counted from 1970.
fn turn(ms: i64) -> i64 {
    ms.div_euclid(TURN_S * 1000)
}

fn is_open(ms: i64) -> bool {
    turn(ms) % 2 == 0
}

/// Moves the price all the time, upwards, until something is so. Returns when each price was set, by its answer.
async fn moving(
    world: &World,
    what: &str,
    mut is: impl AsyncFnMut() -> Result<bool>,
) -> Result<BTreeMap<i128, i64>> {
    let (mut set, mut price, mut moved) = (BTreeMap::new(), 67_000, Instant::now());
    world
        .wait(SOON * 2, what, async || {
            if moved.elapsed() >= MOVES {
                moved = Instant::now();
                price += price / 200;
                // Before venues know it, so that no answer is ahead of it.
                set.insert(i128::from(price) * 100_000_000, now_ms()?);
                world.venues.market().set_price(world.feed().pair, &price.to_string())?;
            }
            is().await
        })
        .await?;
    Ok(set)
}

/// What the journal knows of the feed's rounds, oldest first.
async fn journalled(world: &World) -> Result<Vec<RoundEntry>> {
    let feed = FeedId::new(world.feed().id);
    let mut rounds =
        journal::read(&Location::from(&world.journal()), async |reader| reader.rounds(&feed, 10_000).await)
            .await?;
    rounds.reverse();
    Ok(rounds)
}

/// Why each round was published, by its number.
fn triggers(world: &World) -> Result<BTreeMap<u64, String>> {
    let lines = world.logged("PUB-1001")?;
    let trigger = |line: &Value| Some((line["round"].as_u64()?, line["trigger"].as_str()?.to_owned()));
    lines.iter().map(|line| trigger(line).context("a decision without a round")).collect()
}

/// Without this indications of the night are published as prices of the day, or a feed never comes back in the morning.
#[tokio::test]
async fn a_market_that_closes_silences_its_feed_until_every_quote_is_of_after_the_opening() {
    let world = alternating("closed", "freeze").await.unwrap();
    // Old quotes at an opening: this venue's count for its first seconds, and are young enough for everything else.
    world.venues.market().fault(Venue::Bitstamp, Fault::ClockSkew { ms: -LATE_MS });
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let digest = keccak256(std::fs::read(world.dir.path().join("turns.toml")).unwrap());
    let (mut told, mut closed, mut waiting) = (false, false, false);
    let seen = async || {
        let Ok(page) = world.status().await else { return Ok(false) };
        let market = &page["feeds"][0]["market"];
        told |= market["calendar_digest"] == digest.to_string();
        closed |= market["status"] == "closed" && page["feeds"][0]["hold"] == "market_closed";
        waiting |= market["status"] == "open" && market["conduct"] == "freeze";
        if !told || !closed || !waiting {
            return Ok(false);
        }
        let mornings = journalled(&world).await?;
        Ok(mornings.iter().map(|round| turn(round.planned_at.ms())).collect::<BTreeSet<_>>().len() >= 2)
    };
    moving(&world, "rounds on two mornings, and a silent night seen", seen).await.unwrap();
    world.drain(daemon).await.unwrap();
    let config = world.config();
    let quoted = run(
        BINARY,
        world.dir.path(),
        &["quote", "BTC-USD", "--json", "--config", config.to_str().unwrap()],
        &[],
    )
    .await
    .unwrap();
    let quoted = &quoted.json().unwrap()["market"];
    assert_eq!(
        (&quoted["calendar"], &quoted["calendar_digest"]),
        (&"turns".into(), &digest.to_string().into())
    );
    let mut first = BTreeMap::new();
    for round in journalled(&world).await.unwrap() {
        let decision = round.decision.as_ref().and_then(|decision| decision.market.as_ref()).unwrap();
        let rested = (decision.calendar.as_str(), decision.digest, decision.status.as_str());
        assert_eq!(rested, ("turns", digest, "open"), "round {}", round.number);
        assert_eq!(decision.conduct, "normal", "round {}", round.number);
        let planned_ms = round.planned_at.ms();
        assert!(is_open(planned_ms), "round {} was planned while the market was closed", round.number);
        first.entry(turn(planned_ms)).or_insert(planned_ms % (TURN_S * 1000));
    }
    assert!(first.len() >= 2 && first.values().all(|after_ms| *after_ms >= LATE_MS), "{first:?}");
    let told = world.logged("PUB-1013").unwrap();
    assert!(told.windows(2).all(|pair| pair[0]["status"] != pair[1]["status"]), "{told:#?}");
    assert_eq!(world.logged("PUB-1004").unwrap(), Vec::<Value>::new(), "silence is what was asked for");
    world.judge(0).await.unwrap();
}

/// Without this consumers who measure an answer's age are cut off every night, or are told the night's prices.
#[tokio::test]
async fn heartbeats_of_the_night_repeat_what_was_said_before_it() {
    let world = alternating("post", "heartbeat_only").await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    // In how many nights there were two rounds or more.
    let nights = || -> Result<usize> {
        let triggers = triggers(&world)?;
        let runs = triggers.values().collect::<Vec<_>>();
        let runs = runs.chunk_by(|a, b| (*a == "repeat") == (*b == "repeat"));
        Ok(runs.filter(|run| run.len() >= 2 && *run[0] == "repeat").count())
    };
    let set =
        moving(&world, "two nights with repeated heartbeats", async || Ok(nights()? >= 2)).await.unwrap();
    world.drain(daemon).await.unwrap();
    let (rounds, triggers) = (journalled(&world).await.unwrap(), triggers(&world).unwrap());
    let answers: BTreeMap<u64, i128> =
        world.rounds(world.feed()).await.unwrap().iter().map(|round| (round.round, round.answer)).collect();
    let mut night: Option<(i64, i128)> = None;
    for round in &rounds {
        let (planned_ms, answer) = (round.planned_at.ms(), answers[&round.number]);
        let decision = round.decision.as_ref().unwrap();
        assert_eq!(decision.trigger, triggers[&round.number], "round {}", round.number);
        if triggers[&round.number] != "repeat" {
            assert!(is_open(planned_ms), "round {} is no repetition: {triggers:?}", round.number);
            night = None;
            continue;
        }
        let (began_ms, said) = *night.get_or_insert((turn(planned_ms) * TURN_S * 1000, answer));
        assert_eq!(answer, said, "round {}: one night, one answer", round.number);
        assert!(
            !is_open(began_ms) && set[&said] < began_ms,
            "round {} says what its night said",
            round.number
        );
    }
}

/// What venues of off hours say, all the time: the day's price rises from far above it.
const OFF_HOURS: i128 = 20_000 * 100_000_000;

/// Without this the night's market is given out for the day's or the day's for the night's, a feed is silent in one of
/// them, or nobody sees which of the two an answer was of.
#[tokio::test]
async fn while_its_market_is_closed_a_feed_has_other_sources_and_no_answer_is_of_both() {
    let world = alternating("closed", "switch_source").await.unwrap();
    let others = [Venue::Gemini, Venue::Bitfinex, Venue::CryptoCom];
    let off_hours = "off_hours_sources = [\"gemini:BTCUSD\", \"bitfinex:tBTCUSD\", \"crypto-com:BTC_USD\"]";
    world
        .edit("sources = [\"coinbase:BTC-USD\"", &format!("{off_hours}\nsources = [\"coinbase:BTC-USD\""))
        .unwrap();
    world.configure(&others.map(|venue| world.venue(venue)).concat()).unwrap();
    for venue in others {
        world.venues.market().set_venue_price(venue, world.feed().pair, "20000").unwrap();
    }
    // Old quotes at an opening: until this venue's are of after it, the night's sources go on.
    world.venues.market().fault(Venue::Bitstamp, Fault::ClockSkew { ms: -LATE_MS });
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let (mut switched, mut goes_on) = (false, false);
    let seen = async || {
        let Ok(page) = world.status().await else { return Ok(false) };
        let feed = &page["feeds"][0];
        let of_night = feed["off_hours_sources"].as_array().is_some_and(|sources| sources.len() == 3);
        let is_switched = feed["market"]["conduct"] == "switch_source" && of_night;
        switched |= is_switched && feed["market"]["status"] == "closed" && feed["value"] == "20000";
        goes_on |= is_switched && feed["market"]["status"] == "open" && feed["value"] == "20000";
        if !switched || !goes_on {
            return Ok(false);
        }
        let rounds = journalled(&world).await?;
        let turns: BTreeSet<i64> = rounds.iter().map(|round| turn(round.planned_at.ms())).collect();
        let both = [0, 1].map(|rest| turns.iter().filter(|turn| **turn % 2 == rest).count());
        Ok(both.iter().all(|count| *count >= 2))
    };
    let set = moving(&world, "two days and two nights, and a morning that the night lasts into", seen)
        .await
        .unwrap();
    let config = world.config();
    let args = ["quote", "BTC-USD", "--json", "--config", config.to_str().unwrap()];
    let quoted = run(BINARY, world.dir.path(), &args, &[]).await.unwrap().json().unwrap();
    let is_night = quoted["market"]["conduct"] == "switch_source";
    let (counts, other) =
        if is_night { ("off_hours_sources", "sources") } else { ("sources", "off_hours_sources") };
    assert_eq!((&quoted["set"], &quoted["other_set"]["set"]), (&counts.into(), &other.into()), "{quoted}");
    let night = if is_night { &quoted } else { &quoted["other_set"] };
    assert_eq!(
        (&night["price"], night["sources"].as_array().map(Vec::len)),
        (&"20000".into(), Some(3)),
        "{quoted}"
    );
    world.drain(daemon).await.unwrap();
    let answers: BTreeMap<u64, i128> =
        world.rounds(world.feed()).await.unwrap().iter().map(|round| (round.round, round.answer)).collect();
    for round in journalled(&world).await.unwrap() {
        let Some(answer) = answers.get(&round.number) else { continue };
        let decision = round.decision.as_ref().and_then(|decision| decision.market.as_ref()).unwrap();
        let said = (decision.conduct.as_str(), decision.status.as_str(), *answer);
        match said.0 {
            "switch_source" => assert_eq!(*answer, OFF_HOURS, "round {}: {said:?}", round.number),
            "normal" => {
                assert!(
                    set.contains_key(answer) || *answer == 67_000 * 100_000_000,
                    "round {}: {said:?}",
                    round.number
                );
                assert_eq!(said.1, "open", "round {}: {said:?}", round.number);
            }
            _ => panic!("round {}: {said:?}", round.number),
        }
    }
    assert_eq!(world.logged("PUB-1004").unwrap(), Vec::<Value>::new(), "heartbeats go on day and night");
}

/// Without this an exchange that stops trading has its last price published as today's for as long as it is young, or its
/// feeds have to be taken out of the configuration one by one, and somebody has to put them back.
#[tokio::test]
async fn a_halted_market_is_silent_until_it_is_resumed_and_quoted_whatever_restarts_meanwhile() {
    let world = alternating("post", "normal").await.unwrap();
    // This venue's quotes of before the resumption count for its first seconds otherwise.
    world.venues.market().fault(Venue::Bitstamp, Fault::ClockSkew { ms: -LATE_MS });
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let dir = world.dir.path();
    let market = async |args: &[&str]| {
        let by = ["--reason", "the exchange is down", "--by", "ann", "--json"];
        let shows = args.first().is_some_and(|verb| ["list", "show"].contains(verb));
        let words = if shows { &by[4..] } else { &by[..] };
        run(BINARY, dir, &[&["market"], args, words].concat(), &[]).await.unwrap()
    };
    let halted = market(&["halt", "turns", "--for", "1h"]).await;
    let order = halted.json().unwrap();
    assert_eq!((&order["calendar"], &order["order"]), (&"turns".into(), &"halt".into()));
    let is_held = |page: &Value| {
        let feed = &page["feeds"][0];
        feed["market"]["status"] == "halted"
            && feed["hold"] == "market_closed"
            && feed["orders"][0]["by"] == "ann"
    };
    world.wait_page("/status", SOON, |_, page| is_held(page)).await.unwrap();
    // What was on its way has arrived; from here on nothing does, over heartbeats, a move and a restart.
    world.settled().await.unwrap();
    let before = world.round(&feed).await.unwrap();
    world.price(feed.pair, "70000").await.unwrap();
    drop(daemon);
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let told_again = async || Ok(world.logged("PUB-1011")?.len() == 2);
    world.wait(SOON, "the halt after the restart", told_again).await.unwrap();
    world.wait_page("/status", SOON, |_, page| is_held(page)).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), before);
    let listed = market(&["list"]).await.json().unwrap();
    let listed = &listed["feeds"][0];
    assert_eq!((&listed["market"]["status"], &listed["halts"][0]["id"]), (&"halted".into(), &order["id"]));
    // Another word about the feed ends no halt of its market, and neither does one about the feed's own.
    let resumed =
        run(BINARY, dir, &["feed", "resume", feed.id, "--reason", "x", "--by", "bob"], &[]).await.unwrap();
    assert!(resumed.out.contains("publisher market resume turns"), "{resumed:?}");
    let resumed = market(&["resume", feed.id]).await.json().unwrap();
    assert_eq!((&resumed["ended"], &resumed["still_halted"][0]), (&0.into(), &"turns".into()));
    let resumed_ms = now_ms().unwrap();
    let resumed = market(&["resume", "turns"]).await.json().unwrap();
    assert_eq!((&resumed["ended"], &resumed["still_halted"]), (&1.into(), &serde_json::json!([])));
    world.wait_answer(&feed, 7_000_000_000_000, SOON).await.unwrap();
    let first = journalled(&world).await.unwrap();
    let first = first.iter().find(|round| round.number > before).unwrap();
    assert!(first.planned_at.ms() >= resumed_ms + LATE_MS, "quotes of before the end counted after it");
    let shown = market(&["show", "turns"]).await.json().unwrap();
    let said = |at: usize| (shown["said"][at]["order"].clone(), shown["said"][at]["by"].clone());
    assert_eq!([said(0), said(1)], [("market_resume".into(), "ann".into()), ("halt".into(), "ann".into())]);
    assert_eq!(shown["feeds"][0]["halts"], serde_json::json!([]));
    // What never ends, is over, or is no market, is refused.
    for bad in [
        &["turns", "--for", "31d"][..],
        &["turns", "--until", "2020-01-01T00:00:00Z"],
        &["turns", "--until", "2999-01-01T00:00:00Z"],
        &["turns", "--until", "tomorrow"],
        &["turns"],
        &["nyse", "--for", "1h"],
    ] {
        let ran = market(&[&["halt"], bad].concat()).await;
        assert_eq!(ran.code, 64, "{ran:?}");
    }
    world.drain(daemon).await.unwrap();
    world.judge(0).await.unwrap();
}

/// The next block carries this time, in seconds since the Unix epoch.
async fn block_at(world: &World, s: u64) -> Result<()> {
    world.owner.anvil_set_next_block_timestamp(s).await?;
    world.mine(1).await
}

/// Without this a restart skips the morning's fixing, or pays for it twice. Hours pass by the blocks' time, which is what
/// a schedule goes by.
#[tokio::test]
async fn a_time_that_comes_while_the_daemon_is_dead_is_made_up_for_once() {
    const HOUR_S: u64 = 3_600;
    let world = World::manual("depth:2").await.unwrap();
    let hourly = "cron = [{ at = \"0 * * * *\" }]";
    world.edit("heartbeat = \"1h\"\ndeviation = \"0.5%\"", hourly).unwrap();
    let hour = u64::try_from(now_ms().unwrap()).unwrap() / 1000 / HOUR_S + 2;
    let at = |hours: u64, s: u64| (hour + hours) * HOUR_S + s;
    block_at(&world, at(0, 1_800)).await.unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.another(0).await.unwrap();
    world.mined(&sent).await.unwrap();
    // No other rule than the clock's: neither a price nor a block makes a round.
    world.price(world.feed().pair, "69000").await.unwrap();
    block_at(&world, at(0, 2_400)).await.unwrap();
    world.seen().await.unwrap();
    assert_eq!(world.transactions().len(), 1);
    block_at(&world, at(1, 5)).await.unwrap();
    let sent = world.another(1).await.unwrap();
    world.mined(&sent).await.unwrap();
    // Three times pass while nobody is there, and it dies again with the round in the pool that makes up for them.
    daemon.end().unwrap();
    block_at(&world, at(4, 10)).await.unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.another(2).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    daemon.end().unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.mined(&sent).await.unwrap();
    for s in [600, 1_200, 1_800] {
        block_at(&world, at(4, s)).await.unwrap();
        world.seen().await.unwrap();
    }
    block_at(&world, at(5, 5)).await.unwrap();
    let sent = world.another(3).await.unwrap();
    world.mined(&sent).await.unwrap();
    world.mine(2).await.unwrap();
    world.settled().await.unwrap();
    world.drain(daemon).await.unwrap();
    let rounds = world.judge(0).await.unwrap().remove(0);
    let hours: Vec<u64> = rounds.iter().map(|round| round.updated_at / HOUR_S - hour).collect();
    assert_eq!(hours, [0, 1, 4, 5], "{rounds:?}");
    let triggers: Vec<String> = triggers(&world).unwrap().into_values().collect();
    assert_eq!(triggers, ["first", "schedule", "schedule", "schedule"]);
}
