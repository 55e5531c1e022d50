//! The table of faults and traps is true: its tests exist, its codes exist, and no test of one is missing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/FAULTS.md");
/// A row without a test says so, and why.
const NOT_SHOWN: &str = "not shown: ";
/// What has to be in the table: every fault that concerns submission, and every trap of sources.
const REQUIRED: [(char, std::ops::RangeInclusive<u32>); 3] = [('F', 1..=40), ('F', 52..=68), ('S', 1..=23)];

/// A fault, `F41`, or a trap of sources, `S10`.
type Number = (char, u32);

/// The number of a row, or of the part of a test's name in small letters.
fn number(text: &str) -> Option<Number> {
    let mut rest = text.chars();
    let letter = rest.next()?.to_ascii_uppercase();
    matches!(letter, 'F' | 'S').then_some((letter, rest.as_str().parse().ok()?))
}

/// Every test that names a fault or a trap, by that.
fn tests() -> BTreeMap<Number, BTreeSet<String>> {
    let mut tests = BTreeMap::<Number, BTreeSet<String>>::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("it")];
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../publisher/core"));
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../publisher/src"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in text.lines().filter_map(|line| line.trim().split("fn ").nth(1)) {
                    let name = name.split(['(', '<']).next().unwrap();
                    for number in name.split('_').map_while(number) {
                        tests.entry(number).or_default().insert(name.to_owned());
                    }
                }
            }
        }
    }
    tests
}

/// Without this the table promises what nobody checks.
#[test]
fn the_table_of_faults_names_every_test_of_one_and_codes_that_exist() {
    let committed = fs::read_to_string(TABLE).unwrap();
    let mut tests = tests();
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    let lines = committed.lines().map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (Some(number), [_, name, fault, seen, done, shown, _]) =
            (cells.get(1).and_then(|cell| number(cell)), &cells[..])
        else {
            return line.to_owned();
        };
        listed.insert(number);
        let shown = match tests.remove(&number) {
            Some(tests) => tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(" "),
            None if shown.starts_with(NOT_SHOWN) => (*shown).to_owned(),
            None => {
                wrong.push(format!("{name} has no test, and no word why"));
                String::new()
            }
        };
        format!("| {name} | {fault} | {seen} | {done} | {shown} |")
    });
    let table = lines.collect::<Vec<_>>().join("\n") + "\n";
    wrong.extend(tests.keys().map(|number| format!("{number:?} has tests and no row")));
    let required = REQUIRED.into_iter().flat_map(|(letter, range)| range.map(move |number| (letter, number)));
    let missing = required.filter(|number| !listed.contains(number));
    wrong.extend(missing.map(|number| format!("{number:?} is missing")));
    let known: BTreeSet<&str> = publisher::telemetry::codes().iter().map(|row| row.code).collect();
    for code in committed.match_indices("PUB-").filter_map(|(at, _)| committed.get(at..at + 8)) {
        if !known.contains(code) {
            wrong.push(format!("{code} is no code"));
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(TABLE, &table).unwrap();
    } else if table != committed {
        wrong.push("the last column is not what the tests are; run this test with UPDATE=1".to_owned());
    }
    assert_eq!(wrong, Vec::<String>::new());
}
