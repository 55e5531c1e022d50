//! `publisher check`: is this configuration right, and does what it names work?

use super::lists::in_words;
use super::memory::Memory;
use super::output::{json, put, table};
use super::{Common, Ended, FINDING, Failure, OK, UNAVAILABLE, load};
use crate::config::Config;
use crate::driver::wall;
use crate::sources::{Caution, Client, Entry, Source};
use crate::start::{Check, Verdict, examine};
use clap::Args;
use publisher_core::aggregate::LeftOut;
use publisher_core::quote::{Listing, Observation};
use publisher_core::resilience::resilience;
use publisher_core::time::Span;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    common: Common,
    /// Also ask the node, the signers, the journal's database, the contracts and every source.
    #[arg(long)]
    online: bool,
}

pub(super) async fn run(args: CheckArgs) -> Ended {
    let config = load(&args.common)?;
    let mut checks = vec![Check::new(
        "configuration",
        Verdict::Ok,
        format!(
            "{} feeds, {} of them in {} stores, {} rates, {} venues",
            config.feeds.len(),
            config.feeds.values().filter(|feed| feed.entry.is_some()).count(),
            config.stores.len(),
            config.rates.len(),
            config.venues.len()
        ),
        "",
    )];
    checks.extend(resilience_of_feeds(&config));
    checks.extend(constants(&config));
    if args.online {
        let examined = examine(&config).await;
        checks.extend(examined.checks);
        if let Err(problems) = config.machine_spec(&examined.facts) {
            checks.push(Check::new("configuration", Verdict::Wrong, problems.to_string(), ""));
        }
        let client = Client::new().map_err(Failure::unavailable)?;
        let sources = config.sources(&client).map_err(Failure::usage)?;
        let memory = Memory::of(&config.journal, &sources).await;
        for source in sources {
            checks.extend(listings(&source).await);
            checks.extend(prices(&source, &memory).await);
        }
    }
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    if args.common.json {
        json(&json!({ "checks": checks, "worst": worst }));
    } else {
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|check| {
                let mark = match check.verdict {
                    Verdict::Ok => "ok",
                    Verdict::Warn => "warn",
                    Verdict::Unavailable => "unavailable",
                    Verdict::Wrong => "WRONG",
                };
                let hint = if check.hint.is_empty() { String::new() } else { format!(" ({})", check.hint) };
                vec![mark.to_owned(), check.what.clone(), format!("{}{hint}", check.detail)]
            })
            .collect();
        table(&rows);
        put(match worst {
            Verdict::Ok => "all is well",
            Verdict::Warn => "works, with warnings",
            Verdict::Unavailable => "something did not answer",
            Verdict::Wrong => "something is wrong",
        });
    }
    Ok(match worst {
        Verdict::Ok | Verdict::Warn => OK,
        Verdict::Unavailable => UNAVAILABLE,
        Verdict::Wrong => FINDING,
    })
}

/// What each market of a source says now. A share is judged by what the journal believes of it.
async fn prices(source: &Source, memory: &Memory) -> Vec<Check> {
    let poll = source.poll(wall).await;
    let steps = match source {
        Source::Network(network) => network.watch().await,
        Source::Venue(_) => Vec::new(),
    };
    let price = |observation| match observation {
        Observation::Quote(quote) => {
            let what = format!("source {}", quote.market);
            match quote.price() {
                Ok(price) => {
                    let held = memory.in_words(&quote.market.venue).map(|words| format!(", {words}"));
                    Check::new(what, Verdict::Ok, format!("{price}{}", held.unwrap_or_default()), "")
                }
                Err(fault) => {
                    let hint = "its quotes have no vote while they look like this";
                    Check::new(what, Verdict::Warn, format!("{fault:?}"), hint)
                }
            }
        }
        Observation::Missing { market, fault } => {
            let what = format!("source {market}");
            let step = steps.iter().find(|step| step.source == market.venue);
            if let Some(why) = step.and_then(|step| step.refused.as_ref()) {
                let held = memory.in_words(&market.venue).unwrap_or_default();
                let hint = "if the step is right, say so with `publisher source accept`";
                return Check::new(what, Verdict::Warn, format!("{why}, {held}"), hint);
            }
            let detail = poll.detail.as_deref().unwrap_or_default();
            let detail = format!("{} {detail}", fault.code());
            Check::new(what, Verdict::Unavailable, detail.trim(), "")
        }
    };
    let cautions = match source {
        Source::Network(network) => network.cautions().await,
        Source::Venue(_) => Vec::new(),
    };
    let caution = |Caution { source, detail, call }| {
        let hint = format!("let anybody call {call}, or it has no price when most is traded");
        Check::new(format!("source {source}"), Verdict::Warn, detail, &hint)
    };
    poll.observations.into_iter().map(price).chain(cautions.into_iter().map(caution)).collect()
}

