//! What a venue lists, so that a market that is halted or gone loses its vote before its price grows old.
//!
//! A list is judged before it is believed. One that fails, is empty, has lost half of what it had, or misses most of
//! our markets at once says more about itself than about them, and takes nobody out; and what it says of a market
//! counts once a second list, asked for a minute later, says so too.

use super::budgets::Learned;
use super::decode::{self, Check, Place, Refusal, Rows};
use super::fetch::{Ask, Method, fetch};
use super::symbols::Symbols;
use super::venue::Venue;
use publisher_core::quote::{Listing, MarketId, SourceFault};
use publisher_core::time::{Span, Wall};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A list is asked for so often, unless the configuration says otherwise.
pub(super) const EVERY: Span = Span::from_s(3600);
/// What a list says of a market that trades no more is asked again after this.
const AGAIN: Span = Span::from_s(60);
/// A list that failed is asked for again after this.
const RETRY: Span = Span::from_s(600);

/// Where a venue says what it lists.
#[derive(Clone, Debug)]
pub(super) struct Instruments {
    /// Path and query.
    pub(super) path: String,
    /// What a request costs of each limit.
    pub(super) cost: u64,
    pub(super) body_max_bytes: usize,
    /// What a body that is no error fulfils.
    pub(super) ok: Vec<Check>,
    pub(super) rows: Rows,
    /// What answers put in front of the symbol that stands here.
    pub(super) prefix: String,
    /// Where a row says whether its market trades; without it every row does.
    pub(super) status: Option<Place>,
    /// What stands there of one that does.
    pub(super) trading: Vec<String>,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// Rows in it.
    total: usize,
    /// Our markets, in their order.
    pub(super) markets: Vec<Listing>,
}

/// What the lists of a venue said before.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Rows in the last one that was believed.
    total: usize,
    /// What that one said.
    before: Vec<Listing>,
}

/// What asking for a list brought.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What is known of each market now; none where the list is not believed.
    pub markets: Vec<(MarketId, Listing)>,
    /// Why it is not, in a word and in words.
    pub fault: Option<(&'static str, String)>,
    /// When to ask again.
    pub wait: Span,
}

impl Instruments {
    /// What a body says of the markets of these keys.
    pub(super) fn read(
        &self,
        symbols: &Symbols,
        keys: &BTreeMap<String, usize>,
        count: usize,
        bytes: &[u8],
    ) -> Result<List, Refusal> {
        let body = decode::parse(bytes)?;
        for check in &self.ok {
            if !check.holds(body, body).unwrap_or(false) {
                return Err(Refusal::new(SourceFault::VenueError, "an error in a body with HTTP status 200"));
            }
        }
        let mut list = List { total: 0, markets: vec![Listing::Gone; count] };
        decode::each_row(&self.rows, body, |key, row| {
            list.total += 1;
            let at = keys.get(&symbols.normal(&format!("{}{key}", self.prefix)));
            if let Some(market) = at.and_then(|at| list.markets.get_mut(*at)) {
                // Of two rows for one market the one that trades counts: nothing is taken out by half a word.
                let listing = if self.trades(body, row) { Listing::Trading } else { Listing::Halted };
                *market = if *market == Listing::Trading { Listing::Trading } else { listing };
            }
        })?;
        Ok(list)
    }

    fn trades(&self, body: &RawValue, row: &RawValue) -> bool {
        let Some(status) = &self.status else { return true };
        // A row without a status is of another format, which says nothing of the market.
        let Some(said) = status.find(body, row).ok().flatten().and_then(decode::text) else { return true };
        self.trading.iter().any(|trading| *trading == said)
    }
}

impl Lists {
    /// What is to be believed of each market, and whether that waits for another list to say the same; or why the
    /// list says nothing.
    pub(super) fn judge(&mut self, list: List) -> Result<(Vec<Listing>, bool), &'static str> {
        let List { total, markets } = list;
        let out = markets.iter().filter(|listing| **listing != Listing::Trading).count();
        if total == 0 {
            return Err("the list is empty");
        }
        if total < self.total.div_ceil(2) {
            return Err("the list has lost most of its rows");
        }
        if out > 1 && out > markets.len() / 2 {
            return Err("most of the configured markets are not in the list");
        }
        self.total = total;
        let before = std::mem::replace(&mut self.before, markets.clone());
        let said_before = before.into_iter().chain(std::iter::repeat(Listing::Trading));
        let both: Vec<Listing> = markets
            .iter()
            .zip(said_before)
            .map(|(now, before)| if before == Listing::Trading { before } else { *now })
            .collect();
        let waits = both != markets;
        Ok((both, waits))
    }
}

