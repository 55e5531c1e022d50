//! `contracts-compile` writes the artifacts of the contracts; with `--check` it only compares and exits 1 on a
//! difference.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use contracts_compile::{Layout, artifact, compile};

const REGENERATE: &str = "run `cargo run -p contracts-compile` and commit bindings/artifacts";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--check"] => true,
        _ => bail!("usage: contracts-compile [--check]"),
    };
    let layout = Layout::of_repository();
    let artifacts = compile(&layout)?;
    if !check {
        artifact::write(&layout.artifacts, &artifacts)?;
        return Ok(ExitCode::SUCCESS);
    }
    let differences = artifact::stale(&layout.artifacts, &artifacts)?;
    let mut stderr = io::stderr().lock();
    for difference in &differences {
        writeln!(stderr, "bindings/artifacts: {difference}")?;
    }
    if differences.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(stderr, "{REGENERATE}")?;
    Ok(ExitCode::FAILURE)
}
