//! When to publish: `decide(policy, memory, chain's round, aggregation, now)`.
//!
//! Pure: it reads no clock and changes nothing but the feed's own [`Memory`]. Deviation is measured exactly on
//! aggregator integers against the answer on chain and fires at the threshold; heartbeats run from the chain's
//! `updatedAt`, so a restart owes what was owed before. Zero switches a rule off.

use crate::aggregate::{Estimate, Refusal};
use crate::price::Price;
use crate::price::{Answer, Ratio};
use crate::time::{Mono, Now, Span, Wall};
use alloy_primitives::U256;

/// How two deviation thresholds combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Either suffices.
    Any,
    /// Both are needed.
    All,
}

/// The update policy of one feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A round at least this often; zero: off.
    pub heartbeat: Span,
    /// A heartbeat is sent this long before it is due.
    pub heartbeat_lead: Span,
    /// Relative deviation from the answer on chain; zero: off.
    pub deviation: Ratio,
    /// Absolute deviation in units of the aggregator's integer; zero: off.
    pub deviation_abs: U256,
    /// How the two combine when both are on.
    pub combine: Combine,
    /// A deviation must last this long before it is published; zero: at once.
    pub settle: Span,
    /// A step larger than this is braked; zero: off.
    pub jump: Ratio,
    /// A braked step is believed after the value has stayed within `jump_band` for this long.
    pub jump_confirm: Span,
    /// As a standby: a round that is due is left to the primary for this long; zero: this is no standby.
    pub standby: Span,
    /// Smallest answer that may be published.
    pub min_answer: Answer,
    /// Largest answer that may be published.
    pub max_answer: Answer,
}

/// How far a braked value may wander while it is being confirmed.
const JUMP_BAND: Ratio = Ratio::from_bps(100);

/// A race that a standby lost to its primary weighs as much as so many rounds that it left to the primary. So at most
/// one round in nine is raced for in vain, however the two are set.
const RACE_WEIGHT: u32 = 8;
/// After lost races a standby waits longer, up to this power of two of its delay: nobody is left without rounds for
/// longer than that, should the primary die.
const RACES_MAX: u32 = 3;

/// What a feed remembers between decisions. It starts empty after a restart, which only delays a deviation or a
/// standby.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Since when the value deviates without a break.
    deviates_since: Option<Now>,
    /// A step under examination: the value it started from and when.
    brake: Option<(Answer, Now)>,
    /// Since when the round after this one is due, as a standby sees it.
    due: Option<(u64, Mono)>,
    /// Races lost to the primary, weighed against rounds left to it.
    lost: u32,
}

/// A feed's latest round on the canonical chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id; 0 before the first round.
    pub round: u64,
    /// Its answer.
    pub answer: Answer,
    /// Its block time.
    pub updated_at: Wall,
}

/// Why a round is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The aggregator has no round yet.
    First,
    /// The heartbeat is due.
    Heartbeat,
    /// The value deviates from the answer on chain.
    Deviation,
    /// Nearly due, it rides along with a feed of its store that is.
    Early,
    /// A feed of its group is due.
    Group,
}

impl Trigger {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Heartbeat => "heartbeat",
            Self::Deviation => "deviation",
            Self::Early => "early",
            Self::Group => "group",
        }
    }
}

/// Why a feed publishes nothing although it might.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// There is no value to publish.
    NoValue(Refusal),
    /// The value is outside the bounds of configuration or contract.
    OutOfBounds,
    /// A step too large to believe at once.
    Braked,
    /// A round is due, and the primary is given time to write it.
    Standby,
    /// What may be spent is spent, and the heartbeat is not due.
    OverBudget,
    /// The chain's round has not been read yet, or has to be read again.
    RoundUnknown,
    /// The aggregator is paused.
    Paused,
    /// Our account may not submit.
    NotAuthorised,
    /// The contract would refuse the transaction, or has skipped the feed's entry.
    Refused,
    /// Its group moves together, and another member of it may not move.
    GroupMember,
    /// It is due, and other feeds of its store are given a moment to join it.
    Gathering,
    /// An earlier round of this feed is on its way.
    InFlight,
    /// The account's transactions are not accounted for yet, it waits for funds, or has no room for another one.
    AccountBusy,
    /// An operator has to acknowledge something first.
    Halted,
    /// Another replica holds the account's lease, or this one is about to take over.
    Leased,
}

