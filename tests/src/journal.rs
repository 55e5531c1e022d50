//! Journals, read while daemons write them and the machine is busy.

use crate::miner::SOON;
use anyhow::Result;
use publisher::store::{Journal, Location, Reader, StoreError};
use std::time::Duration;
use tokio::time::Instant;

/// What a journal tells. One that cannot be used at the moment is asked again: a server that has just been started or
/// promoted answers when it can.
pub async fn read<T>(journal: &Location, what: impl AsyncFn(&Reader) -> Result<T, StoreError>) -> Result<T> {
    let deadline = Instant::now() + SOON;
    loop {
        let told = async {
            let reader = Journal::open_read_only(journal).await?;
            let told = what(&reader).await;
            reader.close().await;
            told
        };
        match told.await {
            Err(error) if error.is_transient() && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return Ok(other?),
        }
    }
}
