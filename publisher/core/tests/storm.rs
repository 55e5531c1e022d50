//! A hundred simulated hours of storm: nothing doubled, nothing lost, nothing late without a cause.

use publisher_core::fees::FeeProfile;
use publisher_core::head::Finality;
use publisher_core::sim::{Report, Storm, run};
use publisher_core::time::Span;

fn weather(seed: u64, hours: u64, finality: Finality) -> Storm {
    Storm {
        seed,
        hours,
        finality,
        fees: FeeProfile::Eip1559,
        loss_permille: 20,
        misfortune_every: Span::from_s(45),
        mischief: false,
    }
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
    let calm = Storm { loss_permille: 0, misfortune_every: Span::ZERO, ..weather(1, 2, Finality::Instant) };
    let report = run(calm);
    assert_eq!(report.violations, Vec::<String>::new());
    let Report { worst_lateness, crashes, bumps, wasted, needless, .. } = report;
    assert_eq!((worst_lateness, crashes, bumps, wasted, needless), (Span::ZERO, 0, 0, 0, 0), "{report:?}");
    assert_eq!(run(calm), report, "the same seed gives the same run");
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
