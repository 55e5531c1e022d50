//! Every limit of every host, shared by all venues that are asked there, and what headers say about them.
//!
//! The limits of a preset are those of its hosts. Where the operator names another address nothing is known of its
//! limits, and nothing is held back; a refusal is obeyed all the same, by [`NextPoll`](super::NextPoll).

use super::governor::{Budget, Limit, Refused, Told};
use publisher_core::price::Ratio;
use publisher_core::quote::SourceFault;
use publisher_core::time::{Mono, Span, Wall};
use reqwest::header::{HeaderMap, HeaderName};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// One limit of a venue, what a request costs there, and where its answers tell of it.
#[derive(Clone, Debug)]
pub(super) struct LimitRule {
    /// Limits of one host and class share one budget.
    pub(super) class: Arc<str>,
    pub(super) limit: Limit,
    /// The part of it that this process may use; the capacity of `limit` is that part already.
    pub(super) share: Ratio,
    /// The cost of a request for so many symbols, fewest first; `None` is for any number.
    pub(super) costs: Vec<(Option<usize>, u64)>,
    pub(super) used: Option<Field>,
    pub(super) remaining: Option<Field>,
    /// What the venue says the limit is.
    pub(super) capacity: Option<Field>,
    pub(super) reset: Option<(Field, Reset)>,
}

/// A number in a header, or in one part of a header like `group=default; min=1800; sec=29`.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) header: HeaderName,
    pub(super) part: Option<String>,
}

/// How a header says when the period ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    Seconds,
    Milliseconds,
    AtSeconds,
    AtMilliseconds,
}

impl LimitRule {
    /// The rule for a process that may use a part of the limit, and has a plan of its own if `credits` says so.
    pub(super) fn of(&self, share: Ratio, credits: Option<u64>) -> Self {
        let stated = credits.filter(|_| self.limit.plan).unwrap_or(self.limit.capacity);
        let limit = Limit { capacity: part(stated, share).max(1), ..self.limit };
        Self { limit, share, ..self.clone() }
    }

    /// The cost of a request for so many symbols.
    pub(super) fn cost(&self, symbols: usize) -> u64 {
        let fits = |(max, _): &&(Option<usize>, u64)| max.is_none_or(|max| symbols <= max);
        self.costs.iter().find(fits).or(self.costs.last()).map_or(1, |(_, cost)| *cost)
    }

    pub(super) fn told(&self, headers: &HeaderMap, now: Wall) -> Told {
        // What headers tell is everybody's who asks from this address; of that a part is ours.
        let number = |field: &Option<Field>| Some(part(field.as_ref()?.read(headers)?, self.share));
        let capacity = number(&self.capacity);
        let left = number(&self.remaining);
        let used = left.map(|left| capacity.unwrap_or(self.limit.capacity).saturating_sub(left));
        let reset = self.reset.as_ref().and_then(|(field, reset)| {
            let number = field.read(headers)?;
            let at = |ms: u64| Some(Wall::from_ms(i64::try_from(ms).ok()?).since(now));
            match reset {
                Reset::Seconds => number.checked_mul(1000).map(Span::from_ms),
                Reset::Milliseconds => Some(Span::from_ms(number)),
                Reset::AtSeconds => at(number.checked_mul(1000)?),
                Reset::AtMilliseconds => at(number),
            }
        });
        Told { used: number(&self.used).max(used), capacity, reset }
    }
}

impl Field {
    fn read(&self, headers: &HeaderMap) -> Option<u64> {
        let text = headers.get(&self.header)?.to_str().ok()?;
        let text = match &self.part {
            Some(part) => {
                let named = |piece: &str| {
                    Some(piece.split_once('=')?)
                        .filter(|(name, _)| name.trim() == part)
                        .map(|(_, value)| value.to_owned())
                };
                text.split(';').find_map(named)?
            }
            None => text.to_owned(),
        };
        text.trim().parse().ok()
    }
}

/// Budgets by host and class.
type Held = BTreeMap<(String, Arc<str>), Budget>;

