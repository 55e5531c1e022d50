//! `publisher quote`: what does each source say now, and what follows from it?

use super::feed::{in_words, order_json, standing};
use super::lists::{Lists, Out};
use super::market::{halted, market_in_words, market_json};
use super::memory::Memory;
use super::output::{clear, json, put, table};
use super::{Common, Ended, FINDING, Failure, OK, interrupted, load};
use crate::config::Config;
use crate::driver::{Clock, wall};
use crate::sources::{Client, Entry, Listed, NextPoll, Source as Polled, Venue, Watch};
use crate::store::Location;
use crate::telemetry::{ClockHealth, ClockStatus, SourceHealth, SourceStatus};
use clap::Args;
use publisher_core::aggregate::{Aggregation, LeftOut, Measured};
use publisher_core::book::{Book, Path};
use publisher_core::drift::Skew;
use publisher_core::machine::{Group, StoreSpec};
use publisher_core::policy::{Conduct, Confidence, Market, Order, Said, Sets};
use publisher_core::price::{Price, Ratio};
use publisher_core::quote::{FeedId, Observation, VenueId};
use publisher_core::route::Leg;
use publisher_core::time::{Span, SpanError, Wall};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;

/// What operators say, and what is believed of shares, is read so often.
const JOURNAL_EVERY: Duration = Duration::from_secs(3);
/// Answers of venues that may wait while a look is printed.
const WAITING_MAX: usize = 256;

#[derive(Args)]
pub(super) struct QuoteArgs {
    /// The feed or rate, as the configuration names it.
    feed: String,
    /// Ask on, each venue at its own pace, and show what follows until Ctrl-C. With `--json`, a line for each look.
    #[arg(long)]
    watch: bool,
    /// The time between two looks.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = pause, requires = "watch")]
    every: Span,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: QuoteArgs) -> Ended {
    let config = load(&args.common)?;
    let id = FeedId::new(&args.feed);
    let values = config.pricings();
    if !config.feeds.contains_key(&id) && !config.rates.contains_key(&id) {
        let known: Vec<&str> = config.feeds.keys().chain(config.rates.keys()).map(FeedId::as_str).collect();
        return Err(Failure::usage(format!(
            "no feed or rate {:?}; there are {}",
            args.feed,
            known.join(", ")
        )));
    }
    let mut book = Book::new(values).map_err(Failure::usage)?;
    let client = Client::new().map_err(Failure::unavailable)?;
    let sources = config.sources(&client).map_err(Failure::usage)?;
    // Before any share is read, so that what it says is held against what was believed of it.
    let mut known = Known { memory: Memory::of(&config.journal, &sources).await, ..Known::default() };
    // All venues at once, as the daemon does; a slow one delays nobody but itself.
    let (sender, mut news) = channel(WAITING_MAX);
    let mut asked = JoinSet::new();
    let seeds = u64::from(std::process::id()) << 32..;
    for (seed, source) in seeds.zip(&sources) {
        if let Polled::Venue(venue) = source {
            asked.spawn(lists(venue.clone(), args.watch, sender.clone()));
        }
        asked.spawn(ask(source.clone(), seed, args.watch, sender.clone()));
    }
    if args.watch {
        asked.spawn(follow_journal(config.journal.clone(), sources, sender.clone()));
    }
    drop(sender);
    if !args.watch {
        while let Some(news) = news.recv().await {
            known.take(&mut book, news);
        }
        return Ok(Look::at(&book, &id, &config, &known).show(args.common.json));
    }
    let clock = Clock::new();
    let mut timer = tokio::time::interval(args.every.into());
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut code = OK;
    loop {
        tokio::select! {
            Some(news) = news.recv() => known.take(&mut book, news),
            _ = timer.tick() => {
                book.review(0..book.len(), clock.now());
                book.review_clocks(clock.now());
                book.review_pegs(clock.now());
                if !args.common.json {
                    clear();
                }
                code = Look::at(&book, &id, &config, &known).show(args.common.json);
            }
            () = interrupted() => return Ok(code),
        }
    }
}

/// A time between two looks, of at least a tenth of a second.
fn pause(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: SpanError| error.to_string())?;
    if span < Span::from_ms(100) {
        return Err("shorter than 100ms".to_owned());
    }
    Ok(span)
}