impl Hold {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoValue(Refusal::Quorum { .. }) => "quorum",
            Self::NoValue(Refusal::TooManyOutliers) => "too_many_outliers",
            Self::NoValue(Refusal::Dispersed) => "dispersed",
            Self::NoValue(Refusal::NoReference) => "no_reference",
            Self::NoValue(Refusal::OffReference) => "off_reference",
            Self::OutOfBounds => "bounds",
            Self::Braked => "jump_brake",
            Self::Standby => "standby",
            Self::OverBudget => "over_budget",
            Self::RoundUnknown => "round_unknown",
            Self::Paused => "paused",
            Self::NotAuthorised => "not_authorised",
            Self::Refused => "refused",
            Self::GroupMember => "group_member",
            Self::Gathering => "gathering",
            Self::InFlight => "in_flight",
            Self::AccountBusy => "account_busy",
            Self::Halted => "halted",
            Self::Leased => "leased",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NoValue(Refusal::Quorum { .. }) => {
                "Too few venues answer; `publisher quote` shows each one's reason."
            }
            Self::NoValue(Refusal::NoReference) => {
                "The feed's reference has no value; `publisher quote` with its name shows why. Nothing is published unchecked."
            }
            Self::NoValue(Refusal::OffReference) => {
                "The feed is far from its reference: a rate may be missing, inverted or wrong in its sources, or the reference is. Nothing is published until they agree."
            }
            Self::NoValue(Refusal::TooManyOutliers | Refusal::Dispersed) => {
                "The venues disagree; `publisher quote` shows what each one says. Nothing is published until they agree."
            }
            Self::OutOfBounds => {
                "Check the price; if it is real, deploy an aggregator with wider bounds. It is never clamped."
            }
            Self::Braked => {
                "The price jumped; it is published once it has stayed there for policy.jump_confirm."
            }
            Self::Standby => {
                "No action; if the primary does not write the round that is due, this standby does."
            }
            Self::OverBudget => {
                "The feed's hour or the account's day is spent; heartbeats go out unless fees.over_budget says nothing. Raise the cap, or look at what costs so much."
            }
            Self::RoundUnknown => "Check that the node answers eth_call for the aggregator.",
            Self::Paused => "Unpause the aggregator.",
            Self::NotAuthorised => "Grant the account the transmitter role: setTransmitter(account, true).",
            Self::Refused => "The aggregator would revert; the reason is in the log.",
            Self::GroupMember => "Look at the other feeds of its group; the one that may not move says why.",
            Self::Gathering => {
                "No action; it goes out with its store's next transaction, after store.gather."
            }
            Self::InFlight => "No action; a transaction of this feed is on its way.",
            Self::AccountBusy => "No action; the account's earlier transactions are being settled.",
            Self::Halted => {
                "Read the halt's reason, repair the cause, then restart with --acknowledge-halts."
            }
            Self::Leased => {
                "No action: the replica that holds the account's lease publishes; `publisher status` names it."
            }
        }
    }
}

/// The outcome of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Publish this answer as the next round.
    Publish {
        /// The answer.
        answer: Answer,
        /// Why.
        trigger: Trigger,
    },
    /// Nothing is due.
    Rest,
    /// Nothing may be published.
    Hold(Hold),
}

impl Policy {
    /// When the next heartbeat is to be sent; `None` without heartbeat or before the first round.
    pub fn heartbeat_at(&self, known: &Known) -> Option<Wall> {
        (self.heartbeat > Span::ZERO && known.round > 0)
            .then(|| known.updated_at + self.heartbeat.less(self.heartbeat_lead))
    }

    /// Whether a heartbeat is to be sent by now.
    pub fn is_beating(&self, known: &Known, now: Wall) -> bool {
        self.heartbeat_at(known).is_some_and(|at| now >= at)
    }

    /// Whether a round that is not due is nearly so: `share` of its deviation or of its heartbeat has been reached, by
    /// the chain's time, or its heartbeat comes within the time `ahead`. A deviation that has yet to settle is not
    /// nearly due. A share of zero and no time: never.
    pub fn is_near(&self, known: &Known, answer: Answer, share: Ratio, ahead: Span, now: Wall) -> bool {
        let part_ms =
            u128::from(self.heartbeat.ms()) * u128::from(share.ppb()) / u128::from(Ratio::ONE.ppb());
        let part = Span::from_ms(u64::try_from(part_ms).unwrap_or(u64::MAX));
        let aged = self.heartbeat_at(known).is_some() && now.since(known.updated_at) >= part;
        let soon = ahead > Span::ZERO && self.is_beating(known, now + ahead);
        let scaled =
            u128::from(self.deviation.ppb()) * u128::from(share.ppb()) / u128::from(Ratio::ONE.ppb());
        let closer = Self {
            deviation: Ratio::from_ppb(u64::try_from(scaled).unwrap_or(u64::MAX)),
            deviation_abs: self.deviation_abs * U256::from(share.ppb()) / U256::from(Ratio::ONE.ppb()),
            ..*self
        };
        let shared = share.ppb() > 0 && (aged || closer.deviates(known.answer, answer));
        known.round > 0 && (shared || soon) && !self.deviates(known.answer, answer)
    }

