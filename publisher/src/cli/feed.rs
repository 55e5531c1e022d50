//! `publisher feed`: what an operator says about a feed for a while, kept in the journal with who said it and why. A
//! daemon that runs, and every replica, follows within moments; none has to run.

use super::market::{halted, market_in_words, market_json, quoted_at};
use super::output::{json, put, table};
use super::{Common, Ended, Failure, OK, load};
use crate::config::Config;
use crate::driver::wall;
use crate::store::{Desk, Journal, Said, StoreError};
use clap::{Args, Subcommand};
use publisher_core::policy::{Instruction, Market, Order, Subject};
use publisher_core::quote::FeedId;
use publisher_core::time::{Span, Wall};
use serde_json::{Value, json};

/// Nothing that is to hold for longer is temporary: it belongs into the configuration.
pub(super) const FOR_MAX: Span = Span::from_s(30 * 86_400);
/// Lines of the audit that are shown.
pub(super) const SAID: u32 = 20;

#[derive(Subcommand)]
pub(super) enum FeedVerb {
    /// List the feeds with the orders of operators that stand.
    List(ListArgs),
    /// Show the policy that a feed is configured with, the orders that stand, and what was said about it before.
    Show(ShowArgs),
    /// Publish nothing of a feed for a while.
    Pause(PauseArgs),
    /// End all that was said about a feed, but halts of its market.
    Resume(ResumeArgs),
    /// Let a feed's breaker pass what it holds, or give it a shorter heartbeat, for a while.
    Override(OverrideArgs),
    /// Ask for one round of a feed now, whatever its policy waits for. Quorum, bounds, breaker, a pause and a closed
    /// market hold it as they hold any other.
    Submit(SubmitArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The feed, as the configuration names it.
    feed: String,
    #[command(flatten)]
    common: Common,
}

/// Who says it, and why.
#[derive(Args)]
pub(super) struct Word {
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) reason: String,
    /// Who says it; by default the user of this session, $USER.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    by: Option<String>,
}

impl Word {
    /// Who says it.
    pub(super) fn by(&self) -> Result<String, Failure> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let nobody = || Failure::usage("who says it? There is no $USER: name somebody with --by");
        self.by.clone().or_else(user).ok_or_else(nobody)
    }
}

