//! `publisher market`: what the markets of feeds do at this moment, and an operator's word that one of them is halted,
//! kept in the journal as the orders of `publisher feed` are.

use super::feed::{
    FOR_MAX, SAID, Word, at_desk, give, in_words, lasting, order_json, said_in_words, said_json, standing,
};
use super::output::{json, put, table};
use super::{Common, Ended, Failure, OK, load};
use crate::calendar::{instant, utc};
use crate::config::Config;
use crate::driver::wall;
use crate::store::Journal;
use clap::{Args, Subcommand};
use publisher_core::policy::{Conduct, Hours, Instruction, Market, Order, Said, Sets, Stretch, Subject};
use publisher_core::quote::FeedId;
use publisher_core::time::{Span, Wall};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Subcommand)]
pub(super) enum MarketVerb {
    /// List the feeds that keep a market's hours, with what their markets do and who halted them.
    List(ListArgs),
    /// Show what a market does, which feeds keep its hours, which halts stand, and what was said about it before.
    Show(ShowArgs),
    /// Say that a market does not trade, for a while: its feeds do what `on_market.halted` says.
    Halt(HaltArgs),
    /// End all halts of a calendar, or of one feed.
    Resume(ResumeArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// A calendar, for all feeds that keep its hours, or one feed.
    name: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct HaltArgs {
    /// A calendar, for all feeds that keep its hours, or one feed.
    name: String,
    #[command(flatten)]
    end: End,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct End {
    /// Until when, as an instant such as 2026-03-09T13:30:00Z, up to 30d from now; it then ends by itself.
    #[arg(long, value_name = "INSTANT", value_parser = at)]
    until: Option<Wall>,
    /// How long, up to 30d; it then ends by itself.
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasts: Option<Span>,
}

fn at(text: &str) -> Result<Wall, String> {
    instant(text).ok_or_else(|| "not an instant such as 2026-03-09T13:30:00Z".to_owned())
}

#[derive(Args)]
pub(super) struct ResumeArgs {
    /// A calendar or a feed, as it was halted.
    name: String,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(verb: MarketVerb) -> Ended {
    match verb {
        MarketVerb::List(args) => list(&args.common).await,
        MarketVerb::Show(args) => show(&args).await,
        MarketVerb::Halt(args) => halt(args).await,
        MarketVerb::Resume(args) => resume(args).await,
    }
}

/// The feeds that keep a market's hours.
fn markets(config: &Config) -> impl Iterator<Item = (&FeedId, &Market)> {
    config.feeds.iter().filter_map(|(id, feed)| Some((id, feed.policy.market.as_ref()?)))
}

/// The calendar or the feed of that name; a configuration has no feed that is called like a calendar.
fn named(config: &Config, name: &str) -> Result<Subject, Failure> {
    let calendars: BTreeSet<&str> = markets(config).map(|(_, market)| &*market.hours.calendar).collect();
    if calendars.contains(name) {
        return Ok(Subject::Calendar(name.into()));
    }
    if let Some((feed, _)) = markets(config).find(|(id, _)| id.as_str() == name) {
        return Ok(Subject::Feed(feed.clone()));
    }
    if config.feeds.contains_key(&FeedId::new(name)) {
        let reason = format!("{name} keeps no market's hours: `publisher feed pause` silences it");
        return Err(Failure::usage(reason));
    }
    let feeds = markets(config).map(|(id, _)| id.as_str());
    let known: Vec<&str> = calendars.iter().copied().chain(feeds).collect();
    Err(Failure::usage(format!("no market {name:?}; there are {}", known.join(", "))))
}

async fn halt(args: HaltArgs) -> Ended {
    let config = load(&args.common)?;
    let of = named(&config, &args.name)?;
    let said_at = wall();
    let until = args.end.until.or_else(|| Some(said_at + args.end.lasts?)).unwrap_or(said_at);
    if until <= said_at {
        return Err(Failure::usage(format!("{} is not ahead", utc(until))));
    }
    if until > said_at + FOR_MAX {
        return Err(Failure::usage(format!("{} is more than {FOR_MAX} ahead", utc(until))));
    }
    let (by, reason) = (args.word.by()?, args.word.reason);
    let order = Order { id: 0, of, what: Instruction::Halt, said_at, until, by, reason };
    give(&args.common, &config, order).await
}

async fn resume(args: ResumeArgs) -> Ended {
    let config = load(&args.common)?;
    let of = named(&config, &args.name)?;
    let by = args.word.by()?;
    let now = wall();
    let orders = at_desk(&config, async |desk| {
        let before = desk.reader().orders(now).await?;
        desk.resume_market(&of, &by, &args.word.reason, now).await.map(|()| before)
    });
    let orders = orders.await?;
    let halts = || orders.iter().filter(|order| order.what == Instruction::Halt && order.stands(now));
    let over = halts().filter(|order| order.of == of).count();
    // A feed trades again only if neither it nor its market is halted.
    let concerned: BTreeSet<&Subject> = markets(&config)
        .filter(|(id, market)| of.concerns(id, Some(&market.hours.calendar)))
        .flat_map(|(id, market)| standing(&orders, id, Some(market), now))
        .filter(|order| order.what == Instruction::Halt && order.of != of)
        .map(|order| &order.of)
        .collect();
    if args.common.json {
        let still: Vec<String> = concerned.iter().map(ToString::to_string).collect();
        json(&json!({ "market": of.to_string(), "ended": over, "still_halted": still }));
        return Ok(OK);
    }
    put(&format!("{of}: {over} halts ended"));
    for other in concerned {
        put(&format!("{other} stays halted: `publisher market resume {other}` ends that"));
    }
    Ok(OK)
}

/// The market of a feed under these orders.
pub(super) fn halted(market: &Market, id: &FeedId, orders: &[Order], now: Wall) -> Market {
    let concerning = orders.iter().filter(|order| order.of.concerns(id, Some(&market.hours.calendar)));
    Market { halts: concerning.filter_map(|order| order.halts(now)).collect(), ..market.clone() }
}

/// A feed with its market and the halts of it that stand.
struct Shown<'a> {
    id: &'a FeedId,
    market: Market,
    halts: Vec<Order>,
}

impl<'a> Shown<'a> {
    fn all(config: &'a Config, orders: &[Order], now: Wall) -> Vec<Self> {
        let shown = |(id, market): (&'a FeedId, &'a Market)| {
            let halts = standing(orders, id, Some(market), now);
            let halts = halts.filter(|order| order.what == Instruction::Halt).cloned().collect();
            Self { id, market: halted(market, id, orders, now), halts }
        };
        markets(config).map(shown).collect()
    }

    /// What it does once it is quoted.
    fn json(&self, now: Wall) -> Value {
        json!({
            "feed": self.id.as_str(),
            "market": market_json(&self.market, &quoted_at(now), now),
            "halts": self.halts.iter().map(order_json).collect::<Vec<_>>(),
        })
    }

    fn row(&self, now: Wall) -> Vec<String> {
        let Stretch { status, until, .. } = self.market.at(now);
        let halts: Vec<String> = self.halts.iter().map(|order| in_words(order, now)).collect();
        vec![
            self.id.to_string(),
            self.market.hours.calendar.to_string(),
            status.code().to_owned(),
            self.market.conduct(&quoted_at(now), now).to_string(),
            until.map(utc).unwrap_or_default(),
            halts.join("; "),
        ]
    }
}

fn put_all(feeds: &[Shown<'_>], now: Wall) {
    let head = ["feed", "calendar", "status", "does", "until", "halts"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(head).chain(feeds.iter().map(|feed| feed.row(now))).collect();
    table(&rows);
}

async fn list(common: &Common) -> Ended {
    let config = load(common)?;
    let reader = Journal::open_read_only(&config.journal).await.map_err(Failure::unavailable)?;
    let now = wall();
    let orders = reader.orders(now).await.map_err(Failure::unavailable);
    reader.close().await;
    let feeds = Shown::all(&config, &orders?, now);
    match common.json {
        true => json(&json!({ "feeds": feeds.iter().map(|feed| feed.json(now)).collect::<Vec<_>>() })),
        false => put_all(&feeds, now),
    }
    Ok(OK)
}

async fn show(args: &ShowArgs) -> Ended {
    let config = load(&args.common)?;
    let of = named(&config, &args.name)?;
    let reader = Journal::open_read_only(&config.journal).await.map_err(Failure::unavailable)?;
    let now = wall();
    let (orders, said) = (reader.orders(now).await, reader.orders_said(&of, SAID).await);
    reader.close().await;
    let (orders, said) = (orders.map_err(Failure::unavailable)?, said.map_err(Failure::unavailable)?);
    let mut feeds = Shown::all(&config, &orders, now);
    feeds.retain(|feed| of.concerns(feed.id, Some(&feed.market.hours.calendar)));
    if args.common.json {
        let feeds: Vec<Value> = feeds.iter().map(|feed| feed.json(now)).collect();
        let said: Vec<Value> = said.iter().map(said_json).collect();
        json(&json!({ "name": of.to_string(), "feeds": feeds, "said": said }));
        return Ok(OK);
    }
    put_all(&feeds, now);
    said.iter().for_each(|line| put(&said_in_words(line, now)));
    Ok(OK)
}

/// All of a feed's sources were quoted at this time.
pub(super) fn quoted_at(at: Wall) -> Sets {
    let said = Said { as_of: Some(at), speaks: true };
    Sets { main: said, off_hours: said }
}

/// As JSON. `sets` are what the feed's sources have said, which decides about an opening.
pub(super) fn market_json(market: &Market, sets: &Sets, now: Wall) -> Value {
    let Stretch { status, until, .. } = market.at(now);
    json!({
        "calendar": &*market.hours.calendar,
        "calendar_digest": market.hours.digest.to_string(),
        "calendar_begins_ms": market.hours.begins_at().map(Wall::ms),
        "calendar_ends_ms": market.hours.ends_at.ms(),
        "status": status.code(),
        "conduct": market.conduct(sets, now).to_string(),
        "until_ms": until.map(Wall::ms),
    })
}

/// In words.
pub(super) fn market_in_words(market: &Market, sets: &Sets, now: Wall) -> String {
    let Stretch { status, until, .. } = market.at(now);
    let (conduct, once_quoted) = (market.conduct(sets, now), market.conduct(&quoted_at(now), now));
    let what = match conduct {
        Conduct::SwitchSource if conduct != once_quoted => {
            "it has opened, and its sources of off hours count until all others are quoted after that"
                .to_owned()
        }
        _ if conduct != once_quoted && once_quoted == Conduct::SwitchSource => {
            "quotes of its sources of off hours are waited for".to_owned()
        }
        _ if conduct != once_quoted => "it has opened, and quotes of after that are waited for".to_owned(),
        Conduct::SwitchSource => "every rule holds, for its sources of off hours".to_owned(),
        Conduct::Normal => "every rule holds".to_owned(),
        Conduct::Widen(factor) => {
            format!("every rule holds, thresholds of deviation are {} as large", factor.multiple())
        }
        Conduct::HeartbeatOnly => "heartbeats repeat the last value".to_owned(),
        Conduct::Freeze => "nothing is published".to_owned(),
    };
    let until = until.map(|until| format!(" until {}", utc(until))).unwrap_or_default();
    let Hours { calendar, digest, ends_at, .. } = &*market.hours;
    let (status, ends) = (status.code(), utc(*ends_at));
    format!(
        "its market by the calendar {calendar} is {status}{until}: {what}\nthe calendar has the digest {digest} and ends at {ends}"
    )
}
