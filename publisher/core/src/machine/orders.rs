//! What operators say about feeds: which orders stand, and what becomes of a feed's policy under them.

use super::Machine;
use crate::event::Event;
use crate::io::Effect;
use crate::policy::{Halt, Order};
use crate::time::Now;

impl Machine {
    /// Takes what the journal says of orders, in place of what it said before. Those that are over end by themselves.
    pub fn obey(&mut self, orders: Vec<Order>) {
        self.orders = orders;
    }

    /// Brings each feed's policy in line with the orders that stand now, and says what began and what ended. What is over
    /// matters where it was a halt: its end is an opening.
    pub(super) fn follow_orders(&mut self, now: Now, out: &mut Vec<Effect>) {
        let orders = &self.orders;
        for (id, feed) in &mut self.feeds {
            if orders.is_empty() && feed.orders.is_empty() && feed.halts.is_empty() {
                continue;
            }
            let calendar = feed.spec.policy.market.as_ref().map(|market| &*market.hours.calendar);
            let concerning = || orders.iter().filter(|order| order.of.concerns(id, calendar));
            let standing: Vec<Order> = concerning().filter(|order| order.stands(now.wall)).cloned().collect();
            let halts: Vec<Halt> = concerning().filter_map(|order| order.halts(now.wall)).collect();
            if standing == feed.orders && halts == feed.halts {
                continue;
            }
            let missing = |from: &[Order], of: &Order| from.iter().all(|order| order.id != of.id);
            let begun = standing.iter().filter(|order| missing(&feed.orders, order)).cloned();
            let stands = |order| Effect::Report(Event::OrderStands { feed: id.clone(), order });
            out.extend(begun.map(stands));
            let ended = feed.orders.iter().filter(|order| missing(&standing, order)).cloned();
            let over = |order| Effect::Report(Event::OrderOver { feed: id.clone(), order });
            out.extend(ended.map(over));
            feed.orders = standing;
            feed.halts = halts;
            feed.hold_to(feed.policy.conduct, feed.policy.is_off_peg, now.wall);
        }
    }
}
