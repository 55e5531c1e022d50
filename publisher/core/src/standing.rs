//! How one source of a value stands: what it said before, whether it moves when the others do, whether it may vote.
//!
//! A source that is an outlier again and again, that stands still while its peers move, or whose symbol is gone, is put
//! on probation, which people are told of and which changes nothing else. One that does not recover is *quarantined*:
//! it is asked and scored as before, has no vote, and does not count towards the quorum. It is readmitted once it has
//! agreed with the others for three times as long. Nobody is quarantined where fewer families than the quorum would be
//! left: the gates leave its quotes out one by one already, and a value that needs it would be lost.

use crate::aggregate::{LeftOut, Measured, NoVote, Rules};
use crate::price::{Price, Ratio};
use crate::quote::{Quote, SourceFault};
use crate::score::Score;
use crate::time::{Mono, Now, Span, Wall};

/// A source is compared with what it said itself up to this long ago.
const OWN_AGE_MAX: Span = Span::from_s(120);
/// So many quotes of a source must have been outliers …
const STRIKES: usize = 3;
/// … within this, before it is put on probation.
const STRIKES_WITHIN: Span = Span::from_s(60);
/// A price that its source calls new for this long without changing it is held against how far the middle of all went
/// meanwhile, beyond what the rates that convert it did. The middle goes nowhere unless more than half of the votes do:
/// against the others alone, a minority that goes away from a market that stands still would have its honest ones
/// left out, one after the other, and be the majority of the rest. One whose time stands still as well, as a daily rate
/// or another oracle's answer, only grows old.
const FROZEN_AFTER: Span = Span::from_s(60);
/// How much longer than the time to a quarantine a quarantined source has to agree.
const READMIT: u64 = 3;

/// Whether a source may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Standing {
    /// It votes.
    #[default]
    Healthy,
    /// It votes, and is watched.
    Probation,
    /// It has no vote.
    Quarantined,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Probation, Self::Quarantined];

    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Probation => "probation",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What a review finds of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look<'a> {
    /// Its latest quote.
    pub quote: Option<&'a Quote>,
    /// What became of it.
    pub verdict: Option<LeftOut>,
    /// What it says in the units of the value, if it passed the gates on single quotes.
    pub price: Option<Price>,
    /// Whether it is near the value, if both are there.
    pub agrees: Option<bool>,
    /// The median of the other families.
    pub peers: Option<Price>,
    /// Between which prices the middle of all families is, its own and those without a vote included.
    pub middle: Option<(Price, Price)>,
    /// Whether enough families would be left without it.
    pub dispensable: bool,
    /// Whether its price stands still by its nature.
    pub may_stand: bool,
    /// Whether its venue's clock is behind ours.
    pub lags: bool,
}

/// What is remembered of one source of one value. What is needed once a second stands apart from what every quote needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The last price of its own that was no jump, and when it came.
    trusted: Option<(Price, Wall)>,
    /// What it says, since when, and where its peers were then.
    content: Option<Box<Content>>,
    /// How far the middle of all went while it stood still, if that was too far.
    frozen: Option<Measured>,
    standing: Standing,
    since: Mono,
    /// Why it was put on probation.
    cause: Option<LeftOut>,
    /// When its last outliers came, at most [`STRIKES`] of them, each quote once.
    strikes: Vec<Mono>,
    struck: Option<Wall>,
    troubled: Mono,
    agrees_since: Option<Mono>,
    looked: Option<Mono>,
    score: Box<Score>,
}

#[derive(Clone, Debug)]
struct Content {
    said: [Option<Price>; 3],
    since: Wall,
    /// What that made of the value, and between which prices the middle of all families was.
    seen: Option<(Price, (Price, Price))>,
}

impl Watch {
    /// A quote came with this price: is it one that its next quotes may be held against?
    pub fn saw(&mut self, price: Price, received: Wall, rules: &Rules) {
        if self.jumps(price, received, rules).is_none() {
            self.trusted = Some((price, received));
        }
    }

