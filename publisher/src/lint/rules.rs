//! The rules, each for itself.

use super::calendar::{cron_never, freeze_outlasts_heartbeat};
use super::independent::{aggregator_counted, breaker_off};
use super::wide::{deviation_never, widen_never, widen_trips_breaker, widest};
use super::{Rule, Said, Value, View, Weight};
use crate::config::{Feed, join};
use crate::sources::{retired_address, retired_asset};
use publisher_core::aggregate::{CONFIDENCE_FLOOR, MAD_FROM, Rules, Weighting};
use publisher_core::policy::{Combine, Early};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::FeedId;
use publisher_core::time::Span;

/// Every rule, by name.
pub(super) const RULES: &[Rule] = &[
    Rule { id: "aggregator-counted", severity: Weight::Note, find: aggregator_counted },
    Rule { id: "breaker-never", severity: Weight::Warning, find: breaker_never },
    Rule { id: "breaker-off", severity: Weight::Note, find: breaker_off },
    Rule { id: "confidence-never", severity: Weight::Warning, find: confidence_never },
    Rule { id: "confirm-never", severity: Weight::Warning, find: confirm_never },
    Rule { id: "cron-never", severity: Weight::Warning, find: cron_never },
    Rule { id: "depeg-heartbeat-never", severity: Weight::Warning, find: depeg_heartbeat_never },
    Rule { id: "depeg-stops", severity: Weight::Warning, find: depeg_stops },
    Rule { id: "deviation-abs-never", severity: Weight::Warning, find: deviation_abs_never },
    Rule { id: "deviation-below-unit", severity: Weight::Warning, find: deviation_below_unit },
    Rule { id: "deviation-never", severity: Weight::Warning, find: deviation_never },
    Rule { id: "duplicate-feed", severity: Weight::Note, find: duplicate_feed },
    Rule { id: "early-never", severity: Weight::Warning, find: early_never },
    Rule { id: "few-families", severity: Weight::Warning, find: few_families },
    Rule { id: "freeze-outlasts-heartbeat", severity: Weight::Note, find: freeze_outlasts_heartbeat },
    Rule { id: "group-of-one", severity: Weight::Warning, find: group_of_one },
    Rule { id: "no-exchange-time", severity: Weight::Warning, find: no_exchange_time },
    Rule { id: "outlier-floor-always", severity: Weight::Warning, find: outlier_floor_always },
    Rule { id: "quorum-of-all", severity: Weight::Note, find: quorum_of_all },
    Rule { id: "rate-always-stale", severity: Weight::Warning, find: rate_always_stale },
    Rule { id: "reference-of-the-same", severity: Weight::Note, find: reference_of_the_same },
    Rule { id: "refuse-spread-never", severity: Weight::Note, find: refuse_spread_never },
    Rule { id: "retired-host", severity: Weight::Warning, find: retired_host },
    Rule { id: "retired-market", severity: Weight::Warning, find: retired_market },
    Rule { id: "sync-never", severity: Weight::Warning, find: sync_never },
    Rule { id: "volume-never", severity: Weight::Warning, find: volume_never },
    Rule { id: "widen-never", severity: Weight::Warning, find: widen_never },
    Rule { id: "widen-trips-breaker", severity: Weight::Warning, find: widen_trips_breaker },
];

pub(super) fn said(path: String, proof: String, advice: &str) -> Option<Said> {
    Some((path, proof, advice.to_owned()))
}

/// Whether `part` of `of` is less than a distance, exactly. Bounds are positive.
fn is_less(part: Ratio, of: Answer, than: alloy::primitives::U256) -> bool {
    use alloy::primitives::U512;
    U512::from(of.value().unsigned_abs()) * U512::from(part.ppb())
        < U512::from(than) * U512::from(Ratio::ONE.ppb())
}

