//! The look-alike of a native solc that foundry-compilers and forge call.

#![cfg(test)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use contracts_compile::{Layout, tools};
use serde_json::{Value, json};

fn solc(arguments: &[&str], input: &str) -> Output {
    let contracts = Layout::of_repository().contracts.canonicalize().unwrap();
    tools::install(&contracts).unwrap_or_else(|error| panic!("{error:#}"));
    let mut child = Command::new(contracts.join("solc"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn standard_json(sources: Value, arguments: &[&str]) -> Value {
    let input = json!({
        "language": "Solidity",
        "sources": sources,
        "settings": {"metadata": {"appendCBOR": false}, "outputSelection": {"*": {"*": ["evm.bytecode.object"]}}},
    });
    let output = solc(&[&["--standard-json"], arguments].concat(), &input.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("nothing but JSON on standard output")
}

fn code<'a>(output: &'a Value, file: &str, contract: &str) -> &'a str {
    let code = output["contracts"][file][contract]["evm"]["bytecode"]["object"].as_str();
    code.unwrap_or_else(|| panic!("no code: {output}"))
}

/// The compiler alone dies on six million characters, because they lie on its stack.
#[test]
fn large_sources_compile_to_the_same_code() {
    let source = |padding: usize| {
        let comment = "padding ".repeat(padding);
        json!({"A.sol": {"content": format!("pragma solidity ^0.8.0; /* {comment} */ contract A {{ uint256 public a; }}")}})
    };
    let small = standard_json(source(1), &[]);
    let large = standard_json(source(750_000), &[]);
    assert!(code(&small, "A.sol", "A").len() > 2);
    assert_eq!(code(&small, "A.sol", "A"), code(&large, "A.sol", "A"));
}

#[test]
fn imports_are_read_below_the_given_folders() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("B.sol"), "pragma solidity ^0.8.0; contract B {}").unwrap();
    let importing =
        json!({"A.sol": {"content": "pragma solidity ^0.8.0; import \"B.sol\"; contract A is B {}"}});
    let root = folder.path().to_str().unwrap();
    for option in ["--base-path", "--include-path"] {
        code(&standard_json(importing.clone(), &[option, root]), "A.sol", "A");
    }
    let output = standard_json(importing, &[]);
    assert!(output.to_string().contains("File not found: B.sol"), "{output}");
}

#[test]
fn errors_of_the_source_are_in_the_json() {
    let output = standard_json(json!({"A.sol": {"content": "contract"}}), &[]);
    assert_eq!(output["errors"][0]["type"], "ParserError");
}

#[test]
fn what_it_does_not_know_it_refuses() {
    for arguments in [&["--optimize"][..], &[], &["--standard-json", "--base-path"]] {
        let output = solc(arguments, "{}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("solc: "), "{arguments:?}");
    }
}

#[test]
fn its_version_is_the_pinned_one() {
    let output = solc(&["--version"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().last().unwrap().starts_with("Version: 0.8.37+commit."), "{text}");
}