    /// What the source itself said lately, if a price is too far from that.
    pub fn jumps(&self, price: Price, received: Wall, rules: &Rules) -> Option<Price> {
        let fresh = self.trusted.filter(|(_, at)| received.since(*at) <= OWN_AGE_MAX);
        let (own, _) = fresh.filter(|_| rules.self_jump.ppb() > 0)?;
        (price != own && price.distance(own).exceeds(rules.self_jump, own)).then_some(own)
    }

    /// Why the source has no vote, whatever its quote says: it stands still, which is told with how far the others went,
    /// or is quarantined, which is told with how long it has agreed of late.
    pub fn forbids(&self, rules: &Rules) -> Option<NoVote> {
        match self.standing {
            Standing::Quarantined => {
                let agrees = self.looked.zip(self.agrees_since);
                let is = agrees.map_or(Span::ZERO, |(looked, since)| looked.since(since));
                let measured = Measured::Agreed { is, limit: rules.quarantine.times(READMIT) };
                Some(NoVote::by(LeftOut::Quarantined, measured))
            }
            _ => self.frozen.map(|went| NoVote::by(LeftOut::Frozen, went)),
        }
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    pub fn score(&self) -> &Score {
        &self.score
    }

    /// Looks at the source; its new standing and why, if it changes.
    pub fn review(&mut self, look: &Look<'_>, rules: &Rules, now: Now) -> Option<(Standing, LeftOut)> {
        self.count(look, now);
        self.frozen = self.stands_still(look, rules);
        let trouble = self.trouble(look, now);
        if trouble.is_some() {
            self.troubled = now.mono;
        }
        if look.agrees != Some(true) || self.frozen.is_some() {
            self.agrees_since = None;
        } else {
            self.agrees_since.get_or_insert(now.mono);
        }
        let (patience, stood) = (rules.quarantine, now.mono.since(self.since));
        let next = match self.standing {
            _ if patience == Span::ZERO => None,
            Standing::Healthy => trouble.map(|_| Standing::Probation),
            // Half of the time without trouble ends it, so that what comes and goes is not readmitted each time.
            Standing::Probation if now.mono.since(self.troubled).times(2) >= patience => {
                Some(Standing::Healthy)
            }
            Standing::Probation => (stood >= patience && look.dispensable).then_some(Standing::Quarantined),
            Standing::Quarantined => {
                let agreed = self.agrees_since.map(|since| now.mono.since(since));
                (agreed >= Some(patience.times(READMIT))).then_some(Standing::Healthy)
            }
        }?;
        self.cause = trouble.or(self.cause);
        (self.standing, self.since) = (next, now.mono);
        Some((next, self.cause?))
    }

    fn count(&mut self, look: &Look<'_>, now: Now) {
        let passed = now.mono.since(self.looked.replace(now.mono).unwrap_or(now.mono));
        self.score.looks += 1;
        self.score.answered += u64::from(look.agrees.is_some());
        self.score.outside += u64::from(look.agrees == Some(false));
        if let Some(why) = look.verdict {
            *self.score.left_out.entry(why).or_default() += 1;
        }
        if let Some(quote) = look.quote {
            self.score.ages.count(now.wall.since(quote.as_of));
        }
        self.score.moves.look(look.price.zip(look.peers));
        if self.standing == Standing::Quarantined {
            self.score.quarantined = self.score.quarantined + passed;
        }
    }

    /// How far the middle of all went while its price stood still, if that is further than ever explained by the width of
    /// its book.
    fn stands_still(&mut self, look: &Look<'_>, rules: &Rules) -> Option<Measured> {
        let quote = look.quote.filter(|_| !look.may_stand)?;
        let said = [quote.bid, quote.ask, quote.last];
        let seen = look.price.zip(look.middle);
        let content = match &mut self.content {
            Some(content) if content.said == said => content,
            content => {
                *content = Some(Box::new(Content { said, since: quote.as_of, seen }));
                return None;
            }
        };
        content.seen = content.seen.or(seen);
        let Some(((own, (low, high)), (own_now, (low_now, high_now)))) = content.seen.zip(seen) else {
            return self.frozen;
        };
        // A rate moves what it converts, while the market itself stands still: the middle is compared with where it
        // would be if all other markets did as well.
        let converted = |price: Price| price.times(own_now).and_then(|price| price.over(own));
        let Some((low, high)) = converted(low).zip(converted(high)) else { return self.frozen };
        // A tick is never wider than the book, and five of them are nothing.
        let book = quote.bid.zip(quote.ask);
        let width = book.and_then(|(bid, ask)| bid.distance(ask).part_of(bid)).unwrap_or_default();
        let band = rules.frozen.max(Ratio::from_ppb(width.ppb().saturating_mul(5)));
        let (before, went) = match () {
            () if low_now > high => (high, high.distance(low_now)),
            () if high_now < low => (low, low.distance(high_now)),
            () => return None,
        };
        let is_far = rules.frozen.ppb() > 0 && went.exceeds(band, before);
        let is_still = is_far && quote.as_of.since(content.since) >= FROZEN_AFTER;
        let is = went.part_of(before).unwrap_or(Ratio::from_ppb(u64::MAX));
        is_still.then_some(Measured::Part { is, limit: band })
    }

    /// What is wrong with the source now, beyond a quote that fails a gate.
    fn trouble(&mut self, look: &Look<'_>, now: Now) -> Option<LeftOut> {
        let received = look.quote.map(|quote| quote.received);
        if look.verdict == Some(LeftOut::Outlier) && received != self.struck {
            self.struck = received;
            self.strikes.push(now.mono);
        }
        self.strikes.retain(|at| now.mono.since(*at) < STRIKES_WITHIN);
        let spare = self.strikes.len().saturating_sub(STRIKES);
        self.strikes.drain(..spare);
        match look.verdict {
            _ if self.frozen.is_some() => Some(LeftOut::Frozen),
            _ if self.strikes.len() >= STRIKES => Some(LeftOut::Outlier),
            _ if look.lags => Some(LeftOut::Lagging),
            // Its clock runs ahead of ours, or its market is gone.
            Some(
                why @ (LeftOut::Future
                | LeftOut::Halted
                | LeftOut::Delisted
                | LeftOut::Failing(SourceFault::SymbolMissing)),
            ) => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::MarketId;

    const RULES: Rules = Rules::of(3);

    fn quote(price: &str, at_s: u64) -> Quote {
        let at = Wall::from_s(at_s);
        Quote {
            market: MarketId::new("v", "S"),
            bid: None,
            ask: None,
            last: Some(price.parse().unwrap()),
            base_volume: None,
            as_of: at,
            received: at,
            is_clocked: false,
        }
    }

    fn now(s: u64) -> Now {
        Now { wall: Wall::from_s(s), mono: Mono::from_ms(s * 1000) }
    }

    fn forbids(watch: &Watch) -> Option<LeftOut> {
        watch.forbids(&RULES).map(|no_vote| no_vote.why)
    }

    /// What a source is told that has no vote.
    fn told(watch: &Watch) -> Option<String> {
        watch.forbids(&RULES).and_then(|no_vote| no_vote.measured).map(|measured| measured.to_string())
    }

    /// Looks once a second at a source that says `price` anew each time, while the others say `peers`.
    fn looks(
        watch: &mut Watch,
        seconds: std::ops::Range<u64>,
        price: impl Fn(u64) -> String,
        peers: &str,
    ) -> Vec<(u64, Standing, LeftOut)> {
        let peers: Price = peers.parse().unwrap();
        let mut changes = Vec::new();
        for s in seconds {
            let quote = quote(&price(s), s);
            let agrees = quote.price().unwrap().distance(peers) <= peers.share(RULES.outlier_floor);
            let verdict = (!agrees).then_some(LeftOut::Outlier);
            let look = Look {
                quote: Some(&quote),
                verdict,
                price: quote.price().ok(),
                agrees: Some(agrees),
                peers: Some(peers),
                middle: Some((peers, peers)),
                dispensable: true,
                may_stand: false,
                lags: false,
            };
            changes.extend(watch.review(&look, &RULES, now(s)).map(|(standing, why)| (s, standing, why)));
        }
        changes
    }

    #[test]
    fn a_liar_is_watched_then_quarantined_then_readmitted() {
        let mut watch = Watch::default();
        let lies = |s: u64| format!("150.{s}");
        let honest = |s: u64| format!("100.{:04}", s % 100);
        let lied = looks(&mut watch, 0..1000, lies, "100");
        let expected =
            [(2, Standing::Probation, LeftOut::Outlier), (602, Standing::Quarantined, LeftOut::Outlier)];
        assert_eq!(lied, expected);
        assert_eq!(forbids(&watch), Some(LeftOut::Quarantined));
        let told_of = |watch: &Watch, told_as: &str| assert_eq!(told(watch).as_deref(), Some(told_as));
        told_of(&watch, "agrees for 0ms, back at 30m");
        let mut patient = watch.clone();
        looks(&mut patient, 1000..1721, honest, "100");
        told_of(&patient, "agrees for 12m, back at 30m");
        looks(&mut patient, 1721..1722, lies, "100");
        told_of(&patient, "agrees for 0ms, back at 30m");
        let back = looks(&mut watch, 1000..4000, honest, "100");
        assert_eq!(back, [(2800, Standing::Healthy, LeftOut::Outlier)], "half an hour within the gate");
        assert_eq!(forbids(&watch), None);
        let score = watch.score();
        assert_eq!((score.looks, score.outside, score.quarantined), (4000, 1000, Span::from_s(2198)));
    }

    #[test]
    fn two_outliers_are_no_habit_and_five_calm_minutes_end_probation() {
        let mut watch = Watch::default();
        let honest = |s: u64| format!("100.{:04}", s % 100);
        let lies = |s: u64| format!("150.{s}");
        assert!(looks(&mut watch, 0..2, lies, "100").is_empty());
        assert!(looks(&mut watch, 2..70, honest, "100").is_empty());
        assert_eq!(looks(&mut watch, 70..73, lies, "100").len(), 1);
        let back = looks(&mut watch, 73..700, honest, "100");
        // The strikes are a minute old first, then it is calm for five minutes.
        assert_eq!(back, [(429, Standing::Healthy, LeftOut::Outlier)]);
    }

    #[test]
    fn nobody_is_quarantined_whom_the_quorum_needs() {
        let mut watch = Watch::default();
        for s in 0..2000 {
            let quote = quote(&format!("150.{s}"), s);
            let verdict = Some(LeftOut::Outlier);
            let look = Look {
                quote: Some(&quote),
                verdict,
                price: None,
                agrees: Some(false),
                peers: None,
                middle: None,
                dispensable: false,
                may_stand: false,
                lags: false,
            };
            watch.review(&look, &RULES, now(s));
        }
        assert_eq!(watch.standing(), Standing::Probation);
    }

    #[test]
    fn a_symbol_that_is_gone_and_a_clock_that_is_ahead_are_trouble() {
        for why in [LeftOut::Failing(SourceFault::SymbolMissing), LeftOut::Future] {
            let mut watch = Watch::default();
            let look = Look {
                quote: None,
                verdict: Some(why),
                price: None,
                agrees: None,
                peers: None,
                middle: None,
                dispensable: true,
                may_stand: false,
                lags: false,
            };
            let changes: Vec<_> = (0..700).filter_map(|s| watch.review(&look, &RULES, now(s))).collect();
            assert_eq!(changes, [(Standing::Probation, why), (Standing::Quarantined, why)]);
        }
    }

    #[test]
    fn a_price_that_stands_still_while_its_peers_move_is_frozen() {
        let mut watch = Watch::default();
        let still = |_| "100".to_owned();
        assert!(looks(&mut watch, 0..300, still, "100").is_empty(), "a quiet market is not frozen");
        assert!(looks(&mut watch, 300..310, still, "100.1").is_empty(), "a tenth of a percent is not enough");
        // Well within the outlier gate.
        let moved = looks(&mut watch, 310..320, still, "100.11");
        assert_eq!(moved, [(310, Standing::Probation, LeftOut::Frozen)]);
        assert_eq!(forbids(&watch), Some(LeftOut::Frozen));
        assert_eq!(told(&watch).as_deref(), Some("0.11%, limit 0.1%"));
        looks(&mut watch, 320..321, still, "93.7");
        assert_eq!(told(&watch).as_deref(), Some("6.3%, limit 0.1%"), "however far it goes on");
        looks(&mut watch, 321..322, |_| "100.1".to_owned(), "100.11");
        assert_eq!(forbids(&watch), None, "it moves again");
        // An oracle that is written when it has moved enough stands still by its nature.
        let mut watch = Watch::default();
        for s in 0..200 {
            let (quote, peers) = (quote("100", s), format!("100.{s:04}").parse().ok());
            let look = Look {
                quote: Some(&quote),
                verdict: None,
                price: quote.price().ok(),
                agrees: Some(true),
                peers,
                middle: peers.map(|price| (price, price)),
                dispensable: true,
                may_stand: true,
                lags: false,
            };
            assert_eq!(watch.review(&look, &RULES, now(s)), None);
        }
        // What is said once, of one moment, is not said again by being read again.
        let daily = quote("100", 0);
        let peers = "100.4".parse().ok();
        for s in 400..500 {
            let look = Look {
                quote: Some(&daily),
                verdict: None,
                price: daily.price().ok(),
                agrees: Some(true),
                peers,
                middle: peers.map(|price| (price, price)),
                dispensable: true,
                may_stand: false,
                lags: false,
            };
            assert_eq!(watch.review(&look, &RULES, now(s)).map(|(standing, _)| standing), None);
            assert_eq!(forbids(&watch), None);
        }
    }

    /// Without this, a rate that moves while the markets it converts are quiet puts all of them out at once.
    #[test]
    fn what_a_rate_moves_does_not_stand_still_and_what_it_should_have_moved_does() {
        // A tether falls by five percent: (what the market makes of the value, what the others make, frozen).
        for (own, others, frozen) in [("95", "95", false), ("100", "95", true), ("95", "100", true)] {
            let mut watch = Watch::default();
            for s in 0..100 {
                let quote = quote("100", s);
                let (price, peers) = if s < 50 { ("100", "100") } else { (own, others) };
                let look = Look {
                    quote: Some(&quote),
                    verdict: None,
                    price: price.parse().ok(),
                    agrees: Some(true),
                    peers: peers.parse().ok(),
                    middle: peers.parse().ok().map(|price| (price, price)),
                    dispensable: true,
                    may_stand: false,
                    lags: false,
                };
                watch.review(&look, &RULES, now(s));
            }
            assert_eq!(forbids(&watch).is_some(), frozen, "{own} {others}");
        }
    }

    #[test]
    fn a_jump_is_held_against_what_was_said_within_two_minutes() {
        let mut watch = Watch::default();
        let price = |text: &str| text.parse::<Price>().unwrap();
        watch.saw(price("100"), Wall::from_s(0), &RULES);
        let jumps =
            |watch: &Watch, said: &str, s: u64| watch.jumps(price(said), Wall::from_s(s), &RULES).is_some();
        assert!(!jumps(&watch, "130", 1) && jumps(&watch, "130.1", 1) && jumps(&watch, "69.9", 1));
        watch.saw(price("150"), Wall::from_s(60), &RULES);
        assert!(jumps(&watch, "150", 120), "a jump is not what the next one is held against");
        assert!(!jumps(&watch, "150", 121));
        watch.saw(price("150"), Wall::from_s(121), &RULES);
        assert!(jumps(&watch, "100", 122));
        let off = Rules { self_jump: Ratio::default(), ..RULES };
        assert_eq!(watch.jumps(price("1"), Wall::from_s(122), &off), None);
    }
}
