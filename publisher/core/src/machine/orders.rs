//! What operators say about feeds: which orders stand, and what becomes of a feed's policy under them.

use super::Machine;
use crate::event::Event;
use crate::io::Effect;
use crate::policy::Order;
use crate::time::Now;

impl Machine {
    /// Takes what the journal says of orders, in place of what it said before. Those that are over end by themselves.
    pub fn obey(&mut self, orders: Vec<Order>) {
        self.orders = orders;
    }

    /// Brings each feed's policy in line with the orders that stand now, and says what began and what ended.
    pub(super) fn follow_orders(&mut self, now: Now, out: &mut Vec<Effect>) {
        let orders = &self.orders;
        for (id, feed) in &mut self.feeds {
            if orders.is_empty() && feed.orders.is_empty() {
                continue;
            }
            let standing = orders.iter().filter(|order| order.feed == *id && order.stands(now.wall));
            let standing: Vec<Order> = standing.cloned().collect();
            if standing == feed.orders {
                continue;
            }
            let missing = |from: &[Order], of: &Order| from.iter().all(|order| order.id != of.id);
            let begun = standing.iter().filter(|order| missing(&feed.orders, order));
            out.extend(begun.map(|order| Effect::Report(Event::OrderStands { order: order.clone() })));
            let ended = feed.orders.iter().filter(|order| missing(&standing, order));
            out.extend(ended.map(|order| Effect::Report(Event::OrderOver { order: order.clone() })));
            feed.orders = standing;
            feed.hold_to(feed.policy.conduct, feed.policy.is_off_peg, now.wall);
        }
    }
}
