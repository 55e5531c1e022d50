//! The judge of a run: it reads the chain's events, the journal and what the venues served, and computes medians with
//! arithmetic of its own. `check` holds the events against the journal.

mod check;

pub use check::History;

use crate::journal;
use crate::store::Batch;
use crate::world::{FeedHome, World};
use alloy::primitives::{B256, I256, Uint};
use alloy::providers::Provider;
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use anyhow::{Context, Result, ensure};
use publisher_bindings::Aggregator;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use publisher_doubles::venues::{Served, Venue};
use std::collections::BTreeMap;

/// A quote counts for this long; the worlds' `max_age`.
const MAX_AGE_MS: i64 = 10_000;
/// Between choosing an answer and its signature at most this passes: see [`check`].
const SLACK_MS: i64 = 5_000;

/// The answers that the worlds' aggregators take, in units of 10^-8.
const BOUNDS: (i128, i128) = (1, 1_000_000_000_000_000);
/// More rounds than any run has.
const ROUNDS_MAX: u32 = 100_000;

/// A round as the chain's events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainRound {
    /// Its id.
    pub round: u64,
    /// Its answer in units of 10^-8.
    pub answer: i128,
    /// Its block time in seconds since the Unix epoch.
    pub updated_at: u64,
    /// What its transaction named: the round, or the store's sequence.
    pub number: u64,
    /// The transaction that wrote it, and the block that includes that.
    pub origin: (B256, B256),
}

impl World {
    /// Every round of a feed on the canonical chain, by the events of its aggregator or store, in order of emission.
    pub async fn rounds(&self, feed: &FeedHome) -> Result<Vec<ChainRound>> {
        if let Some((store, number)) = feed.store {
            return Ok(rounds_of(number, &self.batches(store).await?));
        }
        let filter = Filter::new()
            .address(feed.aggregator)
            .event_signature(Aggregator::AnswerUpdated::SIGNATURE_HASH)
            .from_block(0);
        let logs = self.owner.get_logs(&filter).await?;
        logs.iter()
            .map(|log| {
                let event = log.log_decode::<Aggregator::AnswerUpdated>()?.inner.data;
                Ok(ChainRound {
                    round: event.roundId.to(),
                    answer: i128::try_from(event.current)?,
                    updated_at: event.updatedAt.to(),
                    number: event.roundId.to(),
                    origin: log.transaction_hash.zip(log.block_hash).context("an event out of no block")?,
                })
            })
            .collect()
    }

    /// Judges every feed: each round exactly once and in order, no transaction wasted, every answer the median of what
    /// a quorum of venues had served, every read interface of one mind. Returns the rounds of each feed.
    pub async fn judge(&self, wasted: u64) -> Result<Vec<Vec<ChainRound>>> {
        self.judge_beside(wasted, &[]).await
    }

    /// The same where somebody else wrote these rounds of the first feed.
    pub async fn judge_beside(&self, wasted: u64, others: &[u64]) -> Result<Vec<Vec<ChainRound>>> {
        let all = self.judge_feeds(others).await?;
        let mut spent = 0;
        for account in self.accounts() {
            spent += self.owner.get_transaction_count(account).await?;
        }
        spent -= all.iter().map(|rounds| rounds.len() as u64).sum::<u64>() - others.len() as u64;
        ensure!(spent == wasted, "{spent} transactions brought no round, {wasted} were expected");
        Ok(all)
    }

    /// Judges the rounds of every feed, whatever their transactions were; these of the first feed are somebody else's.
    pub(crate) async fn judge_feeds(&self, others: &[u64]) -> Result<Vec<Vec<ChainRound>>> {
        let mut all = Vec::new();
        for feed in &self.feeds {
            let rounds = self.rounds(feed).await?;
            let others = if feed.id == self.feed().id { others } else { &[] };
            let history = self.history(feed, &rounds, others).await?;
            let violations = history.violations();
            ensure!(violations.is_empty(), "the history breaks its rules:\n{}", violations.join("\n"));
            ensure!(
                self.round(feed).await? == rounds.len() as u64,
                "{}: latestRound differs from the events",
                feed.id
            );
            self.judge_reads(feed, &rounds).await?;
            self.judge_answers(feed, &history)?;
            all.push(rounds);
        }
        Ok(all)
    }

