//! What a session knows of one market: how it stands, and the signs by which a dead one is told from a quiet one.

use super::session::End;
use crate::sources::preset::PartOf;
use publisher_core::price::{Price, Ratio};
use publisher_core::time::{Mono, Span};

/// A market is fresh for so long after a message. Polls begin again at once when it is over.
pub(super) const FRESH: Span = Span::from_s(5);
/// Bounds of the silence after which a market is held against HTTP; in between it is ten times its longest gap.
const SILENCE: (Span, Span) = (Span::from_s(15), Span::from_s(300));
/// The same before any gap is known.
const SILENCE_UNKNOWN: Span = Span::from_s(60);
/// A market that says the same for so long is held against HTTP, too: a venue may repeat what it has long forgotten.
const FROZEN: Span = Span::from_s(60);
/// Only what HTTP finds so far from it proves that it is frozen. Less lies between a book and its last trade.
const FROZEN_BEYOND: Ratio = Ratio::from_bps(10);

/// What became of asking for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not confirmed.
    Asked,
    /// Confirmed.
    Live,
    /// Refused, and not asked for until then.
    LeftOut(Mono),
    /// Left to HTTP until then, because what it says is nothing, or old; unless it says something new.
    GivenUp(Mono),
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) standing: Standing,
    /// When it last had a price on this connection.
    pub(super) heard: Option<Mono>,
    /// Since when its silence counts.
    pub(super) since: Mono,
    /// What HTTP said was traded in a day, for streams that do not say it.
    pub(super) volume: Option<Price>,
    /// The longest gap of late: each message makes it a hundredth shorter, so it is about the longest of the last
    /// hundred.
    gap: Option<Span>,
    sequence: Option<u64>,
    /// A message is missing; whatever it said, HTTP says as well.
    is_gapped: bool,
    /// What HTTP said when the stream had just fallen silent.
    polled: Option<Price>,
    /// Whether the last poll said the same once more.
    pub(super) is_confirmed: bool,
    /// How often it was silent while its price moved.
    strikes: u8,
    said: Option<Said>,
    /// What it has said so far on this connection, where it says one price at a time.
    parts: Parts,
}

/// Bid, ask and last trade, as far as they have been said.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    bid: Option<Price>,
    ask: Option<Price>,
    last: Option<Price>,
}

/// The price that a market says, and repeats.
#[derive(Clone, Copy, Debug)]
struct Said {
    price: Price,
    since: Mono,
    /// What HTTP said when it had just become this one.
    polled: Option<Price>,
    /// How often it was repeated while the price moved.
    strikes: u8,
}

impl Said {
    /// Whether it has been repeated for long, and HTTP shows that it is not the price any more.
    fn is_overtaken(&mut self, now: Mono, price: Price) -> bool {
        let far = |from: Price| price.distance(from).part_of(from).is_none_or(|part| part > FROZEN_BEYOND);
        far(*self.polled.get_or_insert(price)) && far(self.price) && now.since(self.since) > FROZEN
    }
}

impl Market {
    /// On a connection that has just been opened.
    pub(super) fn new(standing: Standing, now: Mono) -> Self {
        Self {
            standing,
            heard: None,
            since: now,
            volume: None,
            gap: None,
            sequence: None,
            is_gapped: false,
            polled: None,
            is_confirmed: false,
            strikes: 0,
            said: None,
            parts: Parts::default(),
        }
    }

    /// The same on the next connection: what was learned stays, what counts messages begins anew.
    pub(super) fn successor(&self, standing: Standing, now: Mono) -> Self {
        let standing = match self.standing {
            Standing::LeftOut(_) | Standing::GivenUp(_) => self.standing,
            Standing::Asked | Standing::Live => standing,
        };
        let said = self.said.map(|said| Said { since: now, ..said });
        let (volume, gap, strikes) = (self.volume, self.gap, self.strikes);
        Self { volume, gap, strikes, said, ..Self::new(standing, now) }
    }

