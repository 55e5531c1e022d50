//! When to publish: `decide(policy, memory, look)`.
//!
//! Pure: it reads no clock and changes nothing but the feed's own [`Memory`]. Deviation is measured exactly on
//! aggregator integers against the answer on chain and fires at the threshold; heartbeats run from the chain's
//! `updatedAt`, so a restart owes what was owed before. Zero switches a rule off. Each rule is a module with a table of
//! its boundaries.

mod backup;
mod breaker;
mod confidence;
mod confirm;
mod depeg;
mod deviation;
mod early;
mod hibernate;
mod hold;
mod market;
mod order;
mod pace;
mod schedule;

pub use backup::Backup;
pub use breaker::{BREAKER_STATES, Breaker, Support};
pub use confidence::Confidence;
pub use confirm::Confirm;
pub use deviation::{Combine, Deviation};
pub use early::Early;
pub use hibernate::Sleep;
pub use hold::Hold;
pub use market::{Conduct, Halt, Hours, Market, MarketState, Said, Sets, Status, Stretch};
pub use order::{Instruction, Order, Paused, Subject};
pub use pace::Pace;
pub use schedule::{Cron, Offsets, Schedule, Slot};

use crate::aggregate::Estimate;
use crate::price::{Answer, Price, Ratio};
use crate::time::{Mono, Now, Span, Wall};
use alloy_primitives::Address;
use backup::History;
use confidence::Crossing;
use confirm::Confirming;

/// The update policy of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A round at least this often; zero: off.
    pub heartbeat: Span,
    /// A heartbeat is sent this long before it is due.
    pub heartbeat_lead: Span,
    /// A round at these times.
    pub schedule: Schedule,
    /// One round after an operator has asked for it, which was then.
    pub demanded_at: Option<Wall>,
    /// A round as soon as the value is so far from the answer on chain.
    pub deviation: Deviation,
    /// A round once the value is so unsure.
    pub confidence: Confidence,
    /// A deviation must last this long before it is published; zero: at once.
    pub settle: Span,
    /// A deviation must show in so many looks before it is published.
    pub confirm: Confirm,
    /// A deviation, and an unsure value, wait so long after a round.
    pub pace: Pace,
    /// A step too large to believe at once.
    pub breaker: Breaker,
    /// The market whose hours it keeps; `None`: it never closes.
    pub market: Option<Market>,
    /// What that market lets it do for now.
    pub conduct: Conduct,
    /// A round at least this often while a rate that converts a source has lost its peg; zero: no more often than else.
    pub depeg_heartbeat: Span,
    /// Whether one has, for now.
    pub is_off_peg: bool,
    /// What an operator has paused for now.
    pub paused: Paused,
    /// An answer on its way is replaced early once the value is so far from it; zero: off.
    pub accept_deviation: Ratio,
    /// As a standby: a round that is due is left to the primary for this long; zero: this is no standby.
    pub standby: Span,
    /// The contract of flags that may put it to sleep.
    pub hibernate_flag: Option<Address>,
    /// As a backup: how it differs from the publisher that it stands in for.
    pub backup: Backup,
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

/// What a feed remembers between decisions. It starts empty after a restart, which only delays a deviation, an unsure
/// value or a standby.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Since when the value deviates without a break.
    deviates_since: Option<Now>,
    /// In how many looks in a row it did.
    confirming: Confirming,
    /// Whether it has become unsure.
    confidence: Crossing,
    /// Whether a step is under examination.
    breaker: breaker::State,
    /// Since when the round after this one is due, as a standby sees it.
    due: Option<(u64, Mono)>,
    /// The round that it awoke to: it owes the next one.
    awoke_to: Option<u64>,
    /// What its value was a while ago, as a backup wants to know.
    history: History,
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

/// What one look at a feed sees.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Its latest round on chain.
    pub known: &'a Known,
    /// What it may say, or why it may say nothing.
    pub value: Result<&'a Estimate, Hold>,
    /// Whether it is awake.
    pub sleep: Sleep,
    /// Who stands behind the value; it is looked at while the breaker is open.
    pub support: Support,
    /// The aggregator's decimals.
    pub decimals: u8,
    /// Now, by the chain's time.
    pub now: Now,
}

