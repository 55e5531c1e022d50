//! A strict reader of Prometheus' text format 0.0.4, by its documentation.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// The labels of a series, as name and value.
type Labels = Vec<(String, String)>;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the series.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// Reads a page. Refuses what a scraper would refuse or silently misread: names and escapes that are none, samples
/// without type or apart from their family, series that occur twice, histograms whose buckets do not add up.
pub fn read(page: &str) -> Result<Vec<Sample>> {
    ensure!(page.ends_with('\n'), "the last line does not end");
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped: BTreeSet<&str> = BTreeSet::new();
    let (mut over, mut current): (BTreeSet<String>, Option<String>) = (BTreeSet::new(), None);
    let mut samples: Vec<Sample> = Vec::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        let family = if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').with_context(|| format!("no text: {line}"))?;
            ensure!(!text.trim().is_empty() && helped.insert(name), "help: {line}");
            name.to_owned()
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').with_context(|| format!("no type: {line}"))?;
            ensure!(["counter", "gauge", "histogram", "summary"].contains(&kind), "type: {line}");
            ensure!(types.insert(name, kind).is_none(), "two types: {line}");
            name.to_owned()
        } else {
            ensure!(!line.starts_with('#'), "a comment that is neither help nor type: {line}");
            let sample = sample(line).with_context(|| format!("sample: {line}"))?;
            let family = family(&sample.name, &types).with_context(|| format!("no type before {line}"))?;
            let twice = |s: &Sample| s.name == sample.name && s.labels == sample.labels;
            ensure!(!samples.iter().any(twice), "twice: {line}");
            let counts = types[family] == "counter";
            ensure!(!counts || (family.ends_with("_total") && sample.value >= 0.0), "counter: {line}");
            let family = family.to_owned();
            samples.push(sample);
            family
        };
        if current.as_ref() != Some(&family) {
            ensure!(!over.contains(&family), "{family} comes in two pieces");
            over.extend(current.replace(family));
        }
    }
    for (name, _) in types.iter().filter(|(_, kind)| **kind == "histogram") {
        histogram(name, &samples).with_context(|| (*name).to_owned())?;
    }
    Ok(samples)
}

/// The family that a series belongs to.
fn family<'a>(name: &str, types: &BTreeMap<&'a str, &str>) -> Option<&'a str> {
    let exact = types.iter().find(|(family, kind)| **family == name && **kind != "histogram");
    let of_histogram = |family: &str| {
        name.strip_prefix(family).is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
    };
    exact
        .or_else(|| types.iter().find(|(family, kind)| **kind == "histogram" && of_histogram(family)))
        .map(|(family, _)| *family)
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .enumerate()
        .all(|(at, b)| b.is_ascii_alphabetic() || b == b'_' || (at > 0 && b.is_ascii_digit()))
        && !text.is_empty()
}

/// `name{label="value",...} value`.
fn sample(line: &str) -> Result<Sample> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, mut rest) = line.split_at(end);
    ensure!(is_name(name), "{name:?} is no name");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").context("a label without value")?;
            ensure!(is_name(label), "{label:?} is no label");
            let (value, after) = quoted(after)?;
            ensure!(labels.insert(label.to_owned(), value).is_none(), "{label} twice");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').context("no space before the value")?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().with_context(|| format!("{number:?} is no number"))?,
    };
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its quote, and what follows it.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                other => bail!("\\{other:?} is no escape"),
            },
            plain => value.push(plain),
        }
    }
    bail!("a value without end")
}

/// Every series of a histogram: rising bounds up to infinity, counts that never fall, and as many in all as counted.
fn histogram(name: &str, samples: &[Sample]) -> Result<()> {
    let bucket = format!("{name}_bucket");
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples.iter().filter(|s| s.name == bucket) {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le").context("a bucket without bound")?;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse()? };
        series.entry(labels.into_iter().collect()).or_default().push((bound, sample.value));
    }
    for (labels, buckets) in series {
        let rises = buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
        let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).context("no bucket for all")?;
        let labels: BTreeMap<String, String> = labels.into_iter().collect();
        let of = |suffix: &str| {
            samples
                .iter()
                .find(|s| s.name == format!("{name}{suffix}") && s.labels == labels)
                .map(|s| s.value)
        };
        ensure!(rises && of("_count") == Some(last.1) && of("_sum").is_some(), "{labels:?} does not add up");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total It counts.\n# TYPE a_total counter\na_total{x=\"1\\\"\\\\\\n,}\"} 2\na_total 3\n\n\
        # TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1.5\nh_count 2\n";

    #[test]
    fn a_good_page_is_read() {
        let samples = read(GOOD).unwrap();
        assert_eq!(samples.len(), 6);
        assert_eq!(samples[0].labels["x"], "1\"\\\n,}");
    }

    #[test]
    fn a_bad_page_is_refused() {
        for (from, to) in [
            ("# TYPE a_total counter\n", ""),
            ("a_total 3\n", "a_total{x=\"1\\\"\\\\\\n,}\"} 3\n"),
            ("a_total 3", "a_total three"),
            ("a_total 3", "a_total -3"),
            ("a_total 3", "a-total 3"),
            ("a_total 3", "a_total{x=\"\\y\"} 3"),
            ("a_total 3", "a_total{x=\"y} 3"),
            ("h_bucket{le=\"+Inf\"} 2\n", ""),
            ("h_bucket{le=\"+Inf\"} 2", "h_bucket{le=\"+Inf\"} 0"),
            ("h_count 2", "h_count 3"),
            ("h_sum 1.5\n", ""),
            ("# TYPE h histogram", "# TYPE h histogramme"),
            ("h_count 2\n", "h_count 2\na_total{x=\"2\"} 1\n"),
            ("h_count 2\n", "h_count 2"),
        ] {
            assert!(GOOD.contains(from), "{from:?}");
            assert!(read(&GOOD.replace(from, to)).is_err(), "{from:?} became {to:?} unnoticed");
        }
    }
}