/// What is heard of while somebody looks.
enum News {
    Observed(Vec<Observation>),
    /// What is to be known of shares after a poll.
    Shares(Vec<Watch>),
    /// The one list that was asked for.
    Entries(String, Result<Vec<Entry>, String>),
    /// One of the lists that are asked for again and again.
    Listed(String, Listed),
    Memory(Memory),
}

/// What is known beside quotes.
#[derive(Default)]
struct Known {
    lists: Lists,
    memory: Memory,
    /// Why the last price of a share was not believed.
    refused: BTreeMap<VenueId, String>,
}

impl Known {
    fn take(&mut self, book: &mut Book, news: News) {
        match news {
            News::Observed(observations) => {
                observations.into_iter().for_each(|observation| book.observe(observation).for_each(drop));
            }
            News::Shares(shares) => {
                for Watch { source, refused, .. } in shares {
                    match refused {
                        Some(why) => drop(self.refused.insert(source, why)),
                        None => drop(self.refused.remove(&source)),
                    }
                }
            }
            News::Entries(venue, said) => self.lists.take(book, venue, said),
            News::Listed(venue, listed) => self.lists.follow(book, venue, listed),
            News::Memory(memory) => self.memory = memory,
        }
    }
}

/// Asks a venue for what it lists: once, or for ever; then what has changed for good takes two lists.
async fn lists(venue: Arc<Venue>, on: bool, sender: Sender<News>) {
    let name = venue.id().to_string();
    if !on {
        if let Some(said) = venue.entries(wall).await {
            let _gone = sender.send(News::Entries(name, said)).await;
        }
        return;
    }
    while let Some(listed) = venue.listed(wall).await {
        let wait = listed.wait;
        if sender.send(News::Listed(name.clone(), listed)).await.is_err() {
            return;
        }
        tokio::time::sleep(wait.into()).await;
    }
}

/// Asks a source once, or for ever at its own pace.
async fn ask(source: Polled, seed: u64, on: bool, sender: Sender<News>) {
    let mut pace = NextPoll::new(source.every(), seed);
    loop {
        let poll = source.poll(wall).await;
        let wait = pace.after(&poll);
        if let Polled::Network(network) = &source {
            let _gone = sender.send(News::Shares(network.watch().await)).await;
        }
        if sender.send(News::Observed(poll.observations)).await.is_err() || !on {
            return;
        }
        tokio::time::sleep(wait.into()).await;
    }
}

/// Reads the journal again and again: operators say more, and a daemon believes more.
async fn follow_journal(journal: Location, sources: Vec<Polled>, sender: Sender<News>) {
    loop {
        tokio::time::sleep(JOURNAL_EVERY).await;
        let memory = Memory::of(&journal, &sources).await;
        if sender.send(News::Memory(memory)).await.is_err() {
            return;
        }
    }
}

/// Adds what one object has to another.
fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// One look at all sources of a feed.
struct Look<'a> {
    book: &'a Book,
    id: &'a FeedId,
    config: &'a Config,
    known: &'a Known,
    now: Wall,
    /// What its sets of sources say, as a daemon sees them that begins now.
    sets: Sets,
    /// What the book calls the set that counts, and what it says.
    set: FeedId,
    aggregation: Aggregation,
    /// The same of the set that does not count now, where the feed has two.
    other: Option<(FeedId, Aggregation)>,
}

impl<'a> Look<'a> {
    fn at(book: &'a Book, id: &'a FeedId, config: &'a Config, known: &'a Known) -> Self {
        let now = wall();
        let feed = config.feeds.get(id);
        let off_hours = feed.and_then(|feed| feed.off_hours.as_ref()).map(|_| id.off_hours());
        let look = |set: FeedId| (book.evaluate(&set, now), set);
        let ((main, id_of_main), off_hours) = (look(id.clone()), off_hours.map(look));
        let silent = Said { as_of: Some(now), speaks: false };
        let said = |of: &Aggregation| silent.then(of.value.as_ref().ok().map(|estimate| estimate.as_of));
        let sets =
            Sets { main: said(&main), off_hours: off_hours.as_ref().map_or(silent, |(of, _)| said(of)) };
        let market = feed.and_then(|feed| feed.policy.market.as_ref());
        let market = market.map(|market| halted(market, id, &known.memory.orders, now));
        let switches = market.is_some_and(|market| market.conduct(&sets, now) == Conduct::SwitchSource);
        let (set, aggregation, other) = match off_hours {
            Some((of, set)) if switches => (set, of, Some((id_of_main, main))),
            other => (id_of_main, main, other.map(|(of, set)| (set, of))),
        };
        Self { book, id, config, known, now, sets, set, aggregation, other }
    }

