//! The judge of a run: it reads the chain's events, the journal and what the venues served, and computes medians with
//! arithmetic of its own.

use crate::world::{FeedHome, World};
use alloy::primitives::I256;
use alloy::providers::Provider;
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use anyhow::{Context, Result, ensure};
use publisher::store::Journal;
use publisher_bindings::Aggregator;
use publisher_core::quote::FeedId;
use publisher_doubles::venues::{Served, Venue};
use std::collections::BTreeMap;

/// A quote counts for this long; the worlds' `max_age`.
const MAX_AGE_MS: i64 = 10_000;
/// Between serving a quote and signing its answer, at most this passes undisturbed.
const SLACK_MS: i64 = 3_000;

/// A round as the chain's events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainRound {
    /// Its id.
    pub round: u64,
    /// Its answer in units of 10^-8.
    pub answer: i128,
    /// Its block time in seconds.
    pub updated_at: u64,
}

impl World {
    /// Every round of a feed on the canonical chain, by its `AnswerUpdated` event, in order of emission.
    pub async fn rounds(&self, feed: &FeedHome) -> Result<Vec<ChainRound>> {
        if feed.stored {
            return self.rounds_read(feed).await;
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
                })
            })
            .collect()
    }

    /// The same by reading them one after the other: a store has no event for each of its feeds.
    async fn rounds_read(&self, feed: &FeedHome) -> Result<Vec<ChainRound>> {
        let mut rounds = Vec::new();
        for round in 1..=self.round(feed).await? {
            let facade = self.aggregator(feed);
            let data = facade.getRoundData(alloy::primitives::Uint::from(round)).call().await?;
            let (answer, updated_at) = (i128::try_from(data.answer)?, data.updatedAt.to());
            rounds.push(ChainRound { round, answer, updated_at });
        }
        Ok(rounds)
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
            let ids: Vec<u64> = rounds.iter().map(|r| r.round).collect();
            let expected: Vec<u64> = (1..=rounds.len() as u64).collect();
            ensure!(ids == expected, "{}: rounds {ids:?} are not 1, 2, 3, …", feed.id);
            ensure!(
                self.round(feed).await? == rounds.len() as u64,
                "{}: latestRound differs from the events",
                feed.id
            );
            self.judge_reads(feed, &rounds).await?;
            let is_ours = |round: &&ChainRound| feed.id != self.feed().id || !others.contains(&round.round);
            let ours: Vec<ChainRound> = rounds.iter().filter(is_ours).copied().collect();
            self.judge_answers(feed, &ours).await?;
            all.push(rounds);
        }
        Ok(all)
    }

    /// What consumers read is what was published, also through the proxy.
    async fn judge_reads(&self, feed: &FeedHome, rounds: &[ChainRound]) -> Result<()> {
        let aggregator = self.aggregator(feed);
        for round in rounds {
            let data = aggregator.getRoundData(alloy::primitives::Uint::from(round.round)).call().await?;
            ensure!(
                i128::try_from(data.answer)? == round.answer,
                "{}: round {} reads back differently",
                feed.id,
                round.round
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

    /// Every answer is a median that a quorum of venues stood behind when it was signed. Attempts that only a former
    /// journal knows count as well.
    async fn judge_answers(&self, feed: &FeedHome, rounds: &[ChainRound]) -> Result<()> {
        let (id, mut entries) = (FeedId::new(feed.id), Vec::new());
        for journal in &self.journals() {
            let reader = Journal::open_read_only(journal).await?;
            entries.extend(reader.rounds(&id, 10_000).await?);
            reader.close().await;
        }
        let served: Vec<Served> = self.venues.market().served();
        let quorum = publisher_core::aggregate::default_quorum(self.options.venues);
        for round in rounds {
            let signed_ms = entries
                .iter()
                // A batch names no round: what it says for the feed has to tell.
                .filter(|e| e.in_batch || e.number == round.round)
                .flat_map(|e| &e.attempts)
                .filter(|a| {
                    a.attempt.answer_of(&id).is_some_and(|v| i128::try_from(v.value()) == Ok(round.answer))
                })
                .map(|a| a.signed_at.ms())
                .min()
                .with_context(|| {
                    format!("{}: round {} is on chain and not in the journal", feed.id, round.round)
                })?;
            let medians = medians(&served, feed.pair, signed_ms, quorum, self.options.venues);
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

/// The medians of every subset that makes a quorum, after what is off by more than 0.5% has been set aside.
fn justified(prices: &[i128], quorum: usize) -> Vec<i128> {
    let mut found = Vec::new();
    for subset in 0u32..(1 << prices.len()) {
        let mut chosen: Vec<i128> =
            prices.iter().enumerate().filter(|(i, _)| subset & (1 << i) != 0).map(|(_, p)| *p).collect();
        if chosen.len() >= quorum {
            let center = middle(&mut chosen);
            chosen.retain(|p| (p - center).abs() * 200 <= center);
            if !chosen.is_empty() {
                found.push(middle(&mut chosen));
            }
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
