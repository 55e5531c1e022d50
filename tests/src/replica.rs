//! Daemons that share a journal on PostgreSQL, each with a folder, a log and pages of its own.

use crate::daemon::Daemon;
use crate::ports::free_port;
use crate::postgres::Postgres;
use crate::world::{Options, World};
use alloy::primitives::Address;
use anyhow::{Context, Result};
use publisher::store::Location;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// One of several daemons.
pub struct Replica {
    /// The process.
    pub daemon: Daemon,
    folder: TempDir,
    port: u16,
}

/// A world whose daemons share a journal on a PostgreSQL of their own. Where there can be none, a note past the test
/// harness takes the test's place.
pub async fn shared(options: Options) -> Result<Option<(World, Postgres)>> {
    let server = match tokio::task::spawn_blocking(Postgres::start).await? {
        Ok(server) => server,
        Err(why) => {
            writeln!(std::io::stderr(), "skipped: replicas share a PostgreSQL, and there is none: {why}")?;
            return Ok(None);
        }
    };
    let mut world = World::new(options).await?;
    world.databases.push(Location::Server(server.url().parse()?));
    Ok(Some((world, server)))
}

impl World {
    /// Starts a daemon with the world's configuration, but the journal at `url` and pages of its own.
    pub fn replica(&self, binary: &str, url: &str, args: &[&str]) -> Result<Replica> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let toml = std::fs::read_to_string(self.config())?;
        let file = format!("path = \"{}\"", self.journal().display());
        let pages = self.telemetry().replace("http://", "");
        let toml =
            toml.replace(&file, &format!("url = \"{url}\"")).replace(&pages, &format!("127.0.0.1:{port}"));
        let config = folder.path().join("publisher.toml");
        std::fs::write(&config, toml)?;
        let daemon = Daemon::start_with(binary, &config, folder.path(), args, &[])?;
        self.replica_logs.borrow_mut().push(folder.path().join("daemon.log"));
        Ok(Replica { daemon, folder, port })
    }

    /// Waits until one replica holds the leases of these accounts; returns when that was.
    pub async fn wait_held(
        &self,
        replica: &Replica,
        accounts: &BTreeSet<Address>,
        within: Duration,
    ) -> Result<()> {
        self.wait(within, &format!("{accounts:?} are held\n{}", replica.log_text()), async || {
            Ok(replica.held().await.is_ok_and(|held| held == *accounts))
        })
        .await
    }
}

impl Replica {
    /// Ends it without a word, if it still runs, and starts it again.
    pub fn restart(&mut self, binary: &str) -> Result<()> {
        self.daemon.end()?;
        self.daemon = Daemon::start(binary, &self.config(), self.folder.path(), &[])?;
        Ok(())
    }

    /// Lets it freeze for so long.
    pub async fn freeze(&self, length: Duration) -> Result<()> {
        self.daemon.signal("STOP")?;
        tokio::time::sleep(length).await;
        self.daemon.signal("CONT")
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("publisher.toml")
    }

    /// Its log as text.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default()
    }

    /// The complete lines of its log with this code, oldest first.
    pub fn logged(&self, code: &str) -> Result<Vec<Value>> {
        let text = self.log_text();
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let lines = complete.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
        let lines: Vec<Value> = lines.collect::<Result<_>>()?;
        Ok(lines.into_iter().filter(|line| line["code"] == code).collect())
    }

    /// A page with JSON.
    pub async fn page(&self, page: &str) -> Result<Value> {
        let text = reqwest::get(format!("http://127.0.0.1:{}{page}", self.port)).await?.text().await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The accounts whose lease it says it holds.
    pub async fn held(&self) -> Result<BTreeSet<Address>> {
        let status = self.page("/status").await?;
        let accounts = status["accounts"].as_array().context("no accounts")?;
        let held = accounts.iter().filter(|account| account["epoch"].is_u64());
        held.map(|account| Ok(account["account"].as_str().context("no address")?.parse()?)).collect()
    }
}
