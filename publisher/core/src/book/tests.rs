//! Values from quotes: age, conversion, references and what may not be evaluated.

use super::*;
use crate::aggregate::Verdict;
use crate::peg::Peg;
use crate::route::Leg;
use crate::time::Now;
use proptest::prelude::*;

fn pricing(paths: &[(&str, &[&str])], quorum: usize) -> Pricing {
    Pricing {
        paths: paths
            .iter()
            .map(|(venue, via)| Path {
                via: via.iter().map(|r| FeedId::new(r)).collect(),
                ..Path::direct(MarketId::new(venue, "S"))
            })
            .collect(),
        rules: Rules::of(quorum),
        max_age: Span::from_s(30),
        reference: None,
        constant: None,
    }
}

fn quote(venue: &str, price: &str, at_s: u64) -> Observation {
    let at = Wall::from_s(at_s);
    Observation::Quote(Quote {
        market: MarketId::new(venue, "S"),
        bid: None,
        ask: None,
        last: Some(price.parse().unwrap()),
        base_volume: None,
        as_of: at,
        received: at,
        is_clocked: false,
    })
}

fn book(values: &[(&str, Pricing)]) -> Result<Book, BookError> {
    Book::new(values.iter().map(|(id, p)| (FeedId::new(id), p.clone())).collect())
}

#[test]
fn a_tether_price_is_converted_with_the_rate_of_the_same_instant() {
    let mut book =
        book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", pricing(&[("kraken", &[])], 1))])
            .unwrap();
    let btc = FeedId::new("BTC");
    let readers: Vec<_> = book.observe(quote("kraken", "0.985", 10)).cloned().collect();
    assert_eq!(readers, [btc.clone(), FeedId::new("USDT")]);
    assert_eq!(verdicts(&book, &btc, 11), [Some(LeftOut::NeverSeen)]);
    book.observe(quote("binance", "67000", 11)).for_each(drop);
    let estimate = book.evaluate(&btc, Wall::from_s(11)).value.unwrap();
    assert_eq!(estimate.price.to_string(), "65995");
    assert_eq!(estimate.as_of, Wall::from_s(10), "as old as the oldest leg");
    // Once the rate is too old, no mixed value appears.
    book.observe(quote("binance", "67000", 41)).for_each(drop);
    assert_eq!(verdicts(&book, &btc, 41), [Some(LeftOut::NoRate)]);
}

/// The yen's price in dollars from a market of dollars in yen, and a price in euros from one in tethers: every leg
/// is read at one instant, so a rate that steps is never mixed with a price of before.
#[test]
fn s7_paths_of_several_hops_divide_and_invert_from_one_look() {
    let leg = |rate: &str, divides| Leg { rate: FeedId::new(rate), divides };
    let mut euros = pricing(&[("binance", &[])], 1);
    euros.paths[0].via.legs = vec![leg("USDT-USD", false), leg("EUR-USD", true)];
    let mut yen = pricing(&[("kraken", &[])], 1);
    yen.paths[0].via.inverse = true;
    let rate = |venue: &str| pricing(&[(venue, &[])], 1);
    let mut book = book(&[
        ("BTC-EUR", euros),
        ("EUR-USD", rate("ecb")),
        ("JPY-USD", yen),
        ("USDT-USD", rate("bitstamp")),
    ])
    .unwrap();
    let (btc, jpy) = (FeedId::new("BTC-EUR"), FeedId::new("JPY-USD"));
    let readers: Vec<_> = book.observe(quote("bitstamp", "1", 10)).cloned().collect();
    assert_eq!(readers, [btc.clone(), FeedId::new("USDT-USD")]);
    for (venue, price) in [("binance", "66000"), ("ecb", "1.1"), ("kraken", "160")] {
        book.observe(quote(venue, price, 10)).for_each(drop);
    }
    let price = |book: &Book, id| book.evaluate(id, Wall::from_s(11)).value.unwrap().price.to_string();
    assert_eq!((price(&book, &btc), price(&book, &jpy)), ("60000".into(), "0.00625".into()));
    // The peg and the market move together: every look sees both as they are, and no product of old and new.
    book.observe(quote("bitstamp", "0.97", 11)).for_each(drop);
    assert_eq!(price(&book, &btc), "58200");
    book.observe(quote("binance", "68041.2371134", 11)).for_each(drop);
    assert_eq!(price(&book, &btc), "59999.9999999981818181818181818181818");
    assert_eq!(book.paths(&btc)[0].to_string(), "binance:S * USDT-USD / EUR-USD");
    assert_eq!(book.paths(&jpy)[0].to_string(), "1 / kraken:S");
}

