//! What a venue lists, so that a market that is halted or gone loses its vote before its price grows old.
//!
//! A list is judged before it is believed. One that fails, is empty, has lost half of what it had, or misses most of
//! our markets at once says more about itself than about them, and takes nobody out; and what it says of a market
//! counts once a second list, asked for a minute later, says so too. A list that was halved and stays as it is has
//! become what the venue trades: it is believed once it has been the same for as long as three lists are apart.

use super::budgets::LimitRule;
use super::decode::{self, Check, Place, Refusal, Rows};
use super::fetch::{Failure, Fetched};
use super::symbols::Symbols;
use super::venue::{Venue, held_back};
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

/// So many lists that were halved, the first one included, have to say the same …
const SAME: u32 = 4;
/// … over so many of the intervals at which lists are asked for.
const SAME_EVERY: u64 = 3;
/// So much of what a status says is repeated to an operator.
const WORDS_MAX_CHARS: usize = 40;

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// Rows in it.
    total: usize,
    /// Our markets, in their order.
    pub(super) markets: Vec<Listing>,
    /// What stands in the list of those that are halted, in plain characters.
    words: Vec<Option<String>>,
}

/// What the lists of a venue said before.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Rows in the last one that was believed.
    total: usize,
    /// What that one said.
    before: Vec<Listing>,
    /// A list that had lost half of its rows, since when lists have said the same, and how many.
    shrunk: Option<(List, Instant, u32)>,
}

/// What is to be believed of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// Each of our markets, in their order.
    markets: Vec<Listing>,
    /// Something in it waits for another list to say the same.
    waits: bool,
    /// Rows before and now, where it has lost most of them for good.
    shrunk: Option<(usize, usize)>,
}

/// What one list says of a market, without having been compared with another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub market: MarketId,
    /// Whether it trades.
    pub listing: Listing,
    /// What the venue calls its state, in plain characters, where it is halted and the list says more than that.
    pub words: Option<String>,
}

/// What asking for a list brought.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What is known of each market now; none where the list is not believed.
    pub markets: Vec<(MarketId, Listing)>,
    /// What this list says of each market, in the same order, before another one has said it, too.
    pub entries: Vec<Entry>,
    /// Why it is not, in a word and in words.
    pub fault: Option<(&'static str, String)>,
    /// Rows that it had and has, where it has lost most of them and is believed from now on.
    pub shrunk: Option<(usize, usize)>,
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
        let mut list = List { total: 0, markets: vec![Listing::Gone; count], words: vec![None; count] };
        decode::each_row(&self.rows, body, |key, row| {
            list.total += 1;
            let Some(at) = keys.get(&symbols.normal(&format!("{}{key}", self.prefix))) else { return };
            if let (Some(market), Some(words)) = (list.markets.get_mut(*at), list.words.get_mut(*at)) {
                // Of two rows for one market the one that trades counts: nothing is taken out by half a word.
                let halted = self.halted(body, row).filter(|_| *market != Listing::Trading);
                *market = if halted.is_some() { Listing::Halted } else { Listing::Trading };
                *words = halted;
            }
        })?;
        Ok(list)
    }

    /// What stands in a row whose market does not trade.
    fn halted(&self, body: &RawValue, row: &RawValue) -> Option<String> {
        // A row without a status is of another format, which says nothing of the market.
        let said = self.status.as_ref()?.find(body, row).ok().flatten().and_then(decode::text)?;
        let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '.' };
        let is_out = !self.trading.iter().any(|trading| *trading == said);
        is_out.then(|| said.chars().take(WORDS_MAX_CHARS).map(plain).collect())
    }
}

impl List {
    /// Why it says more about itself than about markets.
    fn absurd(&self) -> Option<&'static str> {
        let out = self.markets.iter().filter(|listing| **listing != Listing::Trading).count();
        if self.total == 0 {
            Some("the list is empty")
        } else if out > 1 && out > self.markets.len() / 2 {
            Some("most of the configured markets are not in the list")
        } else {
            None
        }
    }

    /// Whether another one says the same: of our markets exactly, of all others within a tenth.
    fn agrees(&self, other: &Self) -> bool {
        self.markets == other.markets && self.total.abs_diff(other.total) <= self.total / 10
    }
}

