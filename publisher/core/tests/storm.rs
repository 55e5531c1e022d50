//! A hundred simulated hours of storm: nothing doubled, nothing lost, nothing late without a cause.

use publisher_core::head::Finality;
use publisher_core::sim::{Report, Storm, run};
use publisher_core::time::Span;

fn storm(seed: u64, hours: u64, finality: Finality) -> Report {
    let report = run(Storm { seed, hours, finality, loss_permille: 20, misfortune_every: Span::from_s(45) });
    assert!(report.violations.is_empty(), "seed {seed}, {finality:?}:\n{}", report.violations.join("\n"));
    // A storm that did not blow proves nothing.
    assert!(report.crashes >= 2 * hours && report.losses > 100 * hours, "{report:?}");
    assert!(report.rounds >= 3 * 60 * hours * 8 / 10, "{report:?}");
    // Excuses are for the few: most heartbeats are met in the middle of it all.
    assert!(report.on_time * 10 >= report.rounds * 8, "{report:?}");
    report
}

#[test]
fn calm_weather_is_on_time_to_the_block() {
    let calm = Storm {
        seed: 1,
        hours: 2,
        finality: Finality::Instant,
        loss_permille: 0,
        misfortune_every: Span::ZERO,
    };
    let report = run(calm);
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!((report.worst_lateness, report.crashes, report.bumps), (Span::ZERO, 0, 0), "{report:?}");
    assert_eq!(run(calm), report, "the same seed gives the same run");
}

#[test]
fn fifty_hours_with_reorgs_under_depth_finality() {
    let reorgs: u64 = (10..15).map(|seed| storm(seed, 10, Finality::Depth(12)).reorgs).sum();
    assert!(reorgs > 100);
}

#[test]
fn thirty_hours_with_reorgs_under_a_finality_tag() {
    let bumps: u64 = (20..23).map(|seed| storm(seed, 10, Finality::Tag).bumps).sum();
    assert!(bumps > 10);
}

#[test]
fn twenty_hours_with_instant_finality() {
    for seed in 30..32 {
        storm(seed, 10, Finality::Instant);
    }
}