/// Without this a rate that was read for one feed is what it was for the next, whatever came to be known meanwhile.
#[test]
fn what_was_read_of_a_rate_holds_until_anything_changes() {
    let (btc, usdt) = (pricing(&[("binance", &["USDT"])], 1), pricing(&[("kraken", &[])], 1));
    let mut book = book(&[("BTC", btc), ("USDT", usdt)]).unwrap();
    let id = FeedId::new("BTC");
    let price =
        |book: &Book, s| book.evaluate(&id, Wall::from_s(s)).value.ok().map(|value| value.price.to_string());
    book.observe(quote("binance", "50000", 10)).for_each(drop);
    book.observe(quote("kraken", "0.99", 10)).for_each(drop);
    assert_eq!(price(&book, 11).as_deref(), Some("49500"));
    // The same instant, and each of what a rate depends on.
    book.observe(quote("kraken", "0.98", 10)).for_each(drop);
    assert_eq!(price(&book, 11).as_deref(), Some("49000"), "its quote");
    assert_eq!(price(&book, 41), None, "its age");
    assert_eq!(price(&book, 11).as_deref(), Some("49000"));
    let market = MarketId::new("kraken", "S");
    book.list(&market, Listing::Halted).for_each(drop);
    assert_eq!(price(&book, 11), None, "its market");
    book.list(&market, Listing::Trading).for_each(drop);
    assert_eq!(price(&book, 11).as_deref(), Some("49000"));
}

#[test]
fn quotes_age_come_from_the_future_or_arrive_late() {
    let mut book = book(&[("F", pricing(&[("v", &[])], 1))]).unwrap();
    let f = FeedId::new("F");
    let why = |book: &Book, s| book.evaluate(&f, Wall::from_s(s)).verdicts[0].why();
    book.observe(quote("v", "5", 100)).for_each(drop);
    assert_eq!(why(&book, 97), Some(LeftOut::Future));
    assert_eq!(why(&book, 98), None);
    assert_eq!(why(&book, 130), None);
    assert_eq!(why(&book, 131), Some(LeftOut::Stale));
    book.observe(quote("v", "4", 99)).for_each(drop);
    let value = book.evaluate(&f, Wall::from_s(100)).value.unwrap();
    assert_eq!(value.price.to_string(), "5", "an older quote never replaces a newer one");
    let market = MarketId::new("v", "S");
    book.observe(Observation::Missing { market, fault: SourceFault::Timeout }).for_each(drop);
    assert_eq!(why(&book, 101), None, "one failed poll does not take the vote away");
    assert_eq!(why(&book, 131), Some(LeftOut::Failing(SourceFault::Timeout)));
}

#[test]
fn a_quote_from_the_future_does_not_lock_its_market() {
    let mut book = book(&[("F", pricing(&[("v", &[])], 1))]).unwrap();
    let f = FeedId::new("F");
    let price = |book: &Book, s| book.evaluate(&f, Wall::from_s(s)).value.map(|e| e.price.to_string());
    // A venue's timestamp in milliseconds read as seconds, or a clock that was set back by an hour.
    book.observe(quote("v", "5", 4_000)).for_each(drop);
    assert!(price(&book, 401).is_err());
    book.observe(quote("v", "6", 400)).for_each(drop);
    assert_eq!(price(&book, 401), Ok("6".to_owned()));
    book.observe(quote("v", "7", 398)).for_each(drop);
    assert_eq!(price(&book, 401), Ok("6".to_owned()), "a little disorder is no lapse");
}