impl Lists {
    /// What is to be believed of a list that came now, where one is asked for at this interval; or why it says nothing.
    pub(super) fn judge(&mut self, list: List, every: Span, now: Instant) -> Result<Judged, &'static str> {
        if let Some(why) = list.absurd() {
            return Err(why);
        }
        let is_halved = list.total < self.total.div_ceil(2);
        if is_halved && !self.stays(&list, every, now) {
            return Err("the list has lost most of its rows");
        }
        self.shrunk = None;
        let List { total, markets, .. } = list;
        let rows_before = std::mem::replace(&mut self.total, total);
        let before = std::mem::replace(&mut self.before, markets.clone());
        let said_before = before.into_iter().chain(std::iter::repeat(Listing::Trading));
        let both: Vec<Listing> = markets
            .iter()
            .zip(said_before)
            .map(|(now, before)| if before == Listing::Trading { before } else { *now })
            .collect();
        let waits = both != markets;
        Ok(Judged { markets: both, waits, shrunk: is_halved.then_some((rows_before, total)) })
    }

    /// Whether lists that were halved have said the same for long enough. One that differs begins anew; one that fails
    /// says nothing of it.
    fn stays(&mut self, list: &List, every: Span, now: Instant) -> bool {
        match &mut self.shrunk {
            Some((first, since, times)) if first.agrees(list) => {
                *times = times.saturating_add(1);
                let waited = Span::from(now.saturating_duration_since(*since));
                *times >= SAME && waited >= every.times(SAME_EVERY)
            }
            shrunk => {
                *shrunk = Some((list.clone(), now, 1));
                false
            }
        }
    }
}