/// Why a round is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The aggregator has no round yet.
    First,
    /// The heartbeat is due.
    Heartbeat,
    /// The same while its market is closed: the last value that was computed before, again.
    Repeat,
    /// A time of its schedule has come.
    Schedule,
    /// An operator has asked for a round.
    Demand,
    /// It has just been awakened.
    Awakened,
    /// The value deviates from the answer on chain.
    Deviation,
    /// The value has become unsure.
    Confidence,
    /// Nearly due, it rides along with a feed of its store that is.
    Early,
    /// A heartbeat of its store is due with which its own will come from now on.
    Sync,
    /// A feed of its group is due.
    Group,
}

impl Trigger {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Heartbeat => "heartbeat",
            Self::Repeat => "repeat",
            Self::Schedule => "schedule",
            Self::Demand => "demand",
            Self::Awakened => "awakened",
            Self::Deviation => "deviation",
            Self::Confidence => "confidence",
            Self::Early => "early",
            Self::Sync => "sync",
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
            schedule: Schedule::default(),
            demanded_at: None,
            deviation: Deviation::default(),
            confidence: Confidence::default(),
            settle: Span::ZERO,
            accept_deviation: Ratio::default(),
            confirm: Confirm::default(),
            pace: Pace::default(),
            breaker: Breaker::default(),
            market: None,
            conduct: Conduct::Normal,
            depeg_heartbeat: Span::ZERO,
            is_off_peg: false,
            paused: Paused::Nothing,
            standby: Span::ZERO,
            hibernate_flag: None,
            backup: Backup::default(),
            min_answer,
            max_answer,
        }
    }

    /// When the next heartbeat is to be sent; `None` without heartbeat or before the first round.
    pub fn heartbeat_at(&self, known: &Known) -> Option<Wall> {
        (self.heartbeat > Span::ZERO && known.round > 0)
            .then(|| known.updated_at + self.heartbeat.less(self.heartbeat_lead))
    }

    /// The same with a heartbeat that is no longer than this, for a while; zero changes nothing.
    fn at_least_every(self, heartbeat: Span) -> Self {
        if heartbeat == Span::ZERO || (self.heartbeat > Span::ZERO && self.heartbeat <= heartbeat) {
            return self;
        }
        // A lead that suits a longer one could leave nothing of this.
        let heartbeat_lead = self.heartbeat_lead.min(Span::from_ms(heartbeat.ms() / 4));
        Self { heartbeat, heartbeat_lead, ..self }
    }

    /// Whether an operator has asked for a round since the latest one. Blocks have times in whole seconds, and a round
    /// counts as one of after the word from the next second on: else one of the same second would be written twice.
    fn is_demanded(&self, known: &Known, now: Wall) -> bool {
        let from = |at: Wall| Wall::from_ms(at.ms().saturating_add(999).div_euclid(1000) * 1000);
        self.demanded_at.map(from).is_some_and(|from| now >= from && known.updated_at < from)
    }

    /// Whether a heartbeat is to be sent by now.
    pub fn is_beating(&self, known: &Known, now: Wall) -> bool {
        self.heartbeat_at(known).is_some_and(|at| now >= at)
    }
}

/// Decides what one feed does now.
pub fn decide(policy: &Policy, memory: &mut Memory, look: Look<'_>) -> Decision {
    let decision = due(policy, memory, look);
    match memory.stands_by(policy, look.known, decision, look.now.mono) {
        true => Decision::Hold(Hold::Standby),
        false => decision,
    }
}