#[test]
fn a_book_that_is_wide_and_a_market_that_is_thin_have_no_vote() {
    let mut pricing = pricing(&[("v", &[])], 1);
    pricing.rules.min_volume = "5".parse().unwrap();
    let mut book = book(&[("F", pricing)]).unwrap();
    let now = Wall::from_s(1);
    let mut told = |bid: &str, ask: &str, volume: Option<&str>| {
        let market = MarketId::new("v", "S");
        let (bid, ask, base_volume) =
            (bid.parse().ok(), ask.parse().ok(), volume.map(|v| v.parse().unwrap()));
        let quote =
            Quote { market, bid, ask, last: None, base_volume, as_of: now, received: now, is_clocked: false };
        book.observe(Observation::Quote(quote)).for_each(drop);
        let aggregation = book.evaluate(&FeedId::new("F"), now);
        let no_vote = aggregation.verdicts[0].no_vote;
        let no_vote = no_vote.map(|no_vote| (no_vote.why, no_vote.measured.unwrap().to_string()));
        (no_vote, aggregation.value.ok().map(|estimate| estimate.confidence.to_string()))
    };
    assert_eq!(told("99.5", "100.5", Some("5")), (None, Some("0.5".to_owned())), "at the limits");
    assert_eq!(told("99.5", "100.5", None).0, None, "nothing can be said against it");
    assert_eq!(
        told("99.4", "100.5", Some("5")).0,
        Some((LeftOut::WideSpread, "1.1005503%, limit 1%".into()))
    );
    assert_eq!(told("99.5", "100.5", Some("4.9")).0, Some((LeftOut::Thin, "98%, limit 100%".into())));
}

fn five() -> (Book, FeedId) {
    let paths = ["a", "b", "c", "d", "e"].map(|venue| (venue, &[] as &[&str]));
    (book(&[("F", pricing(&paths, 3))]).unwrap(), FeedId::new("F"))
}

fn verdicts(book: &Book, id: &FeedId, s: u64) -> Vec<Option<LeftOut>> {
    book.evaluate(id, Wall::from_s(s)).verdicts.iter().map(Verdict::why).collect()
}

#[test]
fn a_jump_needs_three_witnesses_or_the_middle_or_two_minutes() {
    let (mut book, f) = five();
    for venue in ["a", "b", "c", "d", "e"] {
        book.observe(quote(venue, "100", 10)).for_each(drop);
    }
    for venue in ["a", "b"] {
        book.observe(quote(venue, "140", 12)).for_each(drop);
    }
    let jump = Some(LeftOut::Jump);
    assert_eq!(verdicts(&book, &f, 13), [jump, jump, None, None, None], "one witness is too few");
    let value = book.evaluate(&f, Wall::from_s(13)).value.unwrap();
    assert_eq!((value.price.to_string(), value.families), ("100".into(), 3), "they are no part of it");
    book.observe(quote("c", "140", 14)).for_each(drop);
    assert_eq!(verdicts(&book, &f, 15)[..3], [None; 3], "and now most say it");
    book.observe(quote("d", "140.5", 14)).for_each(drop);
    assert_eq!(verdicts(&book, &f, 15)[..4], [None; 4], "each has three");
    assert_eq!(book.evaluate(&f, Wall::from_s(15)).value.unwrap().price.to_string(), "140");
    // Nobody follows, and two minutes later it is what the venue says.
    for venue in ["a", "b", "c", "d"] {
        book.observe(quote(venue, "140", 125)).for_each(drop);
    }
    book.observe(quote("e", "300", 125)).for_each(drop);
    assert_eq!(verdicts(&book, &f, 126)[4], jump);
    book.observe(quote("e", "300", 131)).for_each(drop);
    assert_ne!(verdicts(&book, &f, 131)[4], jump);
}

