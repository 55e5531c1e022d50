//! The circuit breaker: a step that is too large to believe at once.
//!
//! It is measured from the answer on chain, so that a restart disarms nothing, and what is large grows with the square
//! root of that answer's age, as a price's wandering does. While it is open nothing is published. It lets a value pass
//! that others vouch for: venues that had no part in the answer on chain, or all venues, in agreement and for a while
//! whose end nobody can foretell.

use super::Known;
use crate::price::{Answer, Ratio};
use crate::time::{Now, Span};

/// How far a value may wander while it is being confirmed, and how far apart the venues may be that confirm it.
const BAND: Ratio = Ratio::from_bps(100);
/// The time to confirm is longer or shorter by up to this many percent.
const JITTER_PERCENT: u64 = 25;

/// When a step is too large, and when it is believed all the same. The default is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// A larger step away from an answer that is new opens it; zero: off.
    pub min: Ratio,
    /// What `min` grows to at most as the answer on chain ages.
    pub max: Ratio,
    /// How fast: after t minutes it is `min` × (1 + √(t × this)).
    pub growth: Ratio,
    /// So many families that had no part in the answer on chain suffice; zero: they never do.
    pub corroborate: usize,
    /// All venues suffice that agree within 1% on a value that stays within 1% for this long, give or take a quarter.
    pub confirm_for: Span,
    /// When it has been open for so long, an operator is called.
    pub max_open: Span,
}

/// Who stands behind a value, beside its quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// Venues that had no part in the answer on chain; none, if it is not known which had.
    pub independent: usize,
    /// Whether all venues that count agree within 1%.
    pub is_unanimous: bool,
}

/// Every word for how a breaker stands: it lets values near the answer on chain pass, it examines a step, or it lets a
/// step pass that it has believed.
pub const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];

/// What the breaker remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// The value is near the answer on chain.
    #[default]
    Closed,
    /// A step is under examination: where to, and since when it stays there in agreement.
    Open { around: Answer, since: Now },
    /// A step was believed; what stays near it may pass until it is on chain.
    HalfOpen { around: Answer },
}

impl Breaker {
    /// The largest step that is believed at once from an answer of this age, to a part per billion, rounded down.
    pub fn threshold(&self, age: Span) -> Ratio {
        const MINUTE_MS: u128 = 60_000;
        let unit = u128::from(Ratio::ONE.ppb());
        // √(growth × minutes) in parts per billion: the root of what is 10^18 times as large.
        let square = u128::from(self.growth.ppb()).saturating_mul(unit).saturating_mul(u128::from(age.ms()));
        let root = (square / MINUTE_MS).isqrt();
        let grown = u128::from(self.min.ppb()).saturating_mul(unit.saturating_add(root)) / unit;
        let grown = u64::try_from(grown).unwrap_or(u64::MAX);
        Ratio::from_ppb(grown.min(self.max.max(self.min).ppb()))
    }

    /// Whether a step from `old`, which has been on chain for `age`, is too large to believe at once.
    pub fn opens(&self, old: Answer, new: Answer, age: Span) -> bool {
        self.min.ppb() > 0 && old.is_beyond(new, self.threshold(age))
    }
}

impl State {
    /// Its stable word, one of [`BREAKER_STATES`].
    pub const fn code(&self) -> &'static str {
        let [closed, open, half_open] = BREAKER_STATES;
        match self {
            Self::Closed => closed,
            Self::Open { .. } => open,
            Self::HalfOpen { .. } => half_open,
        }
    }

    /// Whether a step is under examination.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Looks at a value. Returns whether it has to wait.
    pub fn see(&mut self, rule: &Breaker, known: &Known, answer: Answer, support: Support, now: Now) -> bool {
        if !rule.opens(known.answer, answer, now.wall.since(known.updated_at)) {
            *self = Self::Closed;
            return false;
        }
        let stays = |around: Answer| !around.deviates(answer, BAND);
        match *self {
            Self::HalfOpen { around } if stays(around) => return false,
            Self::Open { around, since } if stays(around) => {
                let since = if support.is_unanimous { since } else { now };
                let corroborated = rule.corroborate > 0 && support.independent >= rule.corroborate;
                let lasts =
                    support.is_unanimous && now.mono.since(since.mono) >= jittered(rule.confirm_for, since);
                *self = match corroborated || lasts {
                    true => Self::HalfOpen { around },
                    false => Self::Open { around, since },
                };
            }
            _ => *self = Self::Open { around: answer, since: now },
        }
        self.is_open()
    }
}