    /// Prints it; the exit code that follows from it.
    fn show(&self, as_json: bool) -> u8 {
        let sources: Vec<Source> = self.sources(&self.set, &self.aggregation).collect();
        match as_json {
            true => json(&self.json(&sources)),
            false => self.print(&sources),
        }
        if self.aggregation.value.is_ok() { OK } else { FINDING }
    }

    fn sources(&self, set: &FeedId, of: &Aggregation) -> impl Iterator<Item = Source> {
        let paths = self.book.standings(set).zip(&of.verdicts);
        paths.map(|((path, standing, score), judged)| {
            let source = path.market.to_string();
            let health = SourceHealth { source: source.clone(), standing, score: score.clone() };
            let (quote, _) = self.book.market(&path.market);
            let text = |price: Option<Price>| price.map(|price| price.to_string());
            Source {
                listed: self.known.lists.out.get(&source).cloned(),
                share: self.share(&path.market.venue),
                share_json: self
                    .known
                    .memory
                    .json(&path.market.venue, self.known.refused.get(&path.market.venue).map(String::as_str)),
                market: source,
                score: SourceStatus::of(&health),
                family: path.family.to_string(),
                bid: text(quote.and_then(|quote| quote.bid)),
                ask: text(quote.and_then(|quote| quote.ask)),
                last: text(quote.and_then(|quote| quote.last)),
                volume: text(quote.and_then(|quote| quote.base_volume)),
                quoted: text(quote.and_then(|quote| quote.price().ok())),
                inverse: path.via.inverse,
                legs: self.legs(path),
                price: text(judged.price),
                age_ms: quote.map(|quote| self.now.since(quote.as_of).ms()),
                verdict: judged.why().map_or("counted", LeftOut::code),
                measured: judged.no_vote.and_then(|no_vote| no_vote.measured),
            }
        })
    }

    /// The rates of a path, and what each is at this moment.
    fn legs(&self, path: &Path) -> Vec<(Leg, Option<String>)> {
        let rate =
            |id: &FeedId| self.book.evaluate(id, self.now).value.ok().map(|rate| rate.price.to_string());
        path.via.legs.iter().map(|leg| (leg.clone(), rate(&leg.rate))).collect()
    }

    /// The pegs that it rests on, its own if it is a rate: what each rate is now, and since `--watch` began, whether the
    /// peg is lost.
    fn pegs(&self) -> impl Iterator<Item = Value> {
        let concerned = |rate: &FeedId| {
            rate == self.id
                || self.book.paths(&self.set).iter().any(|path| path.via.rates().any(|r| r == rate))
        };
        self.book.pegs().filter(move |(rate, ..)| concerned(rate)).map(|(rate, peg, lost)| {
            let price = self.book.evaluate(rate, self.now).value.ok().map(|estimate| estimate.price);
            let off = price.and_then(|price| price.distance(Price::one()).part_of(Price::one()));
            json!({
                "rate": rate.as_str(), "lost": lost, "off": off.map(|off| off.to_string()),
                "enter": peg.enter.to_string(), "exit": peg.exit.to_string(),
            })
        })
    }

    /// The clocks of its venues, after half a minute of `--watch`.
    fn clocks(&self) -> impl Iterator<Item = ClockStatus> {
        let venues: BTreeSet<_> = self.book.paths(&self.set).iter().map(|path| &path.market.venue).collect();
        self.book
            .clocks()
            .filter(move |(venue, ..)| venues.contains(venue))
            .map(|(venue, drift, skew)| ClockStatus::from(&ClockHealth { venue: venue.clone(), drift, skew }))
    }

