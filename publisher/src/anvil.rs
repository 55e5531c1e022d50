//! Finds anvil, the local development node, or fetches the pinned one from npm into a cache of its own.
//!
//! Only `publisher quickstart` and the tests run anvil. It is looked for in `PUBLISHER_ANVIL`, in the cache, on PATH,
//! and fetched last; the lock file's checksum is npm's proof that it is the one that was pinned.

use fs4::fs_std::FileExt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = include_str!("../tools/anvil/package.json");
const LOCK: &str = include_str!("../tools/anvil/package-lock.json");
/// The native binary. npm's own `.bin/anvil` of the umbrella package is a script whose end orphans the node.
const BINARY: &str = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
/// Part of the cache's name, so that another pin gets another folder.
const VERSION: &str = "1.7.1";

/// Why there is no anvil.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// The cache cannot be written.
    #[error(
        "anvil's cache {path}: {source} (set XDG_CACHE_HOME to a writable folder, or PUBLISHER_ANVIL to anvil's path)"
    )]
    Cache {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// npm is missing or failed.
    #[error(
        "anvil is not on PATH, and npm could not fetch it: {reason} (install Node.js with npm, or Foundry)"
    )]
    Npm {
        /// npm's words.
        reason: String,
    },
    /// The variable names no file.
    #[error("PUBLISHER_ANVIL={path}: there is no such file (unset it to let anvil be found)")]
    Named {
        /// Its value.
        path: PathBuf,
    },
    /// The pinned package has no binary for this platform.
    #[error(
        "the pinned anvil {VERSION} has no binary for this platform (install Foundry, so that anvil is on PATH)"
    )]
    Platform,
}

/// The path of an anvil. Blocks while it is fetched; `progress` hears of it once.
pub fn find(progress: impl FnOnce(&str)) -> Result<PathBuf, AnvilError> {
    if let Some(path) = std::env::var_os("PUBLISHER_ANVIL").map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { Err(AnvilError::Named { path }) };
    }
    let cache = cache_dir();
    let cached = cache.join(BINARY);
    if stamped(&cache) && cached.is_file() {
        return Ok(cached);
    }
    if let Some(path) = on_path() {
        return Ok(path);
    }
    progress("fetching anvil from npm, once");
    fetch(&cache)?;
    if cached.is_file() { Ok(cached) } else { Err(AnvilError::Platform) }
}

fn cache_dir() -> PathBuf {
    tools_dir().join(format!("anvil-{VERSION}"))
}

/// Where the project keeps the programs it fetched, outside of any tree.
pub fn tools_dir() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    base.join("publisher")
}

/// Whether the cache was filled from this very lock file.
fn stamped(cache: &Path) -> bool {
    fs::read_to_string(cache.join("stamp")).is_ok_and(|stamp| stamp == LOCK)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("anvil")).find(|candidate| candidate.is_file())
}

/// Fills the cache, one process at a time.
fn fetch(cache: &Path) -> Result<(), AnvilError> {
    let broken = |source| AnvilError::Cache { path: cache.to_owned(), source };
    fs::create_dir_all(cache).map_err(broken)?;
    let lock = File::create(cache.join("lock")).map_err(broken)?;
    lock.lock_exclusive().map_err(broken)?;
    if stamped(cache) {
        return Ok(());
    }
    fs::write(cache.join("package.json"), PACKAGE).map_err(broken)?;
    fs::write(cache.join("package-lock.json"), LOCK).map_err(broken)?;
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(cache)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| AnvilError::Npm { reason: error.to_string() })?;
    if !npm.status.success() {
        let words = String::from_utf8_lossy(&npm.stderr);
        let reason = words.lines().find(|line| line.contains("error")).unwrap_or("npm ci failed").to_owned();
        return Err(AnvilError::Npm { reason });
    }
    fs::write(cache.join("stamp"), LOCK).map_err(broken)
}
