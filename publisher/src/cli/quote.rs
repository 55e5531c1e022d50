//! `publisher quote`: what does each source say now, and what follows from it?

use super::output::{json, put, table};
use super::{Common, Ended, FINDING, Failure, OK, load};
use crate::driver::wall;
use crate::sources::Client;
use clap::Args;
use publisher_core::book::Book;
use publisher_core::quote::FeedId;
use serde_json::json;

#[derive(Args)]
pub(super) struct QuoteArgs {
    /// The feed or rate, as the configuration names it.
    feed: String,
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
    let mut polls = tokio::task::JoinSet::new();
    for venue in venues {
        polls.spawn(async move { venue.poll(wall).await });
    }
    while let Some(poll) = polls.join_next().await {
        for observation in poll.map_err(Failure::unavailable)?.observations {
            book.observe(observation).for_each(drop);
        }
    }
    let now = wall();
    let aggregation = book.evaluate(&id, now);
    let decimals = config.feeds.get(&id).map(|feed| feed.decimals);
    let mut rows =
        vec![["source", "via", "quoted", "in the feed", "age", "verdict"].map(str::to_owned).to_vec()];
    let mut sources = Vec::new();
    for (path, (price, left_out)) in book.paths(&id).iter().zip(&aggregation.verdicts) {
        let (quote, _) = book.market(&path.market);
        let quoted = quote.and_then(|q| q.price().ok()).map(|p| p.to_string());
        let age = quote.map(|q| now.since(q.as_of).ms());
        let via: Vec<&str> = path.via.iter().map(FeedId::as_str).collect();
        let verdict = left_out.map_or("counted", |why| why.code());
        let price = price.map(|p| p.to_string());
        sources.push(json!({
            "source": path.market.to_string(), "via": via, "quoted": quoted, "price": price,
            "age_ms": age, "verdict": verdict,
        }));
        rows.push(vec![
            path.market.to_string(),
            via.join(" "),
            quoted.unwrap_or_default(),
            price.unwrap_or_default(),
            age.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            verdict.to_owned(),
        ]);
    }
    let answer = aggregation.value.ok().and_then(|estimate| estimate.price.to_answer(decimals?));
    let entry = config.feeds.get(&id).and_then(|feed| feed.entry.as_ref());
    let store = entry.map(|(store, _)| store.as_str());
    let store_id = entry.map(|(_, entry)| entry.number);
    if args.common.json {
        json(&match &aggregation.value {
            Ok(estimate) => json!({
                "feed": args.feed, "store": store, "store_id": store_id, "price": estimate.price.to_string(),
                "answer": answer.map(|a| a.to_string()),
                "spread": estimate.spread.to_string(), "venues": estimate.venues, "sources": sources,
            }),
            Err(refusal) => {
                json!({
                    "feed": args.feed, "store": store, "store_id": store_id, "refused": format!("{refusal:?}"),
                    "sources": sources,
                })
            }
        });
    } else {
        table(&rows);
        match &aggregation.value {
            Ok(estimate) => {
                let answer = answer.map(|a| format!(", answer {a}")).unwrap_or_default();
                put(&format!(
                    "\n{} = {}{answer}, from {} venues within {}",
                    args.feed, estimate.price, estimate.venues, estimate.spread
                ));
            }
            Err(refusal) => put(&format!("\n{} has no value: {refusal:?}", args.feed)),
        }
        if let Some((store, entry)) = entry {
            let group = entry.group.as_ref().map(|group| format!(", with its group {group} or not at all"));
            put(&format!("it is feed {} of store {store}{}", entry.number, group.unwrap_or_default()));
        }
    }
    Ok(if aggregation.value.is_ok() { OK } else { FINDING })
}