    /// What consumers read is what was published, also through the proxy.
    async fn judge_reads(&self, feed: &FeedHome, rounds: &[ChainRound]) -> Result<()> {
        let aggregator = self.aggregator(feed);
        for round in rounds {
            let data = aggregator.getRoundData(Uint::from(round.round)).call().await?;
            let read = (i128::try_from(data.answer)?, data.updatedAt.to::<u64>());
            ensure!(
                read == (round.answer, round.updated_at),
                "{}: {round:?} reads back as {read:?}",
                feed.id
            );
        }
        if let Some(last) = rounds.last() {
            let proxy = publisher_bindings::AggregatorProxy::new(feed.proxy, self.owner.clone());
            let latest = proxy.latestRoundData().call().await?;
            ensure!(
                latest.answer == I256::try_from(last.answer)?,
                "{}: the proxy reads another answer",
                feed.id
            );
        }
        Ok(())
    }

    /// When the oldest quote behind each of these rounds was true, and when the round was signed, in milliseconds since
    /// the Unix epoch: all that its answer rests on was said in between.
    pub async fn rested_on(&self, feed: &FeedHome, rounds: &[ChainRound]) -> Result<Vec<(i64, i64)>> {
        let history = self.history(feed, rounds, &[]).await?;
        let times = |round: &ChainRound| {
            let signed = history.attempt(round.origin.0)?;
            let (_, observed_at) = history.said(&signed.attempt)?;
            Some((observed_at.ms(), signed.signed_at.ms()))
        };
        rounds.iter().map(|round| times(round).context("a round that no journal knows")).collect()
    }

    /// What the chain's events and the journals tell of a feed.
    async fn history(&self, feed: &FeedHome, rounds: &[ChainRound], others: &[u64]) -> Result<History> {
        let mut journals = Vec::new();
        for journal in &self.journals() {
            let id = FeedId::new(feed.id);
            journals.push(journal::read(journal, async |reader| reader.rounds(&id, ROUNDS_MAX).await).await?);
        }
        let skipped = match feed.store {
            Some((store, number)) => {
                let batches = self.batches(store).await?.into_iter();
                batches.filter(|batch| batch.skipped.contains(&number)).map(|batch| batch.origin.0).collect()
            }
            None => Vec::new(),
        };
        Ok(History {
            feed: FeedId::new(feed.id),
            contract: feed.store.map_or(feed.aggregator, |(store, _)| store),
            landed: rounds.to_vec(),
            others: others.to_vec(),
            skipped,
            journals,
            bounds: BOUNDS,
            max_age: Span::from_ms(MAX_AGE_MS.unsigned_abs()),
        })
    }

    /// Every answer is a median that a quorum of venues stood behind when it was signed.
    fn judge_answers(&self, feed: &FeedHome, history: &History) -> Result<()> {
        let served: Vec<Served> = self.venues.market().served();
        let quorum = publisher_core::aggregate::default_quorum(self.options.venues);
        for round in history.ours() {
            let signed = history.attempt(round.origin.0).context("a round that no journal knows")?;
            let medians = medians(&served, feed.pair, signed.signed_at.ms(), quorum, self.options.venues);
            ensure!(
                medians.contains(&round.answer),
                "{}: round {} says {}, which is no median of what {quorum} venues had served",
                feed.id,
                round.round,
                round.answer
            );
        }
        Ok(())
    }
}

/// The rounds that batches made of one feed of their store: each that did not skip it made the next one.
fn rounds_of(feed: u16, batches: &[Batch]) -> Vec<ChainRound> {
    let written = |batch: &Batch| {
        let answer = batch.answers.iter().find(|(of, _)| *of == feed && !batch.skipped.contains(of))?.1;
        Some((answer, batch.updated_at, batch.sequence, batch.origin))
    };
    let rounds = (1..).zip(batches.iter().filter_map(written));
    rounds
        .map(|(round, (answer, updated_at, number, origin))| ChainRound {
            round,
            answer: answer.into(),
            updated_at,
            number,
            origin,
        })
        .collect()
}

/// Venues that say what a tether is worth, all of which the worlds ask for.
const TETHER: [Venue; 4] = [Venue::Coinbase, Venue::Kraken, Venue::Bitstamp, Venue::Okx];
/// So many of them make a rate.
const TETHER_QUORUM: usize = 3;
const ONE: i128 = 100_000_000;

