//! Defects of other publishers, each as what must not happen here: those of the survey of sources that concern values.
//! `tests/FAULTS.md` has all of them, with the tests that show them.

use super::*;
use crate::aggregate::{Verdict, Weighting, default_quorum};
use crate::peg::Peg;
use crate::time::Now;

const NOW: Wall = Wall::from_s(1_000);

/// A value of so many venues, under the default rules.
fn of(venues: usize) -> Pricing {
    let paths = (0..venues).map(|venue| Path::direct(MarketId::new(&format!("v{venue}"), "S"))).collect();
    let rules = Rules::of(default_quorum(venues));
    Pricing { paths, rules, max_age: Span::from_s(30), reference: None, constant: None }
}

fn book(values: &[(&str, Pricing)]) -> Book {
    Book::new(values.iter().map(|(id, pricing)| (FeedId::new(id), pricing.clone())).collect()).unwrap()
}

fn say(book: &mut Book, venue: usize, price: &str, volume: Option<&str>, at: Wall) {
    let market = MarketId::new(&format!("v{venue}"), "S");
    let (last, base_volume) = (price.parse().ok(), volume.map(|volume| volume.parse().unwrap()));
    let quote =
        Quote { market, bid: None, ask: None, last, base_volume, as_of: at, received: at, is_clocked: false };
    book.observe(Observation::Quote(quote)).for_each(drop);
}

fn value(book: &Book, id: &str, at: Wall) -> Result<String, Refusal> {
    book.evaluate(&FeedId::new(id), at).value.map(|estimate| estimate.price.to_string())
}

#[test]
fn s1_one_source_fewer_than_the_quorum_is_no_value_however_many_are_configured() {
    for n in 2..=24 {
        let quorum = default_quorum(n);
        let mut book = book(&[("F", of(n))]);
        for venue in 0..quorum - 1 {
            say(&mut book, venue, "100", None, NOW);
        }
        assert_eq!(value(&book, "F", NOW), Err(Refusal::Quorum { have: quorum - 1, need: quorum }), "{n}");
        say(&mut book, quorum - 1, "100", None, NOW);
        assert_eq!(value(&book, "F", NOW), Ok("100".to_owned()), "{n}");
    }
}

#[test]
fn s5_a_feed_that_fails_in_every_way_changes_no_bit_of_another_one() {
    let mut sick = of(5);
    for (path, venue) in sick.paths.iter_mut().zip(10..) {
        path.market = MarketId::new(&format!("v{venue}"), "S");
    }
    let (mut alone, mut beside) = (book(&[("B", of(5))]), book(&[("A", sick), ("B", of(5))]));
    for venue in 0..5 {
        for book in [&mut alone, &mut beside] {
            say(book, venue, &format!("100.{venue}"), None, NOW);
        }
    }
    say(&mut beside, 10, "0", None, NOW);
    say(&mut beside, 11, "-5", None, NOW);
    say(&mut beside, 12, "999999999999999999999999999999999999", None, NOW);
    say(&mut beside, 13, "1", None, Wall::from_s(10_000));
    let market = MarketId::new("v14", "S");
    let missing = Observation::Missing { market, fault: SourceFault::TooLarge };
    beside.observe(missing).for_each(drop);
    let b = FeedId::new("B");
    assert_eq!(alone.evaluate(&b, NOW), beside.evaluate(&b, NOW));
    assert!(value(&beside, "A", NOW).is_err() && value(&beside, "B", NOW).is_ok());
}

#[test]
fn s6_the_order_in_which_sources_are_listed_and_heard_changes_no_bit() {
    let prices = ["100.1", "100.2", "99.9", "100.4", "99.7", "100.05", "101.5"];
    let mut order: Vec<usize> = (0..prices.len()).collect();
    let mut rng = fastrand::Rng::with_seed(6);
    let mut first = None;
    for _ in 0..1_000 {
        rng.shuffle(&mut order);
        let mut listed = of(prices.len());
        listed.paths = order.iter().map(|at| listed.paths[*at].clone()).collect();
        let mut book = book(&[("F", listed)]);
        rng.shuffle(&mut order);
        for venue in &order {
            say(&mut book, *venue, prices[*venue], None, NOW);
        }
        let estimate = book.evaluate(&FeedId::new("F"), NOW).value.unwrap();
        assert_eq!(*first.get_or_insert(estimate), estimate);
    }
}

