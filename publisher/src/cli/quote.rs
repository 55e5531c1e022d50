//! `publisher quote`: what does each source say now, and what follows from it?

use super::output::{clear, json, put, table};
use super::{Common, Ended, FINDING, Failure, OK, interrupted, load};
use crate::config::Config;
use crate::driver::wall;
use crate::sources::{Client, NextPoll, Venue};
use clap::Args;
use publisher_core::aggregate::Aggregation;
use publisher_core::book::{Book, Path};
use publisher_core::price::Price;
use publisher_core::quote::{FeedId, Observation};
use publisher_core::time::{Span, SpanError, Wall};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;

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
    let mut values = config.rates.clone();
    values.extend(config.feeds.iter().map(|(id, feed)| (id.clone(), feed.pricing.clone())));
    if !values.contains_key(&id) {
        let known: Vec<&str> = values.keys().map(FeedId::as_str).collect();
        return Err(Failure::usage(format!(
            "no feed or rate {:?}; there are {}",
            args.feed,
            known.join(", ")
        )));
    }
    let mut book = Book::new(values).map_err(Failure::usage)?;
    let client = Client::new().map_err(Failure::unavailable)?;
    let venues = config.sources(&client).map_err(Failure::usage)?;
    // All venues at once, as the daemon does; a slow one delays nobody but itself.
    let (sender, mut answers) = channel(WAITING_MAX);
    let mut polls = JoinSet::new();
    let seeds = u64::from(std::process::id()) << 32..;
    for (seed, venue) in seeds.zip(venues) {
        polls.spawn(ask(venue, seed, args.watch, sender.clone()));
    }
    drop(sender);
    if !args.watch {
        while let Some(observations) = answers.recv().await {
            observe(&mut book, observations);
        }
        return Ok(Look::at(&book, &id, &config).show(args.common.json));
    }
    let mut timer = tokio::time::interval(args.every.into());
    let mut code = OK;
    loop {
        tokio::select! {
            Some(observations) = answers.recv() => observe(&mut book, observations),
            _ = timer.tick() => {
                if !args.common.json {
                    clear();
                }
                code = Look::at(&book, &id, &config).show(args.common.json);
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

/// Asks a venue once, or for ever at its own pace.
async fn ask(venue: Venue, seed: u64, on: bool, sender: Sender<Vec<Observation>>) {
    let mut pace = NextPoll::new(venue.every(), seed);
    loop {
        let poll = venue.poll(wall).await;
        let wait = pace.after(&poll);
        if sender.send(poll.observations).await.is_err() || !on {
            return;
        }
        tokio::time::sleep(wait.into()).await;
    }
}

fn observe(book: &mut Book, observations: Vec<Observation>) {
    for observation in observations {
        book.observe(observation).for_each(drop);
    }
}

/// One look at all sources of a feed.
struct Look<'a> {
    book: &'a Book,
    id: &'a FeedId,
    config: &'a Config,
    now: Wall,
    aggregation: Aggregation,
}

impl<'a> Look<'a> {
    fn at(book: &'a Book, id: &'a FeedId, config: &'a Config) -> Self {
        let now = wall();
        Self { book, id, config, now, aggregation: book.evaluate(id, now) }
    }

    /// Prints it; the exit code that follows from it.
    fn show(&self, as_json: bool) -> u8 {
        let sources: Vec<Source> = self.sources().collect();
        match as_json {
            true => json(&self.json(&sources)),
            false => self.print(&sources),
        }
        if self.aggregation.value.is_ok() { OK } else { FINDING }
    }

    fn sources(&self) -> impl Iterator<Item = Source> {
        let paths = self.book.paths(self.id).iter().zip(&self.aggregation.verdicts);
        paths.map(|(path, (price, left_out))| {
            let (quote, _) = self.book.market(&path.market);
            let text = |price: Option<Price>| price.map(|price| price.to_string());
            Source {
                market: path.market.to_string(),
                family: path.family.to_string(),
                bid: text(quote.and_then(|quote| quote.bid)),
                ask: text(quote.and_then(|quote| quote.ask)),
                last: text(quote.and_then(|quote| quote.last)),
                volume: text(quote.and_then(|quote| quote.base_volume)),
                quoted: text(quote.and_then(|quote| quote.price().ok())),
                legs: self.legs(path),
                price: text(*price),
                age_ms: quote.map(|quote| self.now.since(quote.as_of).ms()),
                verdict: left_out.map_or("counted", |why| why.code()),
            }
        })
    }

    /// The rates of a path, and what each is at this moment.
    fn legs(&self, path: &Path) -> Vec<(String, Option<String>)> {
        let rate =
            |id: &FeedId| self.book.evaluate(id, self.now).value.ok().map(|rate| rate.price.to_string());
        path.via.iter().map(|id| (id.to_string(), rate(id))).collect()
    }

    fn answer(&self) -> Option<String> {
        let decimals = self.config.feeds.get(self.id)?.decimals;
        let estimate = self.aggregation.value.as_ref().ok()?;
        Some(estimate.price.to_answer(decimals)?.to_string())
    }

    fn json(&self, sources: &[Source]) -> Value {
        let entry = self.config.feeds.get(self.id).and_then(|feed| feed.entry.as_ref());
        let mut look = json!({
            "feed": self.id.as_str(),
            "at_ms": self.now.ms(),
            "store": entry.map(|(store, _)| store.as_str()),
            "store_id": entry.map(|(_, entry)| entry.number),
            "sources": sources.iter().map(Source::json).collect::<Vec<_>>(),
        });
        let result = match &self.aggregation.value {
            Ok(estimate) => json!({
                "price": estimate.price.to_string(),
                "answer": self.answer(),
                "confidence": estimate.confidence.to_string(),
                "spread": estimate.spread.to_string(),
                "families": estimate.families,
                "effective_milli": estimate.effective_milli,
                "age_ms": self.now.since(estimate.as_of).ms(),
            }),
            Err(refusal) => {
                json!({ "refused": refusal.code(), "why": format!("{refusal:?}"), "advice": refusal.advice() })
            }
        };
        if let (Some(look), Value::Object(result)) = (look.as_object_mut(), result) {
            look.extend(result);
        }
        look
    }

    fn print(&self, sources: &[Source]) {
        let head = ["source", "bid", "ask", "last", "quoted", "via", "in the feed", "age", "verdict"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(sources.iter().map(Source::row));
        table(&rows);
        match &self.aggregation.value {
            Ok(estimate) => {
                let answer = self.answer().map(|answer| format!(", answer {answer}")).unwrap_or_default();
                put(&format!(
                    "\n{} = {}{answer}, give or take {}, from {} families within {}",
                    self.id, estimate.price, estimate.confidence, estimate.families, estimate.spread
                ));
            }
            Err(refusal) => {
                put(&format!("\n{} has no value: {refusal:?}. {}", self.id, refusal.advice()));
            }
        }
        if let Some((store, entry)) = self.config.feeds.get(self.id).and_then(|feed| feed.entry.as_ref()) {
            let group = entry.group.as_ref().map(|group| format!(", with its group {group} or not at all"));
            put(&format!("it is feed {} of store {store}{}", entry.number, group.unwrap_or_default()));
        }
    }
}

/// What one source says, and what became of it.
struct Source {
    market: String,
    /// Whose vote it is part of.
    family: String,
    bid: Option<String>,
    ask: Option<String>,
    last: Option<String>,
    /// Traded in 24 hours, in units of the base asset.
    volume: Option<String>,
    /// The market's own price.
    quoted: Option<String>,
    /// The rates that convert it, and what they are.
    legs: Vec<(String, Option<String>)>,
    /// The price in the feed.
    price: Option<String>,
    age_ms: Option<u64>,
    verdict: &'static str,
}

impl Source {
    fn json(&self) -> Value {
        let legs = self.legs.iter().map(|(rate, price)| json!({ "rate": rate, "price": price }));
        json!({
            "source": self.market, "bid": self.bid, "ask": self.ask, "last": self.last,
            "volume": self.volume, "family": self.family, "quoted": self.quoted,
            "via": legs.collect::<Vec<_>>(), "price": self.price, "age_ms": self.age_ms, "verdict": self.verdict,
        })
    }

    fn row(&self) -> Vec<String> {
        let cell = |text: &Option<String>| text.clone().unwrap_or_default();
        let leg = |(rate, price): &(String, Option<String>)| {
            format!("* {rate} {}", price.as_deref().unwrap_or("?"))
        };
        vec![
            self.market.clone(),
            cell(&self.bid),
            cell(&self.ask),
            cell(&self.last),
            cell(&self.quoted),
            self.legs.iter().map(leg).collect::<Vec<_>>().join(" "),
            cell(&self.price),
            self.age_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            self.verdict.to_owned(),
        ]
    }
}
