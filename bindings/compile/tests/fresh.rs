//! The committed artifacts are what the sources compile to, the contracts pass their own suite, and what is written
//! about them is true. Needs Node with npm, as the README says; without it these tests fail and say so.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use contracts_compile::{Artifact, Layout, REGENERATE, artifact, compile, tools};
use serde_json::Value;

/// Compiled once for all tests of this file.
fn compiled() -> &'static [Artifact] {
    static ARTIFACTS: OnceLock<Vec<Artifact>> = OnceLock::new();
    ARTIFACTS.get_or_init(|| compile(&Layout::of_repository()).unwrap_or_else(|error| panic!("{error:#}")))
}

fn contracts() -> PathBuf {
    Layout::of_repository().contracts.canonicalize().unwrap()
}

/// A daemon built with stale bindings talks to contracts that do not exist.
#[test]
fn committed_artifacts_are_fresh() {
    let differences = artifact::stale(&Layout::of_repository().artifacts, compiled()).unwrap();
    assert!(differences.is_empty(), "{}\n{REGENERATE}", differences.join("\n"));
}

#[test]
fn every_contract_that_can_be_deployed_has_an_artifact() {
    let names: Vec<&str> = compiled().iter().map(|artifact| artifact.name.as_str()).collect();
    for name in ["Aggregator", "AggregatorProxy"] {
        assert!(names.contains(&name), "{name} is missing");
    }
    // Interfaces, abstract contracts and libraries of internal functions have no code of their own.
    for name in ["IAggregator", "RoundHistory", "Owned", "ExactGas"] {
        assert!(!names.contains(&name), "{name} cannot be deployed");
    }
}

/// Compiling twice must give the same bytes, or freshness could not be told.
#[test]
fn compiling_is_deterministic() {
    assert_eq!(compile(&Layout::of_repository()).unwrap(), compiled());
}

#[test]
fn artifacts_tell_nothing_of_the_machine() {
    let home = contracts().parent().unwrap().to_string_lossy().into_owned();
    for artifact in compiled() {
        assert!(!artifact.json.contains(&home), "{} holds a path of this machine", artifact.name);
    }
}

/// A check that finds nothing whatever happens would be worse than none.
#[test]
fn every_kind_of_staleness_is_named() {
    let folder = tempfile::tempdir().unwrap();
    artifact::write(folder.path(), compiled()).unwrap();
    assert!(artifact::stale(folder.path(), compiled()).unwrap().is_empty());

    let proxy = folder.path().join("AggregatorProxy.json");
    fs::write(&proxy, fs::read_to_string(&proxy).unwrap().replacen("00", "01", 1)).unwrap();
    fs::write(folder.path().join("Gone.json"), "{}").unwrap();
    fs::remove_file(folder.path().join("Aggregator.json")).unwrap();
    let differences = artifact::stale(folder.path(), compiled()).unwrap().join("\n");
    for sentence in
        ["AggregatorProxy.json differs", "Gone.json belongs to no", "Aggregator.json cannot be read"]
    {
        assert!(differences.contains(sentence), "{sentence:?} is not in {differences:?}");
    }

    artifact::write(folder.path(), compiled()).unwrap();
    assert!(artifact::stale(folder.path(), compiled()).unwrap().is_empty());
}

/// forge's own suite: semantics, access, packing, proxy guards, invariants, gas. And the code it tested is the
/// code that is committed, although two build files describe the same settings.
#[test]
fn the_contracts_pass_their_suite() {
    let contracts = contracts();
    tools::install(&contracts).unwrap_or_else(|error| panic!("{error:#}"));
    let output =
        Command::new(contracts.join("test.sh")).output().expect("contracts/test.sh must be runnable");
    assert!(
        output.status.success(),
        "contracts/test.sh ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    for artifact in compiled() {
        let path = contracts.join(format!("out/{0}.sol/{0}.json", artifact.name));
        let built: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let code = built.pointer("/bytecode/object").and_then(Value::as_str).unwrap();
        assert_eq!(code, artifact.bytecode().unwrap(), "{}: forge builds other code", artifact.name);
    }
}

/// An invariant whose test is gone is a promise nobody keeps.
#[test]
fn every_invariant_names_tests_that_exist() {
    let text = fs::read_to_string(contracts().join("INVARIANTS.md")).unwrap();
    let sources = read_tree(&contracts().join("test"));
    let mut named = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| invariant")) {
        let tests: Vec<&str> = line.split('`').filter(|part| is_test(part)).collect();
        assert!(!tests.is_empty(), "no test holds the invariant: {line}");
        named.extend(tests);
    }
    assert!(named.len() > 20, "only {} tests are named", named.len());
    for test in named {
        assert!(
            sources.contains(&format!("function {test}(")),
            "INVARIANTS.md names {test}, which is not there"
        );
    }
}

fn is_test(word: &str) -> bool {
    ["test_", "testFuzz_", "invariant_", "check_"].iter().any(|prefix| word.starts_with(prefix))
}

fn read_tree(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() { read_tree(&path) } else { fs::read_to_string(&path).unwrap() };
    }
    text
}
