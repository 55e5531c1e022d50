//! What feeds say whose market opens and closes.

use super::Machine;
use super::feed::{DecidedEntry, Feed};
use crate::aggregate::{Aggregation, Estimate, Refusal};
use crate::event::Event;
use crate::io::Effect;
use crate::policy::{Conduct, Hold, Market, Sleep, Status, Trigger};
use crate::quote::FeedId;
use crate::time::{Now, Span, Wall};
use alloy_primitives::B256;
use std::sync::Arc;

/// So long before the end of a calendar people are told: time to get next year's from the exchange.
const CALENDAR_AHEAD: Span = Span::from_s(60 * 86_400);

/// An opening that nobody quotes is told after this, or after a heartbeat, where that is shorter.
const OPENING: Span = Span::from_s(600);

/// A feed's market, for status pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketView {
    /// The calendar's name.
    pub calendar: Arc<str>,
    /// The Keccak-256 of its text.
    pub digest: B256,
    /// What the market does, by its calendar or by an operator's word.
    pub status: Status,
    /// What that lets the feed do; at an opening still what it did before, until the market is quoted.
    pub conduct: Conduct,
    /// When the status changes: of a halt, when it ends by itself; `None` beyond the end of the calendar.
    pub until: Option<Wall>,
    /// From when on the calendar says something.
    pub begins_at: Option<Wall>,
    /// From when on it says nothing any more.
    pub ends_at: Wall,
}

impl Machine {
    /// Says which markets have opened or closed, and which calendars end soon.
    pub(super) fn follow_markets(&mut self, now: Now, out: &mut Vec<Effect>) {
        for (id, feed) in &mut self.feeds {
            let Some(market) = &feed.policy.market else { continue };
            let calendar = Arc::clone(&market.hours.calendar);
            let status = market.at(now.wall).status;
            let waits = feed.policy.conduct > market.told(status);
            let has_changed = feed.market_reported.is_some_and(|reported| reported != status);
            if let Some((_, true)) = feed.opening.take_if(|_| !waits || has_changed) {
                let (feed, calendar) = (id.clone(), Arc::clone(&calendar));
                out.push(Effect::Report(Event::OpeningOver { feed, calendar, status }));
            }
            if feed.market_reported.replace(status) != Some(status) {
                let (feed, calendar) = (id.clone(), Arc::clone(&calendar));
                out.push(Effect::Report(Event::MarketStatus { feed, calendar, status }));
            }
            let patience = feed.opening_patience();
            if let Some((since, told)) = waits.then(|| feed.opening.get_or_insert((now.mono, false)))
                && !*told
                && now.mono.since(*since) >= patience
            {
                *told = true;
                let (for_span, conduct) = (now.mono.since(*since), feed.policy.conduct);
                let (feed, calendar) = (id.clone(), Arc::clone(&calendar));
                out.push(Effect::Report(Event::OpeningUnquoted {
                    feed,
                    calendar,
                    status,
                    conduct,
                    for_span,
                }));
            }
            let left = market.hours.ends_at.since(now.wall);
            let ends = left <= CALENDAR_AHEAD;
            if ends && !feed.calendar_end_reported {
                out.push(Effect::Report(Event::CalendarEnds { feed: id.clone(), calendar, left }));
            }
            feed.calendar_end_reported = ends;
        }
    }

    /// What a feed's sources say, those that its market asks for now. Brings its policy in line with what the market lets
    /// it do, of which the values are part, as an opening counts from the first value of after it; and with whether a
    /// peg that the value rests on is lost. Sources that are not asked for are looked at all the same, so that they are
    /// known to be warm, or dead, before they are.
    pub(super) fn heard(&mut self, id: &FeedId, now: Now, out: &mut Vec<Effect>) -> Aggregation {
        let has_two = self.feeds.get(id).is_some_and(|feed| feed.spec.off_hours.is_some());
        let aggregation = self.book.evaluate(id, now.wall);
        self.report_verdicts((id, id), &aggregation, now, out);
        let other = has_two.then(|| (id.off_hours(), self.book.evaluate(&id.off_hours(), now.wall)));
        if let Some((set, other)) = &other {
            self.report_verdicts((id, set), other, now, out);
        }
        let Some(feed) = self.feeds.get_mut(id) else { return aggregation };
        let as_of = |of: &Aggregation| of.value.as_ref().ok().map(|value| value.as_of);
        feed.sets.main = feed.sets.main.then(as_of(&aggregation));
        feed.sets.off_hours = feed.sets.off_hours.then(other.as_ref().and_then(|(_, other)| as_of(other)));
        let conduct = feed.policy.market.as_ref().map(|market| market.conduct(&feed.sets, now.wall));
        let conduct = conduct.unwrap_or_default();
        let (set, aggregation) = match other {
            Some(other) if conduct == Conduct::SwitchSource => other,
            _ => (id.clone(), aggregation),
        };
        let is_off_peg = feed.policy.depeg_heartbeat > Span::ZERO && self.book.rests_on_lost_peg(&set);
        if (conduct, is_off_peg) != (feed.policy.conduct, feed.policy.is_off_peg) {
            feed.hold_to(conduct, is_off_peg, now.wall);
        }
        aggregation
    }
}

