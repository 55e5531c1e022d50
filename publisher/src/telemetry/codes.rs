//! The table of codes: every code a log line can carry, what it means and what to do about it.

use super::notice::Notice;
use super::samples;
use publisher_core::event::{Event, Level};

/// One line of the table. A code has several lines where its level or advice depends on the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The stable code.
    pub code: &'static str,
    /// How loud it is.
    pub level: Level,
    /// What happened.
    pub title: &'static str,
    /// What to do; empty where nothing needs doing.
    pub advice: &'static str,
}

/// Every code, ascending.
pub fn codes() -> Vec<CodeRow> {
    let of_event = |event: &Event| CodeRow {
        code: event.code(),
        level: event.level(),
        title: title(event),
        advice: event.advice(),
    };
    let of_notice = |notice: &Notice| CodeRow {
        code: notice.code(),
        level: notice.level(),
        title: notice.title(),
        advice: notice.advice(),
    };
    let events = samples::events();
    let notices = samples::notices();
    let mut rows: Vec<CodeRow> = Vec::new();
    for row in events.iter().map(of_event).chain(notices.iter().map(of_notice)) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.sort_by_key(|row| row.code);
    rows
}

/// What happened, in a few words: the message of the log line.
pub const fn title(event: &Event) -> &'static str {
    match event {
        Event::Decided { .. } => "round decided",
        Event::HeldBack { .. } => "feed held back",
        Event::Released { .. } => "feed free again",
        Event::HeartbeatBlocked { .. } => "heartbeat blocked",
        Event::BreakerStuck { .. } => "circuit breaker open for long",
        Event::OrderStands { .. } => "operator's order",
        Event::OrderOver { .. } => "operator's order over",
        Event::MarketStatus { .. } => "market's status changed",
        Event::CalendarEnds { .. } => "calendar of the market ends soon",
        Event::OpeningUnquoted { .. } => "opening is not quoted",
        Event::OpeningOver { .. } => "opening is not waited for any more",
        Event::Hibernates { .. } => "feed hibernates",
        Event::Awakened { .. } => "feed awakened",
        Event::FlagUnreadable { .. } => "flag unreadable",
        Event::SourceLeftOut { .. } => "source left out",
        Event::SourceBack { .. } => "source back",
        Event::SourceOnProbation { .. } => "source on probation",
        Event::SourceQuarantined { .. } => "source quarantined",
        Event::SourceReadmitted { .. } => "source readmitted",
        Event::ConstantEnds { .. } => "constant ends soon",
        Event::ConstantOver { .. } => "constant over",
        Event::PegLost { .. } => "peg lost",
        Event::PegBack { .. } => "peg back",
        Event::ClockWrong { .. } => "clock of a venue wrong",
        Event::ClockRight { .. } => "clock of a venue right again",
        Event::OwnClockWrong { .. } => "clock of this machine wrong",
        Event::OwnClockRight { .. } => "clock of this machine right again",
        Event::OwnClockSet { .. } => "clock of this machine was set",
        Event::RoundTaken { .. } => "round taken by another transmitter",
        Event::SequenceTaken { .. } => "sequence taken by another transmitter",
        Event::PreflightRefused { .. } => "transaction would be refused",
        Event::EstimateFailed { .. } => "gas not estimated",
        Event::EstimateClamped { .. } => "gas estimate too high",
        Event::Planned { .. } => "nonce assigned",
        Event::Signed { .. } => "attempt signed",
        Event::SignFailed { .. } => "signing failed",
        Event::PriceRefused { .. } => "price refused by nodes",
        Event::BudgetReached { .. } => "budget spent",
        Event::Sent { .. } => "broadcast answered",
        Event::Resent { .. } => "same bytes sent again",
        Event::Bumped { .. } => "fee raised",
        Event::FeeCapReached { .. } => "fee cap reached",
        Event::OutOfFunds { .. } => "account out of funds",
        Event::Included { .. } => "transaction included",
        Event::EntryIncluded { .. } => "round included in a batch",
        Event::EntrySkipped { .. } => "entry of a batch skipped",
        Event::EntryFinal { .. } => "round of a batch final",
        Event::Orphaned { .. } => "transaction orphaned",
        Event::Closed { .. } => "transaction closed",
        Event::ForeignNonce { .. } => "nonce taken by a foreign transaction",
        Event::Reorged { .. } => "chain reorganised",
        Event::FinalityViolated { .. } => "finality violated",
        Event::WindowLost { .. } => "head window lost",
        Event::HeadStalled { .. } => "head stalled",
        Event::HeadMoving { .. } => "head moving again",
        Event::Halted { .. } => "halted",
        Event::Resumed { .. } => "halt acknowledged",
        Event::Recovered { .. } => "recovered from the journal",
        Event::LeaseTaken { .. } => "lease taken",
        Event::LeaseReleased { .. } => "lease handed over",
        Event::LeaseLost { .. } => "lease lost",
        Event::LeaseFenced { .. } => "write refused without the lease",
        Event::Standby { .. } => "standing by",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Every code between quotes in a source text.
    fn codes_in(source: &str) -> BTreeSet<&str> {
        source.split('"').filter(|part| part.starts_with("PUB-")).collect()
    }

    #[test]
    fn every_variant_has_a_sample_and_a_code_of_its_own() {
        let core = include_str!("../../core/src/event.rs");
        let shell = include_str!("notice.rs");
        let declared: BTreeSet<_> = codes_in(core).union(&codes_in(shell)).copied().collect();
        let rows = codes();
        let sampled: BTreeSet<_> = rows.iter().map(|row| row.code).collect();
        assert_eq!(sampled, declared);
        let mut titles = BTreeMap::new();
        for row in &rows {
            assert_eq!(
                titles.entry(row.code).or_insert(row.title),
                &row.title,
                "{} means two things",
                row.code
            );
        }
        let distinct: BTreeSet<_> = titles.values().collect();
        assert_eq!(distinct.len(), titles.len(), "two codes mean the same");
        for code in sampled {
            assert!(code.len() == 8 && code[4..].bytes().all(|b| b.is_ascii_digit()), "{code}");
        }
    }

    #[test]
    fn whatever_an_operator_should_know_says_what_to_do() {
        let mute: Vec<_> = codes()
            .into_iter()
            .filter(|row| row.level >= Level::Warn && !row.advice.ends_with('.'))
            .collect();
        assert!(mute.is_empty(), "no advice: {mute:#?}");
    }
}