impl Venue {
    /// Asks for the list of its markets; `None` where its preset knows of none.
    pub async fn listed(&self, clock: impl Fn() -> Wall) -> Option<Listed> {
        let instruments = self.instruments.as_ref()?;
        let failed = |fault: &'static str, detail: String| Listed {
            markets: Vec::new(),
            fault: Some((fault, detail)),
            wait: RETRY.min(self.instruments_every),
        };
        let list = match self.list(instruments, &clock).await {
            Ok(list) => list,
            Err((fault, detail)) => return Some(failed(fault.code(), detail)),
        };
        Some(match self.memory().lists.judge(list) {
            Err(why) => failed("absurd", why.to_owned()),
            Ok((markets, waits)) => Listed {
                markets: self.markets.iter().cloned().zip(markets).collect(),
                fault: None,
                wait: if waits { AGAIN.min(self.instruments_every) } else { self.instruments_every },
            },
        })
    }

    async fn list(
        &self,
        instruments: &Instruments,
        clock: &impl Fn() -> Wall,
    ) -> Result<List, (SourceFault, String)> {
        let host = self.memory().host;
        let base = self.target.base(host);
        let url = format!("{}{}", base.trim_end_matches('/'), instruments.path);
        let url = url.parse().map_err(|_| (SourceFault::Unreachable, "no URL can be built".to_owned()))?;
        let deadline = Instant::now() + Duration::from(self.timeout);
        if let Err(wait) = self.budgets.take_by(deadline, base, &self.limits, |_| instruments.cost).await {
            let held = format!("held back for {wait} to stay within the venue's limits");
            return Err((SourceFault::RateLimited, held));
        }
        let (http, headers, body_max_bytes) = (&self.http, &self.headers, instruments.body_max_bytes);
        let ask = Ask { http, method: Method::Get, url, headers, deadline, body_max_bytes };
        let fetched = fetch(ask, clock).await;
        let list = match &fetched.body {
            Ok(body) => instruments
                .read(&self.symbols, &self.keys, self.markets.len(), body)
                .map_err(|refusal| (refusal.fault, refusal.reason.to_owned())),
            Err(failure) => Err((failure.fault, failure.reason.clone())),
        };
        let (headers, received, retry_after) = (&fetched.headers, fetched.received, fetched.retry_after);
        let fault = list.as_ref().err().map(|(fault, _)| *fault);
        self.budgets.learn(base, &self.limits, &Learned { headers, received, fault, retry_after });
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Listing::{Gone, Halted, Trading};

    fn list(total: usize, markets: &[Listing]) -> List {
        List { total, markets: markets.to_vec() }
    }

    #[test]
    fn a_market_is_out_once_two_lists_say_so_and_back_with_the_first_that_has_it() {
        let mut lists = Lists::default();
        let all = [Trading, Trading, Trading];
        assert_eq!(lists.judge(list(100, &all)), Ok((all.to_vec(), false)));
        for gone in [Gone, Halted] {
            let without = [Trading, gone, Trading];
            assert_eq!(lists.judge(list(99, &without)), Ok((all.to_vec(), true)), "it is asked again");
            assert_eq!(lists.judge(list(99, &without)), Ok((without.to_vec(), false)));
            assert_eq!(lists.judge(list(100, &all)), Ok((all.to_vec(), false)));
        }
    }

    #[test]
    fn an_absurd_list_takes_nobody_out_however_often_it_comes() {
        let mut lists = Lists::default();
        let all = [Trading, Trading, Trading];
        lists.judge(list(100, &all)).unwrap();
        for _ in 0..3 {
            for absurd in [
                list(0, &[Gone, Gone, Gone]),
                list(49, &[Trading, Gone, Trading]),
                list(100, &[Gone, Halted, Trading]),
            ] {
                assert!(lists.judge(absurd.clone()).is_err(), "{absurd:?}");
            }
        }
        // The one market that a venue is asked for may be gone, and one of two.
        for ours in [&[Gone][..], &[Gone, Trading][..]] {
            let mut lists = Lists::default();
            lists.judge(list(10, ours)).unwrap();
            assert_eq!(lists.judge(list(10, ours)), Ok((ours.to_vec(), false)));
        }
    }
}
