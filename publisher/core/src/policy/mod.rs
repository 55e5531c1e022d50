//! When to publish: `decide(policy, memory, chain's round, aggregation, now)`.
//!
//! Pure: it reads no clock and changes nothing but the feed's own [`Memory`]. Deviation is measured exactly on
//! aggregator integers against the answer on chain and fires at the threshold; heartbeats run from the chain's
//! `updatedAt`, so a restart owes what was owed before. Zero switches a rule off. Each rule is a module with a table of
//! its boundaries.

mod breaker;
mod confirm;
mod deviation;
mod hold;
mod order;
mod pace;

pub use breaker::{Breaker, Support};
pub use confirm::Confirm;
pub use deviation::{Combine, Deviation};
pub use hold::Hold;
pub use order::{Instruction, Order, Paused};
pub use pace::Pace;

use crate::aggregate::{Estimate, Refusal};
use crate::price::{Answer, Price, Ratio};
use crate::time::{Mono, Now, Span, Wall};
use confirm::Confirming;

/// The update policy of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A round at least this often; zero: off.
    pub heartbeat: Span,
    /// A heartbeat is sent this long before it is due.
    pub heartbeat_lead: Span,
    /// A round as soon as the value is so far from the answer on chain.
    pub deviation: Deviation,
    /// A deviation must last this long before it is published; zero: at once.
    pub settle: Span,
    /// A deviation must show in so many looks before it is published.
    pub confirm: Confirm,
    /// A deviation waits so long after a round.
    pub pace: Pace,
    /// A step too large to believe at once.
    pub breaker: Breaker,
    /// What an operator has paused for now.
    pub paused: Paused,
    /// As a standby: a round that is due is left to the primary for this long; zero: this is no standby.
    pub standby: Span,
    /// Smallest answer that may be published.
    pub min_answer: Answer,
    /// Largest answer that may be published.
    pub max_answer: Answer,
}

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
    /// In how many looks in a row it did.
    confirming: Confirming,
    /// Whether a step is under examination.
    breaker: breaker::State,
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
    /// Nothing is published for the feed's own sake, although something is due. It may still go along with others.
    Wait(Hold),
    /// Nothing may be published.
    Hold(Hold),
}

impl Policy {
    /// No rule at all, within these bounds.
    pub fn within(min_answer: Answer, max_answer: Answer) -> Self {
        Self {
            heartbeat: Span::ZERO,
            heartbeat_lead: Span::ZERO,
            deviation: Deviation::default(),
            settle: Span::ZERO,
            confirm: Confirm::default(),
            pace: Pace::default(),
            breaker: Breaker::default(),
            paused: Paused::Nothing,
            standby: Span::ZERO,
            min_answer,
            max_answer,
        }
    }

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
        let age = now.since(known.updated_at);
        let part_ms =
            u128::from(self.heartbeat.ms()) * u128::from(share.ppb()) / u128::from(Ratio::ONE.ppb());
        let part = Span::from_ms(u64::try_from(part_ms).unwrap_or(u64::MAX));
        let aged = self.heartbeat_at(known).is_some() && age >= part;
        let soon = ahead > Span::ZERO && self.is_beating(known, now + ahead);
        let closer = self.deviation.reaches(share, known.answer, answer, age);
        let shared = share.ppb() > 0 && (aged || closer);
        known.round > 0 && (shared || soon) && !self.deviation.fires(known.answer, answer, age)
    }
}

/// Decides what one feed does now. `support` is looked at while the breaker is open; `decimals` are the aggregator's.
pub fn decide(
    policy: &Policy,
    memory: &mut Memory,
    known: &Known,
    value: Result<&Estimate, Refusal>,
    support: Support,
    decimals: u8,
    now: Now,
) -> Decision {
    let decision = due(policy, memory, known, value, support, decimals, now);
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
    support: Support,
    decimals: u8,
    now: Now,
) -> Decision {
    if policy.paused == Paused::Everything {
        memory.forget();
        return Decision::Hold(Hold::OnOrder);
    }
    let (answer, value) = match value.map(|value| (answer_of(policy, value.price, decimals), value)) {
        Ok((Some(answer), value)) => (answer, value),
        Ok((None, _)) => {
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
    if memory.breaker.see(&policy.breaker, known, answer, support, now) {
        return Decision::Hold(Hold::BreakerOpen);
    }
    let stands = memory.stands(policy, known, answer, value, now);
    let paced = policy.pace.holds(&policy.deviation, known, answer, now.wall);
    let paused = policy.paused == Paused::Deviations;
    if stands && !paced && !paused {
        Decision::Publish { answer, trigger: Trigger::Deviation }
    } else if policy.is_beating(known, now.wall) {
        Decision::Publish { answer, trigger: Trigger::Heartbeat }
    } else if stands {
        Decision::Wait(if paused { Hold::OnOrder } else { Hold::RateFloor })
    } else {
        Decision::Rest
    }
}

/// The aggregator integer of a price, if it may be published at all.
pub fn answer_of(policy: &Policy, price: Price, decimals: u8) -> Option<Answer> {
    price.to_answer(decimals).filter(|a| (policy.min_answer..=policy.max_answer).contains(a))
}

impl Memory {
    /// Whether a step is under examination, for which it matters who stands behind the value.
    pub fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    fn forget(&mut self) {
        *self = Self { due: self.due, lost: self.lost, ..Self::default() };
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
            Decision::Hold(_) | Decision::Wait(_) => false,
        }
    }

    /// Whether the value deviates, and has done so for long enough to be believed.
    fn stands(&mut self, policy: &Policy, known: &Known, answer: Answer, value: &Estimate, now: Now) -> bool {
        let age = now.wall.since(known.updated_at);
        let deviates = policy.deviation.fires(known.answer, answer, age);
        let settled = self.settled(policy, deviates, now);
        let way = deviates.then_some(answer > known.answer);
        let confirmed = self.confirming.see(policy.confirm, way, value)
            || (deviates && policy.deviation.reaches(policy.confirm.bypass, known.answer, answer, age));
        settled && confirmed
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
mod tests;
