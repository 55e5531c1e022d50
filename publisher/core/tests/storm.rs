//! A hundred simulated hours of storm, and deployments that are divided in every way: nothing doubled, nothing lost,
//! nothing late without a cause.
//!
//! `PUBLISHER_STORMS` sets how many deployments are tried under each finality, `PUBLISHER_SEED` tries one alone.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may stop, and says how much it has shown"
)]

use publisher_core::fees::FeeProfile;
use publisher_core::head::Finality;
use publisher_core::sim::{Report, Storm, run};
use publisher_core::spend::Caps;
use publisher_core::time::Span;

fn weather(seed: u64, hours: u64, finality: Finality) -> Storm {
    Storm { loss_permille: 20, misfortune_every: Span::from_s(45), ..Storm::calm(seed, hours, finality) }
}

fn storm(weather: Storm) -> Report {
    let report = run(weather);
    let Storm { hours, mischief, .. } = weather;
    assert!(report.violations.is_empty(), "{weather:?}:\n{}", report.violations.join("\n"));
    // A storm that did not blow proves nothing.
    assert!(report.crashes >= 2 * hours && report.losses > 100 * hours, "{report:?}");
    assert!(report.rounds >= 3 * 60 * hours * 8 / 10, "{report:?}");
    // Excuses are for the few: most heartbeats are met in the middle of it all.
    let of_ten = if mischief { 7 } else { 8 };
    assert!(report.on_time * 10 >= report.rounds * of_ten, "{report:?}");
    // Nothing is reverted but by strangers, and hardly a round lands that nobody needed.
    assert_eq!(report.wasted > 0, mischief, "{report:?}");
    assert!(report.wasted * 50 <= report.rounds && report.needless * 20 <= report.rounds, "{report:?}");
    // Whatever fails, and however fast, people and nodes are not flooded.
    assert!(report.events <= report.rounds * 20, "{report:?}");
    assert!(report.requests <= hours * 3600 * 2, "{report:?}");
    report
}

#[test]
fn calm_weather_is_on_time_to_the_block() {
    let calm = Storm::calm(1, 2, Finality::Instant);
    let report = run(calm);
    assert_eq!(report.violations, Vec::<String>::new());
    let Report { worst_lateness, crashes, bumps, wasted, needless, .. } = report;
    assert_eq!((worst_lateness, crashes, bumps, wasted, needless), (Span::ZERO, 0, 0, 0, 0), "{report:?}");
    assert_eq!(run(calm), report, "the same seed gives the same run");
}

#[test]
fn calm_weather_fills_the_batches_and_is_on_time_to_the_block() {
    let calm = Storm { batches: true, ..Storm::calm(2, 2, Finality::Instant) };
    let report = run(calm);
    assert_eq!(report.violations, Vec::<String>::new());
    let Report { worst_lateness, rounds, batches, crashes, bumps, wasted, .. } = report;
    assert_eq!((worst_lateness, crashes, bumps, wasted), (Span::ZERO, 0, 0, 0), "{report:?}");
    // Three feeds of the eight are not the store's. The prices of its five wander each for itself, and yet more than
    // one in two rounds needs no transaction of its own.
    assert!(batches > 0 && rounds - rounds * 3 / 8 >= 2 * batches, "{report:?}");
    // Those that wait for each other need fewer, and no heartbeat is later for it.
    let gathered = run(Storm { gather: Span::from_s(20), ..calm });
    assert_eq!((gathered.violations.len(), gathered.worst_lateness, gathered.wasted), (0, Span::ZERO, 0));
    assert!(gathered.batches * 10 <= batches * 9, "{} of {batches} batches", gathered.batches);
}

#[test]
fn forty_hours_with_reorgs_under_depth_finality() {
    let reorgs: u64 = (10..14).map(|seed| storm(weather(seed, 10, Finality::Depth(12))).reorgs).sum();
    assert!(reorgs > 100);
}

#[test]
fn twenty_hours_with_reorgs_under_a_finality_tag() {
    let bumps: u64 = (20..22).map(|seed| storm(weather(seed, 10, Finality::Tag)).bumps).sum();
    assert!(bumps > 10);
}

