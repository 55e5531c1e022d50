//! `contracts-compile` writes the artifacts of the contracts; with `--check` it only compares and exits 1 on a
//! difference. Anything that keeps it from doing so exits 2.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use contracts_compile::{Layout, REGENERATE, artifact, compile};

const DIFFERENT: u8 = 1;
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (code, lines) = match run(&arguments) {
        Ok(differences) if differences.is_empty() => (ExitCode::SUCCESS, Vec::new()),
        Ok(mut differences) => {
            differences.push(REGENERATE.to_owned());
            (ExitCode::from(DIFFERENT), differences)
        }
        Err(error) => (ExitCode::from(FAILED), vec![format!("{error:#}")]),
    };
    let mut stderr = io::stderr().lock();
    for line in lines {
        // With standard error closed there is nobody to tell; the exit code still says it.
        let _ = writeln!(stderr, "contracts-compile: {line}");
    }
    code
}

/// The differences found by `--check`; none after writing.
fn run(arguments: &[String]) -> Result<Vec<String>> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: contracts-compile [--check]"),
    };
    let layout = Layout::of_repository();
    let artifacts = compile(&layout)?;
    if check {
        return artifact::stale(&layout.artifacts, &artifacts);
    }
    artifact::write(&layout.artifacts, &artifacts)?;
    Ok(Vec::new())
}