/// No step between two answers within the bounds is as large as the breaker's threshold.
fn breaker_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (feed, policy) = value.feed.map(|feed| (feed, &feed.policy))?;
        let (min, max) = (policy.min_answer, policy.max_answer);
        if policy.breaker.min == Ratio::default() || is_less(policy.breaker.min, min, min.distance(max)) {
            return None;
        }
        let (low, high) = (min.display(feed.decimals), max.display(feed.decimals));
        let proof = format!(
            "the largest step within the bounds, from {low} to {high}, is not more than {} of {low}: it can never trip",
            policy.breaker.min
        );
        said(value.key("policy.breaker.min"), proof, "lower it, or switch it \"off\"")
    })
}

/// No value is so sure that it could become unsure, or the gates refuse it before it is as unsure as that.
fn confidence_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let rule = &value.feed?.policy.confidence;
        if rule.ratio == Ratio::default() {
            return None;
        }
        if rule.rearm <= CONFIDENCE_FLOOR {
            let proof = format!(
                "no value is surer than {CONFIDENCE_FLOOR}, and only one that was surer than {} can become unsure: it can never fire",
                rule.rearm
            );
            return said(value.key("policy.confidence_rearm"), proof, "raise it, or leave it out for half of confidence_ratio");
        }
        let rules = &value.pricing.rules;
        let converted = value.pricing.paths.iter().any(|path| path.via.rates().next().is_some());
        // From six families on the outlier gate widens with them, and what rates add has no bound here.
        if converted || value.families().len() >= MAD_FROM || rules.max_spread == Ratio::default() {
            return None;
        }
        let widest = rules.outlier_floor.max(rules.max_spread);
        if rule.ratio <= widest {
            return None;
        }
        let proof = format!(
            "those that count are within {} of the median (outlier_floor) and their books no wider than {} (max_spread), so confidence never reaches {}: it can never fire",
            rules.outlier_floor, rules.max_spread, rule.ratio
        );
        said(value.key("policy.confidence_ratio"), proof, "lower it, or switch it \"off\"")
    })
}

/// The heartbeat comes before a deviation can have shown in so many looks.
fn confirm_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let policy = &value.feed?.policy;
        let looks = u64::from(policy.confirm.ticks);
        if looks < 2 || policy.heartbeat == Span::ZERO || !policy.deviation.is_on() {
            return None;
        }
        let slowest = value.pricing.paths.iter().map(|path| (view.every(&path.market.venue), &path.market));
        let (every, market) = slowest.max()?;
        let needed = every.times(looks - 1);
        if needed < policy.heartbeat {
            return None;
        }
        let proof = format!(
            "a look counts once its oldest quote is renewed, {market} is renewed every {every}, and {looks} looks take {needed}: the heartbeat of {} always comes first",
            policy.heartbeat
        );
        said(value.key("policy.confirm.ticks"), proof, "use fewer, ask that source more often, or drop it")
    })
}

/// No peg that could be lost, or a heartbeat that is as short anyway.
fn depeg_heartbeat_never(view: &View<'_>) -> Vec<Said> {
    let heartbeat =
        |value: &Value<'_>| value.feed.map(|feed| feed.policy.depeg_heartbeat).unwrap_or_default();
    let says = |value: &Value<'_>| heartbeat(value) > Span::ZERO;
    // What is inherited need not concern every feed.
    let concerns = view.values().any(|value| {
        says(&value) && value.feed.is_some_and(|feed| feed.sets().any(|pricing| view.rests_on_peg(pricing)))
    });
    view.each(|value| {
        let policy = value.feed.filter(|_| says(value)).map(|feed| &feed.policy)?;
        let proof = if !concerns {
            "no rate that converts sources of a feed that says so has a peg to lose: it can never hold"
                .to_owned()
        } else if policy.heartbeat > Span::ZERO && policy.heartbeat <= policy.depeg_heartbeat {
            format!(
                "a round comes every {} anyway, so one every {} changes nothing",
                policy.heartbeat, policy.depeg_heartbeat
            )
        } else {
            return None;
        };
        said(
            value.key("policy.on_depeg.heartbeat"),
            proof,
            "give the rate a peg and use less than the heartbeat, or leave it out",
        )
    })
}