#[test]
fn s16_one_venue_far_away_stops_nothing_and_is_left_out_by_name() {
    let mut book = book(&[("F", of(7))]);
    for venue in 0..6 {
        say(&mut book, venue, &format!("100.0{venue}"), None, NOW);
    }
    say(&mut book, 6, "600", None, NOW);
    let aggregation = book.evaluate(&FeedId::new("F"), NOW);
    assert_eq!(aggregation.value.unwrap().price.to_string(), "100.03");
    assert_eq!(aggregation.verdicts[6].why(), Some(LeftOut::Outlier));
}

#[test]
fn s18_a_liar_who_claims_a_million_times_the_volume_stays_within_what_the_others_say() {
    let mut weighed = of(5);
    weighed.rules.weighting = Weighting::Volume;
    let mut book = book(&[("F", weighed)]);
    for venue in 0..4 {
        say(&mut book, venue, &format!("100.{venue}"), Some("10"), NOW);
    }
    for lie in ["100.9", "0.01", "1e9"] {
        say(&mut book, 4, lie, Some("10000000"), NOW);
        let price: Price = value(&book, "F", NOW).unwrap().parse().unwrap();
        assert!(price >= "100".parse().unwrap() && price <= "100.3".parse().unwrap(), "{lie}: {price}");
    }
}

/// A venue that serves one body for ever is as old as the time in it says.
#[test]
fn s19_the_same_body_again_and_again_grows_stale() {
    let mut book = book(&[("F", of(3))]);
    for second in 0..=31 {
        let now = NOW + Span::from_s(second);
        for venue in 0..2 {
            say(&mut book, venue, "100", None, now);
        }
        say(&mut book, 2, "100", None, NOW);
        let expected = if second <= 30 { None } else { Some(LeftOut::Stale) };
        assert_eq!(book.evaluate(&FeedId::new("F"), now).verdicts[2].why(), expected, "{second}");
    }
}

/// Every gate on single sources.
const GATES: [LeftOut; 17] = [
    LeftOut::NeverSeen,
    LeftOut::Halted,
    LeftOut::Delisted,
    LeftOut::Failing(SourceFault::Timeout),
    LeftOut::Stale,
    LeftOut::Lagging,
    LeftOut::Future,
    LeftOut::BadValue,
    LeftOut::Crossed,
    LeftOut::WideSpread,
    LeftOut::Thin,
    LeftOut::NoRate,
    LeftOut::Frozen,
    LeftOut::Jump,
    LeftOut::Quarantined,
    LeftOut::Depegged,
    LeftOut::Outlier,
];

/// What the last of five venues says in second `s` of so many for a gate to fire. A gate that is new has to say it here,
/// and to be in the list above.
fn provokes(gate: LeftOut, s: u64) -> (u64, Option<Observation>) {
    let at = Wall::from_s(1_000 + s);
    let price = |price: &str| Some(price.parse().unwrap());
    let fair = Quote {
        market: MarketId::new("v4", "S"),
        bid: None,
        ask: None,
        last: price("100"),
        base_volume: None,
        as_of: at,
        received: at,
        is_clocked: true,
    };
    let book = |bid, ask| Quote { bid: price(bid), ask: price(ask), last: None, ..fair.clone() };
    let quote = match gate {
        LeftOut::NeverSeen => return (1, None),
        LeftOut::Failing(fault) => {
            return (1, Some(Observation::Missing { market: fair.market, fault }));
        }
        LeftOut::Halted | LeftOut::Delisted => (1, fair),
        LeftOut::Stale => (31, Quote { as_of: Wall::from_s(1_000), ..fair }),
        LeftOut::Lagging => (200, Quote { as_of: Wall::from_s(960 + s), ..fair }),
        LeftOut::Future => (1, Quote { as_of: Wall::from_s(1_003 + s), ..fair }),
        LeftOut::BadValue => (1, Quote { last: price("0"), ..fair }),
        LeftOut::Crossed => (1, book("100.1", "100")),
        LeftOut::WideSpread => (1, book("99.4", "100.5")),
        LeftOut::Thin => (1, Quote { base_volume: price("4.9"), ..fair }),
        LeftOut::NoRate => (1, fair),
        LeftOut::Depegged => (5, fair),
        LeftOut::Frozen => (70, fair),
        LeftOut::Jump => (3, Quote { last: price(if s < 3 { "100" } else { "140" }), ..fair }),
        LeftOut::Quarantined => (700, Quote { last: price(&format!("120.{s}")), ..fair }),
        LeftOut::Outlier => (1, Quote { last: price("101"), ..fair }),
    };
    (quote.0, Some(Observation::Quote(quote.1)))
}

