//! The real daemon as a child process.

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
        let log = OpenOptions::new().create(true).append(true).open(dir.join("daemon.log"))?;
        let child = Command::new(binary)
            .args(["run", "--log-format", "json", "--config"])
            .arg(config)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{binary} did not start"))?;
        Ok(Self { child })
    }

    /// Ends it without a word, as `kill -9` does.
    pub fn kill(mut self) -> Result<()> {
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
