//! Defects of other publishers (rows S1 to S19 of the survey of sources), each as what must not happen here.
//!
//! Elsewhere: S2 in `aggregate` (`s2_…`), S3 in `lint` of the shell, S7 and S8 beside the conversions and in the check of
//! units, S15 among the wrong configurations of the shell. S4 is about volume-weighted means, which do not exist here.

use super::*;
use crate::aggregate::{Weighting, default_quorum};

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