/// Without this a gate is code that says the last value again, as a detection of anomalies did elsewhere, and nobody ever
/// saw it fire.
#[test]
fn s9_every_gate_fires_for_the_one_that_deserves_it_and_the_others_make_the_value() {
    for gate in GATES {
        let mut value = of(5);
        value.rules.min_volume = "5".parse().unwrap();
        value.rules.drop_depegged = true;
        let mut rate = of(3);
        for (path, venue) in rate.paths.iter_mut().zip(10..) {
            path.market = MarketId::new(&format!("v{venue}"), "S");
        }
        let (enter, exit) = (Ratio::from_bps(100), Ratio::from_bps(50));
        rate.rules.peg = Some(Peg { enter, exit, looks: 3, families: 3, calm: Span::from_s(600) });
        if matches!(gate, LeftOut::NoRate | LeftOut::Depegged) {
            value.paths[4].via = [FeedId::new("RATE")].into_iter().collect();
        }
        let (f, mut book) = (FeedId::new("F"), book(&[("F", value), ("RATE", rate)]));
        let listing = match gate {
            LeftOut::Halted => Listing::Halted,
            LeftOut::Delisted => Listing::Gone,
            _ => Listing::Trading,
        };
        book.list(&MarketId::new("v4", "S"), listing).for_each(drop);
        let until = provokes(gate, 0).0;
        for s in 0..=until {
            let wall = Wall::from_s(1_000 + s);
            for venue in 0..4 {
                // All others move a little, as soon as one that repeats itself may be told from a quiet market.
                let price = if s < 65 { "100".to_owned() } else { format!("100.3{s}") };
                say(&mut book, venue, &price, Some("10"), wall);
            }
            if gate == LeftOut::Depegged {
                (10..13).for_each(|venue| say(&mut book, venue, "0.98", Some("10"), wall));
            }
            if let (_, Some(said)) = provokes(gate, s) {
                book.observe(said).for_each(drop);
            }
            let now = Now { wall, mono: crate::time::Mono::from_ms(s * 1_000) };
            book.review_pegs(now);
            book.review_clocks(now);
            book.review(0..book.len(), now);
        }
        let found = book.evaluate(&f, Wall::from_s(1_000 + until));
        let verdicts: Vec<_> = found.verdicts.iter().map(Verdict::why).collect();
        assert_eq!(verdicts, [None, None, None, None, Some(gate)], "{}", gate.code());
        assert!(
            found.value.is_ok_and(|estimate| estimate.families == 4),
            "{}: {:?}",
            gate.code(),
            found.value
        );
    }
}

/// Without this one source that cannot be weighed is an error of the whole value.
#[test]
fn s15_a_source_that_tells_no_volume_is_weighed_and_costs_nobody_the_value() {
    for told in [[true; 5], [true, true, false, true, false], [false, false, true, false, false], [false; 5]]
    {
        let mut weighed = of(5);
        weighed.rules.weighting = Weighting::Volume;
        let mut book = book(&[("F", weighed)]);
        for (venue, told) in told.into_iter().enumerate() {
            say(&mut book, venue, &format!("100.{venue}"), told.then_some("10"), NOW);
        }
        let estimate = book.evaluate(&FeedId::new("F"), NOW).value.unwrap();
        assert_eq!((estimate.price.to_string(), estimate.families), ("100.2".to_owned(), 5), "{told:?}");
    }
}