#[derive(Args)]
pub(super) struct PauseArgs {
    /// The feed, as the configuration names it.
    feed: String,
    /// How long, up to 30d; it then ends by itself.
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasts: Span,
    /// Heartbeats and first rounds go on.
    #[arg(long)]
    keep_heartbeat: bool,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct ResumeArgs {
    /// The feed, as the configuration names it.
    feed: String,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct OverrideArgs {
    /// The feed, as the configuration names it.
    feed: String,
    #[command(flatten)]
    what: Override,
    /// How long, up to 30d; it then ends by itself.
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasts: Span,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct SubmitArgs {
    /// The feed, as the configuration names it.
    feed: String,
    /// How long it is tried, up to 30d, where the round is held.
    #[arg(long = "for", value_name = "TIME", value_parser = lasting, default_value = "15m")]
    lasts: Span,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Override {
    /// The circuit breaker lets everything pass: what it holds has been looked at, and is right.
    #[arg(long)]
    accept: bool,
    /// A round at least this often, if that is more often than configured.
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    heartbeat: Option<Span>,
}

pub(super) fn lasting(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: publisher_core::time::SpanError| error.to_string())?;
    match span {
        Span::ZERO => Err("no time at all".to_owned()),
        span if span > FOR_MAX => Err(format!("more than {FOR_MAX}: write it into the configuration")),
        span => Ok(span),
    }
}

pub(super) async fn run(verb: FeedVerb) -> Ended {
    match verb {
        FeedVerb::List(args) => list(&args.common).await,
        FeedVerb::Show(args) => show(&args).await,
        FeedVerb::Pause(args) => {
            let what = if args.keep_heartbeat { Instruction::PauseDeviations } else { Instruction::Pause };
            order(&args.common, &args.feed, what, args.lasts, args.word).await
        }
        FeedVerb::Override(args) => {
            let what = args.what.heartbeat.map_or(Instruction::Accept, Instruction::Heartbeat);
            order(&args.common, &args.feed, what, args.lasts, args.word).await
        }
        FeedVerb::Submit(args) => {
            order(&args.common, &args.feed, Instruction::Submit, args.lasts, args.word).await
        }
        FeedVerb::Resume(args) => resume(args).await,
    }
}

/// The feed of that name.
fn named(config: &Config, name: &str) -> Result<FeedId, Failure> {
    let known: Vec<&str> = config.feeds.keys().map(FeedId::as_str).collect();
    let missing = || Failure::usage(format!("no feed {name:?}; there are {}", known.join(", ")));
    config.feeds.keys().find(|id| id.as_str() == name).cloned().ok_or_else(missing)
}

/// Does this at the journal's desk, and closes it again, whatever came of it.
pub(super) async fn at_desk<T>(
    config: &Config,
    act: impl AsyncFnOnce(&Desk) -> Result<T, StoreError>,
) -> Result<T, Failure> {
    let desk = Journal::open_desk(&config.journal).await.map_err(Failure::unavailable)?;
    let done = act(&desk).await;
    desk.close().await;
    done.map_err(Failure::unavailable)
}

async fn order(common: &Common, feed: &str, what: Instruction, lasts: Span, word: Word) -> Ended {
    let config = load(common)?;
    let feed = named(&config, feed)?;
    let said_at = wall();
    let (by, reason) = (word.by()?, word.reason);
    let order = Order { id: 0, of: Subject::Feed(feed), what, said_at, until: said_at + lasts, by, reason };
    give(common, &config, order).await
}

/// Gives an order, and shows it as it is kept.
pub(super) async fn give(common: &Common, config: &Config, order: Order) -> Ended {
    let order = at_desk(config, async |desk| desk.order(order).await).await?;
    match common.json {
        true => json(&order_json(&order)),
        false => put(&format!("order {}: {}", order.id, in_words(&order, order.said_at))),
    }
    Ok(OK)
}

/// The orders about a feed, or about its market, that stand.
pub(super) fn standing<'a>(
    orders: &'a [Order],
    id: &'a FeedId,
    market: Option<&'a Market>,
    now: Wall,
) -> impl Iterator<Item = &'a Order> {
    let calendar = market.map(|market| &*market.hours.calendar);
    orders.iter().filter(move |order| order.of.concerns(id, calendar) && order.stands(now))
}

async fn resume(args: ResumeArgs) -> Ended {
    let config = load(&args.common)?;
    let feed = named(&config, &args.feed)?;
    let by = args.word.by()?;
    let now = wall();
    let orders = at_desk(&config, async |desk| {
        let before = desk.reader().orders(now).await?;
        desk.resume(&feed, &by, &args.word.reason, now).await.map(|()| before)
    });
    let orders = orders.await?;
    let market = config.feeds.get(&feed).and_then(|feed| feed.policy.market.as_ref());
    let is_halt = |order: &&Order| order.what == Instruction::Halt;
    let (halts, over): (Vec<_>, Vec<_>) = standing(&orders, &feed, market, now).partition(is_halt);
    match args.common.json {
        true => json(&json!({ "feed": feed.as_str(), "ended": over.len() })),
        false => {
            put(&format!("{feed}: {} orders ended", over.len()));
            if let Some(halt) = halts.first() {
                put(&format!("its market stays halted: `publisher market resume {}` ends that", halt.of));
            }
        }
    }
    Ok(OK)
}

async fn list(common: &Common) -> Ended {
    let config = load(common)?;
    let reader = Journal::open_read_only(&config.journal).await.map_err(Failure::unavailable)?;
    let now = wall();
    let orders = reader.orders(now).await.map_err(Failure::unavailable);
    reader.close().await;
    let orders = orders?;
    let of = |id: &FeedId| {
        let market = config.feeds.get(id).and_then(|feed| feed.policy.market.as_ref());
        standing(&orders, id, market, now).cloned().collect::<Vec<_>>()
    };
    if common.json {
        let feeds: Vec<Value> = config.feeds.keys().map(|id| feed_json(id, &of(id))).collect();
        json(&json!({ "feeds": feeds }));
        return Ok(OK);
    }
    let mut rows = vec![["feed", "orders that stand"].map(str::to_owned).to_vec()];
    for id in config.feeds.keys() {
        let words: Vec<String> = of(id).iter().map(|order| in_words(order, now)).collect();
        let words = if words.is_empty() { "none".to_owned() } else { words.join("; ") };
        rows.push(vec![id.to_string(), words]);
    }
    table(&rows);
    Ok(OK)
}

async fn show(args: &ShowArgs) -> Ended {
    let config = load(&args.common)?;
    let id = named(&config, &args.feed)?;
    let reader = Journal::open_read_only(&config.journal).await.map_err(Failure::unavailable)?;
    let now = wall();
    let (orders, said) =
        (reader.orders(now).await, reader.orders_said(&Subject::Feed(id.clone()), SAID).await);
    reader.close().await;
    let (orders, said) = (orders.map_err(Failure::unavailable)?, said.map_err(Failure::unavailable)?);
    let effective = config.effective();
    let prefix = [format!("feed.{id}.policy."), format!("feed.{:?}.policy.", id.as_str())];
    let policy = effective.iter().filter_map(|(path, value)| {
        Some((prefix.iter().find_map(|prefix| path.strip_prefix(prefix.as_str()))?, value.as_str()))
    });
    let market = config.feeds.get(&id).and_then(|feed| feed.policy.market.as_ref());
    let market = market.map(|market| halted(market, &id, &orders, now));
    let orders: Vec<Order> = standing(&orders, &id, market.as_ref(), now).cloned().collect();
    if args.common.json {
        let policy: serde_json::Map<String, Value> =
            policy.map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let said: Vec<Value> = said.iter().map(said_json).collect();
        let mut shown = feed_json(&id, &orders);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("policy".into(), Value::Object(policy));
            shown.insert("said".into(), json!(said));
            shown.insert(
                "market".into(),
                market.map(|market| market_json(&market, &quoted_at(now), now)).into(),
            );
        }
        json(&shown);
        return Ok(OK);
    }
    table(&policy.map(|(key, value)| vec![key.to_owned(), value.to_owned()]).collect::<Vec<_>>());
    if let Some(market) = &market {
        put(&market_in_words(market, &quoted_at(now), now));
    }
    for order in &orders {
        put(&format!("stands: order {}: {}", order.id, in_words(order, now)));
    }
    said.iter().for_each(|line| put(&said_in_words(line, now)));
    Ok(OK)
}

