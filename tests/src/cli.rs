//! The program's other verbs, as a user calls them.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a verb left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Data.
    pub out: String,
    /// Words for people.
    pub err: String,
}

impl Ran {
    /// The data as one JSON document.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON document: {self:?}"))
    }
}

/// Runs `binary` in `dir` to its end, while the doubles of the same thread go on answering.
pub async fn run(binary: &str, dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Ran> {
    let mut command = Command::new(binary);
    command.args(args).envs(env.iter().copied()).current_dir(dir).stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output());
    let output =
        tokio::time::timeout(Duration::from_secs(120), ran).await.context("it does not end")???;
    Ok(Ran {
        code: output.status.code().context("a signal ended it")?,
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}
