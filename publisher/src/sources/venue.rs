//! One venue: polls it with one request for all its symbols, or as many as its limit asks for, and says what each of them gave.
//!
//! A poll never fails as a whole: it gives exactly one observation for each symbol. A row that cannot be used
//! costs its own symbol; an answer that cannot be used gives every symbol the same fault. When the venue refuses
//! the whole request because of one symbol that it does not know, the symbols are asked for in halves until that
//! symbol is found, and it is left out for a while.

use super::budgets::{Budgets, Learned, LimitRule};
use super::decode::{self, Answer, Refusal, Row};
use super::fetch::{Ask, Failure, Fetched, Method, fetch};
use super::guard::{Client, Guard, Http};
use super::instruments::{self, Instruments, Lists};
use super::key::{self, ApiKey};
use super::limits;
use super::preset::Preset;
use super::problem::{Problems, SourceSetupError};
use super::request::Target;
use super::stream::{self, Counter, Line, StreamSpec};
use super::symbols::Symbols;
use super::way::Way;
use publisher_core::price::Ratio;
use publisher_core::quote::{MarketId, Observation, Quote, SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use reqwest::header::HeaderMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Requests that one poll may spend on finding a symbol that the venue refuses: enough for one among 100.
const SEARCH_MAX: u32 = 16;
/// How long a symbol that the venue refused is left out.
const LEFT_OUT: Duration = Duration::from_secs(60);
/// So much of an error body gets into a detail.
const EXCERPT_CHARS: usize = 160;

/// What a configuration says about a venue.
#[derive(Clone, Debug)]
pub struct VenueSpec {
    /// The venue's name in markets, logs and metrics.
    pub id: VenueId,
    /// Another place that speaks the venue's format: a mirror, a proxy of one's own, a simulator. As the operator
    /// wrote it down, it may be a private address.
    pub base_url: Option<Url>,
    /// The key to its API, where it takes one.
    pub key: Option<ApiKey>,
    /// The part of its limits that this process may use, where several ask from one address; all of it if not given.
    pub share: Option<Ratio>,
    /// What the operator's plan with the venue allows in 30 days, instead of the preset's smallest one.
    pub credits: Option<u64>,
    /// The interval between polls instead of the preset's.
    pub every: Option<Span>,
    /// The time for one poll instead of the preset's.
    pub timeout: Option<Span>,
    /// The time between two looks at its list of markets instead of an hour.
    pub instruments_every: Option<Span>,
    /// How its hosts are reached, over HTTP and WebSocket.
    pub way: Way,
}

impl VenueSpec {
    /// A venue that differs in nothing from its preset.
    pub fn new(id: VenueId) -> Self {
        Self {
            id,
            base_url: None,
            key: None,
            share: None,
            credits: None,
            every: None,
            timeout: None,
            instruments_every: None,
            way: Way::default(),
        }
    }

    fn limits(&self, preset: &Preset, problems: &mut Problems) -> Vec<LimitRule> {
        let share = self.share.unwrap_or(Ratio::ONE);
        if share == Ratio::default() || share > Ratio::ONE {
            problems.add(
                "share",
                share.to_string(),
                "not a part of the limits",
                "use more than 0% and at most 100%",
            );
        }
        if self.credits.is_some() && !preset.limits.iter().any(|rule| rule.limit.plan) {
            problems.add("credits", "", "this venue sells no plan", "leave it out");
        }
        if self.credits == Some(0) {
            problems.add("credits", "0", "a plan that allows nothing", "say what it allows in 30 days");
        }
        preset.limits.iter().map(|rule| rule.of(share, self.credits)).collect()
    }
}

/// What one poll brought.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Exactly one for each symbol, in the order of the symbols.
    pub observations: Vec<Observation>,
    /// Why the venue as a whole did not answer, or not all of it; a symbol's own fault is not repeated here.
    pub fault: Option<SourceFault>,
    /// The last HTTP status, if there was one.
    pub status: Option<u16>,
    /// How long the venue asks not to be asked.
    pub retry_after: Option<Span>,
    /// Another host of the venue has not been tried since it last answered.
    pub alternative: bool,
    /// The interval at which the venue's limits may be used, at least the one that was set.
    pub every: Span,
    /// What is believed to be used of each limit by its class, in thousandths of what is allowed.
    pub limits: Vec<(Arc<str>, u64)>,
    /// From the first request to the last byte.
    pub elapsed: Span,
    /// Bytes of bodies read.
    pub bytes: u64,
    /// Requests made: one, unless there are more symbols than one can name, or one of them is refused and has to be
    /// found, or the venue has to be left alone for now.
    pub requests: u32,
    /// What went wrong in words, for an operator. Holds no URL and no header.
    pub detail: Option<String>,
}