/// Without the first half a lone source that is wrong by a half makes the value of two, or ends it; without the second
/// one of nine that three confirm is not believed.
#[test]
fn of_two_sources_the_one_that_jumps_is_left_out_and_three_of_nine_witness_one_another() {
    let paths =
        |names: &[&'static str]| pricing(&names.iter().map(|v| (*v, &[] as &[&str])).collect::<Vec<_>>(), 1);
    let mut two = book(&[("F", paths(&["a", "b"]))]).unwrap();
    let f = FeedId::new("F");
    for (venue, price, s) in [("a", "100", 10), ("b", "100", 10), ("b", "150", 12)] {
        two.observe(quote(venue, price, s)).for_each(drop);
    }
    assert_eq!(verdicts(&two, &f, 13), [None, Some(LeftOut::Jump)]);
    assert_eq!(two.evaluate(&f, Wall::from_s(13)).value.unwrap().price.to_string(), "100");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let mut nine = book(&[("F", paths(&names))]).unwrap();
    names.iter().for_each(|venue| nine.observe(quote(venue, "100", 10)).for_each(drop));
    for (at, venue) in names[..4].iter().enumerate() {
        assert_eq!(verdicts(&nine, &f, 12)[..at], vec![Some(LeftOut::Jump); at], "fewer than three others");
        nine.observe(quote(venue, "140", 12)).for_each(drop);
    }
    assert!(!verdicts(&nine, &f, 12).contains(&Some(LeftOut::Jump)));
}

#[test]
fn a_quarantined_source_has_no_vote_and_a_frozen_one_neither() {
    let (mut book, f) = five();
    let mut changes = Vec::new();
    for s in 10..800 {
        // b says what a said at first, within the outlier gate, while the others drift away from it.
        let drift = if s < 100 { "100".to_owned() } else { format!("100.2{s}") };
        for venue in ["a", "c", "d"] {
            book.observe(quote(venue, &drift, s)).for_each(drop);
        }
        book.observe(quote("b", "100", s)).for_each(drop);
        book.observe(quote("e", &format!("120.{s}"), s)).for_each(drop);
        let now = Now { wall: Wall::from_s(s), mono: crate::time::Mono::from_ms(s * 1000) };
        changes.extend(
            book.review(0..book.len(), now)
                .into_iter()
                .map(|change| (s, change.market.venue.to_string(), change.standing)),
        );
    }
    let expected = [
        (12, "e", Standing::Probation),
        (100, "b", Standing::Probation),
        (612, "e", Standing::Quarantined),
        (700, "b", Standing::Quarantined),
    ];
    assert_eq!(changes, expected.map(|(s, venue, standing)| (s, venue.to_owned(), standing)));
    let out = Some(LeftOut::Quarantined);
    assert_eq!(verdicts(&book, &f, 799), [None, out, None, None, out]);
    assert_eq!(book.evaluate(&f, Wall::from_s(799)).value.unwrap().families, 3);
    let standings: Vec<Standing> = book.standings(&f).map(|(_, standing, _)| standing).collect();
    assert_eq!(standings.iter().filter(|s| **s == Standing::Quarantined).count(), 2);
    // Three are left, which is the quorum: nobody else may go.
    for s in 800..1600 {
        book.observe(quote("a", &format!("150.{s}"), s)).for_each(drop);
        for venue in ["c", "d"] {
            book.observe(quote(venue, &format!("100.2{s}"), s)).for_each(drop);
        }
        let now = Now { wall: Wall::from_s(s), mono: crate::time::Mono::from_ms(s * 1000) };
        assert!(
            book.review(0..book.len(), now).iter().all(|change| change.standing != Standing::Quarantined)
        );
    }
}

#[test]
fn what_is_not_known_of_a_price_and_of_its_rate_adds_up() {
    let mut book =
        book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", pricing(&[("kraken", &[])], 1))])
            .unwrap();
    book.observe(quote("kraken", "0.5", 10)).for_each(drop);
    book.observe(quote("binance", "1000", 10)).for_each(drop);
    let estimate = book.evaluate(&FeedId::new("BTC"), Wall::from_s(11)).value.unwrap();
    // A tenth of a percent for each last trade that comes without a book.
    assert_eq!((estimate.price.to_string(), estimate.confidence.to_string()), ("500".into(), "1".into()));
}

#[test]
fn a_slow_rate_cannot_make_a_value_older_than_the_value_may_be() {
    let mut slow = pricing(&[("kraken", &[])], 1);
    slow.max_age = Span::from_s(300);
    let mut book = book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", slow)]).unwrap();
    book.observe(quote("kraken", "0.985", 10)).for_each(drop);
    book.observe(quote("binance", "67000", 50)).for_each(drop);
    assert_eq!(verdicts(&book, &FeedId::new("BTC"), 50), [Some(LeftOut::Stale)]);
}

#[test]
fn cycles_and_unknown_rates_are_refused() {
    let unknown = book(&[("A", pricing(&[("v", &["B"])], 1))]);
    assert_eq!(unknown.err(), Some(BookError::UnknownRate { of: FeedId::new("A"), rate: FeedId::new("B") }));
    let cycle = book(&[("A", pricing(&[("v", &["B"])], 1)), ("B", pricing(&[("v", &["A"])], 1))]);
    assert_eq!(cycle.err(), Some(BookError::TooDeep { of: FeedId::new("A") }));
}

/// Without it a feed whose sources all lack the same factor is published, since they agree.
#[test]
fn f63_a_value_that_lacks_a_factor_or_is_inverted_is_none_beside_its_reference() {
    let with = |reference: Option<&str>| {
        let mut feed = pricing(&[("a", &[]), ("b", &[])], 2);
        let band = Ratio::from_bps(500);
        feed.reference = reference.map(|rate| Reference { rate: FeedId::new(rate), band });
        feed
    };
    let reference = pricing(&[("r", &[])], 1);
    let mut book = book(&[("X", with(Some("R"))), ("R", reference.clone())]).unwrap();
    let now = Wall::from_s(100);
    let mut told = |price: &str, reference: &str| {
        for (venue, price) in [("a", price), ("b", price), ("r", reference)] {
            book.observe(quote(venue, price, 100)).for_each(drop);
        }
        book.evaluate(&FeedId::new("X"), now).value.map(|estimate| estimate.price.to_string())
    };
    assert_eq!(told("95", "100").unwrap(), "95");
    assert_eq!(told("105", "100").unwrap(), "105");
    for price in ["94.999", "105.001", "0.01", "10000"] {
        assert_eq!(told(price, "100").unwrap_err(), Refusal::OffReference, "{price}");
    }
    let later = Wall::from_s(120);
    for venue in ["a", "b"] {
        book.observe(quote(venue, "100", 120)).for_each(drop);
    }
    assert!(book.evaluate(&FeedId::new("X"), later).value.is_ok());
    let stale = Wall::from_s(140);
    assert_eq!(book.evaluate(&FeedId::new("X"), stale).value.unwrap_err(), Refusal::NoReference);
    // What the reference says concerns the feed.
    assert!(book.observe(quote("r", "100", 140)).any(|reader| *reader == FeedId::new("X")));
    let unknown = super::Book::new([(FeedId::new("X"), with(Some("NONE")))].into()).unwrap_err();
    assert!(matches!(unknown, BookError::UnknownRate { .. }), "{unknown}");
    let itself = super::Book::new([(FeedId::new("X"), with(Some("X")))].into()).unwrap_err();
    assert!(matches!(itself, BookError::TooDeep { .. }), "{itself}");
}

/// A stable asset that is two percent off for three looks: who asks for that leaves its sources out, and who does not
/// follows the rate; nothing takes it for one.
#[test]
fn s8_what_a_lost_peg_does_to_a_value_is_what_its_rules_say() {
    let mut follows = pricing(&[("binance", &["USDT"])], 1);
    follows.rules.self_jump = Ratio::default();
    let mut drops = follows.clone();
    drops.rules.drop_depegged = true;
    let mut tether = pricing(&[("a", &[]), ("b", &[]), ("c", &[])], 3);
    let (enter, exit) = (Ratio::from_bps(100), Ratio::from_bps(50));
    tether.rules.peg = Some(Peg { enter, exit, looks: 3, families: 3, calm: Span::from_s(600) });
    let derived = pricing(&[("kraken", &["FOLLOWS"])], 1);
    let mut book =
        book(&[("DERIVED", derived), ("DROPS", drops), ("FOLLOWS", follows), ("USDT", tether)]).unwrap();
    let (drops, follows, tether) = (FeedId::new("DROPS"), FeedId::new("FOLLOWS"), FeedId::new("USDT"));
    let mut look = |at: u64, rate: &str| {
        for venue in ["a", "b", "c"] {
            book.observe(quote(venue, rate, at)).for_each(drop);
        }
        book.observe(quote("binance", "100", at)).for_each(drop);
        let now = Now { wall: Wall::from_s(at), mono: crate::time::Mono::from_ms(at * 1_000) };
        let changes: Vec<bool> = book.review_pegs(now).iter().map(|change| change.lost).collect();
        let price = |id| book.evaluate(id, now.wall).value.map(|estimate| estimate.price.to_string());
        let left_out = book.evaluate(&drops, now.wall).verdicts[0].why();
        for rests in [&follows, &drops, &FeedId::new("DERIVED")] {
            assert_eq!(book.has_lost_peg(&tether), book.rests_on_lost_peg(rests));
        }
        assert!(!book.rests_on_lost_peg(&tether));
        (changes, price(&follows), left_out)
    };
    assert_eq!(look(1, "1"), (vec![], Ok("100".into()), None));
    assert_eq!(look(2, "0.98"), (vec![], Ok("98".into()), None));
    assert_eq!(look(3, "0.98"), (vec![], Ok("98".into()), None));
    assert_eq!(look(4, "0.98"), (vec![true], Ok("98".into()), Some(LeftOut::Depegged)));
    assert_eq!(look(5, "0.999"), (vec![], Ok("99.9".into()), Some(LeftOut::Depegged)));
    assert_eq!(look(604, "0.999"), (vec![], Ok("99.9".into()), Some(LeftOut::Depegged)));
    assert_eq!(look(605, "0.999"), (vec![false], Ok("99.9".into()), None));
}

/// Without this a rate that somebody once wrote down converts for ever.
#[test]
fn a_constant_converts_until_its_day_and_then_nothing_does() {
    let mut rate = pricing(&[], 0);
    let value = "2".parse().unwrap();
    rate.constant = Some(Constant { value, until: Wall::from_s(100) });
    let book = |feed| super::Book::new([(FeedId::new("F"), feed), (FeedId::new("C"), rate.clone())].into());
    let mut book = book(pricing(&[("v", &["C"])], 1)).unwrap();
    book.observe(quote("v", "3", 99)).for_each(drop);
    let f = FeedId::new("F");
    let estimate = book.evaluate(&f, Wall::from_s(99)).value.unwrap();
    // It is as new as the market, and nothing of it is unknown.
    assert_eq!((estimate.price.to_string(), estimate.as_of), ("6".to_owned(), Wall::from_s(99)));
    assert_eq!(estimate.confidence.to_string(), "0.006");
    assert_eq!(verdicts(&book, &f, 100), [Some(LeftOut::NoRate)]);
    assert_eq!(book.evaluate(&FeedId::new("C"), Wall::from_s(100)).value, Err(Refusal::Expired));
    assert_eq!(book.constants().count(), 1);
}

/// A venue whose clock is behind, or that hands out what is old, is named before its quotes are too old, and then as the
/// reason for that; nothing it says is taken for younger than it is.
#[test]
fn f50_a_clock_that_is_behind_is_trouble_and_then_the_reason() {
    let (mut book, f) = five();
    let mut told = Vec::new();
    for s in 100..300 {
        let late = if s < 200 { 20 } else { 40 };
        // b is quiet: it trades once a minute, and repeats that time.
        for (venue, late) in [("a", 0), ("b", s % 60), ("c", 0), ("d", 0), ("e", late)] {
            let Observation::Quote(quote) = quote(venue, &format!("100.{s}"), s - late) else { continue };
            let quote = Quote { received: Wall::from_s(s), is_clocked: true, ..quote };
            book.observe(Observation::Quote(quote)).for_each(drop);
        }
        let now = Now { wall: Wall::from_s(s), mono: crate::time::Mono::from_ms(s * 1000) };
        told.extend(book.review_clocks(now).into_iter().map(|change| (change.venue, change.skew)));
        for change in book.review(0..book.len(), now) {
            assert_eq!((change.standing, change.why), (Standing::Probation, LeftOut::Lagging));
        }
        if s == 199 {
            assert_eq!(verdicts(&book, &f, s), [None; 5], "twenty seconds are not too old");
        }
    }
    assert_eq!(told, [(Some(VenueId::new("e")), Some(Skew::Behind))]);
    assert_eq!(verdicts(&book, &f, 299)[4], Some(LeftOut::Lagging));
    let (.., standing, score) = book.standings(&f).last().unwrap();
    assert_eq!(standing, Standing::Probation);
    assert!(score.left_out.get(&LeftOut::Lagging).is_some_and(|looks| (60..=100).contains(looks)));
    assert!(score.ages.percentile(95) >= Some(Span::from_s(40)));
    assert_eq!(book.clocks().count(), 4, "three trades say too little about b's clock");
}

/// Without this the last price before a halt is a vote for as long as quotes may be old, or for ever where a venue goes
/// on telling it.
#[test]
fn a_market_that_its_venue_lists_no_more_has_no_vote_however_fresh_its_quote() {
    let (mut book, f) = five();
    let e = MarketId::new("e", "S");
    for (listing, verdict) in [
        (Listing::Halted, Some(LeftOut::Halted)),
        (Listing::Gone, Some(LeftOut::Delisted)),
        (Listing::Trading, None),
    ] {
        assert_eq!(book.list(&e, listing).collect::<Vec<_>>(), [&f], "whoever reads it is told");
        assert_eq!(book.list(&e, listing).next(), None, "once");
        for venue in ["a", "b", "c", "d", "e"] {
            book.observe(quote(venue, "100", 100)).for_each(drop);
        }
        assert_eq!(verdicts(&book, &f, 101)[4], verdict);
    }
    assert_eq!(book.list(&MarketId::new("e", "other"), Listing::Gone).next(), None);
    book.list(&e, Listing::Gone).for_each(drop);
    let now = Now { wall: Wall::from_s(101), mono: crate::time::Mono::from_ms(101_000) };
    let changes: Vec<_> =
        book.review(0..book.len(), now).into_iter().map(|change| (change.standing, change.why)).collect();
    assert_eq!(changes, [(Standing::Probation, LeftOut::Delisted)]);
}

/// What an honest market does in each second of such a test, in parts of 1,000.
fn wander() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![8 => Just(1_000i64), 3 => 998i64..=1_002, 1 => 600i64..=1_600];
    let still = Just(vec![1_000i64; 80]);
    // A quiet start, so that there is something that could be taken for frozen, or for a jump.
    (still, prop::collection::vec(step, 1..40)).prop_map(|(still, steps)| [still, steps].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Gates that remember take votes away; without this a minority uses them to become the majority of the rest: it goes
    /// away from a market that stands still, so that the honest ones look frozen one after the other, or it lies while
    /// they are the first to say that the market has jumped.
    #[test]
    fn f46_no_memory_of_the_book_makes_a_minority_a_majority(
        honest in 2usize..6,
        liars in 1usize..5,
        market in wander(),
        lies in prop::collection::vec((980i64..=1_020, 0usize..120), 1..6),
        order in any::<u64>(),
        quorum in 1usize..4,
    ) {
        let liars = liars.min(honest - 1);
        let names: Vec<String> = (0..honest + liars).map(|at| format!("v{at}")).collect();
        let paths: Vec<(&str, &[&str])> = names.iter().map(|name| (&**name, &[] as &[&str])).collect();
        let mut of = pricing(&paths, quorum.min(honest));
        of.rules.quarantine = Span::from_s(5);
        let mut book = book(&[("F", of)]).unwrap();
        let f = FeedId::new("F");
        let mut rng = fastrand::Rng::with_seed(order);
        let mut truth = 1_000_000i64;
        let mut said = vec![truth; names.len()];
        for (s, step) in (1u64..).zip(&market) {
            truth = (truth * step / 1_000).max(1_000);
            let factor = lies.iter().rev().find(|(_, from)| *from as u64 <= s).map_or(1_000, |(factor, _)| *factor);
            let mut turns: Vec<usize> = (0..names.len()).collect();
            rng.shuffle(&mut turns);
            for at in turns {
                said[at] = if at < honest { truth } else { truth * factor / 1_000 + i64::try_from(s % 3).unwrap() };
                book.observe(quote(&names[at], &format!("{}e-3", said[at]), s)).for_each(drop);
                if let (Ok(estimate), 2..) = (book.evaluate(&f, Wall::from_s(s)).value, s) {
                    let price = |milli: &i64| format!("{milli}e-3").parse::<Price>().unwrap();
                    let low = price(said[..honest].iter().min().unwrap());
                    let high = price(said[..honest].iter().max().unwrap());
                    prop_assert!(
                        (low..=high).contains(&estimate.price),
                        "{s} s: {} of {said:?}, of which {honest} are honest: {:?}",
                        estimate.price,
                        book.evaluate(&f, Wall::from_s(s)).verdicts
                    );
                }
            }
            let now = Now { wall: Wall::from_s(s), mono: crate::time::Mono::from_ms(s * 1_000) };
            book.review(0..book.len(), now);
        }
    }
}
