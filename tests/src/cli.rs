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

/// Set this variable to write transcripts anew instead of comparing with them.
const UPDATE: &str = "UPDATE";

/// Compares what verbs said with a committed transcript. `hide` are texts that differ from run to run, and their names.
pub fn transcript(file: &Path, ran: &[(&[&str], Ran)], hide: &[(String, &str)]) -> Result<()> {
    let mut text = String::new();
    for (args, Ran { code, out, err }) in ran {
        text.push_str(&format!("$ publisher {}\n", args.join(" ")));
        for (stream, said) in [("", out), ("! ", err)] {
            text.extend(said.lines().map(|line| format!("{stream}{line}").trim_end().to_owned() + "\n"));
        }
        text.push_str(&format!("= exit code {code}\n\n"));
    }
    for (from, to) in hide {
        text = text.replace(from, to);
    }
    if std::env::var_os(UPDATE).is_some() {
        return Ok(std::fs::write(file, text)?);
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).position(|(a, b)| a != b);
    let differs =
        differs.or((committed != text).then(|| committed.lines().count().min(text.lines().count())));
    if let Some(line) = differs {
        let of = |text: &str| text.lines().nth(line).unwrap_or("nothing").to_owned();
        anyhow::bail!(
            "{}:{}: committed is {:?}, said is {:?}; if that is meant, run the tests once with {UPDATE}=1",
            file.display(),
            line + 1,
            of(&committed),
            of(&text)
        );
    }
    Ok(())
}
