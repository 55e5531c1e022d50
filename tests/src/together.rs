//! Cases that run side by side, because they mostly wait.

use anyhow::Result;
use std::fmt::Debug;
use std::rc::Rc;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

/// Runs every case, at most `limit` at once, and fails with every case that failed.
pub async fn together<C, F>(limit: usize, cases: impl IntoIterator<Item = C>, run: impl Fn(C) -> F)
where
    C: Debug,
    F: Future<Output = Result<()>> + 'static,
{
    let room = Rc::new(Semaphore::new(limit));
    let local = LocalSet::new();
    let mut failures = Vec::new();
    local
        .run_until(async {
            let mut running = JoinSet::new();
            for case in cases {
                let (name, room) = (format!("{case:?}"), Rc::clone(&room));
                let running_case = run(case);
                running.spawn_local(async move {
                    let _permit = room.acquire().await;
                    running_case.await.map_err(|error| format!("{name}: {error:#}"))
                });
            }
            while let Some(ended) = running.join_next().await {
                failures.extend(ended.map_err(|error| error.to_string()).and_then(|result| result).err());
            }
        })
        .await;
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n\n"));
}