    /// A message with a price has come; says whether it counts. One that comes twice or late does not, and nothing that
    /// is repeated by a market that was given up.
    pub(super) fn hear(
        &mut self,
        now: Mono,
        price: Option<Price>,
        sequence: Option<u64>,
        gapless: bool,
    ) -> bool {
        if !self.follows(sequence, gapless) {
            return false;
        }
        let is_new = price != self.said.map(|said| said.price);
        if !is_new && matches!(self.standing, Standing::GivenUp(_)) {
            return false;
        }
        if let Some(heard) = self.heard.replace(now) {
            let shrunk = self.gap.map(|gap| gap.less(Span::from_ms(gap.ms() / 100)));
            self.gap = Some(shrunk.unwrap_or_default().max(now.since(heard)));
        }
        (self.since, self.polled, self.is_confirmed, self.strikes) = (now, None, false, 0);
        if is_new {
            self.said = price.map(|price| Said { price, since: now, polled: None, strikes: 0 });
        }
        true
    }

    /// A message has come that says that there is no price now, or none that can be used. The channel lives, so neither
    /// its silence nor what it said before counts; what the market is worth is for HTTP to say.
    pub(super) fn hear_unpriced(&mut self, now: Mono, sequence: Option<u64>, gapless: bool) {
        if self.follows(sequence, gapless) {
            (self.since, self.polled, self.is_confirmed, self.strikes) = (now, None, false, 0);
            self.said.take_if(|_| self.standing == Standing::Live);
        }
    }

    /// Whether a message is newer than the last one.
    fn follows(&mut self, sequence: Option<u64>, gapless: bool) -> bool {
        if let (Some(last), Some(sequence)) = (self.sequence, sequence) {
            if sequence <= last {
                return false;
            }
            self.is_gapped |= gapless && sequence != last.saturating_add(1);
        }
        self.sequence = sequence;
        true
    }

    /// One price was said, or that there is none: bid, ask and last trade as they stand now. What the other side of the
    /// book has passed is over, for the sides are told one after the other.
    pub(super) fn put(&mut self, of: PartOf, price: Option<Price>) -> [Option<Price>; 3] {
        let Parts { bid, ask, last } = &mut self.parts;
        match of {
            PartOf::Bid => {
                *bid = price;
                ask.take_if(|ask| bid.is_some_and(|bid| bid >= *ask));
            }
            PartOf::Ask => {
                *ask = price;
                bid.take_if(|bid| ask.is_some_and(|ask| *bid >= ask));
            }
            PartOf::Last => *last = price,
        }
        [*bid, *ask, *last]
    }

    /// HTTP has a price, which contains whatever was missed. Says what is wrong with the stream, if that shows it, and
    /// for which time.
    pub(super) fn compare(&mut self, now: Mono, price: Price) -> Option<(End, u8)> {
        self.is_gapped = false;
        let learned = self.gap.map(|gap| gap.times(10).clamp(SILENCE.0, SILENCE.1));
        let before = self.polled;
        let moved = *self.polled.get_or_insert(price) != price;
        self.is_confirmed = before == Some(price);
        let is_silent = moved && now.since(self.since) > learned.unwrap_or(SILENCE_UNKNOWN);
        let said = self.said.as_mut().filter(|_| self.heard.is_some());
        let frozen = said.and_then(|said| said.is_overtaken(now, price).then_some(said));
        let (end, strikes) = match frozen {
            _ if self.standing != Standing::Live => return None,
            _ if is_silent => {
                (self.since, self.polled) = (now, Some(price));
                (End::Silent, &mut self.strikes)
            }
            Some(said) => {
                (said.since, said.polled) = (now, Some(price));
                (End::Frozen, &mut said.strikes)
            }
            None => return None,
        };
        *strikes = strikes.saturating_add(1);
        Some((end, *strikes))
    }

    /// It has given a price of late.
    pub(super) fn is_heard(&self, now: Mono) -> bool {
        self.standing == Standing::Live && self.heard.is_some_and(|heard| now.since(heard) < FRESH)
    }

    /// The same, and has missed none.
    pub(super) fn is_fresh(&self, now: Mono) -> bool {
        self.is_heard(now) && !self.is_gapped
    }

    /// It has said a price on this connection, and since it fell silent HTTP has said the same twice: if the socket
    /// lives, there is nothing to say. A subscription that was lost looks alike until its price moves, which the next
    /// poll finds.
    pub(super) fn is_quiet(&self) -> bool {
        let has_price = self.heard.is_some() && self.said.is_some();
        self.standing == Standing::Live && !self.is_gapped && has_price && self.is_confirmed
    }
}
