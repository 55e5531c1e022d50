//! Wrong inputs and the exact words that come back: the cases of `bad.txt`.

use super::*;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests/bad.txt");

fn line(problem: &Problem) -> String {
    let Problem { severity, line, path, value, reason, hint } = problem;
    let severity = if *severity == Severity::Error { "E" } else { "W" };
    let line = line.map_or("-".to_owned(), |line| line.to_string());
    let value = if value.is_empty() { String::new() } else { format!(" = {value}") };
    format!("{severity}{line} {path}{value}: {reason} ({hint})")
}

fn found(text: &str) -> Vec<String> {
    let problems = parse(text).map_or_else(|problems| problems, |config| config.warnings);
    problems.problems.iter().map(line).collect()
}

/// The changes of a case: each text to find, with what takes its place.
fn changes(case: &str) -> Vec<(String, String)> {
    let mut changes: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in case.lines() {
        match line.split_at_checked(1) {
            Some(("-", text)) => match changes.last_mut() {
                Some((from, to)) if to.is_empty() => from.push(text.trim_start()),
                _ => changes.push((vec![text.trim_start()], Vec::new())),
            },
            Some(("+", text)) => changes.last_mut().unwrap().1.push(text.trim_start()),
            _ => {}
        }
    }
    changes.into_iter().map(|(from, to)| (from.join("\n"), to.join("\n"))).collect()
}

/// Without this a source that nobody has weighed fails the whole value at run time.
#[test]
fn s15_a_source_without_a_weight_is_an_error_before_anything_is_run() {
    let with = |weights: &str| {
        let policy = format!("heartbeat = \"1h\"\nweights = {weights}");
        found(&changed(SMALL, &[("heartbeat = \"1h\"", policy.as_str())]))
    };
    for (weights, missing) in
        [("{ coinbase = 1, kraken = 1 }", &["bitstamp"][..]), ("{ kraken = 1 }", &["bitstamp", "coinbase"])]
    {
        let found = with(weights);
        for source in missing {
            let words = format!("says nothing of {source}");
            assert!(found.iter().any(|line| line.starts_with('E') && line.contains(&words)), "{found:?}");
        }
    }
    assert_eq!(with("{ coinbase = 1, kraken = 1, bitstamp = 1 }"), [""; 0]);
}

#[test]
fn f69_every_wrong_configuration_gets_its_words() {
    let file = std::fs::read_to_string(CASES).unwrap();
    let mut fresh = Vec::new();
    for case in file.trim_end().split("\n\n") {
        let changes = changes(case);
        let kept = case.lines().filter(|line| !line.starts_with('='));
        let mut lines: Vec<String> = kept.map(str::to_owned).collect();
        if !changes.is_empty() {
            let changes: Vec<_> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
            let found = found(&changed(SMALL, &changes));
            assert!(!found.is_empty(), "nothing is wrong with this:\n{case}");
            lines.extend(found.iter().map(|problem| format!("= {problem}")));
        }
        fresh.push(lines.join("\n"));
    }
    assert!(fresh.len() > 80, "only {} cases", fresh.len());
    let fresh = fresh.join("\n\n") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CASES, &fresh).unwrap();
    } else {
        for (now, before) in fresh.lines().zip(file.lines()) {
            assert_eq!(now, before, "see src/config/tests/bad.txt");
        }
        assert_eq!(fresh, file);
    }
}

#[test]
fn nothing_is_wrong_with_the_smallest() {
    assert_eq!(found(SMALL), [""; 0]);
}

#[test]
fn an_empty_file_says_what_is_needed() {
    assert_eq!(
        found(""),
        [
            "E- chain: missing (add [chain] with id, rpc, block_time, finality and fees)",
            "E- feed: no feed (add [feed.\"BTC-USD\"] with decimals, min, max and sources)",
            "E- signer: no signer (add [signer.main] with kind, url and address)",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| Config::load(&folder.path().join(name)).unwrap_err().to_string();
    assert!(
        load("none.toml").contains("error: (file)\n    cannot be read: No such file"),
        "{}",
        load("none.toml")
    );
    assert!(load("none.toml").contains("hint: name a file with --config"));
    assert!(load("").contains("cannot be read"));
    std::fs::write(folder.path().join("large.toml"), "#".repeat(1 << 20) + "\n").unwrap();
    assert!(load("large.toml").contains("larger than 1 MiB"));
    std::fs::write(folder.path().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    assert!(load("bytes.toml").contains("cannot be read"));
}

#[test]
fn problems_read_well_for_people_and_programs() {
    let text = changed(SMALL, &[("id = 138", "idd = 138"), ("\"1h\"", "\"20s\"")]);
    let problems = parse(&text).unwrap_err();
    assert_eq!(
        problems.to_string(),
        r#"test.toml:2: error: chain.id
    missing
    hint: add id, a whole number, e.g. 8
test.toml:3: error: chain.idd
    unknown key
    hint: did you mean id?
test.toml:18: warning: feed."BTC-USD".policy.heartbeat = "20s"
    a quote may be 30s old (max_age), so a heartbeat could repeat the last one
    hint: use a max_age below 20s
test.toml: 2 errors, 1 warning"#
    );
    let json = problems.json();
    assert_eq!(json["origin"], "test.toml");
    assert_eq!(
        json["problems"][1],
        serde_json::json!({
            "severity": "error", "line": 3, "path": "chain.idd", "value": "", "reason": "unknown key",
            "hint": "did you mean id?",
        })
    );
}

/// Without this, a file of nonsense buries its reader in words.
#[test]
fn a_file_of_nonsense_is_refused_in_bounded_words() {
    let text: String = (0..5_000).map(|n| format!("k{n} = 1\n")).collect();
    let problems = parse(&text).unwrap_err();
    assert_eq!(problems.problems.len(), 501);
    let last = problems.problems.last().unwrap();
    assert_eq!((last.severity, last.reason.as_str()), (Severity::Error, "4503 more problems"));
}
