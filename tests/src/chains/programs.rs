//! What others made and tests run: the programs of the real nodes, pinned in `tests/nodes`, and Uniswap's contracts,
//! pinned in `tests/pools`; built or fetched once into the project's tools cache.
//!
//! A cache folder holds a copy of its pin as stamp, written last, so that it is either complete or made again; a file
//! lock lets one process fill it. What cannot be had is [`Absent`], with the reason, and its tests are skipped where
//! everybody sees it.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that runs nodes, or contracts that run on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The Hardhat node.
    Hardhat,
    /// go-ethereum of today, which follows a consensus client or plays one.
    Geth,
    /// The last go-ethereum that seals Clique.
    CliqueGeth,
    /// The last GoQuorum that the module proxy builds.
    GoQuorum,
    /// The execution client of the OP Stack.
    OpGeth,
    /// Its consensus client, which derives a rollup from the chain beneath it, and sequences.
    OpNode,
    /// What writes a sequencer's blocks to the chain beneath.
    OpBatcher,
    /// Uniswap's pools of both versions, compiled by their authors; its path is that of the folder with the packages.
    Uniswap,
}

/// Why a program is not there.
#[derive(Debug)]
pub struct Absent(pub String);

/// How a program is pinned and made.
struct Pin {
    /// The cache folder: the program and its version.
    folder: &'static str,
    /// Files that pin every byte of it, with their names.
    files: &'static [(&'static str, &'static str)],
    /// The commands that make it, in that folder.
    make: &'static [&'static [&'static str]],
    /// What is run, or read.
    binary: &'static str,
}

macro_rules! go_build {
    ($binary:literal, $package:literal) => {
        &[
            "go",
            "build",
            "-trimpath",
            "-buildvcs=false",
            // Two compilers at once are as many as a small machine has cores.
            "-p=2",
            // Old releases reach into the runtime for names that newer linkers keep to themselves.
            "-ldflags=-s -w -checklinkname=0",
            concat!("-o=", $binary),
            $package,
        ]
    };
}

const GETH: &[&str] = go_build!("geth", "github.com/ethereum/go-ethereum/cmd/geth");

const NPM: &[&str] = &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];

macro_rules! pinned {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../", $folder, "/", $name)))),*]
    };
}

impl Program {
    const fn pin(self) -> Pin {
        match self {
            Self::Hardhat => Pin {
                folder: "hardhat-2.29.1",
                files: pinned!["nodes/hardhat": "package.json" "package-lock.json" "hardhat.config.js"],
                make: &[NPM],
                binary: "node_modules/hardhat/internal/cli/bootstrap.js",
            },
            Self::Geth => Pin {
                folder: "geth-1.17.5",
                files: pinned!["nodes/geth": "go.mod" "go.sum"],
                make: &[GETH],
                binary: "geth",
            },
            Self::CliqueGeth => Pin {
                folder: "geth-1.13.15",
                files: pinned!["nodes/clique": "go.mod" "go.sum"],
                make: &[GETH],
                binary: "geth",
            },
            Self::GoQuorum => Pin {
                folder: "goquorum-22.7.4",
                files: pinned!["nodes/quorum": "go.mod" "go.sum"],
                make: &[GETH],
                binary: "geth",
            },
            Self::OpGeth => Self::op_stack("geth"),
            Self::OpNode => Self::op_stack("op-node"),
            Self::OpBatcher => Self::op_stack("op-batcher"),
            Self::Uniswap => Pin {
                folder: "uniswap-1.0.1",
                files: pinned!["pools": "package.json" "package-lock.json"],
                make: &[NPM],
                binary: "node_modules/@uniswap",
            },
        }
    }

    /// The three share most of what is compiled.
    const fn op_stack(binary: &'static str) -> Pin {
        Pin {
            folder: "op-stack-1.16.13",
            files: pinned!["nodes/op-stack": "go.mod" "go.sum"],
            make: &[
                GETH,
                go_build!("op-node", "github.com/ethereum-optimism/optimism/op-node/cmd"),
                go_build!("op-batcher", "github.com/ethereum-optimism/optimism/op-batcher/cmd"),
            ],
            binary,
        }
    }

    /// The path of the program. Blocks while it is made.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn find(self) -> Result<Result<PathBuf, Absent>> {
        let pin = self.pin();
        let folder = publisher::anvil::tools_dir().join(pin.folder);
        fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let binary = folder.join(pin.binary);
        let wanted: String = pin.files.iter().map(|(_, text)| *text).collect();
        let stamp = folder.join("stamp");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && binary.exists() {
            return Ok(Ok(binary));
        }
        if let Err(reason) = make(&folder, &pin) {
            return Ok(Err(Absent(format!("{}: {reason:#}", pin.folder))));
        }
        fs::write(stamp, wanted)?;
        Ok(Ok(binary))
    }
}

fn make(folder: &Path, pin: &Pin) -> Result<()> {
    for (name, text) in pin.files {
        fs::write(folder.join(name), text)?;
    }
    for command in pin.make {
        let [tool, args @ ..] = command else { anyhow::bail!("nothing makes it") };
        let output = Command::new(tool)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{tool} is not on PATH"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        anyhow::ensure!(output.status.success(), "{tool} ended with {}: {last}", output.status);
    }
    anyhow::ensure!(folder.join(pin.binary).exists(), "there is no {}", pin.binary);
    Ok(())
}