/// A span, give or take a quarter. The instant at which this process began to look decides, which nobody else knows to
/// the millisecond.
fn jittered(span: Span, since: Now) -> Span {
    let seed = since.wall.ms().unsigned_abs().rotate_left(32) ^ since.mono.ms();
    let percent = fastrand::Rng::with_seed(seed).u64(100 - JITTER_PERCENT..=100 + JITTER_PERCENT);
    Span::from_ms(span.times(percent).ms() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mono, Wall};

    /// 15% to 25%, growing as Celo's oracles let it.
    fn celo() -> Breaker {
        Breaker {
            min: "15%".parse().unwrap(),
            max: "25%".parse().unwrap(),
            growth: "0.75%".parse().unwrap(),
            corroborate: 3,
            confirm_for: Span::from_s(180),
            max_open: Span::from_s(3600),
        }
    }

    #[test]
    fn the_threshold_grows_with_the_root_of_age_up_to_its_cap() {
        for (age_ms, threshold) in [
            (0, "15%"),
            (60_000, "16.2990381%"),
            (300_000, "17.9047375%"),
            (600_000, "19.1079191%"),
            (1_200_000, "20.8094750%"),
            (3_555_000, "24.9992187%"),
            (3_555_600, "25%"),
            (u64::MAX, "25%"),
        ] {
            assert_eq!(celo().threshold(Span::from_ms(age_ms)), threshold.parse().unwrap(), "{age_ms} ms");
        }
        let flat = Breaker { growth: Ratio::default(), ..celo() };
        assert_eq!(flat.threshold(Span::from_s(9_999)), flat.min);
        let capped = Breaker { max: "1%".parse().unwrap(), ..celo() };
        assert_eq!(capped.threshold(Span::from_s(9_999)), capped.min, "a cap below is none");
    }

    #[test]
    fn only_more_than_the_threshold_opens_it() {
        let wide = "100000000000000000000000000000";
        for (old, new, opens) in [
            ("10000", "11499", false),
            ("10000", "11500", false),
            ("10000", "11501", true),
            ("10000", "8500", false),
            ("10000", "8499", true),
            ("-10000", "-11500", false),
            ("-10000", "-11501", true),
            ("-1", "1", true),
            ("0", "0", false),
            ("0", "1", true),
            ("1", "0", true),
            (wide, "115000000000000000000000000000", false),
            (wide, "115000000000000000000000000001", true),
        ] {
            let (old, new) = (old.parse().unwrap(), new.parse().unwrap());
            assert_eq!(celo().opens(old, new, Span::ZERO), opens, "{old} {new}");
            assert!(!Breaker::default().opens(old, new, Span::ZERO), "off: {old} {new}");
        }
    }

    const UNANIMOUS: Support = Support { independent: 0, is_unanimous: true };

    fn at(ms: u64) -> Now {
        Now { wall: Wall::from_s(1_000) + Span::from_ms(ms), mono: Mono::from_ms(ms) }
    }

    fn known(answer: i64) -> Known {
        Known { round: 7, answer: answer.into(), updated_at: Wall::from_s(1_000) }
    }

    /// When a step that stays where it is passes, in milliseconds, looked at every second.
    fn passes(rule: &Breaker, support: Support, began_ms: u64) -> Option<u64> {
        let mut state = State::Closed;
        let looks = (0..400).map(|s| s * 1000);
        let mut looks =
            looks.filter(|ms| !state.see(rule, &known(10_000), 20_000.into(), support, at(began_ms + ms)));
        looks.next()
    }

    #[test]
    fn a_step_passes_after_a_time_that_nobody_can_foretell() {
        let times: Vec<u64> = (0..40).filter_map(|n| passes(&celo(), UNANIMOUS, n * 7)).collect();
        assert_eq!(times.len(), 40);
        assert!(times.iter().all(|ms| (135_000..=225_000).contains(ms)), "{times:?}");
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(most - least > 60_000, "{times:?}");
    }

    #[test]
    fn a_step_passes_at_the_next_look_where_enough_others_vouch_for_it() {
        let by = |independent| Support { independent, is_unanimous: false };
        for (independent, passed) in [(0, None), (2, None), (3, Some(1000)), (4, Some(1000))] {
            assert_eq!(passes(&celo(), by(independent), 0), passed, "{independent} others");
        }
        let off = Breaker { corroborate: 0, ..celo() };
        assert_eq!(passes(&off, by(9), 0), None);
    }

    #[test]
    fn what_moves_disagrees_or_comes_back_begins_anew() {
        let mut state = State::Closed;
        let mut see = |answer: i64, support, s: u64| {
            state.see(&celo(), &known(10_000), answer.into(), support, at(s * 1000))
        };
        assert!(see(20_000, UNANIMOUS, 0));
        assert!(see(20_199, UNANIMOUS, 134), "within 1%");
        assert!(see(20_200, UNANIMOUS, 230), "it moved by 1%");
        assert!(see(20_200, Support::default(), 300), "venues disagree");
        assert!(see(20_200, UNANIMOUS, 430));
        assert!(!see(20_200, UNANIMOUS, 530));
        assert!(!see(20_300, Support::default(), 531), "what is near the one that passed may pass");
        assert!(see(30_000, UNANIMOUS, 532), "another step does not slip in with it");
        assert!(!see(10_000, UNANIMOUS, 533));
        assert!(see(30_000, UNANIMOUS, 999), "what was forgotten starts over");
    }
}