    /// What changes while a peg that it rests on is lost, if anything does: which sources count, and how often a round is
    /// published at least.
    fn on_depeg(&self) -> Option<(bool, Span)> {
        let feed = self.config.feeds.get(self.id)?;
        let (drops, heartbeat) = (feed.pricing.rules.drop_depegged, feed.policy.depeg_heartbeat);
        (drops || heartbeat > Span::ZERO).then_some((drops, heartbeat))
    }

    fn answer(&self, of: &Aggregation) -> Option<String> {
        let decimals = self.config.feeds.get(self.id)?.decimals;
        let estimate = of.value.as_ref().ok()?;
        Some(estimate.price.to_answer(decimals)?.to_string())
    }

    /// When it rides along with other feeds of its store, if it ever does.
    fn early(&self) -> Option<String> {
        let (store, _) = self.config.feeds.get(self.id)?.entry.as_ref()?;
        let StoreSpec { early, sync_heartbeats, .. } = self.config.stores.get(store)?.spec;
        let always = early.always.then(|| "always".to_owned());
        let ratio = (early.ratio > Ratio::default()).then(|| format!("at {} of its way", early.ratio));
        let age = (early.age > Span::ZERO).then(|| format!("at an age of {}", early.age));
        let deviation =
            (early.deviation > Ratio::default()).then(|| format!("{} from its answer", early.deviation));
        let unsure = (early.confidence_ratio > Ratio::default())
            .then(|| format!("unsure by {}", early.confidence_ratio));
        let sync = sync_heartbeats.then(|| "with heartbeats that its own divides".to_owned());
        let rules: Vec<String> =
            [always, ratio, age, deviation, unsure, sync].into_iter().flatten().collect();
        (!rules.is_empty()).then(|| format!("it rides along with others {}", rules.join(", or ")))
    }

    /// How far from sure the value is, and what makes a round of that.
    fn unsure(&self) -> Option<String> {
        let Confidence { ratio, rearm } = self.config.feeds.get(self.id)?.policy.confidence;
        let estimate = self.aggregation.value.as_ref().ok().filter(|_| ratio > Ratio::default())?;
        let part = estimate.confidence.part_of(estimate.price)?;
        Some(format!("it is sure to {part}: {ratio} makes a round, after it was surer than {rearm}"))
    }

    /// The market whose hours the feed keeps, with the halts that the journal knows.
    fn market(&self) -> Option<Market> {
        let market = self.config.feeds.get(self.id)?.policy.market.as_ref()?;
        Some(halted(market, self.id, &self.known.memory.orders, self.now))
    }

    /// What operators say of it, or of its market.
    fn orders(&self) -> impl Iterator<Item = &Order> {
        let market = self.config.feeds.get(self.id).and_then(|feed| feed.policy.market.as_ref());
        standing(&self.known.memory.orders, self.id, market, self.now)
    }

    /// How a share is judged, and why it is not believed.
    fn share(&self, source: &VenueId) -> Option<String> {
        let held = self.known.memory.in_words(source)?;
        Some(match self.known.refused.get(source) {
            Some(why) => format!(
                "not believed, {held}: {why}; if that is right, say so with `publisher source accept {source}`"
            ),
            None => held,
        })
    }

    fn json(&self, sources: &[Source]) -> Value {
        let entry = self.config.feeds.get(self.id).and_then(|feed| feed.entry.as_ref());
        let constant = self.config.constants.get(self.id);
        let mut look = json!({
            "feed": self.id.as_str(),
            "at_ms": self.now.ms(),
            "store": entry.map(|(store, _)| store.as_str()),
            "store_id": entry.map(|(_, entry)| entry.number),
            "group": entry.and_then(|(_, entry)| entry.group.as_ref()).map(|group| json!({ "name": group.name, "atomic": group.is_atomic })),
            "sources": sources.iter().map(Source::json).collect::<Vec<_>>(),
            "constant": constant.map(|note| json!({ "comment": note.comment, "expires": note.expires })),
            "pegs": self.pegs().collect::<Vec<_>>(),
            "lists_unusable": self.known.lists.unusable,
            "orders": self.orders().map(order_json).collect::<Vec<_>>(),
            "journal_unread": self.known.memory.missing,
            "clocks": self.clocks().collect::<Vec<_>>(),
            "own_clock": self.book.own_clock().map_or("right", Skew::code),
            "on_depeg": self.on_depeg().map(|(drops, heartbeat)| json!({ "drop_sources": drops, "heartbeat_ms": heartbeat.ms() })),
        });
        let other = self.other.as_ref().map(|(set, of)| {
            let sources: Vec<Value> = self.sources(set, of).map(|source| source.json()).collect();
            let mut other = json!({ "set": self.name_of(set), "sources": sources });
            extend(&mut other, self.result(of));
            other
        });
        let market = self.market().map(|market| market_json(&market, &self.sets, self.now));
        extend(&mut look, self.result(&self.aggregation));
        extend(&mut look, json!({ "market": market, "set": self.name_of(&self.set), "other_set": other }));
        look
    }

