//! What the daemon says: its log lines, one JSON object each.

use crate::daemon::Daemon;
use crate::rpc_proxy::Forwarded;
use crate::world::World;
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::Duration;

impl World {
    /// The log as text.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("daemon.log")).unwrap_or_default()
    }

    /// The ends of the log and of those of replicas, for the message of a test that fails.
    pub fn last_words(&self) -> String {
        let replicas = self.replica_logs.borrow();
        let replicas = replicas.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default());
        let logs: Vec<String> = std::iter::once(self.log_text()).chain(replicas).collect();
        let ends = logs.iter().map(|log| {
            let lines: Vec<&str> = log.lines().collect();
            lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
        });
        ends.collect::<Vec<_>>().join("\n\n")
    }

    /// Every complete line of the log. A line that is no JSON object is an error, because operators' tools choke on it.
    pub fn log(&self) -> Result<Vec<Value>> {
        let text = self.log_text();
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
                value.is_object().then_some(value).with_context(|| format!("no object: {line}"))
            })
            .collect()
    }

    /// The lines with this code, oldest first.
    pub fn logged(&self, code: &str) -> Result<Vec<Value>> {
        Ok(self.log()?.into_iter().filter(|line| line["code"] == code).collect())
    }

    /// The transactions that were sent, each once, in the order in which they first went out.
    pub fn transactions(&self) -> Vec<Forwarded> {
        let mut sent: Vec<Forwarded> = Vec::new();
        for one in self.proxy.forwarded() {
            if !sent.contains(&one) {
                sent.push(one);
            }
        }
        sent
    }

    /// Waits until more than `known` transactions were sent; returns the next one.
    pub async fn another(&self, known: usize) -> Result<Forwarded> {
        self.wait(Duration::from_secs(60), "another transaction is sent", async || {
            Ok(self.transactions().len() > known)
        })
        .await?;
        self.transactions().get(known).cloned().context("the proxy forgot it")
    }

    /// Asks the daemon to stop and waits until it has drained. The doubles answer meanwhile.
    pub async fn drain(&self, mut daemon: Daemon) -> Result<()> {
        daemon.signal("TERM")?;
        self.wait(Duration::from_secs(20), "it stops", async || Ok(!daemon.is_running()?)).await?;
        let status = daemon.wait(Duration::ZERO)?.context("it runs")?;
        anyhow::ensure!(status.success(), "it did not drain: {status}\n{}", self.last_words());
        Ok(())
    }

    /// Waits for a line with this code of which the predicate holds.
    pub async fn wait_logged(
        &self,
        code: &str,
        within: Duration,
        what: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        self.wait(within, &format!("a log line {code}"), async || Ok(self.logged(code)?.iter().any(&what)))
            .await
    }

    /// Waits until a telemetry page with JSON is as wanted; returns it.
    pub async fn wait_page(
        &self,
        page: &str,
        within: Duration,
        wanted: impl Fn(u16, &Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        self.wait(within, &format!("{page} is as wanted"), async || {
            let Ok((status, text)) = self.get(page).await else { return Ok(false) };
            last = serde_json::from_str(&text)?;
            Ok(wanted(status, &last))
        })
        .await?;
        Ok(last)
    }
}