/// A venue, or a source of one's own, ready to be polled.
pub struct Venue {
    pub(super) id: VenueId,
    pub(super) target: Target,
    pub(super) http: Http,
    pub(super) way: Way,
    pub(super) headers: HeaderMap,
    pub(super) limits: Vec<LimitRule>,
    pub(super) budgets: Budgets,
    /// Whether error bodies may be quoted: not where they could repeat a key from the configuration.
    pub(super) quotes_errors: bool,
    pub(super) answer: Answer,
    pub(super) symbols: Symbols,
    pub(super) markets: Vec<MarketId>,
    pub(super) keys: BTreeMap<String, usize>,
    pub(super) every: Span,
    pub(super) timeout: Span,
    pub(super) body_max_bytes: usize,
    pub(super) no_time_penalty: Span,
    pub(super) memory: Mutex<Memory>,
    /// Where it says which markets it lists.
    pub(super) instruments: Option<Instruments>,
    pub(super) instruments_every: Span,
    /// The sockets that tell of its markets, too.
    pub(super) lines: Vec<Arc<Line>>,
}

/// What a venue remembers from one poll to the next.
#[derive(Default)]
pub(super) struct Memory {
    /// The host to ask.
    pub(super) host: usize,
    /// What its lists of markets said.
    pub(super) lists: Lists,
    /// Polls in a row that a host did not answer.
    silent: usize,
    /// Symbols that the venue refused, and until when they are left out.
    refused: BTreeMap<usize, Instant>,
}

