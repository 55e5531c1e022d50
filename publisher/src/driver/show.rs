//! Keeps the health state current with what the machine knows.

use crate::store::StoreError;
use crate::telemetry::{AccountHealth, ClockHealth, Health, Notice, SourceHealth, notify};
use alloy::primitives::Address;
use publisher_core::book::Path;
use publisher_core::drift::{Drift, Skew};
use publisher_core::event::Event;
use publisher_core::machine::Machine;
use publisher_core::outbox::Outbox;
use publisher_core::quote::{FeedId, VenueId};
use publisher_core::score::Score;
use publisher_core::standing::Standing;
use publisher_core::time::Now;
use std::collections::BTreeMap;

/// The journal did what it was asked, or could not; the change is said once.
pub(super) fn journal(health: &Health, failed: Option<&StoreError>) {
    let before = health.update(|state| std::mem::replace(&mut state.journal_ok, failed.is_none()));
    match failed {
        Some(error) if before => notify(&Notice::JournalUnavailable { error: error.to_string() }),
        None if !before => notify(&Notice::JournalBack),
        _ => {}
    }
}

/// Sources are shown in so many turns, so that the machine is not kept from quotes for long where there are many.
pub(super) const TURNS: usize = 4;

/// Copies what status pages show out of the machine; of the feeds whose turn it is, their sources as well.
pub(super) fn machine(health: &Health, machine: &Machine, turn: usize, now: Now) {
    if let Some(tip) = machine.window().tip() {
        health.head(tip.number, tip.hash);
    }
    health.update(|state| {
        state.started = machine.is_recovered();
        for (index, (id, view)) in machine.feeds(now).enumerate() {
            let feed = state.feeds.entry(id.clone()).or_default();
            feed.decimals = view.decimals;
            feed.known = view.known;
            let value = view.value;
            feed.margin = view.margin;
            feed.families = value.map_or(0, |estimate| estimate.families);
            feed.effective_milli = value.map_or(0, |estimate| estimate.effective_milli);
            feed.value = value.map(|estimate| estimate.price);
            feed.confidence = value.and_then(|estimate| estimate.confidence.part_of(estimate.price));
            feed.confidence_armed = view.confidence_armed;
            feed.has_value |= feed.value.is_some();
            feed.lead = view.heartbeat_lead;
            feed.heartbeat_at = view.heartbeat_at;
            feed.hold = view.hold;
            feed.breaker = view.breaker;
            feed.orders = view.orders;
            feed.market = view.market;
            feed.sleep = view.sleep;
            feed.is_off_peg = view.is_off_peg;
            feed.in_flight = view.in_flight;
            feed.budget_left_wei = view.budget_left_wei;
            if index % TURNS == turn || feed.sources.is_empty() {
                feed.sources = sources(machine, id);
                feed.off_hours_sources = sources(machine, &id.off_hours());
            }
        }
        state.pegs = machine.book().pegs().map(|(rate, _, lost)| (rate.clone(), lost)).collect();
        let clock = |(venue, drift, skew): (&VenueId, Drift, Option<Skew>)| ClockHealth {
            venue: venue.clone(),
            drift,
            skew,
        };
        state.clocks = machine.book().clocks().map(clock).collect();
        state.own_clock = machine.book().own_clock();
        state.accounts = accounts(machine, now);
    });
}

fn sources(machine: &Machine, id: &FeedId) -> Vec<SourceHealth> {
    let standings = machine.book().standings(id);
    let health = |(path, standing, score): (&Path, Standing, &Score)| SourceHealth {
        source: path.market.to_string(),
        standing,
        score: score.clone(),
    };
    standings.map(health).collect()
}

fn accounts(machine: &Machine, now: Now) -> BTreeMap<Address, AccountHealth> {
    let leases = machine.leases();
    let known = leases.into_iter().flat_map(|leases| leases.wants()).chain(machine.outboxes().keys());
    let account = |account: &Address| {
        let outbox = machine.outboxes().get(account);
        AccountHealth {
            next_nonce: outbox.and_then(Outbox::next_nonce).unwrap_or_default(),
            open: outbox.map_or(0, |outbox| outbox.open().count()),
            epoch: leases.and_then(|leases| leases.epoch(*account, now.mono)),
            budget_left_wei: machine.account_budget_left_wei(*account),
            holder: leases.and_then(|leases| leases.holder(*account)).map(ToString::to_string),
        }
    };
    known.map(|address| (*address, account(address))).collect()
}

/// What an event says about the state beyond the machine's own.
pub(super) fn event(health: &Health, event: &Event) {
    match event {
        Event::Signed { .. } => health.update(|state| state.signer_ok = true),
        Event::SignFailed { .. } => health.update(|state| state.signer_ok = false),
        Event::Halted { scope, reason } => {
            health.update(|state| drop(state.halts.insert(scope.clone(), reason.clone())));
        }
        Event::Resumed { scope } => health.update(|state| drop(state.halts.remove(scope))),
        _ => {}
    }
}