/// A peg that is lost takes so many families away that there is no value.
fn depeg_stops(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let rules = &value.pricing.rules;
        let has_peg = |rate: &FeedId| view.pricing(rate).is_some_and(|rate| rate.rules.peg.is_some());
        let stays = value.families_of(|path| !path.via.rates().any(has_peg)).len();
        if !rules.drop_depegged || stays >= rules.quorum || !value.pricing.paths.iter().any(|path| path.via.rates().any(has_peg)) {
            return None;
        }
        let proof = format!(
            "without what a pegged rate converts {stays} of {} families are left, and the quorum is {}: a lost peg always stops it",
            value.families().len(), rules.quorum
        );
        said(value.key("policy.on_depeg.drop_sources"), proof, "add sources that need no such rate, or let it follow the rate")
    })
}

/// No two answers within the bounds are so far apart.
fn deviation_abs_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (feed, policy) = value.feed.map(|feed| (feed, &feed.policy))?;
        let widest = policy.min_answer.distance(policy.max_answer);
        let absolute = policy.deviation.absolute;
        if absolute.is_zero() || absolute <= widest {
            return None;
        }
        let (low, high) =
            (policy.min_answer.display(feed.decimals), policy.max_answer.display(feed.decimals));
        let proof =
            format!("answers lie between {low} and {high}, so no two are so far apart: it can never fire");
        said(value.key("policy.deviation_abs"), proof, "lower it, or switch it \"off\"")
    })
}

/// A deviation that is less than the last decimal fires at every change.
fn deviation_below_unit(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (feed, policy) = value.feed.map(|feed| (feed, &feed.policy))?;
        let relative = policy.deviation.relative;
        if relative == Ratio::default() || !is_less(relative, policy.min_answer, alloy::primitives::U256::from(1)) {
            return None;
        }
        let low = policy.min_answer.display(feed.decimals);
        let proof = format!(
            "{relative} of {low}, the smallest answer, is less than the last of {} decimals: there every change fires it",
            feed.decimals
        );
        said(value.key("policy.deviation"), proof, "raise it, raise min, or deploy the feed with more decimals")
    })
}

/// Two feeds that rest on the same sources.
fn duplicate_feed(view: &View<'_>) -> Vec<Said> {
    let feeds: Vec<Value<'_>> = view.values().filter(|value| value.feed.is_some()).collect();
    let same = |a: &Value<'_>, b: &Value<'_>| {
        let within =
            |a: &Value<'_>, b: &Value<'_>| a.pricing.paths.iter().all(|path| b.pricing.paths.contains(path));
        within(a, b) && within(b, a)
    };
    let first = |at: usize, value: &Value<'_>| feeds.iter().take(at).find(|other| same(other, value));
    let found = feeds.iter().enumerate().filter_map(|(at, value)| {
        let other = first(at, value)?;
        said(
            value.key("sources"),
            format!("{} has the same sources", other.id),
            "publish it once, unless two contracts need it",
        )
    });
    found.collect()
}

/// The feeds of a store.
fn feeds_of<'a>(view: &View<'a>, store: &str) -> Vec<&'a Feed> {
    let is_in = |feed: &&Feed| feed.entry.as_ref().is_some_and(|(home, _)| home == store);
    view.config.feeds.values().filter(is_in).collect()
}

/// No feed of a store is ever so far without being due itself.
fn early_never(view: &View<'_>) -> Vec<Said> {
    let found = view.config.stores.iter().flat_map(|(name, store)| {
        let (early, feeds) = (store.spec.early, feeds_of(view, name));
        let key = |key: &str| format!("store.{name:?}.early.{key}");
        let all = |holds: fn(&Feed, &Early) -> bool| {
            !feeds.is_empty() && feeds.iter().all(|feed| holds(feed, &early))
        };
        let beats =
            all(|feed, early| feed.policy.heartbeat > Span::ZERO && feed.policy.heartbeat <= early.age);
        let age = (early.age > Span::ZERO && beats).then(|| {
            let proof = format!(
                "every feed of it has a heartbeat of {} or less, which comes first: it can never fire",
                early.age
            );
            said(key("age"), proof, "use less than the heartbeats, or leave it out")
        });
        // With both thresholds needed, one that is reached makes nothing due; nor does one that a market widens beyond
        // what is early.
        let fires = all(|feed, early| {
            let rule = &feed.policy.deviation;
            let alone = rule.combine == Combine::Any || rule.absolute.is_zero();
            let largest = rule.relative.scaled(widest(&feed.policy));
            rule.on_change || (alone && largest > Ratio::default() && largest <= early.deviation)
        });
        let deviation = (early.deviation > Ratio::default() && fires).then(|| {
            let proof = format!(
                "every feed of it makes a round of its own by {} or less: it can never fire",
                early.deviation
            );
            said(key("deviation"), proof, "use less than the deviations, or leave it out")
        });
        age.into_iter().chain(deviation).flatten()
    });
    found.collect()
}

