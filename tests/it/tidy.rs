//! What has to stay true of the tree itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file that git tracks, with its text if it is text.
fn files() -> Vec<(String, String)> {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files failed; these checks read the tracked files");
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = names
        .lines()
        .filter_map(|name| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?)))
        .collect();
    assert!(files.len() > 100, "only {} files are tracked", files.len());
    files
}

fn is_code(name: &str) -> bool {
    name.ends_with(".rs") || name.ends_with(".sol")
}

/// Without this, files grow until nobody reads them.
#[test]
fn no_file_of_code_is_longer_than_700_lines() {
    let long: Vec<_> = files()
        .into_iter()
        .filter(|(name, text)| is_code(name) && text.lines().count() > 700)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

/// Without this, tasks outlive a drain, and locks and clocks turn up where nobody expects them.
#[test]
fn tasks_are_spawned_where_the_architecture_says() {
    // The driver's tasks; the verbs' own (signals, the telemetry server); the doubles' servers.
    let allowed =
        ["publisher/src/driver/", "publisher/src/cli/", "publisher/doubles/", "tests/", "publisher/benches/"];
    let elsewhere: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs") && !allowed.iter().any(|a| name.starts_with(a)))
        .filter(|(name, _)| !name.contains("/tests") && !name.ends_with("double.rs"))
        .filter(|(_, text)| text.split("#[cfg(test)]").next().unwrap_or("").contains("tokio::spawn("))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

/// Without this, a machine's own paths, or a mark of unfinished work, end up with every user.
#[test]
fn nothing_of_this_machine_and_nothing_unfinished_is_committed() {
    let marks =
        ["/roo".to_owned() + "t/", "/hom".to_owned() + "e/", "TO".to_owned() + "DO", "FIX".to_owned() + "ME"];
    let found: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| !name.ends_with(".lock") && !name.ends_with("-lock.json"))
        .flat_map(|(name, text)| {
            let hits: Vec<_> = marks.iter().filter(|mark| text.contains(*mark)).cloned().collect();
            hits.into_iter().map(move |mark| format!("{name}: {mark}"))
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Without this, the first thing a newcomer types does not exist.
#[test]
fn the_readme_names_verbs_and_files_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = Command::new(crate::BINARY).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for verb in ["run", "check", "lint", "quote", "status", "deploy", "quickstart", "config"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} is no verb:\n{help}");
        assert!(
            readme.contains(&format!("publisher {verb}")) || readme.contains(&format!("-- {verb}")),
            "{verb}"
        );
    }
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(link.starts_with("https://") || root().join(link).exists(), "{link} does not exist");
    }
}

/// Without this, the README's configuration stops working and nobody notices.
#[test]
fn the_readmes_configuration_is_valid() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = publisher::config::Config::parse(block, Path::new("README.md"));
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.feeds.len(), 1);
    assert!(config.warnings.is_empty(), "{}", config.warnings);
}

/// Without this, the gas figures in the documents are somebody's memory.
#[test]
fn the_documents_gas_figures_are_the_snapshots() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, table) = (read("README.md"), read("contracts/gas/README.md"));
    for (snapshot, pointers) in [
        (
            "gas.json",
            &[
                "/submit/average",
                "/submit/best",
                "/coldRead/latestRoundData",
                "/coldRead/latestRoundDataProxied",
                "/deploy/Aggregator",
            ][..],
        ),
        ("gas/ring.json", &["/submit/average"]),
        ("gas/report.json", &["/4Signers/average", "/4Signers/deploy", "/31Signers/average"]),
        (
            "gas/store.json",
            &[
                "/transmitQuorum/10Feeds4Signers/average",
                "/transmitQuorum/100Feeds4Signers/average",
                "/coldRead/latestRoundDataProxied",
                "/deploy/FeedStore",
            ],
        ),
        (
            "gas/flux.json",
            &[
                "/rounds/2/everySubmission/round",
                "/rounds/2/flux/round",
                "/rounds/5/everySubmission/round",
                "/rounds/5/flux/round",
                "/coldRead/fluxLatestRoundData",
                "/deploy",
            ],
        ),
    ] {
        let figures: serde_json::Value =
            serde_json::from_str(&read(&format!("contracts/{snapshot}"))).unwrap();
        for pointer in pointers {
            let shown = grouped(figures.pointer(pointer).unwrap().as_u64().unwrap());
            assert!(table.contains(&shown), "contracts/gas/README.md: {snapshot} {pointer} is {shown}");
            let in_readme = snapshot == "gas.json" && !pointer.contains("deploy");
            assert!(!in_readme || readme.contains(&shown), "README.md: {pointer} is {shown}");
        }
    }
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
