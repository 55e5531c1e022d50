//! How much of a venue's rate limits is used, and when it may be asked again.
//!
//! One [`Budget`] stands for one limit of one host, whichever venues and feeds share it: a bucket that fills with the
//! cost of requests and drains evenly over the limit's period. The venue's own words correct it, and only upwards,
//! because others may ask from the same address. Pure: time is given, and what to do is answered, not done.
//!
//! What is planned is half of a limit at most. From 80 % of observed use on the venue is asked half as often; at 95 %
//! it is left alone, until its period ends where it says when. A refusal for asking too often halves the limit that is
//! believed, which then recovers by a twentieth of the stated one an hour; where it names no time, nothing is asked for a
//! second, and for twice as long after each further one. Nothing is asked during a ban, not even to
//! see whether it is over.

use publisher_core::time::{Mono, Span};

/// Of a limit, so much is planned with; the rest is for searches, restarts and other programs behind the address.
const PLANNED_PERCENT: u64 = 50;
/// From this use on, a venue is asked half as often.
const SLOWER_PERCENT: u64 = 80;
/// At this use, a venue is left alone.
const PAUSE_PERCENT: u64 = 95;
/// The longest that nothing is asked after a refusal that names no time. It begins with a second and doubles with each.
const REFUSED_MAX: Span = Span::from_s(60);
/// A ban that names no end lasts so long, which is Bybit's shortest.
const BAN: Span = Span::from_s(600);
/// Of the stated limit, so much of what was lost comes back in an hour.
const RECOVERED_PERCENT_HOUR: u64 = 5;
/// A limit is never believed to be less than this part of what the venue states.
const BELIEVED_MIN_PERCENT: u64 = 5;
const HOUR: Span = Span::from_s(3600);
/// Costs are kept in thousandths, so that what drains between two requests is not rounded away.
const UNIT: u64 = 1000;

/// A limit as a venue states it: so many units of cost in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) capacity: u64,
    pub(super) per: Span,
    /// A plan that is paid for, of which all may be used, and not a fence that should not be touched.
    pub(super) plan: bool,
}

/// What an answer said about a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Units used in the present period.
    pub(super) used: Option<u64>,
    /// The limit itself, where the venue says it.
    pub(super) capacity: Option<u64>,
    /// Until the period ends.
    pub(super) reset: Option<Span>,
}

/// Why a request was refused, as far as it concerns limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    RateLimited,
    Banned,
}

/// The use of one limit.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limit: Limit,
    /// What is believed to be allowed, in thousandths of a unit.
    believed: u64,
    /// What is believed to be used, in thousandths of a unit.
    used: u64,
    /// Until when what has drained is taken off `used`.
    used_at: Mono,
    /// Until when what has come back is added to `believed`.
    believed_at: Mono,
    /// Nothing is asked before.
    closed_until: Option<Mono>,
    /// Refusals since the last answer.
    refusals: u32,
}

impl Budget {
    pub(super) fn new(limit: Limit, now: Mono) -> Self {
        let believed = limit.capacity.saturating_mul(UNIT).max(1);
        Self { limit, believed, used: 0, used_at: now, believed_at: now, closed_until: None, refusals: 0 }
    }

    fn stated(&self) -> u64 {
        self.limit.capacity.saturating_mul(UNIT).max(1)
    }

    fn least(&self) -> u64 {
        (self.stated() / 100 * BELIEVED_MIN_PERCENT).max(1)
    }

    /// Lets the time since the last call drain what is used, and give back what was lost to a refusal. Time that is too
    /// short for another thousandth counts with the next call.
    fn pass(&mut self, now: Mono) {
        let (drained, spent) = share(self.believed, now.since(self.used_at), self.limit.per);
        self.used = self.used.saturating_sub(drained);
        self.used_at = self.used_at + spent;
        let hourly = self.stated() / 100 * RECOVERED_PERCENT_HOUR;
        let (regained, spent) = share(hourly, now.since(self.believed_at), HOUR);
        self.believed = self.believed.saturating_add(regained).min(self.stated());
        self.believed_at = self.believed_at + spent;
        self.closed_until = self.closed_until.filter(|until| *until > now);
    }