/// The median over one family or two withstands no liar.
fn few_families(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let families = value.families().len();
        if families >= 3 {
            return None;
        }
        let proof =
            format!("of n families (n-1)/2 may lie, of {families} that is none: any of them can move it");
        said(
            value.key(value.list),
            proof,
            "add venues that do not depend on each other; five withstand two liars",
        )
    })
}

/// A group that nobody else is in.
fn group_of_one(view: &View<'_>) -> Vec<Said> {
    let name = |feed: &Feed| feed.entry.as_ref()?.1.group.as_ref().map(|group| group.name.clone());
    view.each(|value| {
        let group = name(value.feed?)?;
        if view.config.feeds.values().filter(|feed| name(feed).as_ref() == Some(&group)).count() > 1 {
            return None;
        }
        let proof =
            format!("no other feed is in the group {group}: it can never move one, or be held by one");
        said(value.key("group"), proof, "see whether the other feeds spell it the same, or leave it out")
    })
}

/// Where no source says when its price was true, age is only silence.
fn no_exchange_time(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        if value.pricing.paths.iter().any(|path| view.has_time(&path.market.venue)) {
            return None;
        }
        let proof = "no source says when its price was true, so the time of receipt counts: max_age can never find a price that is served long after its time".to_owned();
        said(value.key(value.list), proof, "add a venue that gives a time, such as coinbase, bitstamp or okx")
    })
}

/// A floor below what is known of any market puts healthy sources out.
fn outlier_floor_always(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let floor = value.pricing.rules.outlier_floor;
        if floor >= CONFIDENCE_FLOOR || value.families().len() < 2 {
            return None;
        }
        let proof = format!("no market is known better than to {CONFIDENCE_FLOOR}, so {floor} lies within what two healthy venues differ by: it fires nearly always");
        said(value.key("policy.outlier_floor"), proof, "use more than the usual spread between venues, e.g. \"0.5%\"")
    })
}

/// A quorum of all families leaves none to miss.
fn quorum_of_all(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (families, quorum) = (value.families().len(), value.pricing.rules.quorum);
        if families < 3 || quorum < families {
            return None;
        }
        let proof = format!("all {families} families are needed, so one that is silent stops it, and quarantine, which never takes what the quorum needs, can never fire");
        said(value.key("policy.quorum"), proof, "add venues; of five, two may be silent")
    })
}

/// A rate whose quotes come less often than the value's may be old.
fn rate_always_stale(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let max_age = value.pricing.max_age;
        let rates = value.pricing.paths.iter().flat_map(|path| path.via.rates());
        let (every, market, rate) = rates
            .filter_map(|rate| Some((rate, view.pricing(rate)?)))
            .flat_map(|(rate, of)| of.paths.iter().map(move |path| (view.every(&path.market.venue), &path.market, rate)))
            .max()?;
        if every <= max_age {
            return None;
        }
        let proof = format!("{rate} is as old as its oldest quote, {market} is asked every {every}, and a quote may be {max_age} old: what {rate} converts is stale most of the time");
        said(value.key("policy.max_age"), proof, "raise max_age, or make the rate of venues that are asked more often")
    })
}

/// Whoever moves a value moves a reference that is made of the same venues.
fn reference_of_the_same(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let reference = value.pricing.reference.as_ref()?;
        let own = value.families();
        let other = view.pricing(&reference.rate)?;
        if other.paths.iter().any(|path| !own.contains(&path.family)) {
            return None;
        }
        let proof = format!(
            "every family of {} is one of its own, so it finds a missing factor and no lie",
            reference.rate
        );
        said(value.key("reference"), proof, "make the reference of other venues as well")
    })
}