fn part(whole: u64, share: Ratio) -> u64 {
    let part = u128::from(whole) * u128::from(share.ppb()) / u128::from(Ratio::ONE.ppb());
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The budgets of this process. Clones act on the same ones.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    began: Instant,
    held: Arc<Mutex<Held>>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { began: Instant::now(), held: Arc::default() }
    }
}

impl Budgets {
    fn now(&self) -> Mono {
        Mono::from_ms(Span::from(self.began.elapsed()).ms())
    }

    fn all(&self) -> MutexGuard<'_, Held> {
        // Every change of a budget is complete in itself, so a panic elsewhere leaves it usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `act` makes of each budget of these limits.
    fn each<T>(
        &self,
        host: &str,
        rules: &[LimitRule],
        mut act: impl FnMut(&LimitRule, &mut Budget, Mono) -> T,
    ) -> Vec<T> {
        let now = self.now();
        let mut all = self.all();
        let each = |rule: &LimitRule| {
            let key = (host.to_owned(), Arc::clone(&rule.class));
            act(rule, all.entry(key).or_insert_with(|| Budget::new(rule.limit, now)), now)
        };
        rules.iter().map(each).collect()
    }

    /// Takes the cost of a request from every limit; or how long to wait, and then nothing is taken.
    fn take(&self, host: &str, rules: &[LimitRule], cost: impl Fn(&LimitRule) -> u64) -> Result<(), Span> {
        let waits = self.each(host, rules, |rule, budget, now| budget.wait(cost(rule), now));
        let wait = waits.into_iter().max().unwrap_or_default();
        if wait > Span::ZERO {
            return Err(wait);
        }
        self.each(host, rules, |rule, budget, now| budget.spend(cost(rule), now));
        Ok(())
    }

    /// The same, once it is there to take; or how long that would be, if it is not before the deadline. What would be
    /// refused, or count against us, is not asked.
    pub(super) async fn take_by(
        &self,
        deadline: Instant,
        host: &str,
        rules: &[LimitRule],
        cost: impl Fn(&LimitRule) -> u64 + Sync,
    ) -> Result<(), Span> {
        while let Err(wait) = self.take(host, rules, &cost) {
            if Instant::now() + Duration::from(wait) >= deadline {
                return Err(wait);
            }
            tokio::time::sleep(wait.into()).await;
        }
        Ok(())
    }

    /// Learns from an answer.
    pub(super) fn learn(&self, host: &str, rules: &[LimitRule], answer: &Learned<'_>) {
        self.each(host, rules, |rule, budget, now| {
            budget.told(rule.told(answer.headers, answer.received), now);
            let refused = match answer.fault {
                Some(SourceFault::RateLimited) => Refused::RateLimited,
                Some(SourceFault::Banned) => Refused::Banned,
                // Nothing was answered at all.
                _ if answer.headers.is_empty() => return,
                _ => return budget.answered(),
            };
            budget.refused(refused, answer.retry_after, now);
        });
    }

    /// The interval at which so many requests, each for so many symbols, keep to every limit.
    pub(super) fn pace(
        &self,
        host: &str,
        rules: &[LimitRule],
        every: Span,
        symbols: usize,
        requests: usize,
    ) -> Span {
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        let cost = |rule: &LimitRule| rule.cost(symbols).saturating_mul(requests);
        let paces = self.each(host, rules, |rule, budget, now| budget.pace(every, cost(rule), now));
        paces.into_iter().max().unwrap_or(every)
    }

    /// The use of each limit by its class, in thousandths of what is believed to be allowed.
    pub(super) fn used(&self, host: &str, rules: &[LimitRule]) -> Vec<(Arc<str>, u64)> {
        self.each(host, rules, |rule, budget, now| (Arc::clone(&rule.class), budget.permille(now)))
    }
}

/// What an answer teaches.
pub(super) struct Learned<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) received: Wall,
    pub(super) fault: Option<SourceFault>,
    pub(super) retry_after: Option<Span>,
}
