//! Everything that can go wrong goes wrong, at random and together, for as long as one likes; then the checker of
//! histories has the word.

use crate::BINARY;
use anyhow::{Context, Result, ensure};
use publisher_doubles::signer::{Mode, Tamper};
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::miner::SOON;
use publisher_tests::postgres::Postgres;
use publisher_tests::replica::{Replica, shared};
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::tcp_relay::TcpRelay;
use publisher_tests::world::{Options, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long it blows in every `cargo test`.
const SOAK_S: u64 = 40;
/// A world lives no longer: what its venues served is remembered for some minutes only.
const WORLD_S: u64 = 120;
/// So many rounds of each feed at least.
const ROUNDS: u64 = 3;
/// Replicas of one journal.
const REPLICAS: usize = 2;
/// Blows to what the replicas depend on.
const OUTSIDE: [&str; 8] = ["node", "node", "node", "reorg", "reorg", "signer", "venue", "venue"];
/// Blows to a replica, its wire to the database, or the database. Most cost feeds a lease's length without rounds, so they
/// fall more slowly.
const INSIDE: [&str; 7] = ["kill", "kill", "freeze", "stupor", "cut", "mute", "crash"];

/// Without this each fault is survived alone, and an hour of all of them is not.
///
/// `PUBLISHER_SOAK_S` sets how many seconds it blows, `PUBLISHER_SEED` repeats a run.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "a soak says what it has done")]
async fn a_soak_of_two_replicas_and_five_feeds_under_random_faults_leaves_a_history_without_a_flaw() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let mut seed = number("PUBLISHER_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    let mut left_s = number("PUBLISHER_SOAK_S").unwrap_or(SOAK_S);
    while left_s > 0 {
        let span_s = left_s.min(WORLD_S);
        match soak(seed, Duration::from_secs(span_s)).await {
            Ok(Some((blows, rounds))) => println!("seed {seed}: {blows:?}, {rounds:?} rounds"),
            Ok(None) => return,
            Err(error) => panic!("seed {seed}: {error:#}"),
        }
        (seed, left_s) = (seed + 1, left_s - span_s);
    }
}

/// How often each blow fell.
type Blows = BTreeMap<&'static str, u32>;

/// Returns how often each blow fell and how many rounds each feed has; nothing where there is no PostgreSQL.
async fn soak(seed: u64, span: Duration) -> Result<Option<(Blows, Vec<usize>)>> {
    let Some((world, server)) = shared(Options { feeds: 5, ..Options::default() }).await? else {
        return Ok(None);
    };
    let url = world.proxy.url();
    world.edit(&format!("rpc = [\"{url}\"]"), &format!("rpc = [{{ url = \"{url}\", timeout = \"1s\" }}]"))?;
    world.configure("[chain.timing]\nretry_max = \"2s\"\nanswer_timeout = \"2s\"")?;
    world.mine(8).await?; // No reorg shall take the contracts.
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut moves, mut outer) = (rng.fork(), rng.fork());
    let mut inside = Inside::new(&world, server).await?;
    let (end, over, blows) = (Instant::now() + span, Cell::new(false), RefCell::new(Blows::new()));
    let time = async {
        // A busy machine may need longer to show anything; one that shows nothing has to end all the same.
        while Instant::now() < end || !have_fallen(&blows.borrow()) || !enough(&world).await? {
            ensure!(Instant::now() < end + SOON * 4, "hardly a round gets through");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        over.set(true);
        anyhow::Ok(())
    };
    let without = async {
        let mut deck = Deck::new(&OUTSIDE, 200..1_500);
        while !over.get() {
            befall(&world, deck.draw(&mut outer, &blows).await, &mut outer).await?;
        }
        anyhow::Ok(())
    };
    let within = async {
        let mut deck = Deck::new(&INSIDE, 1_000..5_000);
        while !over.get() {
            inside.befall(deck.draw(&mut rng, &blows).await, &mut rng).await?;
        }
        anyhow::Ok(())
    };
    let blowing = async { tokio::try_join!(time, without, within) };
    tokio::select! {
        () = moving(&world, &mut moves) => unreachable!("prices move for ever"),
        ended = blowing => drop(ended?),
    }
    let blows = blows.take();
    let rounds = calm(&world, inside).await.with_context(|| format!("{blows:?}"))?;
    Ok(Some((blows, rounds)))
}

/// Whether every blow has fallen: less would show nothing.
fn have_fallen(blows: &Blows) -> bool {
    OUTSIDE.iter().chain(&INSIDE).all(|blow| blows.contains_key(blow))
}

/// Whether every feed has seen a few rounds.
async fn enough(world: &World) -> Result<bool> {
    for feed in &world.feeds {
        // In the middle of a reorg anvil looks for a head that is no more, and says so.
        if !world.round(feed).await.is_ok_and(|round| round >= ROUNDS) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Everything is well again: one more round of each feed, everything final, and the judge.
async fn calm(world: &World, mut inside: Inside) -> Result<Vec<usize>> {
    world.proxy.clear();
    world.venues.market().clear_all();
    world.signer.mode(Mode::Ok);
    world.wait(SOON, "every replica serves again", async || inside.serve().await).await?;
    for (feed, price) in world.feeds.iter().zip(70_000_i64..) {
        world.venues.market().set_price(feed.pair, &price.to_string())?;
        world.wait_answer(feed, price * 100_000_000, SOON).await?;
    }
    world.mine(14).await?;
    world.settled().await?;
    for (replica, _) in inside.replicas {
        replica.daemon.drain().await?;
    }
    Ok(world.judge(0).await?.iter().map(Vec::len).collect())
}

/// Blows in random order: none comes again before all have fallen.
struct Deck {
    all: &'static [&'static str],
    left: Vec<&'static str>,
    pause_ms: Range<u64>,
}

impl Deck {
    const fn new(all: &'static [&'static str], pause_ms: Range<u64>) -> Self {
        Self { all, left: Vec::new(), pause_ms }
    }

    /// The next one, after a while.
    async fn draw(&mut self, rng: &mut fastrand::Rng, blows: &RefCell<Blows>) -> &'static str {
        tokio::time::sleep(Duration::from_millis(rng.u64(self.pause_ms.clone()))).await;
        if self.left.is_empty() {
            self.left = self.all.to_vec();
            rng.shuffle(&mut self.left);
        }
        let blow = self.left.pop().unwrap_or_default();
        *blows.borrow_mut().entry(blow).or_default() += 1;
        blow
    }
}