    /// The key of the configuration that a set of sources stands at.
    fn name_of(&self, set: &FeedId) -> &'static str {
        if set == self.id { "sources" } else { "off_hours_sources" }
    }

    /// What follows from what a set of sources says.
    fn result(&self, of: &Aggregation) -> Value {
        match &of.value {
            Ok(estimate) => json!({
                "price": estimate.price.to_string(),
                "answer": self.answer(of),
                "confidence": estimate.confidence.to_string(),
                "confidence_part": estimate.confidence.part_of(estimate.price).map(|part| part.to_string()),
                "spread": estimate.spread.to_string(),
                "families": estimate.families,
                "effective_milli": estimate.effective_milli,
                "age_ms": self.now.since(estimate.as_of).ms(),
            }),
            Err(refusal) => {
                let [measured, limit] = texts(of.measured);
                json!({
                    "refused": refusal.code(), "why": format!("{refusal:?}"), "advice": refusal.advice(),
                    "measured": measured, "limit": limit,
                })
            }
        }
    }

    /// The sources of a set, and what follows from them.
    fn print_set(&self, sources: &[Source], of: &Aggregation, called: &str) {
        let head = ["source", "bid", "ask", "last", "quoted", "via", "in the feed", "age", "verdict"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(sources.iter().map(Source::row));
        table(&rows);
        match &of.value {
            Ok(estimate) => {
                let answer = self.answer(of).map(|answer| format!(", answer {answer}")).unwrap_or_default();
                put(&format!(
                    "\n{called} = {}{answer}, give or take {}, from {} families within {}, worth {}.{:03} equal votes",
                    estimate.price,
                    estimate.confidence,
                    estimate.families,
                    estimate.spread,
                    estimate.effective_milli / 1_000,
                    estimate.effective_milli % 1_000
                ));
            }
            Err(refusal) => {
                let measured = of.measured.map(|measured| format!(" ({measured})")).unwrap_or_default();
                put(&format!("\n{called} has no value: {refusal:?}{measured}. {}", refusal.advice()));
            }
        }
    }

    fn print(&self, sources: &[Source]) {
        if let Some((set, of)) = &self.other {
            let others: Vec<Source> = self.sources(set, of).collect();
            let called = format!("{} by its {}, which do not count now,", self.id, self.name_of(set));
            self.print_set(&others, of, &called);
            put("");
        }
        self.print_set(sources, &self.aggregation, self.id.as_str());
        for (market, out) in sources.iter().filter_map(|s| Some((&s.market, s.listed.as_ref()?))) {
            put(&format!("{market}: {}", out.in_words()));
        }
        for (market, share) in sources.iter().filter_map(|s| Some((&s.market, s.share.as_ref()?))) {
            put(&format!("{market} is {share}"));
        }
        for (venue, why) in &self.known.lists.unusable {
            put(&format!("the list of {venue} says nothing: {why}"));
        }
        if let Some(unsure) = self.unsure() {
            put(&unsure);
        }
        if let Some(note) = self.config.constants.get(self.id) {
            put(&format!("it is a constant until {}: {}", note.expires, note.comment));
        }
        for clock in self.clocks().filter(|clock| clock.state != "right") {
            let ClockStatus { venue, state, offset_ms, .. } = clock;
            put(&format!("the clock of {venue} is {state}: its quotes are {offset_ms} ms late"));
        }
        if let Some(skew) = self.book.own_clock() {
            put(&format!("this machine's clock is {}", skew.code()));
        }
        for peg in self.pegs() {
            let text = |key: &str| peg.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
            let state =
                if peg.get("lost") == Some(&Value::Bool(true)) { "has lost its peg" } else { "has a peg" };
            let (rate, off, enter) = (text("rate"), text("off"), text("enter"));
            put(&format!("{rate} {state}: it is {off} off, and lost from {enter} on"));
        }
        if let Some((drops, heartbeat)) = self.on_depeg() {
            let dropped = drops.then(|| "what it converts has no vote".to_owned());
            let beats = (heartbeat > Span::ZERO).then(|| format!("a round comes every {heartbeat} at least"));
            let said: Vec<String> = dropped.into_iter().chain(beats).collect();
            put(&format!("while such a peg is lost {}", said.join(", and ")));
        }
        if let Some(market) = self.market() {
            put(&market_in_words(&market, &self.sets, self.now));
        }
        for order in self.orders() {
            put(&format!("stands: order {}: {}", order.id, in_words(order, self.now)));
        }
        if let Some(why) = &self.known.memory.missing {
            put(&format!("halts, orders and what is believed of shares are not known: {why}"));
        }
        if let Some((store, entry)) = self.config.feeds.get(self.id).and_then(|feed| feed.entry.as_ref()) {
            let otherwise =
                |group: &Group| if group.is_atomic { "or not at all" } else { "as far as that may move" };
            let words = |group: &Group| format!(", with its group {} {}", group.name, otherwise(group));
            let group = entry.group.as_ref().map(words);
            put(&format!("it is feed {} of store {store}{}", entry.number, group.unwrap_or_default()));
            if let Some(early) = self.early() {
                put(&early);
            }
        }
    }
}