/// Feeds of a store go through the same weather, and have misfortunes of their own, which excuse no other feed.
#[test]
fn twenty_hours_of_batches() {
    for (seed, finality, fees, mischief, gather_s) in [
        (50, Finality::Depth(12), FeeProfile::Eip1559, false, 0),
        (51, Finality::Tag, FeeProfile::Legacy, true, 20),
    ] {
        let gather = Span::from_s(gather_s);
        storm(Storm { fees, mischief, batches: true, gather, ..weather(seed, 10, finality) });
    }
}

#[test]
fn ten_hours_with_instant_finality() {
    storm(weather(30, 10, Finality::Instant));
}

#[test]
fn thirty_hours_among_strangers_pausing_contracts_wrong_clocks_and_moody_nodes() {
    for (seed, finality, fees) in [
        (40, Finality::Depth(12), FeeProfile::Eip1559),
        (41, Finality::Instant, FeeProfile::ZeroGas),
        (42, Finality::Tag, FeeProfile::Legacy),
    ] {
        storm(Storm { fees, mischief: true, ..weather(seed, 10, finality) });
    }
}

/// Deployments tried under each finality.
const DEPLOYMENTS: u64 = 10;

/// Up to three replicas and four nodes, for two hours.
fn deployment(seed: u64, finality: Finality) -> Storm {
    let mut rng = fastrand::Rng::with_seed(seed);
    let fees = [FeeProfile::Eip1559, FeeProfile::Legacy, FeeProfile::ZeroGas];
    Storm {
        fees: rng.choice(fees).unwrap(),
        // More often than not there is somebody to take over.
        replicas: rng.choice([1, 2, 2, 3]).unwrap(),
        nodes: rng.usize(1..=4),
        mischief: true,
        restores: rng.bool(),
        markets: rng.bool(),
        flags: rng.bool(),
        ..weather(seed, 2, finality)
    }
}

/// Deployments that found something wrong once, in the core or in its judge.
const KEPT: [u64; 2] = [1064, 1101];

fn deployments(finality: Finality) {
    let number = |name| {
        #[expect(clippy::disallowed_methods, reason = "a campaign is asked for from outside")]
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap())
    };
    let count = number("PUBLISHER_STORMS").unwrap_or(DEPLOYMENTS);
    let only = number("PUBLISHER_SEED");
    let seeds = only.map_or_else(|| (1_000..1_000 + count).chain(KEPT).collect(), |seed| vec![seed]);
    let mut sum = Report::default();
    for seed in seeds {
        let storm = deployment(seed, finality);
        let report = run(storm);
        assert!(report.violations.is_empty(), "{storm:?}:\n{}", report.violations.join("\n"));
        assert!(report.on_time * 10 >= report.rounds * 7, "{storm:?}: {report:?}");
        for (sum, of) in [
            (&mut sum.steps, report.steps),
            (&mut sum.rounds, report.rounds),
            (&mut sum.crashes, report.crashes),
            (&mut sum.freezes, report.freezes),
            (&mut sum.takeovers, report.takeovers),
            (&mut sum.fenced, report.fenced),
            (&mut sum.partitions, report.partitions),
            (&mut sum.restores, report.restores),
        ] {
            *sum += of;
        }
    }
    let Report { steps, rounds, crashes, freezes, takeovers, fenced, partitions, restores, .. } = sum;
    println!(
        "{finality:?}: {steps} steps, {rounds} rounds, {crashes} kills, {freezes} freezes, {takeovers} take-overs, \
         {fenced} writes refused, {partitions} partitions, {restores} backups restored"
    );
    if only.is_none() {
        // Few steps prove little, and a deployment that was never divided proves nothing.
        assert!(steps >= 40_000 * count);
        assert!([crashes, freezes, takeovers, partitions].into_iter().all(|times| times >= 10 * count));
        assert!(restores >= count && fenced > 0);
    }
}

#[test]
fn deployments_divided_under_depth_finality() {
    deployments(Finality::Depth(12));
}

#[test]
fn deployments_divided_under_a_finality_tag() {
    deployments(Finality::Tag);
}

