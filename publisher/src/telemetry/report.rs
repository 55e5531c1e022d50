//! An event becomes one log line.

use super::codes::title;
use super::emit::{counted, scope_name};
use publisher_core::event::{Event, Level};
use publisher_core::policy::Order;

/// Logs an event with its code, level, fields and advice, and counts it.
pub fn report(event: &Event) {
    counted(event);
    log(event);
}

/// One line at the event's level. A field is left out where its value is `None`.
macro_rules! line {
    ($event:expr, $($fields:tt)*) => {{
        let event: &Event = $event;
        let (code, message) = (event.code(), title(event));
        let advice = Some(event.advice()).filter(|advice| !advice.is_empty());
        match event.level() {
            Level::Info => tracing::info!(target: "publisher", code, advice, $($fields)*, "{message}"),
            Level::Warn => tracing::warn!(target: "publisher", code, advice, $($fields)*, "{message}"),
            Level::Error => tracing::error!(target: "publisher", code, advice, $($fields)*, "{message}"),
        }
    }};
}

fn log(event: &Event) {
    match event {
        Event::Decided { feed, round, answer, trigger, sources, spread } => line!(
            event, %feed, round, answer = %answer.value(), trigger = trigger.code(), sources, %spread
        ),
        Event::HeldBack { feed, hold } => line!(event, %feed, hold = hold.code()),
        Event::Released { feed } => line!(event, %feed),
        Event::HeartbeatBlocked { feed, overdue, hold } => {
            line!(event, %feed, overdue_ms = overdue.ms(), hold = hold.code())
        }
        Event::BreakerStuck { feed, for_span } => line!(event, %feed, for_ms = for_span.ms()),
        Event::OrderStands { feed, order } => {
            let Order { what, until, by, reason, .. } = order;
            line!(event, %feed, order = what.code(), until_ms = until.ms(), by, reason)
        }
        Event::OrderOver { feed, order } => {
            let Order { what, by, reason, .. } = order;
            line!(event, %feed, order = what.code(), by, reason)
        }
        Event::MarketStatus { feed, calendar, status } => {
            line!(event, %feed, %calendar, status = status.code())
        }
        Event::CalendarEnds { feed, calendar, left } => {
            line!(event, %feed, %calendar, left_days = left.ms() / 86_400_000)
        }
        Event::OpeningUnquoted { feed, calendar, status, conduct, for_span } => {
            let (status, for_ms) = (status.code(), for_span.ms());
            line!(event, %feed, %calendar, status, %conduct, for_ms)
        }
        Event::OpeningOver { feed, calendar, status } => {
            line!(event, %feed, %calendar, status = status.code())
        }
        Event::Hibernates { feed } | Event::Awakened { feed } => line!(event, %feed),
        Event::FlagUnreadable { feed, flags } => line!(event, %feed, %flags),
        Event::SourceLeftOut { feed, source, why, measured: None } => {
            line!(event, %feed, source, why = why.code())
        }
        Event::SourceLeftOut { feed, source, why, measured: Some(measured) } => {
            let [measured, limit] = measured.texts();
            line!(event, %feed, source, why = why.code(), measured, limit)
        }
        Event::SourceBack { feed, source } => line!(event, %feed, source),
        Event::SourceOnProbation { feed, source, why }
        | Event::SourceQuarantined { feed, source, why }
        | Event::SourceReadmitted { feed, source, why } => {
            line!(event, %feed, source, why = why.code())
        }
        Event::ConstantEnds { rate, ends_in } => line!(event, %rate, ends_in_ms = ends_in.ms()),
        Event::ConstantOver { rate } => line!(event, %rate),
        Event::ClockWrong { venue, skew, offset_ms } => line!(event, %venue, skew = skew.code(), offset_ms),
        Event::ClockRight { venue, offset_ms } => line!(event, %venue, offset_ms),
        Event::OwnClockWrong { skew, offset_ms } => line!(event, skew = skew.code(), offset_ms),
        Event::OwnClockRight { offset_ms } => line!(event, offset_ms),
        Event::OwnClockSet { by_ms } => line!(event, by_ms),
        Event::PegLost { rate, price } | Event::PegBack { rate, price } => line!(event, %rate, %price),
        Event::RoundTaken { feed, round, standby } => line!(event, %feed, round, standby),
        Event::SequenceTaken { store, sequence, standby } => line!(event, %store, sequence, standby),
        Event::PreflightRefused { feed, reason } => {
            line!(event, feed = feed.as_ref().map(|f| f.as_str()), reason)
        }
        Event::EstimateFailed { feed, gas } => line!(event, feed = feed.as_ref().map(|f| f.as_str()), gas),
        Event::EstimateClamped { feed, estimate, gas_limit } => {
            line!(event, feed = feed.as_ref().map(|f| f.as_str()), estimate, gas_limit)
        }
        Event::Planned { account, nonce, what } => line!(event, %account, nonce, what),
        Event::Signed { account, nonce, seq, hash } => line!(event, %account, nonce, seq, %hash),
        Event::SignFailed { account, nonce, fault, detail } => {
            line!(event, %account, nonce, fault = fault.code(), detail)
        }
        Event::Sent { hash, outcome, detail } => line!(event, %hash, outcome = outcome.code(), detail),
        Event::Resent { hash } => line!(event, %hash),
        Event::Bumped { account, nonce, from_wei, to_wei } => line!(event, %account, nonce, from_wei, to_wei),
        Event::FeeCapReached { account, nonce, wanted_wei, cap_wei } => {
            line!(event, %account, nonce, wanted_wei, cap_wei)
        }
        Event::PriceRefused { account, nonce, offered_wei, minimum_wei } => {
            line!(event, %account, nonce, offered_wei, minimum_wei)
        }
        Event::BudgetReached { scope, spent_wei, cap_wei } => {
            line!(event, scope = scope_name(scope), spent_wei, cap_wei)
        }
        Event::OutOfFunds { account } => line!(event, %account),
        Event::Included { feed, round, what, answer, receipt, latency } => line!(
            event,
            feed = feed.as_ref().map(|f| f.as_str()),
            round,
            what,
            answer = answer.map(|a| a.value().to_string()),
            hash = %receipt.hash,
            block = receipt.block_number,
            block_hash = %receipt.block_hash,
            success = receipt.success,
            gas_used = receipt.gas_used,
            gas_price_wei = receipt.gas_price_wei,
            total_ms = latency.total.ms(),
            decide_ms = latency.decide.ms(),
            sign_ms = latency.sign.ms(),
            send_ms = latency.send.ms(),
            include_ms = latency.include.ms()
        ),
        Event::EntryIncluded { feed, round, answer, sequence, latency } => {
            line!(event, %feed, round, answer = %answer.value(), sequence, total_ms = latency.total.ms())
        }
        Event::EntrySkipped { feed, sequence, answer, reason } => {
            line!(event, %feed, sequence, answer = %answer.value(), reason = reason.code())
        }
        Event::EntryFinal { feed, round, answer, sequence, trigger, receipt, feeds, latency } => line!(
            event,
            %feed,
            round,
            answer = %answer.value(),
            sequence,
            trigger = trigger.map(|t| t.code()),
            hash = %receipt.hash,
            block = receipt.block_number,
            gas_used = receipt.gas_used,
            feeds,
            total_ms = latency.total.ms()
        ),
        Event::Orphaned { feed, what, hash } => {
            line!(event, feed = feed.as_ref().map(|f| f.as_str()), what, %hash)
        }
        Event::Closed { feed, round, what, outcome, answer, trigger, receipt, nonce, latency } => line!(
            event,
            feed = feed.as_ref().map(|f| f.as_str()),
            round,
            what,
            outcome = outcome.code(),
            nonce,
            answer = answer.map(|a| a.value().to_string()),
            trigger = trigger.map(|t| t.code()),
            hash = receipt.map(|r| r.hash.to_string()),
            block = receipt.map(|r| r.block_number),
            gas_used = receipt.map(|r| r.gas_used),
            total_ms = latency.total.ms()
        ),
        Event::ForeignNonce { account, nonce, mined_nonce } => line!(event, %account, nonce, mined_nonce),
        Event::Reorged { depth, from, to } => line!(event, depth, from, to),
        Event::FinalityViolated { number, expected, found } => line!(
            event,
            number,
            expected = expected.map(|hash| hash.to_string()),
            found = found.map(|hash| hash.to_string())
        ),
        Event::WindowLost { tip } => line!(event, tip),
        Event::HeadStalled { for_span, number } => line!(event, for_ms = for_span.ms(), number),
        Event::HeadMoving { number } => line!(event, number),
        Event::Halted { scope, reason } => line!(event, scope = scope_name(scope), reason),
        Event::Resumed { scope } => line!(event, scope = scope_name(scope)),
        Event::Recovered { open } => line!(event, open),
        Event::LeaseTaken { account, epoch } => line!(event, %account, epoch),
        Event::LeaseReleased { account } | Event::LeaseFenced { account } => line!(event, %account),
        Event::LeaseLost { account, why } => line!(event, %account, why),
        Event::Standby { account, holder } => line!(event, %account, holder),
    }
}

#[cfg(test)]
mod tests;