impl Venue {
    /// Asks for the list of its markets; `None` where its preset knows of none.
    pub async fn listed(&self, clock: impl Fn() -> Wall) -> Option<Listed> {
        let instruments = self.instruments.as_ref()?;
        let failed = |fault: &'static str, detail: String| Listed {
            markets: Vec::new(),
            entries: Vec::new(),
            fault: Some((fault, detail)),
            shrunk: None,
            wait: RETRY.min(self.instruments_every),
        };
        let list = match self.list(instruments, &clock).await {
            Ok(list) => list,
            Err((fault, detail)) => return Some(failed(fault.code(), detail)),
        };
        let entries = self.said(&list);
        Some(match self.memory().lists.judge(list, self.instruments_every, Instant::now()) {
            Err(why) => failed("absurd", why.to_owned()),
            Ok(judged) => Listed {
                markets: self.markets.iter().cloned().zip(judged.markets).collect(),
                entries,
                fault: None,
                shrunk: judged.shrunk,
                wait: if judged.waits { AGAIN.min(self.instruments_every) } else { self.instruments_every },
            },
        })
    }

    /// What one list says of each market, for somebody who asks once and waits for no second; `None` where the preset
    /// knows of no list.
    ///
    /// # Errors
    /// If the list cannot be had or says more about itself than about markets: why, in words.
    pub async fn entries(&self, clock: impl Fn() -> Wall) -> Option<Result<Vec<Entry>, String>> {
        let list = match self.list(self.instruments.as_ref()?, &clock).await {
            Ok(list) => list,
            Err((fault, detail)) => return Some(Err(format!("{} {detail}", fault.code()))),
        };
        if let Some(why) = list.absurd() {
            return Some(Err(why.to_owned()));
        }
        Some(Ok(self.said(&list)))
    }

    fn said(&self, list: &List) -> Vec<Entry> {
        let said = self.markets.iter().zip(&list.markets).zip(&list.words);
        said.map(|((market, listing), words)| Entry {
            market: market.clone(),
            listing: *listing,
            words: words.clone(),
        })
        .collect()
    }

    async fn list(
        &self,
        instruments: &Instruments,
        clock: &impl Fn() -> Wall,
    ) -> Result<List, (SourceFault, String)> {
        self.asked(instruments, clock).await?.1
    }

    /// The list as the venue sends it, and when it came; `None` where the preset knows of no list.
    ///
    /// # Errors
    /// In words, with what went wrong.
    pub async fn list_body(&self, clock: impl Fn() -> Wall) -> Option<Result<(Vec<u8>, Wall), String>> {
        let in_words = |(fault, detail): (SourceFault, String)| format!("{} {detail}", fault.code());
        let fetched = match self.asked(self.instruments.as_ref()?, &clock).await {
            Ok((fetched, _)) => fetched,
            Err(refused) => return Some(Err(in_words(refused))),
        };
        let received = fetched.received;
        let failed = |failure: Failure| in_words((failure.fault, failure.reason));
        Some(fetched.body.map(|body| (body, received)).map_err(failed))
    }

    /// What came, and what it says.
    async fn asked(
        &self,
        instruments: &Instruments,
        clock: &impl Fn() -> Wall,
    ) -> Result<(Fetched, Result<List, (SourceFault, String)>), (SourceFault, String)> {
        let host = self.memory().host;
        let base = self.target.base(host);
        let url = format!("{}{}", base.trim_end_matches('/'), instruments.path);
        let url = url.parse().map_err(|_| (SourceFault::Unreachable, "no URL can be built".to_owned()))?;
        let deadline = Instant::now() + Duration::from(self.timeout);
        let (cost, most) = (|_: &LimitRule| instruments.cost, instruments.body_max_bytes);
        let fetched = self.fetched(base, url, cost, most, deadline, clock).await;
        let fetched = fetched.map_err(|wait| (SourceFault::RateLimited, held_back(wait)))?;
        let list = match &fetched.body {
            Ok(body) => instruments
                .read(&self.symbols, &self.keys, self.markets.len(), body)
                .map_err(|refusal| match refusal.fault {
                    // What the venue says in its prices' errors it says here, too.
                    fault @ SourceFault::VenueError => self.answer.failed(200, body, fault),
                    _ => refusal,
                })
                .map_err(|refusal| (refusal.fault, refusal.reason.to_owned())),
            // Who is shut out for asking too often must not go on asking for prices.
            Err(failure) => Err((self.failed(&fetched, failure).fault, failure.reason.clone())),
        };
        self.learn(base, &fetched, list.as_ref().err().map(|(fault, _)| *fault));
        Ok((fetched, list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Listing::{Gone, Halted, Trading};

    /// As in production.
    const HOUR: Span = Span::from_s(3600);

    fn list(total: usize, markets: &[Listing]) -> List {
        List { total, markets: markets.to_vec(), words: vec![None; markets.len()] }
    }

    /// The lists of a venue, on a clock of the test's own.
    struct Desk {
        lists: Lists,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            Self { lists: Lists::default(), now: Instant::now() }
        }

        fn judge(&mut self, list: List) -> Result<(Vec<Listing>, bool), &'static str> {
            self.lists.judge(list, HOUR, self.now).map(|judged| (judged.markets, judged.waits))
        }

        /// The same ten minutes later, as often as it is refused; after how many lists it is believed.
        fn until_believed(&mut self, list: &List, most: usize) -> Option<(usize, Judged)> {
            (1..=most).find_map(|count| {
                self.now += Duration::from(RETRY);
                Some((count, self.lists.judge(list.clone(), HOUR, self.now).ok()?))
            })
        }
    }

    #[test]
    fn a_market_is_out_once_two_lists_say_so_and_back_with_the_first_that_has_it() {
        let mut lists = Desk::new();
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
        let mut lists = Desk::new();
        let all = [Trading, Trading, Trading];
        lists.judge(list(100, &all)).unwrap();
        for absurd in [list(0, &[Gone, Gone, Gone]), list(100, &[Gone, Halted, Trading]), list(9, &[Gone; 3])]
        {
            assert_eq!(lists.until_believed(&absurd, 1_000), None, "{absurd:?}");
        }
        // The one market that a venue is asked for may be gone, and one of two.
        for ours in [&[Gone][..], &[Gone, Trading][..]] {
            let mut lists = Desk::new();
            lists.judge(list(10, ours)).unwrap();
            assert_eq!(lists.judge(list(10, ours)), Ok((ours.to_vec(), false)));
        }
    }

    /// Without this a venue that halves what it trades is not believed before a restart, whatever becomes of a market; or
    /// a list that is cut short for an hour takes out whoever stood behind the cut.
    #[test]
    fn a_list_that_was_halved_is_believed_once_it_has_been_the_same_for_three_hours() {
        let (all, without) = ([Trading, Trading, Trading], [Trading, Gone, Trading]);
        let halved = list(49, &without);
        let mut lists = Desk::new();
        lists.judge(list(100, &all)).unwrap();
        // Two hours of it, an outage or not, and then the whole list again: nothing has happened.
        assert_eq!(lists.until_believed(&halved, 12), None);
        assert_eq!(lists.judge(list(100, &all)), Ok((all.to_vec(), false)));
        // What says something else each time begins anew each time.
        for total in [49, 30, 49, 30, 49, 30] {
            assert_eq!(lists.until_believed(&list(total, &without), 12), None, "{total} rows");
            assert_eq!(lists.until_believed(&list(total, &all), 12), None, "{total} rows");
        }
        // Three hours, give or take a few rows; and then a market that it lacks still takes a second list.
        assert_eq!(lists.until_believed(&halved, 1), None);
        assert_eq!(lists.until_believed(&list(47, &without), 1), None);
        let (count, judged) = lists.until_believed(&halved, 100).unwrap();
        assert_eq!(count, 17, "three hours of six, but the two before");
        assert_eq!(judged, Judged { markets: all.to_vec(), waits: true, shrunk: Some((100, 49)) });
        assert_eq!(lists.judge(halved), Ok((without.to_vec(), false)));
        // It is the measure from then on.
        assert!(lists.judge(list(24, &without)).is_err());
        // However seldom lists are asked for, four of them have to say so.
        let mut lists = Desk::new();
        lists.judge(list(100, &all)).unwrap();
        for _ in 0..3 {
            lists.now += Duration::from_secs(86_400);
            assert!(lists.judge(list(49, &all)).is_err());
        }
        lists.now += Duration::from_secs(1);
        assert!(lists.judge(list(49, &all)).is_ok());
    }
}
