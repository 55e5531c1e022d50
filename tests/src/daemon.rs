//! The real daemon as a child process.

use crate::miner::SOON;
use crate::world::PATIENCE;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running daemon. It is killed when this is dropped.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts `binary run`, logging JSON to `daemon.log` in `dir`.
    pub fn start(binary: &str, config: &Path, dir: &Path, env: &[(&str, &str)]) -> Result<Self> {
        Self::start_with(binary, config, dir, &[], env)
    }

    /// The same with further arguments.
    pub fn start_with(
        binary: &str,
        config: &Path,
        dir: &Path,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(dir.join("daemon.log"))?;
        let child = Command::new(binary)
            .args(["run", "--log-format", "json", "--config"])
            .arg(config)
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{binary} did not start"))?;
        Ok(Self { child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends it a signal: `TERM`, `INT`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) -> Result<()> {
        Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status()?;
        Ok(())
    }

    /// Ends it without a word, as `kill -9` does.
    pub fn kill(mut self) -> Result<()> {
        self.end()
    }

    /// The same, so that another can take its place.
    pub fn end(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop and waits.
    pub fn stop(mut self, within: Duration) -> Result<ExitStatus> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.wait(within)?.context("it did not stop")
    }

    /// Asks it to stop, as an init system does.
    pub fn terminate(&self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        Ok(())
    }

    /// Waits until it has ended, while the test's own servers go on.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        self.ended_within(SOON * PATIENCE).await
    }

    /// The same, where it matters how long that takes.
    pub async fn ended_within(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "the daemon did not end within {within:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop and waits until everything on its way has landed.
    pub async fn drain(mut self) -> Result<()> {
        self.terminate()?;
        let status = self.ended().await?;
        anyhow::ensure!(status.success(), "it did not drain: {status}");
        Ok(())
    }

    /// Waits until it ends by itself; `None` if it does not.
    pub fn wait(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
