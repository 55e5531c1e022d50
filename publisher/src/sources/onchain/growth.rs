//! How a share's price may move: it never falls by much, and it grows slowly.
//!
//! A vault's share price jumps when somebody gives it assets, or when its books are wrong; neither is income. What was
//! believed before is kept in the journal, so that a restart is no way around the limits. A step that is right all the
//! same takes an operator's word.

use super::Trouble;
use publisher_core::price::{Price, Ratio};
use publisher_core::quote::VenueId;
use publisher_core::time::{Span, Wall};

const DAY: Span = Span::from_s(86_400);

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// It may be so far below the last price that was believed: fees and roundings, not a loss.
    pub max_decrease: Ratio,
    /// It may rise by so much within a day.
    pub max_growth: Ratio,
}

/// What is believed of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// The last price, and when it was true.
    pub last: (Price, Wall),
    /// What growth is measured from: a price, and when it was true. A day old at most while prices are believed.
    pub base: (Price, Wall),
    /// The newest word of an operator that it follows; 0: none.
    pub word: u64,
}

/// What is believed of one source, with its contract: another one under the same name is another share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belief {
    /// The source's name.
    pub source: VenueId,
    /// Its chain, kind and address.
    pub contract: String,
    /// What is believed of it.
    pub believed: Believed,
}

/// An operator's word that a share is worth this, whatever was believed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceWord {
    /// Its number: a later one counts.
    pub id: u64,
    /// The source's name.
    pub source: VenueId,
    /// Its chain, kind and address.
    pub contract: String,
    /// What the share is worth.
    pub price: Price,
    /// When it was said.
    pub said_at: Wall,
    /// Who said it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One share's limits, and what it is held to.
#[derive(Debug)]
pub(super) struct Share {
    limits: Growth,
    believed: Option<Believed>,
    /// What the journal has of it.
    kept: Option<Believed>,
    /// Why its last price was not believed.
    pub(super) refused: Option<String>,
}

impl Share {
    pub(super) const fn new(limits: Growth) -> Self {
        Self { limits, believed: None, kept: None, refused: None }
    }

    /// Believes a price, or says why not.
    pub(super) fn take(&mut self, price: Price, at: Wall) -> Result<Price, Trouble> {
        self.refused = self.believed.as_ref().and_then(|believed| self.limits.refuse(believed, price, at));
        if let Some(why) = &self.refused {
            return Err(Trouble::refused(why.clone()));
        }
        let now = (price, at);
        let (base, word) = match &self.believed {
            Some(believed) if at.since(believed.base.1) < DAY => (believed.base, believed.word),
            Some(believed) => (now, believed.word),
            None => (now, 0),
        };
        self.believed = Some(Believed { last: now, base, word });
        Ok(price)
    }

    /// Goes on from what was believed before the start.
    pub(super) fn recall(&mut self, believed: Believed) {
        (self.believed, self.kept) = (Some(believed.clone()), Some(believed));
    }

    /// The last price that is believed, and when it was true.
    pub(super) fn last(&self) -> Option<(Price, Wall)> {
        self.believed.as_ref().map(|believed| believed.last)
    }

    /// Follows an operator's word, once.
    pub(super) fn obey(&mut self, word: &SourceWord) -> bool {
        let is_news = self.believed.as_ref().is_none_or(|believed| believed.word < word.id);
        if is_news {
            let at = (word.price, word.said_at);
            self.believed = Some(Believed { last: at, base: at, word: word.id });
        }
        is_news
    }

    /// What is believed, if the journal is to have it: not for every price, but before the difference matters.
    pub(super) fn unkept(&self) -> Option<&Believed> {
        /// A difference of this part of what may pass in a step, or of a tenth of what may be gained in a day, is small.
        const PARTS: u64 = 10;
        let small = self.limits.max_decrease.ppb().max(self.limits.max_growth.ppb() / PARTS) / PARTS;
        let is_kept = |now: &Believed, kept: &Believed| {
            let apart = now.last.0.distance(kept.last.0);
            (now.base, now.word) == (kept.base, kept.word)
                && apart <= kept.last.0.share(Ratio::from_ppb(small))
        };
        let now = self.believed.as_ref()?;
        let is_kept = self.kept.as_ref().is_some_and(|kept| is_kept(now, kept));
        (!is_kept).then_some(now)
    }

    /// The journal has this.
    pub(super) fn keep(&mut self, believed: Believed) {
        self.kept = Some(believed);
    }
}

