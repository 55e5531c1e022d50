//! One contract's artifact: what the bindings need of the compiler's output, and the file it is committed in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use foundry_compilers::artifacts::{Contract, Storage, StorageLayout};
use serde_json::{Value, json};

/// A compiled contract in the form it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The contract's name; the file is `<name>.json`.
    pub name: String,
    /// The file's content: `abi`, `bytecode`, `deployedBytecode`; `immutables`, the byte ranges `[start, length]` of
    /// the deployed code that the constructor fills in; `storage`, one line for each variable, so that a change of
    /// the layout shows in review.
    pub json: String,
}

impl Artifact {
    /// The artifact of a contract; none for an interface or an abstract contract, which have no code, and for a library
    /// whose functions are all internal, which is part of whoever uses it.
    ///
    /// # Errors
    /// The compiler's output lacks a part that was asked for.
    pub(crate) fn new(name: &str, contract: &Contract) -> Result<Option<Self>> {
        let missing = |part: &str| format!("{name}: the compiler's output has no {part}");
        let evm = contract.evm.as_ref().with_context(|| missing("code"))?;
        let code = evm.bytecode.as_ref().with_context(|| missing("bytecode"))?;
        let code = code.object.as_bytes().with_context(|| missing("linked bytecode"))?;
        if code.is_empty() {
            return Ok(None);
        }
        let abi = contract.abi.as_ref().with_context(|| missing("abi"))?;
        if abi.functions.is_empty() && abi.constructor.is_none() && abi.fallback.is_none() {
            return Ok(None);
        }
        let deployed = evm.deployed_bytecode.as_ref().with_context(|| missing("deployed bytecode"))?;
        // Ranges are kept without the compiler's syntax tree ids, which change with every source in the project.
        let immutables: BTreeSet<(u32, u32)> = deployed
            .immutable_references
            .values()
            .flatten()
            .map(|range| (range.start, range.length))
            .collect();
        let value = json!({
            "abi": abi,
            "bytecode": code,
            "deployedBytecode": deployed.bytes().with_context(|| missing("linked deployed bytecode"))?,
            "immutables": immutables,
            "storage": storage(&contract.storage_layout)?,
        });
        let json = format!("{}\n", serde_json::to_string_pretty(&sorted(value))?);
        Ok(Some(Self { name: name.to_owned(), json }))
    }

    /// The creation code in hexadecimal with `0x`.
    ///
    /// # Errors
    /// The content is not an artifact.
    pub fn bytecode(&self) -> Result<String> {
        let value: Value = serde_json::from_str(&self.json)?;
        let code = value.get("bytecode").and_then(Value::as_str);
        Ok(code.with_context(|| format!("{}: no bytecode", self.name))?.to_owned())
    }
}

/// The storage layout without the syntax tree ids in the compiler's names of types.
fn storage(layout: &StorageLayout) -> Result<Vec<String>> {
    let line = |variable: &Storage| {
        let kind = layout.types.get(&variable.storage_type).context("a variable of unknown type")?;
        Ok(format!("slot {} byte {}: {} {}", variable.slot, variable.offset, kind.label, variable.label))
    };
    layout.storage.iter().map(line).collect()
}

/// The same value with every object's keys in order, whether or not some other crate of the build asked
/// serde_json to keep them as they come.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(members.into_iter().map(|(key, member)| (key, sorted(member))).collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Writes the artifacts into `folder` and removes those of contracts that are gone.
///
/// # Errors
/// The folder cannot be read or written.
pub fn write(folder: &Path, artifacts: &[Artifact]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be created", folder.display()))?;
    for artifact in artifacts {
        let path = folder.join(file_name(&artifact.name));
        fs::write(&path, &artifact.json).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    for name in leftover(folder, artifacts)? {
        let path = folder.join(name);
        fs::remove_file(&path).with_context(|| format!("{}: cannot be removed", path.display()))?;
    }
    Ok(())
}

/// The differences between `folder` and what the compiler gives now, one sentence each; none when it is fresh.
///
/// # Errors
/// The folder cannot be read.
pub fn stale(folder: &Path, artifacts: &[Artifact]) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for artifact in artifacts {
        let name = file_name(&artifact.name);
        match fs::read_to_string(folder.join(&name)) {
            Ok(committed) if committed == artifact.json => {}
            Ok(_) => differences.push(format!("{name} differs from what the sources compile to")),
            Err(cause) => differences.push(format!("{name} cannot be read: {cause}")),
        }
    }
    for name in leftover(folder, artifacts)? {
        differences.push(format!("{name} belongs to no contract"));
    }
    Ok(differences)
}

fn file_name(contract: &str) -> String {
    format!("{contract}.json")
}

/// Files of the folder that no artifact owns, sorted.
fn leftover(folder: &Path, artifacts: &[Artifact]) -> Result<BTreeSet<String>> {
    let owned: BTreeSet<String> = artifacts.iter().map(|artifact| file_name(&artifact.name)).collect();
    let mut names = BTreeSet::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !owned.contains(&name) {
            names.insert(name);
        }
    }
    Ok(names)
}