/// What a gate measured, and its limit, as text with a unit.
fn texts(measured: Option<Measured>) -> [Option<String>; 2] {
    measured.map_or([None, None], |measured| measured.texts().map(Some))
}

/// What one source says, and what became of it.
struct Source {
    market: String,
    /// What its venue's list says of it, if it does not trade.
    listed: Option<Out>,
    /// How it is judged, if it is a share: for people, and as JSON.
    share: Option<String>,
    share_json: Value,
    /// How it did since `--watch` began.
    score: SourceStatus,
    /// Whose vote it is part of.
    family: String,
    bid: Option<String>,
    ask: Option<String>,
    last: Option<String>,
    /// Traded in 24 hours, in units of the base asset.
    volume: Option<String>,
    /// The market's own price.
    quoted: Option<String>,
    /// The market is read the other way round.
    inverse: bool,
    /// The rates that convert it, and what they are.
    legs: Vec<(Leg, Option<String>)>,
    /// The price in the feed.
    price: Option<String>,
    age_ms: Option<u64>,
    verdict: &'static str,
    /// What it rests on, where its gate measures anything.
    measured: Option<Measured>,
}

impl Source {
    fn json(&self) -> Value {
        let legs = self
            .legs
            .iter()
            .map(|(leg, price)| json!({ "rate": leg.rate.as_str(), "divides": leg.divides, "price": price }));
        let listed = self.listed.as_ref();
        let [measured, limit] = texts(self.measured);
        json!({
            "listed": listed.map(|out| out.listing.code()), "list_says": listed.and_then(|out| out.words.as_ref()),
            "share": self.share_json,
            "source": self.market, "bid": self.bid, "ask": self.ask, "last": self.last,
            "volume": self.volume, "family": self.family, "quoted": self.quoted,
            "inverse": self.inverse, "via": legs.collect::<Vec<_>>(), "price": self.price,
            "age_ms": self.age_ms, "verdict": self.verdict, "score": self.score,
            "measured": measured, "limit": limit,
        })
    }

    fn row(&self) -> Vec<String> {
        let cell = |text: &Option<String>| text.clone().unwrap_or_default();
        let turned = self.inverse.then(|| "1 /".to_owned());
        let legs = self.legs.iter().map(|(leg, price)| format!("{leg} {}", price.as_deref().unwrap_or("?")));
        vec![
            self.market.clone(),
            cell(&self.bid),
            cell(&self.ask),
            cell(&self.last),
            cell(&self.quoted),
            turned.into_iter().chain(legs).collect::<Vec<_>>().join(" "),
            cell(&self.price),
            self.age_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            self.measured.map_or_else(|| self.verdict.to_owned(), |by| format!("{} ({by})", self.verdict)),
        ]
    }
}