    /// What is used of what is believed to be allowed, in thousandths.
    pub(super) fn permille(&mut self, now: Mono) -> u64 {
        self.pass(now);
        self.used.saturating_mul(1000) / self.believed.max(1)
    }

    /// How long a request of this cost has to wait; nothing if it may be made at once.
    pub(super) fn wait(&mut self, cost: u64, now: Mono) -> Span {
        self.pass(now);
        if let Some(until) = self.closed_until {
            return until.since(now);
        }
        let after = self.used.saturating_add(cost.saturating_mul(UNIT));
        // One request is always possible, or a limit below its cost would shut the venue out for ever.
        if self.used > 0 && after.saturating_mul(100) > self.believed.saturating_mul(PAUSE_PERCENT) {
            let excess = after.saturating_sub(self.believed / 100 * PAUSE_PERCENT).min(self.used);
            let drained = Span::from_ms(self.limit.per.ms().saturating_mul(excess).div_ceil(self.believed));
            return drained.max(Span::from_ms(1));
        }
        Span::ZERO
    }

    /// Notes that a request of this cost is made.
    pub(super) fn spend(&mut self, cost: u64, now: Mono) {
        self.pass(now);
        self.used = self.used.saturating_add(cost.saturating_mul(UNIT));
    }

    /// Learns from what an answer said. Use is only corrected upwards: the venue may not have counted everything yet. More
    /// than twice of all is not believed, because a wrong number would close the venue for as long as it says.
    pub(super) fn told(&mut self, told: Told, now: Mono) {
        self.pass(now);
        if let Some(capacity) = told.capacity.filter(|capacity| *capacity > 0) {
            // Only less than what is stated: a gateway that promises more may not be the one that refuses.
            self.believed = self.believed.min(capacity.saturating_mul(UNIT).max(self.least()));
        }
        self.used =
            self.used.max(told.used.unwrap_or(0).saturating_mul(UNIT).min(self.believed.saturating_mul(2)));
        let pauses = self.used.saturating_mul(100) >= self.believed.saturating_mul(PAUSE_PERCENT);
        if let Some(reset) = told.reset.filter(|_| pauses) {
            self.close(reset.min(self.limit.per), now);
        }
    }

    fn close(&mut self, span: Span, now: Mono) {
        let until = now + span;
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
    }

    /// Learns from a refusal: too many requests halve what is believed, a ban closes everything until it is over.
    pub(super) fn refused(&mut self, refused: Refused, retry_after: Option<Span>, now: Mono) {
        self.pass(now);
        let closed = match refused {
            Refused::RateLimited => {
                self.believed = (self.believed / 2).max(self.least());
                self.believed_at = now;
                let growing = Span::from_s(1).times(1 << self.refusals.min(6)).min(REFUSED_MAX);
                retry_after.unwrap_or(growing)
            }
            Refused::Banned => retry_after.unwrap_or(BAN),
        };
        self.refusals = self.refusals.saturating_add(1);
        self.close(closed, now);
    }

    /// Learns from an answer that is no refusal.
    pub(super) fn answered(&mut self) {
        self.refusals = 0;
    }

    /// The interval at which requests of this cost keep to the plan, at least `every`; twice that while much is used.
    pub(super) fn pace(&mut self, every: Span, cost: u64, now: Mono) -> Span {
        self.pass(now);
        let percent = if self.limit.plan { 100 } else { PLANNED_PERCENT };
        let planned = (self.believed / 100).saturating_mul(percent).max(1);
        let cost = cost.saturating_mul(UNIT);
        let paced = every.max(Span::from_ms(self.limit.per.ms().saturating_mul(cost).div_ceil(planned)));
        // What is paid for may be used up; only a fence is kept away from.
        let much = self.used.saturating_mul(100) >= self.believed.saturating_mul(SLOWER_PERCENT);
        if much && !self.limit.plan { paced.times(2) } else { paced }
    }
}

