//! The pinned packages that compile and test the contracts, installed into `contracts/node_modules`.
//!
//! Installing is idempotent and safe to race: it happens under a file lock, and a copy of the package lock inside
//! `node_modules`, written last, says that the folder is complete. No package's own script is run.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

const LOCK_FILE: &str = ".tools.lock";
const PACKAGE_LOCK: &str = "package-lock.json";
const STAMP: &str = "node_modules/.installed";

/// What to say when Node or npm is not there.
pub const NODE_HINT: &str = "the contracts' tools need Node 20 or later with npm; install it and try again";

/// Installs the packages of `contracts/package-lock.json` unless they are there.
///
/// # Errors
/// Node or npm is missing, or npm fails.
pub fn install(contracts: &Path) -> Result<()> {
    // The compiler runs in Node whether or not there is something to install.
    run(Command::new("node").arg("--version"))?;
    let lock_path = contracts.join(LOCK_FILE);
    let lock =
        File::create(&lock_path).with_context(|| format!("{}: cannot be made", lock_path.display()))?;
    lock.lock().with_context(|| format!("{}: cannot be locked", lock_path.display()))?;
    let package_lock = contracts.join(PACKAGE_LOCK);
    let wanted =
        fs::read(&package_lock).with_context(|| format!("{}: cannot be read", package_lock.display()))?;
    let stamp = contracts.join(STAMP);
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let output = run(Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(contracts))?;
    if !output.status.success() {
        bail!(
            "npm ci --ignore-scripts in {} ended with {}\n{}",
            contracts.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::write(&stamp, wanted).with_context(|| format!("{}: cannot be written", stamp.display()))
}

fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => Ok(output),
        Err(cause) if cause.kind() == ErrorKind::NotFound => bail!("{program} is not on PATH: {NODE_HINT}"),
        Err(cause) => Err(cause).with_context(|| format!("{program} cannot be started")),
    }
}
