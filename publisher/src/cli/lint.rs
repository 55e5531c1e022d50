//! `publisher lint`: which thresholds can never or must always fire?

use super::output::{json, put};
use super::{Common, Ended, FINDING, OK, load_quietly};
use crate::lint::{Finding, Weight, lint};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &LintArgs) -> Ended {
    let config = load_quietly(&args.common)?;
    let findings = lint(&config);
    let warnings = findings.iter().filter(|finding| finding.severity == Weight::Warning).count();
    if args.common.json {
        json(&json!({ "origin": config.origin, "findings": findings }));
    } else {
        findings.iter().for_each(|finding| print(&config.origin, finding));
        let notes = findings.len() - warnings;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        put(&format!(
            "{}: {warnings} warning{}, {notes} note{}",
            config.origin,
            plural(warnings),
            plural(notes)
        ));
    }
    Ok(if warnings == 0 { OK } else { FINDING })
}

/// One paragraph; its first line has the form that editors jump to.
fn print(origin: &str, finding: &Finding) {
    let Finding { rule, severity, line, path, proof, advice } = finding;
    let line = line.map(|line| format!("{line}:")).unwrap_or_default();
    let severity = match severity {
        Weight::Warning => "warning",
        Weight::Note => "note",
    };
    put(&format!("{origin}:{line} {severity}[{rule}]: {path}\n    {proof}\n    advice: {advice}"));
}