#[test]
fn deployments_divided_under_instant_finality() {
    deployments(Finality::Instant);
}

/// Two keys and no shared database: what the primary leaves undone its standby does, and only the contract tells them
/// apart. Without a delay that grows, or with one that forgets what it waits for, the judge calls rounds late or wasted.
#[test]
fn twenty_hours_as_the_standby_of_a_primary_that_dies_again_and_again() {
    for (seed, finality) in [(50, Finality::Instant), (51, Finality::Depth(12))] {
        let standby = Span::from_s(10);
        let report = run(Storm { standby, ..weather(seed, 10, finality) });
        assert!(report.violations.is_empty(), "{seed}:\n{}", report.violations.join("\n"));
        assert!(report.rounds >= 3 * 60 * 10 * 8 / 10 && report.crashes >= 20, "{report:?}");
        // Both have written, races were lost, and few of them.
        assert!(report.ours * 20 > report.rounds && report.ours * 2 < report.rounds, "{report:?}");
        assert!(report.wasted > 0 && report.wasted * 20 <= report.rounds, "{report:?}");
    }
}

/// Crashes, lost answers and gas spikes, and never is more on its way than may be spent: what an hour of a feed, a day
/// of an account and a transaction may cost, added up anew by the judge.
#[test]
fn f37_ten_hours_on_a_budget_never_pass_a_cap() {
    let caps = Caps {
        transaction_wei: 21_000_000,
        feed_hour_wei: 22_000_000,
        account_day_wei: 60_000_000,
        heartbeats_pass: false,
    };
    let report = run(Storm { caps, ..weather(60, 10, Finality::Instant) });
    assert!(report.violations.is_empty(), "{}", report.violations.join("\n"));
    // Less than the heartbeats alone would be, and not nothing.
    assert!((300..1_400).contains(&report.rounds) && report.crashes >= 20, "{report:?}");
}

/// The same for a store's feeds, who share what their batches cost, and for accounts that go from one replica to another:
/// whoever takes one over knows from the journal what it has spent.
#[test]
fn f37_eight_hours_of_batches_and_replicas_on_a_budget_never_pass_a_cap() {
    let caps = Caps { feed_hour_wei: 25_000_000, account_day_wei: 500_000_000, ..Caps::default() };
    let weather = Storm { caps, batches: true, ..weather(62, 8, Finality::Instant) };
    let divided = Storm { replicas: 3, batches: false, ..weather };
    for weather in [weather, divided] {
        let report = run(weather);
        assert!(report.violations.is_empty(), "{weather:?}:\n{}", report.violations.join("\n"));
        assert!(report.rounds >= 300 && report.crashes >= 16, "{report:?}");
    }
}

/// Beyond a budget the heartbeats go out on time all the same.
#[test]
fn f37_heartbeats_pass_a_budget_that_is_spent() {
    let caps = Caps { feed_hour_wei: 1, heartbeats_pass: true, ..Caps::default() };
    storm(Storm { caps, ..weather(61, 10, Finality::Depth(12)) });
}

/// Markets that close and open by chance, while processes die, answers are lost and venues lie: nothing is planned while a
/// feed is frozen, nothing is said of a closed market but the very last word before it or what other sources say, the
/// first answer of a session is of its own quotes, and whoever sleeps is left asleep.
#[test]
fn a_day_of_markets_that_close_and_open_and_of_feeds_that_sleep() {
    let alone = Storm { markets: true, flags: true, ..weather(70, 8, Finality::Instant) };
    let deep = Storm { seed: 82, finality: Finality::Depth(12), ..alone };
    for weather in [alone, deep, Storm { seed: 81, replicas: 2, ..alone }] {
        let report = run(weather);
        assert!(report.violations.is_empty(), "{weather:?}:\n{}", report.violations.join("\n"));
        // Heartbeats of a feed whose other sources go on, of one that is silent half of the time, and of one that repeats
        // itself and sleeps half of the time.
        assert!(report.rounds >= 8 * 60 * 2 && report.crashes >= 16, "{report:?}");
        assert!(report.repeats >= 8 * 60 / 8, "{report:?}");
    }
}