impl Growth {
    /// Why a price is not believed after others.
    fn refuse(&self, believed: &Believed, price: Price, at: Wall) -> Option<String> {
        let (last, _) = believed.last;
        if price < last && last.distance(price) > last.share(self.max_decrease) {
            return Some(format!(
                "fell from {last} to {price}, by more than max_decrease = {}",
                self.max_decrease
            ));
        }
        let (base, since) = believed.base;
        // A day's growth may come in one step. What a time without us allowed is not lost: two days allow twice as much.
        let ms = u128::from(at.since(since).ms().max(DAY.ms()));
        let allowed = u128::from(self.max_growth.ppb()) * ms / u128::from(DAY.ms());
        let allowed = Ratio::from_ppb(u64::try_from(allowed).unwrap_or(u64::MAX));
        (price > base && price.distance(base) > base.share(allowed)).then(|| {
            format!("rose from {base} to {price}, by more than max_growth = {} a day", self.max_growth)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Growth = Growth { max_decrease: Ratio::from_bps(10), max_growth: Ratio::from_bps(100) };

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn take(share: &mut Share, minute: u64, worth: &str) -> bool {
        share.take(price(worth), Wall::from_s(minute * 60)).is_ok()
    }

    /// A process that starts with what the journal has of another one.
    fn restarted(before: &Share) -> Share {
        let mut share = Share::new(before.limits);
        before.kept.clone().into_iter().for_each(|kept| share.recall(kept));
        share
    }

    /// Takes what the driver would write; whether there was anything.
    fn written(share: &mut Share) -> bool {
        let unkept = share.unkept().cloned();
        unkept.map(|believed| share.keep(believed)).is_some()
    }

    fn believed(prices: &[(u64, &str)]) -> Vec<bool> {
        let mut share = Share::new(LIMITS);
        prices.iter().map(|(hour, worth)| take(&mut share, hour * 60, worth)).collect()
    }

    #[test]
    fn a_gift_to_a_vault_and_a_loss_are_not_believed_and_income_is() {
        // A gift: nothing of it is believed within the day, however it is cut.
        assert_eq!(
            believed(&[(0, "1"), (1, "1.005"), (2, "1.0101"), (3, "1.01")]),
            [true, true, false, true]
        );
        // A loss, and a rounding.
        assert_eq!(believed(&[(0, "1"), (1, "0.998"), (2, "0.999")]), [true, false, true]);
        // A step once a day, and three days' worth after three days of silence.
        assert_eq!(
            believed(&[(0, "1"), (24, "1.01"), (48, "1.02"), (120, "1.05")]),
            [true, true, true, true]
        );
        assert_eq!(believed(&[(0, "1"), (72, "1.0301"), (73, "1.0301")]), [true, false, true]);
        // An hour more allows an hour's growth more, not another day's.
        assert_eq!(believed(&[(0, "1"), (25, "1.0105"), (25, "1.0104")]), [true, false, true]);
        // The clock of a chain does not go back; if it does, nothing is gained.
        assert_eq!(believed(&[(48, "1"), (0, "1.02")]), [true, false]);
    }

    /// Without this a restart would be all that it takes to have a step believed, or would stop a share that has grown.
    #[test]
    fn a_restart_believes_no_step_and_what_grew_meanwhile() {
        for (down_h, worth, expected) in [
            (0, "1.0101", false),
            (0, "0.9989", false),
            (23, "1.0101", false),
            (23, "1.01", true),
            (72, "1.0301", false),
            (72, "1.03", true),
            (720, "0.9989", false),
        ] {
            let mut share = Share::new(LIMITS);
            assert!(take(&mut share, 0, "1") && written(&mut share));
            let mut share = restarted(&share);
            assert_eq!(take(&mut share, down_h * 60, worth), expected, "{worth} after {down_h} h");
            assert_eq!(share.refused.is_some(), !expected);
        }
    }

    /// Without this the journal would grow with every block, or what it has would be too old to hold a step against.
    #[test]
    fn what_is_believed_is_written_when_it_differs_and_not_for_every_price() {
        let mut share = Share::new(LIMITS);
        // Half of a percent in a day, a price a minute.
        let mut writes = 0;
        for minute in 0..1440 {
            assert!(take(&mut share, minute, &format!("1.00{:07}", minute * 3472)));
            writes += usize::from(written(&mut share));
            // Whoever starts now goes on, and still believes no loss.
            assert!(take(&mut restarted(&share), minute, &format!("1.00{:07}", minute * 3472)));
            assert!(!take(&mut restarted(&share), minute, "0.9985"));
        }
        assert!((40..=60).contains(&writes), "{writes}");
        // What growth is measured from is new after a day.
        let before = share.kept.clone().unwrap().base;
        assert!(take(&mut share, 1440, "1.005") && written(&mut share));
        assert!(share.kept.unwrap().base.1 > before.1);
    }

    /// Without this a loss that is real would keep its source out until the process ends.
    #[test]
    fn an_operators_word_moves_what_is_believed_once_and_only_to_what_it_names() {
        let mut share = Share::new(LIMITS);
        assert!(take(&mut share, 0, "1") && written(&mut share) && !take(&mut share, 1, "0.9"));
        let word = |id, worth: &str| SourceWord {
            id,
            source: VenueId::new("vault"),
            contract: "erc4626".into(),
            price: price(worth),
            said_at: Wall::from_s(120),
            by: "ann".into(),
            reason: "slashed".into(),
        };
        assert!(share.obey(&word(1, "0.9")) && written(&mut share));
        assert!(!take(&mut share, 3, "0.5"), "what nobody has looked at");
        assert!(take(&mut share, 3, "0.9005") && !take(&mut share, 4, "1"));
        // It is heard again at every poll, and after a restart.
        assert!(!share.obey(&word(1, "0.9")) && take(&mut share, 5, "0.9008"));
        assert!(!restarted(&share).obey(&word(1, "0.9")));
        assert!(restarted(&share).obey(&word(2, "1")));
    }
}
