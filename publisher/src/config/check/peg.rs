//! Pegs of stable assets: that a loss can be told at all, and be over again.

use super::policy::on;
use super::{Check, Layers};
use crate::config::keys::Peg as RawPeg;
use crate::config::leaf::value;
use publisher_core::peg::Peg;
use publisher_core::price::Ratio;
use publisher_core::time::Span;

const ENTER: Ratio = Ratio::from_bps(100);
const LOOKS: u32 = 3;
/// A venue that lies about a stable asset, and one that repeats it, are no depeg.
const FAMILIES: usize = 3;
const CALM: Span = Span::from_s(600);

impl Check<'_> {
    /// When a rate with so many families counts as off its peg.
    pub(super) fn peg(&mut self, raw: &RawPeg, families: usize) -> Peg {
        let enter = value(raw.enter.as_ref()).unwrap_or(ENTER);
        let peg = Peg {
            enter,
            exit: value(raw.exit.as_ref()).unwrap_or(Ratio::from_ppb(enter.ppb() / 2)),
            looks: value(raw.looks.as_ref()).unwrap_or(LOOKS),
            families: value(raw.families.as_ref()).unwrap_or(FAMILIES),
            calm: value(raw.calm.as_ref()).unwrap_or(CALM),
        };
        let at = |key: &str| raw.place.missing(key);
        if enter == Ratio::default() || enter >= Ratio::ONE {
            let place = raw.enter.as_ref().map_or_else(|| at("enter"), |item| item.place.clone());
            let reason = "no rate is one to the last digit, and one that is off by all of it is nothing";
            self.found.error(&place, reason, "use e.g. \"1%\"");
        } else if peg.exit >= enter || peg.exit == Ratio::default() {
            let place = raw.exit.as_ref().map_or_else(|| at("exit"), |item| item.place.clone());
            let reason = format!("it has to be nearer to one than the {enter} at which the peg is lost");
            self.found.error(&place, reason, "use half of that, or leave it out");
        }
        if peg.families > families {
            let place = raw.families.as_ref().map_or_else(|| at("families"), |item| item.place.clone());
            let need = peg.families;
            let reason = format!("of {families} families never {need} say that the peg is lost");
            self.found.error(&place, reason, format!("use at most {families}, or add venues to the rate"));
        }
        peg
    }

    /// How often a feed is published at least while a rate of its has lost its peg.
    pub(super) fn depeg_heartbeat(&mut self, layers: &Layers<'_>, block: Option<Span>) -> Span {
        let set = layers.rule("on_depeg.heartbeat", |p| p.on_depeg.as_ref()?.heartbeat.as_ref());
        let heartbeat = on(&set, Span::ZERO);
        if let Some(block) = block.filter(|block| heartbeat > Span::ZERO && heartbeat < block.times(2)) {
            let whose = layers.whose(&set.place);
            let reason = format!("blocks take {block}, so it would always be due{whose}");
            self.found.error(&set.place, reason, format!("use {} or more", block.times(2)));
        }
        heartbeat
    }

    /// Whether sources whose rate has lost its peg are left out.
    pub(super) fn drops_depegged(&mut self, layers: &Layers<'_>, rates: &[&str]) -> bool {
        let set = layers.depegged("on_depeg.drop_sources", |d| d.drop_sources.as_ref());
        let drop = set.value.unwrap_or(false);
        let pegged =
            rates.iter().any(|rate| self.root.rate.get(*rate).is_some_and(|rate| rate.peg.is_some()));
        if drop && set.own && !pegged {
            let reason = "no rate that converts its sources has a peg to lose";
            self.found.warn(&set.place, reason, "give the rate a peg, e.g. peg = \"1%\", or drop it");
        }
        drop
    }
}