/// The replicas, each with a wire of its own to the database.
struct Inside {
    server: Option<Postgres>,
    replicas: Vec<(Replica, TcpRelay)>,
}

impl Inside {
    async fn new(world: &World, server: Postgres) -> Result<Self> {
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            let wire = TcpRelay::start((Ipv4Addr::LOCALHOST, server.port()).into()).await?;
            let url = format!("postgres://oracle@{}/oracle", wire.address());
            replicas.push((world.replica(BINARY, &url, &[])?, wire));
        }
        Ok(Self { server: Some(server), replicas })
    }

    /// One blow, until it is over.
    async fn befall(&mut self, blow: &str, rng: &mut fastrand::Rng) -> Result<()> {
        let pause = Duration::from_millis(rng.u64(200..2_500));
        let (replica, wire) = &mut self.replicas[rng.usize(..REPLICAS)];
        match blow {
            "kill" => replica.restart(BINARY)?,
            "freeze" => replica.freeze(pause).await?,
            // Longer than its leases last.
            "stupor" => replica.freeze(Duration::from_secs(6) + pause).await?,
            // What was under way may have been committed, and nobody is told.
            "cut" => wire.cut(),
            "mute" => {
                wire.mute(true);
                tokio::time::sleep(3 * pause).await;
                wire.mute(false);
            }
            _ => {
                let mut server = self.server.take().context("the database is gone")?;
                let crashed = tokio::task::spawn_blocking(move || {
                    server.crash()?;
                    std::thread::sleep(pause);
                    server.resume().map(|()| server)
                });
                self.server = Some(crashed.await??);
            }
        }
        self.revive()
    }

    /// Does what an init system does: a replica that did not start, because the signer lied or the database was away,
    /// is started again. None ends for any other reason.
    fn revive(&mut self) -> Result<()> {
        for (replica, _) in &mut self.replicas {
            if replica.daemon.is_running()? {
                continue;
            }
            let last = replica.logged("PUB-5015")?.pop().unwrap_or_default().to_string();
            let excused = ["refused to start: see above", "cannot be used at the moment"];
            ensure!(excused.iter().any(|why| last.contains(why)), "it ended:\n{}", replica.log_text());
            for refused in replica.logged("PUB-5015")? {
                let what = refused["what"].as_str().unwrap_or_default();
                ensure!(what == "publisher" || what.starts_with("signer"), "it did not start: {refused}");
            }
            replica.restart(BINARY)?;
        }
        Ok(())
    }

    /// Whether every replica has found its way into the deployment.
    async fn serve(&mut self) -> Result<bool> {
        self.revive()?;
        for (replica, _) in &self.replicas {
            let accounts = replica.page("/status").await.map(|status| status["accounts"].clone());
            if !accounts.is_ok_and(|accounts| accounts.as_array().is_some_and(|all| !all.is_empty())) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One blow from outside. It is over soon, or spent by the calls it befalls.
async fn befall(world: &World, blow: &str, rng: &mut fastrand::Rng) -> Result<()> {
    match blow {
        "node" => {
            let fault = rng.choice([
                RpcFault::DropBefore,
                RpcFault::DropAfterForward,
                RpcFault::Delay { ms: 1_300 },
                RpcFault::Duplicate,
                RpcFault::Truncate,
                RpcFault::Html502,
                RpcFault::WrongId,
                RpcFault::EmptyBody,
                RpcFault::FalseSuccess,
                RpcFault::HideReceipt,
                RpcFault::ReceiptIndexing,
                RpcFault::RateLimited429 { retry_after_s: Some(1) },
                RpcFault::UnknownError { forwarded: true },
                RpcFault::UnknownError { forwarded: false },
            ]);
            let rule = Rule::new(fault.unwrap_or(RpcFault::DropBefore));
            world.proxy.fault(rule.at_random(30, rng.u64(..)).times(rng.u32(1..8)));
        }
        "reorg" => world.reorg(rng.u64(1..=4), &[]).await?,
        "signer" => {
            let tamper = rng.choice(Tamper::ALL).unwrap_or(Tamper::OtherTo);
            let mode = rng.choice([
                Mode::Slow { ms: 1_500 },
                Mode::Down,
                Mode::Status503,
                Mode::LateAnswer { ms: 2_500 },
                Mode::AddressVanished,
                Mode::Tampering(tamper),
            ]);
            world.signer.mode(mode.unwrap_or(Mode::Down));
            tokio::time::sleep(Duration::from_millis(rng.u64(200..2_500))).await;
            world.signer.mode(Mode::Ok);
        }
        _ => {
            let venue =
                rng.choice([Venue::Coinbase, Venue::Kraken, Venue::Bitstamp, Venue::Binance, Venue::Okx]);
            let fault = rng.choice([
                Fault::Dead,
                Fault::ServerError,
                Fault::Truncated,
                Fault::Html200,
                Fault::ErrorBody200,
                Fault::EmptyList,
                Fault::Zero,
                Fault::Negative,
                Fault::Garbage,
                Fault::NotANumber,
            ]);
            let (venue, fault) = (venue.unwrap_or(Venue::Okx), fault.unwrap_or(Fault::Dead));
            world.venues.market().fault_times(venue, fault, rng.u32(1..20));
        }
    }
    Ok(())
}

/// Moves every price each second, for ever, by two percent or more: one replica may know an old price of a venue
/// beside a new one of another, and must not publish what lies between, because nobody ever served that.
async fn moving(world: &World, rng: &mut fastrand::Rng) {
    let steps = std::iter::successors(Some(1_000_000_u64), |cents| Some(cents * 102 / 100 + 1));
    let steps: Vec<u64> = steps.take(20).collect();
    loop {
        for feed in &world.feeds {
            let cents = rng.choice(&steps).copied().unwrap_or_default();
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            world.venues.market().set_price(feed.pair, &price).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