/// Every median that any quorum of the venues justified shortly before `signed_ms`.
fn medians(served: &[Served], pair: &str, signed_ms: i64, quorum: usize, venues: usize) -> Vec<i128> {
    let order = [Venue::Coinbase, Venue::Kraken, Venue::Bitstamp, Venue::Binance, Venue::Okx];
    let used = order.get(..venues).unwrap_or(&order);
    let in_tethers = pair.replace("/USD", "/USDT");
    let mut rates: BTreeMap<Venue, (i128, i64)> = BTreeMap::new();
    let mut newest: BTreeMap<Venue, (i128, i64)> = BTreeMap::new();
    let mut found = Vec::new();
    for quote in served.iter().filter(|q| q.at_ms <= signed_ms) {
        let Some(price) = scaled(&quote.price) else { continue };
        let market = match quote.venue {
            Venue::Binance | Venue::Okx => in_tethers.as_str(),
            _ => pair,
        };
        let counts = used.contains(&quote.venue) || quote.venue == Venue::Custom;
        if quote.market == "USDT/USD" && TETHER.contains(&quote.venue) {
            rates.insert(quote.venue, (price, quote.at_ms));
        } else if counts && quote.market == market {
            newest.insert(quote.venue, (price, quote.at_ms));
        } else {
            continue;
        }
        if signed_ms - quote.at_ms > MAX_AGE_MS + SLACK_MS {
            continue;
        }
        let fresh = |known: &BTreeMap<Venue, (i128, i64)>| -> Vec<(Venue, i128)> {
            let young = known.iter().filter(|(_, (_, at))| quote.at_ms - at <= MAX_AGE_MS);
            young.map(|(venue, (price, _))| (*venue, *price)).collect()
        };
        let rates: Vec<i128> = fresh(&rates).iter().map(|(_, rate)| *rate).collect();
        for rate in justified(&rates, TETHER_QUORUM) {
            let in_dollars = |(venue, price): &(Venue, i128)| match venue {
                Venue::Binance | Venue::Okx => divided(price * rate, ONE),
                _ => *price,
            };
            let prices: Vec<i128> = fresh(&newest).iter().map(in_dollars).collect();
            found.extend(justified(&prices, quorum));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The medians of every subset that makes a quorum.
fn justified(prices: &[i128], quorum: usize) -> Vec<i128> {
    let mut found = Vec::new();
    for subset in 0u32..(1 << prices.len()) {
        let mut chosen: Vec<i128> =
            prices.iter().enumerate().filter(|(i, _)| subset & (1 << i) != 0).map(|(_, p)| *p).collect();
        if chosen.len() >= quorum {
            found.push(middle(&mut chosen));
        }
    }
    found
}

/// A decimal text in units of 10^-8; `None` if it is not exactly that, or not positive.
fn scaled(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{fraction:0<8}");
    if digits.len() > 8 {
        return None;
    }
    format!("{whole}{digits}").parse().ok().filter(|price| *price > 0)
}

/// The middle value, or the middle of the two in the middle, rounded half to even.
fn middle(values: &mut [i128]) -> i128 {
    values.sort_unstable();
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        return values[half];
    }
    divided(values[half - 1] + values[half], 2)
}

/// A quotient, rounded half to even.
fn divided(dividend: i128, divisor: i128) -> i128 {
    let (down, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let up = rest * 2 > divisor || (rest * 2 == divisor && down % 2 != 0);
    down + i128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judge_counts_like_people_do() {
        assert_eq!(scaled("67000.12"), Some(6_700_012_000_000));
        assert_eq!(scaled("1"), Some(100_000_000));
        assert_eq!(scaled("0.000000001"), None);
        assert_eq!(scaled("-1"), None);
        assert_eq!(middle(&mut [3, 1, 2]), 2);
        assert_eq!(middle(&mut [1, 2]), 2);
        assert_eq!(middle(&mut [2, 3]), 2);
        assert_eq!(middle(&mut [3, 4]), 4);
        assert_eq!([divided(5, 3), divided(4, 3), divided(-1, 2), divided(15, 10)], [2, 1, 0, 2]);
    }
}
