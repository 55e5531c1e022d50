//! Constants under a running machine: people are told before they end, and when they do.

use crate::rig::*;
use publisher_core::aggregate::LeftOut;
use publisher_core::book::Pricing;
use publisher_core::constant::{Constant, NOTICE};
use publisher_core::event::{Event, Level};
use publisher_core::price::Price;
use publisher_core::route::Route;
use publisher_core::time::Span;

/// Without it a feed would lose its sources on a day that nobody remembers.
#[test]
fn the_end_of_a_constant_is_told_a_month_before_and_on_the_day_once_each() {
    let starts = Rig::new(spec(&["BTC-USD"])).now().wall;
    let told_after = Span::from_s(100);
    let mut spec = spec(&["BTC-USD"]);
    let rate = feed("ONE");
    let pricing = spec.feeds[&btc()].pricing.clone();
    let constant = |until| Some(Constant { value: Price::one(), until });
    let ends = |until| Pricing { paths: Vec::new(), constant: constant(until), ..pricing.clone() };
    spec.rates.insert(rate.clone(), ends(starts + NOTICE + told_after));
    let over = feed("OVER");
    spec.rates.insert(over.clone(), ends(starts + told_after));
    for path in &mut spec.feeds.get_mut(&btc()).unwrap().pricing.paths {
        path.via = Route::from_iter([rate.clone(), over.clone()]);
    }
    let mut rig = Rig::running_with(spec);
    let count = |rig: &Rig, name: &str, code: &str| {
        let of = |event: &&Event| match event {
            Event::ConstantEnds { rate, .. } | Event::ConstantOver { rate } => rate.as_str() == name,
            _ => false,
        };
        rig.events.iter().filter(|event| event.code() == code).filter(of).count()
    };
    assert_eq!((count(&rig, "ONE", "PUB-1032"), count(&rig, "OVER", "PUB-1032")), (0, 1));
    assert_eq!(rig.rounds(&btc()).len(), 1, "while they last they convert");
    rig.blocks(60);
    for (name, ends, over) in [("ONE", 1, 0), ("OVER", 1, 1)] {
        assert_eq!((count(&rig, name, "PUB-1032"), count(&rig, name, "PUB-1033")), (ends, over), "{name}");
    }
    let lost = |event: &Event| matches!(event, Event::SourceLeftOut { why: LeftOut::NoRate, .. });
    assert!(rig.events.iter().any(lost), "what it converts has no vote any more");
    let event = Event::ConstantOver { rate };
    assert!(event.level() == Level::Error && !event.advice().is_empty());
}
