//! Keeps the health state current with what the machine knows.

use crate::telemetry::{AccountHealth, Health};
use publisher_core::event::Event;
use publisher_core::machine::Machine;
use publisher_core::time::Now;

/// Copies what status pages show out of the machine.
pub(super) fn machine(health: &Health, machine: &Machine, now: Now) {
    if let Some(tip) = machine.window().tip() {
        health.head(tip.number, tip.hash);
    }
    health.update(|state| {
        state.started = machine.is_recovered();
        for (id, view) in machine.feeds() {
            let feed = state.feeds.entry(id.clone()).or_default();
            feed.decimals = view.decimals;
            feed.known = view.known;
            feed.value = machine.book().evaluate(id, now.wall).value.ok().map(|estimate| estimate.price);
            feed.has_value |= feed.value.is_some();
            feed.lead = view.heartbeat_lead;
            feed.heartbeat_at = view.heartbeat_at;
            feed.hold = view.hold;
            feed.in_flight = view.in_flight;
        }
        for (account, outbox) in machine.outboxes() {
            let next_nonce = outbox.next_nonce().unwrap_or_default();
            state.accounts.insert(*account, AccountHealth { next_nonce, open: outbox.open().count() });
        }
    });
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
