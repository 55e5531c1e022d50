//! The database that replicas share.

use super::{Check, Verdict};
use crate::config::Config;
use crate::driver::wall;
use crate::store::{Journal, Location, StoreError, Survey};
use alloy::primitives::B256;
use publisher_core::time::Span;

/// A database's clock may differ from ours by so much before somebody is told.
const CLOCK_MAX: Span = Span::from_s(2);

/// Looks at the database without changing it, if the journal is on one: a file is looked at when it is opened. `served`
/// is the chain of the nodes, if one of them has said it.
pub(super) async fn examine(config: &Config, served: Option<(u64, B256)>, checks: &mut Vec<Check>) {
    let Location::Server(url) = &config.journal else { return };
    let what = format!("journal {}", config.journal);
    let mut found = |verdict, detail: String, hint: &str| {
        checks.push(Check::new(what.clone(), verdict, detail, hint));
    };
    let asked = wall();
    let survey = match Journal::survey(url).await {
        Ok(survey) => survey,
        Err(error) => return found(verdict(&error), error.to_string(), "check journal.url"),
    };
    let answered = wall();
    let Survey { version, history, schema, schema_known, chain, clock, .. } = survey;
    if schema > schema_known {
        let detail = format!("has schema version {schema}, this publisher knows version {schema_known}");
        return found(Verdict::Wrong, detail, "use the publisher that wrote it, or a newer one");
    }
    if let Some(((stored, genesis), served)) = chain.zip(served)
        && (stored, genesis) != served
    {
        let detail = format!(
            "belongs to chain {stored} with genesis {genesis}, but the nodes serve chain {} with genesis {}",
            served.0, served.1
        );
        return found(Verdict::Wrong, detail, "use another database for another chain");
    }
    if survey.is_read_only {
        let detail = format!("PostgreSQL {version} takes no writes: it is a standby, or read-only");
        return found(Verdict::Unavailable, detail, "name the primary in journal.url, or promote this one");
    }
    if !survey.is_durable {
        let hint = "set fsync = on: after a crash of its machine rounds would be unknown that were sent";
        found(Verdict::Warn, "what it calls written may be lost (fsync = off)".to_owned(), hint);
    }
    let ahead = clock.since(answered).max(asked.since(clock));
    if ahead > CLOCK_MAX {
        let detail = format!("its clock and ours differ by {ahead}");
        found(Verdict::Warn, detail, "leases do not mind; but a wrong clock here makes quotes look old");
    }
    let schema = match schema {
        0 => "no journal yet, it is made at the start".to_owned(),
        old if old < schema_known => format!("schema {old}, brought up to date at the start"),
        schema => format!("schema {schema}"),
    };
    let chain = chain.map(|(id, _)| format!(", chain {id}")).unwrap_or_default();
    found(Verdict::Ok, format!("PostgreSQL {version}, history {history}, {schema}{chain}"), "");
}

fn verdict(error: &StoreError) -> Verdict {
    if error.is_transient() { Verdict::Unavailable } else { Verdict::Wrong }
}