/// A line of the audit, for people.
pub(super) fn said_in_words(line: &Said, now: Wall) -> String {
    let ago = now.since(line.said_at).ms() / 1000;
    format!("said {ago} s ago: {}, by {}: {}", line.what.code(), line.by, line.reason)
}

/// What an order says, for people.
pub(super) fn in_words(order: &Order, now: Wall) -> String {
    let what = match order.what {
        Instruction::Pause => "paused".to_owned(),
        Instruction::PauseDeviations => "paused but for heartbeats".to_owned(),
        Instruction::Accept => "the breaker lets everything pass".to_owned(),
        Instruction::Heartbeat(span) => format!("a heartbeat of {span}"),
        Instruction::Halt => format!("{} halted", order.of),
        Instruction::Submit => "one round, tried".to_owned(),
    };
    let left = order.until.since(now).ms().div_ceil(1000);
    format!("{what} for another {left} s, by {}: {}", order.by, order.reason)
}

pub(super) fn order_json(order: &Order) -> Value {
    let heartbeat_ms = match order.what {
        Instruction::Heartbeat(span) => Some(span.ms()),
        _ => None,
    };
    let (feed, calendar) = subject_json(&order.of);
    json!({
        "id": order.id, "feed": feed, "calendar": calendar, "order": order.what.code(),
        "heartbeat_ms": heartbeat_ms,
        "said_at_ms": order.said_at.ms(), "until_ms": order.until.ms(), "by": order.by, "reason": order.reason,
    })
}

/// What an order is about: a feed or a calendar, the other one null.
fn subject_json(of: &Subject) -> (Option<&str>, Option<&str>) {
    match of {
        Subject::Feed(feed) => (Some(feed.as_str()), None),
        Subject::Calendar(calendar) => (None, Some(calendar)),
    }
}

pub(super) fn said_json(said: &Said) -> Value {
    let (feed, calendar) = subject_json(&said.of);
    json!({
        "id": said.id, "feed": feed, "calendar": calendar, "order": said.what.code(),
        "said_at_ms": said.said_at.ms(),
        "until_ms": said.until.ms(), "by": said.by, "reason": said.reason,
    })
}

fn feed_json(id: &FeedId, orders: &[Order]) -> Value {
    json!({ "feed": id.as_str(), "orders": orders.iter().map(order_json).collect::<Vec<_>>() })
}