/// What a venue's list says of markets that do not trade, or why it says nothing.
async fn listings(source: &Source) -> Vec<Check> {
    let Source::Venue(venue) = source else { return Vec::new() };
    let entries = match venue.entries(wall).await {
        None => return Vec::new(),
        Some(Ok(entries)) => entries,
        Some(Err(why)) => {
            let hint = "no market loses its vote by it, and none is told of before its quotes are too old";
            return vec![Check::new(format!("list of {}", venue.id()), Verdict::Warn, why, hint)];
        }
    };
    let checks = entries.into_iter().filter_map(|Entry { market, listing, words }| {
        let (verdict, hint) = match listing {
            Listing::Trading => return None,
            Listing::Halted => (Verdict::Warn, LeftOut::Halted.advice()),
            Listing::Gone => (Verdict::Wrong, LeftOut::Delisted.advice()),
        };
        let detail = in_words(listing, words.as_deref());
        Some(Check::new(format!("market {market}"), verdict, detail, hint))
    });
    checks.collect()
}

/// Constants whose end is near, or has come.
fn constants(config: &Config) -> impl Iterator<Item = Check> {
    let now = wall();
    config.rates.iter().filter_map(move |(id, pricing)| {
        let ends_in = pricing.constant?.ends_in(now)?;
        let (verdict, detail) = match ends_in {
            Span::ZERO => (Verdict::Wrong, "its day has come: what it converts has no vote".to_owned()),
            left => (Verdict::Warn, format!("it ends within {} days", left.ms() / DAY_MS + 1)),
        };
        let hint = "see whether it still holds and move expires, or give the rate sources";
        Some(Check::new(format!("constant {id}"), verdict, detail, hint))
    })
}

const DAY_MS: u64 = 86_400_000;

/// Five venues withstand two liars and one that is silent; a feed that has them and withstands less owes it to a rate.
const VOTES: usize = 5;

/// How many venues have to fail a feed at once.
fn resilience_of_feeds(config: &Config) -> Vec<Check> {
    let values = config.pricings();
    let mut checks = Vec::new();
    let of_feeds = values.iter().filter(|(id, _)| config.feeds.contains_key(&(*id).clone().of_set()));
    for (id, pricing) in of_feeds {
        let votes: BTreeSet<_> = pricing.paths.iter().map(|path| &path.market.venue).collect();
        let found = resilience(&values, id);
        let detail = format!(
            "of {} venues, {} that lie can move it ({} while others are silent), {} that fail can stop it",
            found.venues, found.to_move, found.to_move_in_outage, found.to_stop
        );
        let by_rates = votes.len() >= VOTES && (found.to_move < VOTES.div_ceil(2) || found.to_stop == 1);
        let by_quorum = votes.len() >= VOTES && found.to_move_in_outage == 1;
        let (verdict, hint) = match (by_rates, by_quorum) {
            (true, _) => (Verdict::Warn, "give the rates that convert its sources five venues"),
            (_, true) => (Verdict::Warn, "raise its quorum, and those of its rates, to three or more"),
            _ => (Verdict::Ok, ""),
        };
        checks.push(Check::new(format!("feed {id}"), verdict, detail, hint));
    }
    checks
}
