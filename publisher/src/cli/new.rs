//! `publisher source new`: a file for a venue that has none yet.

use super::output::{json, put};
use super::{Ended, Failure, OK};
use crate::sources::preset;
use clap::Args;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

/// What a preset may say, with every key that has to be filled in empty.
const TEMPLATE: &str = include_str!("../../config/venue.toml");

#[derive(Args)]
pub(super) struct NewArgs {
    /// What to call the venue, in lower case letters, digits and `-`. The file is NAME.toml, here.
    name: String,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &NewArgs) -> Ended {
    let name = &args.name;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        return Err(Failure::usage(format!("{name:?} is no name: use lower case letters, digits and -")));
    }
    if preset(name).is_some() {
        let how = format!("look at it with `publisher source test {name}`, or choose another name");
        return Err(Failure::usage(format!("{name} comes with the program: {how}")));
    }
    let file = format!("{name}.toml");
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = written.and_then(|mut file| file.write_all(TEMPLATE.replace("NAME", name).as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(format!("{file} is there already, and stays as it is")),
        _ => Failure::unavailable(format!("{file}: {error}")),
    })?;
    let next = [
        format!("publisher source record {file} --symbols BTC-USD"),
        format!("publisher source test {file}"),
    ];
    match args.json {
        true => json(&json!({ "venue": name, "file": file, "next": next })),
        false => {
            put(&format!("{file}: fill in what is empty, then, with symbols as the venue spells them:"));
            next.iter().for_each(|command| put(&format!("  {command}")));
        }
    }
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Preset;
    use std::collections::BTreeSet;

    /// The keys that stand at the beginning of lines, without those of the stream and what symbols are called.
    fn keys(text: &str) -> BTreeSet<&str> {
        let before = text.split("[stream]").next().unwrap_or_default();
        let (mut keys, mut in_names) = (BTreeSet::new(), false);
        for line in before.lines().map(|line| line.trim_start_matches("#. ")) {
            if line.starts_with('[') {
                in_names = line.starts_with("[symbols.");
            }
            let key = line.split_once(" = ").map(|(key, _)| key).filter(|_| !in_names);
            keys.extend(key.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        }
        keys
    }

    /// Without this the file names keys that nobody reads any more, and whoever takes its word has to find out which.
    #[test]
    fn every_key_of_the_new_file_is_one() {
        let filled = TEMPLATE
            .replace("NAME", "acme")
            .replace("hosts = [\"\"]", "hosts = [\"https://api.example.com\"]")
            .replace("path = \"\"", "path = \"/v1/tickers?symbols={symbols}\"")
            .replace("rows = \"\"", "rows = \"data\"")
            .replace("key = \"\"", "key = \"symbol\"")
            .replace("bid = \"\"", "bid = \"bid\"")
            .replace("ask = \"\"", "ask = \"ask\"")
            .replace("last = \"\"", "last = \"last\"")
            .replace("formats = [\"\"]", "formats = [\"{BASE}-{QUOTE}\"]");
        assert!(Preset::parse("acme", TEMPLATE).is_err(), "what is empty is no preset");
        Preset::parse("acme", &filled).unwrap();
        Preset::parse("acme", &filled.replace("#. ", "")).unwrap();
    }

    /// Without this what a venue may need is in no new file.
    #[test]
    fn every_key_that_a_venue_of_the_program_has_is_in_the_new_file() {
        let known = keys(TEMPLATE);
        // They stand in the file's sentences: each would contradict what is there.
        let told = ["mid", "time", "base", "quote"];
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/presets")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let has = keys(&text);
                let missing: Vec<_> = has.difference(&known).filter(|key| !told.contains(key)).collect();
                assert!(missing.is_empty(), "{}: {missing:?}", path.display());
            }
        }
    }
}