    fn deviates(&self, old: Answer, new: Answer) -> bool {
        let relative = (self.deviation.ppb() > 0).then(|| old.deviates(new, self.deviation));
        let absolute = (!self.deviation_abs.is_zero()).then(|| old.distance(new) >= self.deviation_abs);
        match (relative, absolute, self.combine) {
            (Some(relative), Some(absolute), Combine::All) => relative && absolute,
            (relative, absolute, _) => relative.unwrap_or(false) || absolute.unwrap_or(false),
        }
    }
}

/// Decides what one feed does now. `decimals` are the aggregator's.
pub fn decide(
    policy: &Policy,
    memory: &mut Memory,
    known: &Known,
    value: Result<&Estimate, Refusal>,
    decimals: u8,
    now: Now,
) -> Decision {
    let decision = due(policy, memory, known, value, decimals, now);
    match memory.stands_by(policy, known, decision, now.mono) {
        true => Decision::Hold(Hold::Standby),
        false => decision,
    }
}

/// What a publisher that is alone does now.
fn due(
    policy: &Policy,
    memory: &mut Memory,
    known: &Known,
    value: Result<&Estimate, Refusal>,
    decimals: u8,
    now: Now,
) -> Decision {
    let answer = match value.map(|estimate| answer_of(policy, estimate.price, decimals)) {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            memory.forget();
            return Decision::Hold(Hold::OutOfBounds);
        }
        Err(refusal) => {
            memory.forget();
            return Decision::Hold(Hold::NoValue(refusal));
        }
    };
    if known.round == 0 {
        return Decision::Publish { answer, trigger: Trigger::First };
    }
    if memory.braked(policy, known, answer, now) {
        return Decision::Hold(Hold::Braked);
    }
    let settled = memory.settled(policy, policy.deviates(known.answer, answer), now);
    if settled {
        return Decision::Publish { answer, trigger: Trigger::Deviation };
    }
    match policy.heartbeat_at(known) {
        Some(due) if now.wall >= due => Decision::Publish { answer, trigger: Trigger::Heartbeat },
        _ => Decision::Rest,
    }
}

/// The aggregator integer of a price, if it may be published at all.
pub fn answer_of(policy: &Policy, price: Price, decimals: u8) -> Option<Answer> {
    price.to_answer(decimals).filter(|a| (policy.min_answer..=policy.max_answer).contains(a))
}

impl Memory {
    fn forget(&mut self) {
        (self.deviates_since, self.brake) = (None, None);
    }

    /// A round that we sent was written by somebody else.
    pub fn lost_race(&mut self) {
        self.lost = self.lost.saturating_add(RACE_WEIGHT).min(RACE_WEIGHT * RACES_MAX);
    }

    /// Whether a round that is due is still the primary's to write.
    fn stands_by(&mut self, policy: &Policy, known: &Known, decision: Decision, now: Mono) -> bool {
        if policy.standby == Span::ZERO {
            return false;
        }
        if self.due.is_some_and(|(round, _)| round != known.round) {
            self.due = None; // The primary wrote it.
            self.lost = self.lost.saturating_sub(1);
        }
        match decision {
            Decision::Publish { .. } => {
                let (_, since) = *self.due.get_or_insert((known.round, now));
                now.since(since) < policy.standby.times(1 << self.lost.div_ceil(RACE_WEIGHT))
            }
            Decision::Rest => {
                self.due = None;
                false
            }
            // What is due stays due while nothing can be said.
            Decision::Hold(_) => false,
        }
    }

    /// Whether a step away from the chain's answer is still too large to believe.
    fn braked(&mut self, policy: &Policy, known: &Known, answer: Answer, now: Now) -> bool {
        if policy.jump.ppb() == 0 || !known.answer.deviates(answer, policy.jump) {
            self.brake = None;
            return false;
        }
        match self.brake {
            Some((reference, since)) if !reference.deviates(answer, JUMP_BAND) => {
                now.mono.since(since.mono) < policy.jump_confirm
            }
            _ => {
                self.brake = Some((answer, now));
                policy.jump_confirm > Span::ZERO
            }
        }
    }

