//! What feeds say whose market opens and closes.

use super::Machine;
use super::feed::{Feed, Offer};
use crate::aggregate::{Estimate, Refusal};
use crate::event::Event;
use crate::io::Effect;
use crate::policy::{Conduct, Hold, Status};
use crate::time::{Now, Span, Wall};
use alloy_primitives::B256;
use std::sync::Arc;

/// So long before the end of a calendar people are told: time to get next year's from the exchange.
const CALENDAR_AHEAD: Span = Span::from_s(60 * 86_400);

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
            if feed.market_reported.replace(status) != Some(status) {
                let (feed, calendar) = (id.clone(), Arc::clone(&calendar));
                out.push(Effect::Report(Event::MarketStatus { feed, calendar, status }));
            }
            let left = market.hours.ends_at.since(now.wall);
            let ends = left <= CALENDAR_AHEAD;
            if ends && !feed.calendar_end_reported {
                out.push(Effect::Report(Event::CalendarEnds { feed: id.clone(), calendar, left }));
            }
            feed.calendar_end_reported = ends;
        }
    }
}

impl Feed {
    /// Brings the policy in line with what the market lets it do now, of which the value is part, as an opening counts
    /// from the first value of after it; and with whether a peg that the value rests on is lost.
    pub fn follow_world(&mut self, value: Result<&Estimate, Refusal>, is_off_peg: bool, now: Wall) {
        let as_of = value.ok().map(|value| value.as_of);
        let conduct = self.policy.market.as_ref().map(|market| market.conduct(as_of, now));
        let conduct = conduct.unwrap_or_default();
        if (conduct, is_off_peg) != (self.policy.conduct, self.policy.is_off_peg) {
            self.hold_to(conduct, is_off_peg, now);
        }
    }

    /// What it may say of a value: the value, while its market is open; the last one from before, where that is to be
    /// repeated; or nothing. After a restart the last one is the answer on chain. What is repeated is as old as the
    /// look, because a price stands for as long as its market is closed.
    pub fn says(&self, value: Result<Estimate, Refusal>, now: Wall) -> Result<Estimate, Hold> {
        match self.policy.conduct {
            Conduct::Normal | Conduct::Widen(_) => value.map_err(Hold::NoValue),
            Conduct::HeartbeatOnly => {
                let last = self.last_open.or_else(|| self.on_chain()).ok_or(Hold::MarketClosed)?;
                Ok(Estimate { as_of: now, ..last })
            }
            Conduct::Freeze => Err(Hold::MarketClosed),
        }
    }

    /// Whether what was decided may still be planned by its market's hours: while the contract was being asked the market
    /// may have closed.
    pub fn still_keeps(&self, offer: Offer, now: Wall) -> bool {
        let market = self.policy.market.as_ref();
        market.is_none_or(|market| market.conduct(Some(offer.observed_at), now) == offer.conduct)
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