impl Feed {
    /// What the book calls the set of its sources that its market asks for.
    pub fn set(&self, id: &FeedId) -> FeedId {
        match self.policy.conduct {
            Conduct::SwitchSource => id.off_hours(),
            _ => id.clone(),
        }
    }

    /// How long it waits for quotes of after an opening before people are told. A quote of before it may still be young
    /// for as long as quotes may be old.
    fn opening_patience(&self) -> Span {
        let heartbeat = Some(self.policy.heartbeat).filter(|heartbeat| *heartbeat > Span::ZERO);
        heartbeat.map_or(OPENING, |heartbeat| heartbeat.min(OPENING)).max(self.spec.pricing.max_age)
    }

    /// What it may say of a value: the value, while its market is open; the last one from before, where that is to be
    /// repeated; or nothing. After a restart the last one is the answer on chain. What is repeated is as old as the
    /// look, because a price stands for as long as its market is closed.
    pub fn says(&self, value: Result<Estimate, Refusal>, now: Wall) -> Result<Estimate, Hold> {
        match self.policy.conduct {
            Conduct::Normal | Conduct::Widen(_) | Conduct::SwitchSource => value.map_err(Hold::NoValue),
            Conduct::HeartbeatOnly => {
                let last = self.last_open.or_else(|| self.on_chain()).ok_or(Hold::MarketClosed)?;
                Ok(Estimate { as_of: now, ..last })
            }
            Conduct::Freeze => Err(Hold::MarketClosed),
        }
    }

    /// Whether its market lets it do now what it did when something was observed.
    pub fn stands_as_at(&self, observed_at: Wall, now: Wall) -> bool {
        let told = |market: &Market, at: Wall| market.told(market.at(at).status);
        self.policy.market.as_ref().is_none_or(|market| told(market, observed_at) == told(market, now))
    }

    /// Whether the policy that holds is what its market lets it do at this moment.
    pub fn is_held_to(&self, now: Wall) -> bool {
        let market = self.policy.market.as_ref();
        market.is_none_or(|market| market.conduct(&self.sets, now) == self.policy.conduct)
    }

    /// Whether what was decided may still be planned: while the contract was being asked the market may have closed, or
    /// the feed fallen asleep.
    pub fn still_may(&self, entry: &DecidedEntry, now: Wall) -> bool {
        let (market, offer) = (self.policy.market.as_ref(), entry.offer);
        let awake = self.sleep == Sleep::Awake || entry.trigger == Trigger::Demand;
        // What is repeated is of this moment by its time only, and no quote of after an opening.
        let quoted = offer.conduct.is_live();
        let sets = if quoted { self.sets.with(offer.conduct, offer.observed_at) } else { self.sets };
        awake && market.is_none_or(|market| market.conduct(&sets, now) == offer.conduct)
    }

    /// The answer on chain as a value.
    fn on_chain(&self) -> Option<Estimate> {
        let known = self.known.filter(|known| known.round > 0)?;
        let price = known.answer.display(self.spec.decimals).to_string().parse().ok()?;
        Some(Estimate { price, ..Estimate::default() })
    }

    /// Its market, for status pages.
    pub fn market(&self, now: Wall) -> Option<MarketView> {
        let market = self.policy.market.as_ref()?;
        let (hours, now) = (&market.hours, market.at(now));
        Some(MarketView {
            calendar: Arc::clone(&hours.calendar),
            digest: hours.digest,
            status: now.status,
            conduct: self.policy.conduct,
            until: now.until,
            begins_at: hours.begins_at(),
            ends_at: hours.ends_at,
        })
    }
}