/// Below six families what is further away than the floor is an outlier already.
fn refuse_spread_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (rules, families) = (&value.pricing.rules, value.families().len());
        let refuse = rules.refuse_spread;
        // The default is nobody's intention.
        let is_meant = refuse != Ratio::default() && refuse != Rules::of(0).refuse_spread;
        if !is_meant || families >= MAD_FROM || refuse < rules.outlier_floor {
            return None;
        }
        let proof = format!("of {families} families those that count are within {} of the median (outlier_floor): it can never fire", rules.outlier_floor);
        said(value.key("policy.refuse_spread"), proof, "use less than outlier_floor, or six families and more")
    })
}

/// Hosts that venues have given up.
fn retired_host(view: &View<'_>) -> Vec<Said> {
    let venues = view.config.venues.iter().flat_map(|(id, ask)| {
        let (base, table) = (ask.spec.base_url.as_ref(), join("venue", id.as_str()));
        let asked =
            ask.preset.retired(base).map(|gone| (if base.is_some() { "base_url" } else { "preset" }, gone));
        let heard = ask.stream.url.as_ref().and_then(retired_address).map(|gone| ("stream_url", gone));
        [asked, heard].into_iter().flatten().map(move |(key, gone)| (format!("{table}.{key}"), gone))
    });
    let own = view.config.sources.iter();
    let own = own.filter_map(|(id, source)| {
        Some((join("source", id.as_str()) + ".url", retired_address(&source.url)?))
    });
    let found = venues.chain(own).filter_map(|(path, gone)| {
        said(
            path,
            format!("{gone} has been given up by its venue"),
            "see the venue's documentation, or use its preset",
        )
    });
    found.collect()
}

/// What is priced, or what it is priced in, is not issued any more.
fn retired_market(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let (market, asset) = value.pricing.paths.iter().find_map(|path| {
            let ask = view.config.venues.get(&path.market.venue)?;
            Some((&path.market, retired_asset(&ask.preset.market(&path.market.symbol)?)?))
        })?;
        let proof =
            format!("{market} is a market of {asset}, which is not issued any more: few trade it, or none");
        said(value.key("sources"), proof, "name a market of another asset")
    })
}

/// No heartbeat of a store divides another one.
fn sync_never(view: &View<'_>) -> Vec<Said> {
    let synced = view.config.stores.iter().filter(|(_, store)| store.spec.sync_heartbeats);
    let found = synced.filter_map(|(name, _)| {
        let feeds = feeds_of(view, name);
        let beats = |at: usize, feed: &Feed| {
            let others =
                feeds.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| &other.policy);
            let mut beating = others.filter(|other| other.heartbeat > Span::ZERO);
            beating.any(|other| feed.policy.beats_with(other.heartbeat))
        };
        if feeds.iter().enumerate().any(|(at, feed)| beats(at, feed)) {
            return None;
        }
        let proof = "no heartbeat of its feeds divides that of another one: it can never fire".to_owned();
        said(
            format!("store.{name:?}.sync_heartbeats"),
            proof,
            "choose heartbeats that do, such as 1h and 24h, or leave it out",
        )
    });
    found.collect()
}

/// A rule about volume where nobody tells it, or where it weighs nothing.
fn volume_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let rules = &value.pricing.rules;
        let told = value.pricing.paths.iter().any(|path| view.has_volume(&path.market.venue));
        let families = value.families().len();
        let (key, proof) = match rules.weighting {
            Weighting::Volume if families < 3 => (
                "policy.weights",
                format!("of {families} families none may have half of the weight, so all count the same"),
            ),
            Weighting::Volume if !told => {
                ("policy.weights", "no source tells its volume, so all count the same".to_owned())
            }
            _ if rules.min_volume.is_positive() && !told => (
                "policy.min_volume",
                "no source tells its volume, and one that does not passes: it can never fire".to_owned(),
            ),
            _ => return None,
        };
        said(value.key(key), proof, "leave it out, or add venues that tell their volume")
    })
}
