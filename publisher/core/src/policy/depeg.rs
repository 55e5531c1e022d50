//! What a feed does while a rate that converts a source of it has lost its peg.

use super::Policy;

impl Policy {
    /// The policy that holds while such a peg is lost, or while none is.
    pub fn off_peg(self, is_lost: bool) -> Self {
        let heartbeat = self.depeg_heartbeat;
        let policy = Self { is_off_peg: is_lost, ..self };
        if is_lost { policy.at_least_every(heartbeat) } else { policy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn a_lost_peg_shortens_a_heartbeat_and_never_lengthens_one() {
        for (heartbeat_s, depeg_s, lost, kept) in [
            (3600, 600, (600, 10_000), (3600, 10_000)),
            (3600, 20, (20, 5_000), (3600, 10_000)),
            (3600, 3600, (3600, 10_000), (3600, 10_000)),
            (3600, 7200, (3600, 10_000), (3600, 10_000)),
            (3600, 0, (3600, 10_000), (3600, 10_000)),
            (0, 600, (600, 10_000), (0, 10_000)),
            (0, 0, (0, 10_000), (0, 10_000)),
        ] {
            let configured = Policy {
                heartbeat: Span::from_s(heartbeat_s),
                heartbeat_lead: Span::from_s(10),
                depeg_heartbeat: Span::from_s(depeg_s),
                ..Policy::within(1.into(), 2.into())
            };
            for (is_lost, (expected_s, lead_ms)) in [(true, lost), (false, kept)] {
                let policy = configured.clone().off_peg(is_lost);
                let held = (policy.heartbeat, policy.heartbeat_lead.ms(), policy.is_off_peg);
                assert_eq!(held, (Span::from_s(expected_s), lead_ms, is_lost), "{heartbeat_s} {depeg_s}");
            }
        }
    }
}