/// What a publisher that is alone does now.
fn due(policy: &Policy, memory: &mut Memory, look: Look<'_>) -> Decision {
    let Look { known, value, sleep, support, decimals, now } = look;
    let said = value.map(|value| (answer_of(policy, value.price, decimals), value));
    // What is repeated while a market is closed is no value of this moment.
    let past = match said {
        Ok((Some(answer), _)) if policy.conduct.is_live() => {
            memory.history.see(&policy.backup, answer, now.mono)
        }
        _ => None,
    };
    if policy.paused == Paused::Everything {
        memory.forget();
        return Decision::Hold(Hold::OnOrder);
    }
    // What an operator asks for is the one thing that does not need a feed to be awake.
    let asleep = sleep == Sleep::Asleep;
    if sleep == Sleep::Unknown || (asleep && !policy.is_demanded(known, now.wall)) {
        memory.sleep();
        return Decision::Hold(if asleep { Hold::Hibernating } else { Hold::FlagUnknown });
    }
    let (answer, value) = match said {
        Ok((Some(answer), value)) => (answer, value),
        Ok((None, _)) => {
            memory.forget();
            return Decision::Hold(Hold::OutOfBounds);
        }
        Err(hold) => {
            memory.forget();
            return Decision::Hold(hold);
        }
    };
    if known.round == 0 {
        return Decision::Publish { answer, trigger: Trigger::First };
    }
    if memory.breaker.see(&policy.breaker, known, answer, support, now) {
        return Decision::Hold(Hold::BreakerOpen);
    }
    if asleep {
        return Decision::Publish { answer, trigger: Trigger::Demand };
    }
    let awakened = memory.awoke_to.is_some_and(|round| known.round <= round);
    let stands = memory.stands(policy, known, (answer, past), value, now);
    let unsure = memory.confidence.see(&policy.confidence, known, value);
    let paced = policy.pace.holds(&policy.deviation, known, answer, now.wall);
    let paused = policy.paused == Paused::Deviations;
    if awakened && !paused {
        Decision::Publish { answer, trigger: Trigger::Awakened }
    } else if stands && !paced && !paused {
        Decision::Publish { answer, trigger: Trigger::Deviation }
    } else if policy.is_beating(known, now.wall) {
        let repeats = policy.conduct == Conduct::HeartbeatOnly;
        let trigger = if repeats { Trigger::Repeat } else { Trigger::Heartbeat };
        Decision::Publish { answer, trigger }
    } else if policy.is_demanded(known, now.wall) {
        Decision::Publish { answer, trigger: Trigger::Demand }
    } else if unsure && !paced && !paused {
        Decision::Publish { answer, trigger: Trigger::Confidence }
    } else if policy.schedule.is_due(known, now.wall) {
        match paused {
            true => Decision::Wait(Hold::OnOrder),
            false => Decision::Publish { answer, trigger: Trigger::Schedule },
        }
    } else if stands || unsure || awakened {
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
    /// Whether a value that becomes unsure now makes a round.
    pub const fn is_armed(&self) -> bool {
        self.confidence.is_armed()
    }

    /// Whether a step is under examination, for which it matters who stands behind the value.
    pub fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// How the breaker stands, one of [`BREAKER_STATES`].
    pub const fn breaker_state(&self) -> &'static str {
        self.breaker.code()
    }

    /// Other sources speak from here on: what lasts of one set's values, or was said a while ago, proves nothing of the
    /// other's.
    pub(crate) fn change_sources(&mut self) {
        self.forget();
        self.history = History::default();
    }

    /// A moment without a value breaks what has to last; it makes nothing sure or unsure.
    pub(crate) fn forget(&mut self) {
        let Self { confidence, due, lost, awoke_to, .. } = *self;
        let history = std::mem::take(&mut self.history);
        *self = Self { confidence, due, lost, awoke_to, history, ..Self::default() };
    }

    /// Nothing is due any more, also to a standby, which begins to wait when it awakes.
    fn sleep(&mut self) {
        self.forget();
        (self.due, self.awoke_to) = (None, None);
    }

    /// It was asleep, and owes the round after this one.
    pub fn awake(&mut self, round: u64) {
        self.awoke_to = Some(round);
    }

    /// A round of ours is on chain: what had to last begins anew. Whether the value has been sure it does not change.
    pub fn wrote(&mut self) {
        let history = std::mem::take(&mut self.history);
        *self = Self { confidence: self.confidence, history, ..Self::default() };
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
    fn stands(
        &mut self,
        policy: &Policy,
        known: &Known,
        (answer, past): (Answer, Option<Answer>),
        value: &Estimate,
        now: Now,
    ) -> bool {
        let age = now.wall.since(known.updated_at);
        let deviates = policy.deviation.fires(known.answer, answer, age);
        let settled = self.settled(policy, deviates, now);
        let way = deviates.then_some(answer > known.answer);
        let confirmed = self.confirming.see(policy.confirm, way, value)
            || (deviates && policy.deviation.reaches(policy.confirm.bypass, known.answer, answer, age));
        let is_up = answer > known.answer;
        settled && confirmed && policy.backup.agrees(&policy.deviation, known, past, is_up, age)
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