    /// Whether a deviation has lasted long enough.
    fn settled(&mut self, policy: &Policy, deviates: bool, now: Now) -> bool {
        if !deviates {
            self.deviates_since = None;
            return false;
        }
        let since = *self.deviates_since.get_or_insert(now);
        now.mono.since(since.mono) >= policy.settle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::I256;

    fn answer(v: i64) -> Answer {
        Answer::new(I256::try_from(v).unwrap())
    }

    fn policy() -> Policy {
        Policy {
            heartbeat: Span::from_s(3600),
            heartbeat_lead: Span::from_s(2),
            deviation: "0.5%".parse().unwrap(),
            deviation_abs: U256::ZERO,
            combine: Combine::Any,
            settle: Span::ZERO,
            jump: "20%".parse().unwrap(),
            jump_confirm: Span::from_s(60),
            standby: Span::ZERO,
            min_answer: answer(1),
            max_answer: answer(1_000_000_000),
        }
    }

    fn at(s: u64) -> Now {
        Now { wall: Wall::from_s(s), mono: Mono::from_ms(s * 1000) }
    }

    fn known(round: u64, v: i64) -> Known {
        Known { round, answer: answer(v), updated_at: Wall::from_s(0) }
    }

    fn estimate(text: &str) -> Estimate {
        Estimate { price: text.parse().unwrap(), spread: Price::ZERO, venues: 5, as_of: Wall::default() }
    }

    fn look(policy: &Policy, memory: &mut Memory, known: &Known, text: &str, s: u64) -> Decision {
        decide(policy, memory, known, Ok(&estimate(text)), 2, at(s))
    }

    fn publish(v: i64, trigger: Trigger) -> Decision {
        Decision::Publish { answer: answer(v), trigger }
    }

    #[test]
    fn deviation_fires_at_the_threshold_not_below() {
        let p = policy();
        let k = known(7, 10_000);
        let m = &mut Memory::default();
        assert_eq!(look(&p, m, &k, "100.49", 1), Decision::Rest);
        assert_eq!(look(&p, m, &k, "100.50", 1), publish(10_050, Trigger::Deviation));
        assert_eq!(look(&p, m, &k, "99.50", 1), publish(9_950, Trigger::Deviation));
    }

    #[test]
    fn zero_is_off_and_never_always() {
        let p = Policy { deviation: Ratio::default(), ..policy() };
        assert_eq!(look(&p, &mut Memory::default(), &known(7, 10_000), "110", 1), Decision::Rest);
        let p = Policy { heartbeat: Span::ZERO, ..policy() };
        assert_eq!(look(&p, &mut Memory::default(), &known(7, 10_000), "100", 999_999), Decision::Rest);
    }

    #[test]
    fn absolute_and_relative_combine_as_told() {
        let both = |combine| Policy { deviation_abs: U256::from(100), combine, ..policy() };
        for (text, any, all) in [("100.50", true, false), ("101.00", true, true), ("100.49", false, false)] {
            for (combine, fires) in [(Combine::Any, any), (Combine::All, all)] {
                let decision = look(&both(combine), &mut Memory::default(), &known(7, 10_000), text, 1);
                assert_eq!(decision != Decision::Rest, fires, "{text} {combine:?}");
            }
        }
        let only_abs = Policy {
            deviation: Ratio::default(),
            deviation_abs: U256::from(100),
            combine: Combine::All,
            ..policy()
        };
        assert_ne!(look(&only_abs, &mut Memory::default(), &known(7, 10_000), "101", 1), Decision::Rest);
    }

    #[test]
    fn heartbeat_counts_from_the_chain_and_is_owed_after_a_restart() {
        let p = policy();
        let k = known(7, 10_000);
        assert_eq!(look(&p, &mut Memory::default(), &k, "100", 3597), Decision::Rest);
        assert_eq!(look(&p, &mut Memory::default(), &k, "100", 3598), publish(10_000, Trigger::Heartbeat));
        assert_eq!(look(&p, &mut Memory::default(), &k, "100", 90_000), publish(10_000, Trigger::Heartbeat));
    }

    #[test]
    fn a_first_round_needs_no_trigger() {
        let decision = look(&policy(), &mut Memory::default(), &known(0, 0), "100", 1);
        assert_eq!(decision, publish(10_000, Trigger::First));
    }

    #[test]
    fn out_of_bounds_is_held_and_never_clamped() {
        let p = policy();
        for text in ["0.004", "10000000.01"] {
            let decision = look(&p, &mut Memory::default(), &known(7, 10_000), text, 9_999);
            assert_eq!(decision, Decision::Hold(Hold::OutOfBounds), "{text}");
        }
    }

    #[test]
    fn a_jump_waits_until_it_has_stayed() {
        let p = policy();
        let k = known(7, 10_000);
        let m = &mut Memory::default();
        assert_eq!(look(&p, m, &k, "1000", 10), Decision::Hold(Hold::Braked));
        assert_eq!(look(&p, m, &k, "1001", 69), Decision::Hold(Hold::Braked));
        assert_eq!(look(&p, m, &k, "1001", 70), publish(100_100, Trigger::Deviation));
        // One that keeps moving starts over; one that comes back is forgotten.
        let m = &mut Memory::default();
        assert_eq!(look(&p, m, &k, "1000", 10), Decision::Hold(Hold::Braked));
        assert_eq!(look(&p, m, &k, "1100", 60), Decision::Hold(Hold::Braked));
        assert_eq!(look(&p, m, &k, "1100", 100), Decision::Hold(Hold::Braked));
        assert_eq!(look(&p, m, &k, "100", 101), Decision::Rest);
        assert_eq!(look(&p, m, &k, "1100", 121), Decision::Hold(Hold::Braked));
        // A braked feed holds its heartbeat too: a wrong answer is worse than a late one.
        assert_eq!(look(&p, m, &k, "1100", 170), Decision::Hold(Hold::Braked));
    }

    #[test]
    fn a_deviation_settles_without_a_break() {
        let p = Policy { settle: Span::from_s(3), ..policy() };
        let k = known(7, 10_000);
        let m = &mut Memory::default();
        assert_eq!(look(&p, m, &k, "101", 10), Decision::Rest);
        assert_eq!(look(&p, m, &k, "100", 11), Decision::Rest);
        assert_eq!(look(&p, m, &k, "101", 12), Decision::Rest);
        assert_eq!(look(&p, m, &k, "102", 15), publish(10_200, Trigger::Deviation));
        let refusal = Refusal::Dispersed;
        assert_eq!(decide(&p, m, &k, Err(refusal), 2, at(16)), Decision::Hold(Hold::NoValue(refusal)));
        assert_eq!(look(&p, m, &k, "102", 17), Decision::Rest);
    }

    #[test]
    fn a_standby_leaves_every_due_round_to_its_primary_for_a_while() {
        let p = Policy { standby: Span::from_s(10), ..policy() };
        let hold = Decision::Hold(Hold::Standby);
        let m = &mut Memory::default();
        // A deviation, a heartbeat and a first round alike.
        for (known, text, s, trigger) in [
            (known(7, 10_000), "101", 100, Trigger::Deviation),
            (known(8, 10_100), "101", 3598, Trigger::Heartbeat),
            (known(0, 0), "101", 9_000, Trigger::First),
        ] {
            assert_eq!(look(&p, m, &known, text, s), hold);
            assert_eq!(look(&p, m, &known, text, s + 9), hold);
            assert_eq!(look(&p, m, &known, text, s + 10), publish(10_100, trigger));
        }
        // What is not due any more has to become due anew; venues that are silent for a moment change nothing.
        let k = known(9, 10_000);
        assert_eq!(look(&p, m, &k, "101", 100), hold);
        assert_eq!(look(&p, m, &k, "100", 105), Decision::Rest);
        assert_eq!(look(&p, m, &k, "101", 109), hold);
        decide(&p, m, &k, Err(Refusal::Dispersed), 2, at(112));
        assert_eq!(look(&p, m, &k, "101", 115), hold);
        assert_eq!(look(&p, m, &k, "101", 119), publish(10_100, Trigger::Deviation));
    }

    /// Without it a standby and a primary of the same pace would pay for every round twice.
    #[test]
    fn a_standby_that_loses_races_waits_longer_up_to_a_limit() {
        let p = Policy { standby: Span::from_s(10), ..policy() };
        let waited = |m: &mut Memory, round: u64| {
            let k = known(round, 10_000);
            (0..).find(|s| look(&p, m, &k, "101", round * 100 + s) != Decision::Hold(Hold::Standby)).unwrap()
        };
        let m = &mut Memory::default();
        let mut waits = Vec::new();
        for round in 1..=6 {
            waits.push(waited(m, round));
            m.lost_race();
        }
        assert_eq!(waits, [10, 20, 40, 80, 80, 80]);
        // Rounds that are left to the primary make up for it, eight for a race.
        for round in 7..=30 {
            look(&p, m, &known(round, 10_000), "101", 5_000);
        }
        assert_eq!(waited(m, 31), 10);
    }
}