impl Venue {
    /// A venue that a preset describes, for these symbols.
    ///
    /// # Errors
    /// With every symbol that the venue cannot express or that is another one's market, every setting out of range,
    /// and a base URL that no request can start with.
    pub fn new(
        preset: &Preset,
        spec: VenueSpec,
        symbols: BTreeSet<Arc<str>>,
        client: &Client,
    ) -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let symbols: Vec<_> = symbols.into_iter().collect();
        if symbols.is_empty() {
            problems.add(
                "symbols",
                "",
                "no symbol",
                "name a market of this venue in a feed, or drop the venue",
            );
        }
        let keys = preset.symbols.keys(&symbols, &mut problems);
        if let Some((url, (reason, hint))) =
            spec.base_url.as_ref().and_then(|url| Some((url, limits::base_fault(url)?)))
        {
            problems.add("base_url", limits::redacted(url), reason, hint);
        }
        let headers = key::headers(preset.key.as_ref(), spec.key.as_ref(), &mut problems);
        let every = spec
            .every
            .map_or(Some(preset.every), |every| limits::within("every", every, limits::EVERY, &mut problems));
        let timeout = spec.timeout.map_or(Some(preset.timeout), |timeout| {
            limits::within("timeout", timeout, limits::TIMEOUT, &mut problems)
        });
        let instruments_every = spec.instruments_every.unwrap_or(instruments::EVERY);
        limits::within("instruments_every", instruments_every, limits::LISTS_EVERY, &mut problems);
        let guard = if spec.base_url.is_some() { Guard::AllowPrivate } else { Guard::Public };
        let limits = spec.limits(preset, &mut problems);
        let limits = if spec.base_url.is_some() { Vec::new() } else { limits };
        let hosts = spec.base_url.map_or_else(|| preset.hosts.clone(), |url| vec![url]);
        if let Some(host) = hosts.first() {
            spec.way.check("base_url", host, &mut problems);
        }
        let http = client.of(guard, &spec.way, &mut problems);
        let venue = every.zip(timeout).zip(http).map(|((every, timeout), http)| Self {
            markets: markets(&spec.id, symbols),
            id: spec.id.clone(),
            target: Target::Hosts { hosts, request: preset.request.clone() },
            http,
            way: spec.way.clone(),
            // An error may repeat the key it was asked with.
            quotes_errors: headers.is_empty(),
            headers,
            limits,
            budgets: client.budgets.clone(),
            answer: preset.answer.clone(),
            symbols: preset.symbols.clone(),
            keys,
            every,
            timeout,
            body_max_bytes: preset.body_max_bytes,
            no_time_penalty: preset.no_time_penalty,
            memory: Mutex::default(),
            instruments: preset.instruments.clone(),
            instruments_every,
            lines: Vec::new(),
        });
        problems.finish(spec.id.as_str(), venue)
    }

    /// The same venue, listened to over WebSocket as well, if its preset says how.
    ///
    /// # Errors
    /// If no socket can be opened at the place that the configuration names.
    pub fn with_stream(self, preset: &Preset, spec: &StreamSpec) -> Result<Self, SourceSetupError> {
        let hosts = match &self.target {
            Target::Hosts { hosts, .. } => hosts.clone(),
            Target::Url(_) => Vec::new(),
        };
        let counter = Counter {
            http: self.http.clone(),
            hosts,
            limits: self.limits.clone(),
            budgets: self.budgets.clone(),
            answer: self.answer.clone(),
            is_elsewhere: spec.url.is_some(),
            way: self.way.clone(),
        };
        let lines = stream::lines(preset, spec, &self.id, &self.markets, &counter)?;
        Ok(Self { lines: lines.into_iter().map(Arc::new).collect(), ..self })
    }

    /// The sockets that tell of its markets, each of some of them; all of them together may leave some out.
    pub fn lines(&self) -> &[Arc<Line>] {
        &self.lines
    }

    /// Its name.
    pub fn id(&self) -> &VenueId {
        &self.id
    }

    /// The interval between polls.
    pub fn every(&self) -> Span {
        self.every
    }

    /// The interval at which it will be asked if all goes well: its limits may allow less than what was set.
    pub fn planned(&self) -> Span {
        let (symbols, requests) = self.requests(self.markets.len());
        // What is used in this process so far has nothing to do with what is planned.
        Budgets::default().pace("", &self.limits, self.every, symbols, requests)
    }

    /// For so many symbols: how many one request names, and how many requests it takes.
    fn requests(&self, symbols: usize) -> (usize, usize) {
        let at_once = self.target.at_once(symbols).max(1);
        (at_once.min(symbols), symbols.div_ceil(at_once))
    }

    /// The longest that a poll takes.
    pub fn timeout(&self) -> Span {
        self.timeout
    }

    /// Its markets, in the order of a poll's observations.
    pub fn markets(&self) -> &[MarketId] {
        &self.markets
    }

    /// Asks for all symbols. Dropping the future abandons the request and loses nothing else.
    pub async fn poll(&self, clock: impl Fn() -> Wall) -> Poll {
        let started = Instant::now();
        let deadline = started + Duration::from(self.timeout);
        let (host, asked) = self.plan(started);
        let mut results: Vec<Result<Quote, SourceFault>> =
            vec![Err(SourceFault::SymbolMissing); self.markets.len()];
        let mut poll = Poll::empty();
        let mut refused = Vec::new();
        let at_once = self.target.at_once(asked.len()).max(1);
        let mut groups: Vec<Vec<usize>> = asked.chunks(at_once).rev().map(<[usize]>::to_vec).collect();
        let further = u32::try_from(groups.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let requests_max = further.saturating_add(SEARCH_MAX);
        while let Some(group) = groups.pop() {
            let answer = if poll.requests == requests_max {
                Err(Refusal::new(SourceFault::VenueError, "more symbols are refused than one poll can find"))
            } else {
                self.ask(host, &group, deadline, &clock, &mut poll).await
            };
            match answer {
                Ok(mut quotes) => {
                    for at in group {
                        if let (Some(result), Some(quote)) = (results.get_mut(at), quotes.get_mut(at)) {
                            std::mem::swap(result, quote);
                        }
                    }
                }
                Err(refusal) if refusal.unknown_symbol && self.target.lists(group.len()) => {
                    match group.split_at(group.len() / 2) {
                        ([], only) => refused.extend_from_slice(only),
                        (first, second) => groups.extend([second.to_vec(), first.to_vec()]),
                    }
                }
                Err(refusal) => {
                    poll.fault = Some(refusal.fault);
                    // Whatever is still to be asked would meet the same, and a venue that limits us is left alone.
                    for at in groups.drain(..).chain([group]).flatten() {
                        if let Some(result) = results.get_mut(at) {
                            *result = Err(refusal.fault);
                        }
                    }
                }
            }
        }
        poll.alternative = self.remember(host, poll.fault, &refused);
        if let (true, false) = (poll.fault.is_none(), refused.is_empty()) {
            let names = refused.iter().filter_map(|at| self.markets.get(*at)).map(|m| &*m.symbol);
            poll.detail = Some(format!("the venue does not know {}", names.collect::<Vec<_>>().join(", ")));
        }
        let (base, (symbols, requests)) = (self.target.base(host), self.requests(asked.len()));
        poll.every = self.budgets.pace(base, &self.limits, self.every, symbols, requests);
        poll.limits = self.budgets.used(base, &self.limits);
        poll.elapsed = started.elapsed().into();
        poll.observations = self.markets.iter().cloned().zip(results).map(observation).collect();
        poll
    }

    /// One answer for all symbols, or for as many as one request can name, as the venue sends it, and when it came. It is
    /// asked for within the venue's limits, as every other one.
    ///
    /// # Errors
    /// In words, with what went wrong.
    pub async fn body(&self, clock: impl Fn() -> Wall) -> Result<(Vec<u8>, Wall), String> {
        let (base, deadline) = (self.target.base(0), Instant::now() + Duration::from(self.timeout));
        let count = self.target.at_once(self.markets.len()).clamp(1, self.markets.len().max(1));
        let symbols = self.markets.iter().take(count).map(|market| &*market.symbol);
        let url = self.target.url(0, count, symbols).ok_or("the request's URL cannot be built")?;
        let cost = |rule: &LimitRule| rule.cost(count);
        let fetched = self.fetched(base, url, cost, self.body_max_bytes, deadline, &clock).await;
        let fetched = fetched.map_err(held_back)?;
        self.learn(base, &fetched, self.read(&fetched).err().map(|(refusal, _)| refusal.fault));
        let received = fetched.received;
        let body = fetched.body.map_err(|failure| self.detail(&failure.reason, &failure.body))?;
        Ok((body, received))
    }

    /// One request within the limits of a host; or for how long it is held back. What its answer teaches is to be
    /// learned by [`Self::learn`], from whoever knows what it means.
    pub(super) async fn fetched(
        &self,
        base: &str,
        url: Url,
        cost: impl Fn(&LimitRule) -> u64 + Sync,
        body_max_bytes: usize,
        deadline: Instant,
        clock: &impl Fn() -> Wall,
    ) -> Result<Fetched, Span> {
        self.budgets.take_by(deadline, base, &self.limits, cost).await?;
        let (http, headers) = (&self.http, &self.headers);
        Ok(fetch(Ask { http, method: Method::Get, url, headers, deadline, body_max_bytes }, clock).await)
    }

    /// Learns from an answer what is left of the limits of its host.
    pub(super) fn learn(&self, base: &str, fetched: &Fetched, fault: Option<SourceFault>) {
        let (headers, received, retry_after) = (&fetched.headers, fetched.received, fetched.retry_after);
        self.budgets.learn(base, &self.limits, &Learned { headers, received, fault, retry_after });
    }

    /// What a whole answer gives each of the symbols that it was asked for, in their order.
    pub fn observations(&self, body: &[u8], received: Wall) -> Vec<Observation> {
        let quotes = self.quotes(body, received, received - self.no_time_penalty);
        let quotes = quotes.unwrap_or_else(|refusal| vec![Err(refusal.fault); self.markets.len()]);
        self.markets.iter().cloned().zip(quotes).map(observation).collect()
    }

    /// The host to ask, and the symbols that are not left out.
    fn plan(&self, now: Instant) -> (usize, Vec<usize>) {
        let mut memory = self.memory();
        memory.refused.retain(|_, until| *until > now);
        let asked = (0..self.markets.len()).filter(|at| !memory.refused.contains_key(at)).collect();
        (memory.host, asked)
    }

    /// Takes the next host after one that does not answer. Whether one is left that was not tried.
    fn remember(&self, host: usize, fault: Option<SourceFault>, refused: &[usize]) -> bool {
        let until = Instant::now() + LEFT_OUT;
        let mut memory = self.memory();
        memory.refused.extend(refused.iter().map(|at| (*at, until)));
        let Some(fault) = fault else {
            memory.silent = 0;
            return false;
        };
        let Target::Hosts { hosts, .. } = &self.target else { return false };
        // A venue that limits or bans us knows us at all its hosts.
        let of_host = matches!(
            fault,
            SourceFault::GeoBlocked
                | SourceFault::Unreachable
                | SourceFault::Unresolved
                | SourceFault::Tls
                | SourceFault::CertificateExpired
                | SourceFault::CertificateName
                | SourceFault::CertificateUntrusted
                | SourceFault::TlsPinMismatch
                | SourceFault::Timeout
                | SourceFault::HttpStatus
        );
        if !of_host {
            return false;
        }
        memory.host = (host + 1) % hosts.len().max(1);
        memory.silent = memory.silent.saturating_add(1);
        memory.silent < hosts.len()
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change of the memory is complete in itself, so a panic elsewhere leaves it usable.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request for some of the symbols; the results stand at the symbols' own indices.
    async fn ask(
        &self,
        host: usize,
        group: &[usize],
        deadline: Instant,
        clock: &impl Fn() -> Wall,
        poll: &mut Poll,
    ) -> Result<Vec<Result<Quote, SourceFault>>, Refusal> {
        let symbols = group.iter().filter_map(|at| self.markets.get(*at)).map(|market| &*market.symbol);
        let Some(url) = self.target.url(host, group.len(), symbols) else {
            return Err(Refusal::new(SourceFault::Unreachable, "the request's URL cannot be built"));
        };
        let base = self.target.base(host);
        let cost = |rule: &LimitRule| rule.cost(group.len());
        let fetched = match self.fetched(base, url, cost, self.body_max_bytes, deadline, clock).await {
            Ok(fetched) => fetched,
            Err(wait) => {
                poll.retry_after = poll.retry_after.max(Some(wait));
                poll.detail = Some(held_back(wait));
                return Err(Refusal::new(SourceFault::RateLimited, "held back"));
            }
        };
        poll.requests += 1;
        poll.status = fetched.status;
        poll.bytes = poll.bytes.saturating_add(u64::try_from(fetched.bytes).unwrap_or(u64::MAX));
        let result = self.read(&fetched);
        self.learn(base, &fetched, result.as_ref().err().map(|(refusal, _)| refusal.fault));
        if let Err((_, detail)) = &result {
            poll.retry_after = poll.retry_after.max(fetched.retry_after);
            poll.detail = Some(detail.clone());
        }
        result.map_err(|(refusal, _)| refusal)
    }

    /// What a request means that brought no body with status 200.
    pub(super) fn failed(&self, fetched: &Fetched, failure: &Failure) -> Refusal {
        match fetched.status {
            Some(status) => self.answer.failed(status, &failure.body, failure.fault),
            None => Refusal::new(failure.fault, "the request failed"),
        }
    }

    /// The quotes of an answer; or why there are none, for the program and in words.
    fn read(&self, fetched: &Fetched) -> Result<Vec<Result<Quote, SourceFault>>, (Refusal, String)> {
        let received = fetched.received;
        let body = match &fetched.body {
            Ok(body) => body,
            Err(failure) => {
                return Err((self.failed(fetched, failure), self.detail(&failure.reason, &failure.body)));
            }
        };
        let without_time = received - fetched.elapsed - self.no_time_penalty;
        self.quotes(body, received, without_time).map_err(|refusal| {
            let detail = self.detail(refusal.reason, body);
            (refusal, detail)
        })
    }

    /// The quotes in a body, each as old as `without_time` where the venue says no time.
    fn quotes(
        &self,
        body: &[u8],
        received: Wall,
        without_time: Wall,
    ) -> Result<Vec<Result<Quote, SourceFault>>, Refusal> {
        let rows = decode::read(&self.answer, &self.symbols, &self.keys, self.markets.len(), body, received)?;
        let quote = |(market, row): (&MarketId, Result<Row, SourceFault>)| {
            row.map(|Row { bid, ask, last, base_volume, time }| Quote {
                market: market.clone(),
                bid,
                ask,
                last,
                base_volume,
                as_of: time.unwrap_or(without_time),
                received,
                is_clocked: self.answer.reads_clock(),
            })
        };
        Ok(self.markets.iter().zip(rows).map(quote).collect())
    }

    fn detail(&self, reason: &str, body: &[u8]) -> String {
        if !self.quotes_errors || body.is_empty() {
            return reason.to_owned();
        }
        let text = String::from_utf8_lossy(body.get(..EXCERPT_CHARS * 4).unwrap_or(body)).into_owned();
        let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '.' };
        format!("{reason}: {}", text.chars().take(EXCERPT_CHARS).map(plain).collect::<String>())
    }
}

impl fmt::Debug for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs and headers may hold keys.
        f.debug_struct("Venue").field("id", &self.id).field("markets", &self.markets).finish_non_exhaustive()
    }
}

impl Poll {
    pub(super) fn empty() -> Self {
        Self {
            observations: Vec::new(),
            fault: None,
            status: None,
            retry_after: None,
            alternative: false,
            every: Span::ZERO,
            limits: Vec::new(),
            elapsed: Span::ZERO,
            bytes: 0,
            requests: 0,
            detail: None,
        }
    }
}

/// Why nothing is asked, in words.
pub(super) fn held_back(wait: Span) -> String {
    format!("held back for {wait} to stay within the venue's limits")
}

pub(super) fn markets(id: &VenueId, symbols: Vec<Arc<str>>) -> Vec<MarketId> {
    symbols.into_iter().map(|symbol| MarketId { venue: id.clone(), symbol }).collect()
}

fn observation((market, result): (MarketId, Result<Quote, SourceFault>)) -> Observation {
    match result {
        Ok(quote) => Observation::Quote(quote),
        Err(fault) => Observation::Missing { market, fault },
    }
}
