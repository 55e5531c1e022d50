//! What the journal knows that a look rests on: what operators say of feeds and markets, and what is believed of shares.
//! One place reads it for every verb that asks sources, and none of them ever writes it.

use crate::calendar::utc;
use crate::driver::wall;
use crate::sources::{Belief, Source, SourceWord};
use crate::store::{Journal, Location, Reader, StoreError};
use publisher_core::policy::Order;
use publisher_core::price::Price;
use publisher_core::quote::VenueId;
use publisher_core::time::Wall;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Nobody who looks waits longer for a journal that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the journal said.
#[derive(Default)]
pub(super) struct Memory {
    /// The orders that stand, and the halts that ended lately.
    pub(super) orders: Vec<Order>,
    /// What each share is held against, and when that was true; `None`: nothing is known of it.
    held: BTreeMap<VenueId, Option<(Price, Wall)>>,
    /// Why the journal could not be read.
    pub(super) missing: Option<String>,
}

impl Memory {
    /// Reads the journal, and lets shares be judged by it as a daemon that starts now would. One that cannot be read
    /// is one that says nothing, and why.
    pub(super) async fn of(journal: &Location, sources: &[Source]) -> Self {
        let mut memory = Self::default();
        let (beliefs, words) = match tokio::time::timeout(PATIENCE, read(journal)).await {
            Ok(Ok((orders, beliefs, words))) => {
                memory.orders = orders;
                (beliefs, words)
            }
            Ok(Err(error)) => {
                memory.missing = Some(error.to_string());
                Default::default()
            }
            Err(_) => {
                memory.missing = Some(format!("{journal} does not answer within {} s", PATIENCE.as_secs()));
                Default::default()
            }
        };
        for source in sources {
            let Source::Network(network) = source else { continue };
            memory.held.extend(network.judge_by(&beliefs, &words).await);
        }
        memory
    }

    /// What a share is held against, and since when; or why against nothing. `None`: it is no share.
    fn holds(&self, source: &VenueId) -> Option<Result<(Price, Wall), &str>> {
        let why = || self.missing.as_deref().unwrap_or("the journal has nothing of it yet");
        self.held.get(source).map(|held| held.ok_or_else(why))
    }

    /// The same for people.
    pub(super) fn in_words(&self, source: &VenueId) -> Option<String> {
        Some(match self.holds(source)? {
            Ok((price, at)) => format!("held against {price}, which was believed at {}", utc(at)),
            Err(why) => format!("judged without memory: {why}"),
        })
    }

    /// As JSON: null for what is no share; `held_against` is null for one that is judged without memory.
    pub(super) fn json(&self, source: &VenueId, refused: Option<&str>) -> Value {
        let Some(held) = self.holds(source) else { return Value::Null };
        let (price, at, why) = match held {
            Ok((price, at)) => (Some(price.to_string()), Some(at.ms()), None),
            Err(why) => (None, None, Some(why)),
        };
        json!({ "held_against": price, "held_at_ms": at, "without_memory": why, "refused": refused })
    }
}

type Read = (Vec<Order>, Vec<Belief>, Vec<SourceWord>);

async fn read(journal: &Location) -> Result<Read, StoreError> {
    let reader = Journal::open_read_only(journal).await?;
    let read = all(&reader).await;
    reader.close().await;
    read
}

async fn all(reader: &Reader) -> Result<Read, StoreError> {
    Ok((reader.orders(wall()).await?, reader.beliefs().await?, reader.source_words().await?))
}