/// The part of `whole` that belongs to `elapsed` of `period`, in whole thousandths, and the time that they stand for.
fn share(whole: u64, elapsed: Span, period: Span) -> (u64, Span) {
    let (whole, period) = (u128::from(whole.max(1)), u128::from(period.ms().max(1)));
    let part = whole * u128::from(elapsed.ms()) / period;
    let stands_for = (part * period).div_ceil(whole);
    let bounded = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    (bounded(part), Span::from_ms(bounded(stands_for)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Span = Span::from_s(60);
    const FENCE: Limit = Limit { capacity: 100, per: MINUTE, plan: false };

    fn at(s: u64) -> Mono {
        Mono::from_ms(s * 1000)
    }

    fn spent(units: u64) -> Budget {
        let mut budget = Budget::new(FENCE, at(0));
        budget.spend(units, at(0));
        budget
    }

    #[test]
    fn what_is_planned_is_half_of_a_limit_and_all_of_a_plan() {
        let every = Span::from_s(1);
        // 100 a minute: 2 units each 2.4 s are 50 a minute.
        assert_eq!(Budget::new(FENCE, at(0)).pace(every, 2, at(0)), Span::from_ms(2400));
        assert_eq!(Budget::new(FENCE, at(0)).pace(Span::from_s(5), 2, at(0)), Span::from_s(5));
        let plan = Limit { capacity: 10_000, per: Span::from_s(30 * 86_400), plan: true };
        assert_eq!(Budget::new(plan, at(0)).pace(every, 1, at(0)), Span::from_ms(259_200));
    }

    #[test]
    fn much_use_slows_down_and_more_pauses_until_the_period_has_passed() {
        let every = Span::from_s(10);
        assert_eq!(spent(79).pace(every, 1, at(0)), every);
        assert_eq!(spent(80).pace(every, 1, at(0)), every.times(2));
        assert_eq!(spent(94).wait(1, at(0)), Span::ZERO);
        // One unit drains in 600 ms.
        assert_eq!(spent(95).wait(1, at(0)), Span::from_ms(600));
        assert_eq!(spent(100).wait(1, at(0)), Span::from_ms(3600));
        assert_eq!(spent(95).wait(1, at(1)), Span::ZERO);
        assert_eq!(spent(100).permille(at(30)), 500);
        // The venue's own word for the end of its period counts more.
        let mut told = spent(10);
        told.told(Told { used: Some(97), capacity: None, reset: Some(Span::from_s(42)) }, at(0));
        assert_eq!(told.wait(1, at(2)), Span::from_s(40));
    }

    #[test]
    fn a_request_dearer_than_its_limit_is_possible_alone() {
        let mut budget = Budget::new(Limit { capacity: 10, ..FENCE }, at(0));
        assert_eq!(budget.wait(40, at(0)), Span::ZERO);
        budget.spend(40, at(0));
        assert!(budget.wait(40, at(0)) >= MINUTE);
    }

    #[test]
    fn use_that_others_make_counts_and_use_that_is_told_late_is_not_forgotten() {
        let mut budget = spent(50);
        budget.told(Told { used: Some(90), ..Told::default() }, at(0));
        assert_eq!(budget.permille(at(0)), 900);
        budget.told(Told { used: Some(1), ..Told::default() }, at(0));
        assert_eq!(budget.permille(at(0)), 900);
        // A gateway may allow less than the venue states, and not more.
        budget.told(Told { capacity: Some(60), ..Told::default() }, at(0));
        assert_eq!(budget.permille(at(0)), 1500);
        budget.told(Told { capacity: Some(6000), ..Told::default() }, at(0));
        assert_eq!(budget.permille(at(0)), 1500);
    }

    #[test]
    fn s20_a_rate_limit_halves_what_is_believed_and_it_comes_back_slowly() {
        let mut budget = Budget::new(FENCE, at(0));
        budget.refused(Refused::RateLimited, Some(Span::from_s(30)), at(0));
        assert_eq!(budget.wait(1, at(0)), Span::from_s(30));
        assert_eq!(budget.wait(1, at(29)), Span::from_s(1));
        assert_eq!(budget.wait(1, at(30)), Span::ZERO);
        // 1 unit each 1.2 s would be half of the stated limit, 2.4 s is half of what is believed.
        let pace = |budget: &mut Budget, s| budget.pace(Span::from_ms(100), 1, at(s)).ms();
        assert!((2_300..=2_400).contains(&pace(&mut budget, 30)), "{}", pace(&mut budget, 30));
        // 5 of 100 in an hour.
        let after_an_hour = pace(&mut budget, 3630);
        assert!((2_170..=2_190).contains(&after_an_hour), "{after_an_hour}");
        assert_eq!(pace(&mut budget, 40_000), 1200, "all of it is back");
        for _ in 0..20 {
            budget.refused(Refused::RateLimited, None, at(40_000));
        }
        assert_eq!(pace(&mut budget, 40_000), 24_000, "a twentieth is always left");
    }

    /// Without this a venue that only says that it is too much is asked for its list of markets or for a token right after.
    #[test]
    fn s20_a_refusal_that_names_no_time_closes_for_longer_each_time() {
        let mut budget = Budget::new(FENCE, at(0));
        for (n, expected) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            let now = at(1_000 * u64::try_from(n).unwrap());
            budget.refused(Refused::RateLimited, None, now);
            assert_eq!(budget.wait(1, now), Span::from_s(expected));
        }
        budget.answered();
        budget.refused(Refused::RateLimited, None, at(20_000));
        assert_eq!(budget.wait(1, at(20_000)), Span::from_s(1));
    }

    /// Without this a small limit that is looked at often would never recover, one rounded-off part after the other.
    #[test]
    fn what_is_lost_comes_back_however_often_it_is_looked_at() {
        let small = Limit { capacity: 10, per: Span::from_s(1), plan: false };
        let mut budget = Budget::new(small, at(0));
        budget.refused(Refused::RateLimited, None, at(0));
        for ms in (0..=10 * 3_600_000).step_by(700) {
            budget.wait(1, Mono::from_ms(ms));
        }
        assert!(budget.believed > 9_900, "{}", budget.believed);
    }

    #[test]
    fn s20_a_ban_is_never_probed_before_its_end() {
        let mut budget = Budget::new(FENCE, at(0));
        budget.refused(Refused::Banned, None, at(0));
        assert_eq!(budget.wait(1, at(599)), Span::from_s(1));
        budget.refused(Refused::Banned, Some(Span::from_s(7200)), at(0));
        // A later word that is shorter takes nothing back.
        budget.refused(Refused::Banned, Some(Span::from_s(60)), at(10));
        assert_eq!(budget.wait(1, at(600)), Span::from_s(6600));
        assert_eq!(budget.wait(1, at(7200)), Span::ZERO);
    }

    proptest! {
        /// Whatever is asked whenever: of a bucket that is obeyed no more than the limit leaves in one period, beyond
        /// the bucket's own size.
        #[test]
        fn what_is_obeyed_stays_below_the_limit(steps in proptest::collection::vec((0..5_000u64, 1..20u64), 1..400)) {
            let mut budget = Budget::new(FENCE, Mono::from_ms(0));
            let (mut now, mut spent) = (0, 0);
            for (ms, cost) in steps {
                now += ms;
                if budget.wait(cost, Mono::from_ms(now)) == Span::ZERO {
                    budget.spend(cost, Mono::from_ms(now));
                    spent += cost;
                }
            }
            prop_assert!(spent <= 100 + now * 100 / 60_000 + 1, "{spent} in {now} ms");
        }
    }
}
