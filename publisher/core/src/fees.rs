//! Which fee an attempt carries: the first one, and each replacement. Integers only, capped, checked.
//!
//! A replacement satisfies the strictest rule in use (go-ethereum, reth, Erigon: both fields at least 10% higher,
//! strictly) by exactly the minimum, or the market's fee if that is higher.

use crate::tx::{Fee, FeeHint};

/// How a chain charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeProfile {
    /// Base fee and tip.
    Eip1559,
    /// One gas price.
    Legacy,
    /// Gas costs nothing; nothing is ever replaced, because there is nothing to outbid.
    ZeroGas,
}

/// The fee policy of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// How the chain charges.
    pub profile: FeeProfile,
    /// No attempt ever offers more than this, in wei per gas.
    pub max_fee_wei: u128,
    /// No attempt offers a smaller tip (or legacy price), in wei per gas.
    pub min_tip_wei: u128,
    /// How much a replacement adds, in percent; nodes ask for at least 10.
    pub bump_percent: u32,
}

/// A fee, and what it would have been without the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What to offer.
    pub fee: Fee,
    /// What the market asks for, where the cap forbids it, in wei per gas.
    pub wanted_wei: Option<u128>,
}

impl FeePolicy {
    /// The fee of a first attempt: twice the base fee plus the tip, so that it survives six full blocks.
    pub fn first(&self, hint: &FeeHint) -> Offer {
        match self.profile {
            FeeProfile::ZeroGas => Offer { fee: Fee::Legacy { gas_price_wei: 0 }, wanted_wei: None },
            FeeProfile::Legacy => {
                let market = hint.gas_price_wei.max(self.min_tip_wei);
                let gas_price_wei = market.min(self.max_fee_wei);
                Offer { fee: Fee::Legacy { gas_price_wei }, wanted_wei: over(market, self.max_fee_wei) }
            }
            FeeProfile::Eip1559 => {
                let base = hint.base_fee_wei.unwrap_or(0);
                let tip = hint.tip_wei.max(self.min_tip_wei);
                let needed = base.saturating_add(tip);
                let max_fee_wei = base.saturating_mul(2).saturating_add(tip).min(self.max_fee_wei);
                let fee = Fee::Eip1559 { max_fee_wei, max_priority_wei: tip.min(max_fee_wei) };
                Offer { fee, wanted_wei: over(needed, self.max_fee_wei) }
            }
        }
    }

    /// The smallest fee that replaces `highest` and meets the market; `None` if the cap forbids it or the
    /// profile never replaces.
    pub fn replacement(&self, highest: Fee, hint: &FeeHint) -> Option<Fee> {
        let raised = |wei: u128| {
            let percent = u128::from(self.bump_percent.max(10));
            // ⌈wei × (100 + percent) / 100⌉, and strictly more.
            let added = wei.checked_mul(percent)?.div_ceil(100).max(1);
            wei.checked_add(added)
        };
        let market = self.first(hint).fee;
        match (self.profile, highest) {
            (FeeProfile::ZeroGas, _) => None,
            (_, Fee::Legacy { gas_price_wei }) => {
                let gas_price_wei = raised(gas_price_wei)?;
                let wanted = gas_price_wei.max(market.cap_wei());
                let gas_price_wei = wanted.min(self.max_fee_wei.max(gas_price_wei));
                (gas_price_wei <= self.max_fee_wei).then_some(Fee::Legacy { gas_price_wei })
            }
            (_, Fee::Eip1559 { max_fee_wei, max_priority_wei }) => {
                let least_fee = raised(max_fee_wei)?;
                if least_fee > self.max_fee_wei {
                    return None;
                }
                let least_tip = raised(max_priority_wei)?;
                let max_fee_wei = least_fee.max(market.cap_wei()).min(self.max_fee_wei);
                let max_priority_wei = least_tip.max(market.tip_wei().min(max_fee_wei));
                (max_priority_wei <= max_fee_wei).then_some(Fee::Eip1559 { max_fee_wei, max_priority_wei })
            }
        }
    }
}

fn over(wanted: u128, cap: u128) -> Option<u128> {
    (wanted > cap).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(profile: FeeProfile, max_fee_wei: u128) -> FeePolicy {
        FeePolicy { profile, max_fee_wei, min_tip_wei: 1, bump_percent: 10 }
    }

    fn hint(base: u128, tip: u128) -> FeeHint {
        FeeHint { base_fee_wei: Some(base), tip_wei: tip, gas_price_wei: base + tip }
    }

    fn dynamic(max_fee_wei: u128, max_priority_wei: u128) -> Fee {
        Fee::Eip1559 { max_fee_wei, max_priority_wei }
    }

    #[test]
    fn first_offers_follow_the_market_up_to_the_cap() {
        let p = policy(FeeProfile::Eip1559, 1000);
        assert_eq!(p.first(&hint(100, 3)), Offer { fee: dynamic(203, 3), wanted_wei: None });
        assert_eq!(p.first(&hint(600, 3)), Offer { fee: dynamic(1000, 3), wanted_wei: None });
        assert_eq!(p.first(&hint(1200, 3)), Offer { fee: dynamic(1000, 3), wanted_wei: Some(1203) });
        assert_eq!(p.first(&hint(0, 0)), Offer { fee: dynamic(1, 1), wanted_wei: None });
        let legacy = policy(FeeProfile::Legacy, 1000).first(&hint(100, 3));
        assert_eq!(legacy.fee, Fee::Legacy { gas_price_wei: 103 });
    }

    #[test]
    fn a_zero_gas_chain_pays_nothing_whatever_the_node_suggests() {
        let p = policy(FeeProfile::ZeroGas, 1000);
        let suggested =
            FeeHint { base_fee_wei: Some(0), tip_wei: 1_000_000_000, gas_price_wei: 1_000_000_000 };
        assert_eq!(p.first(&suggested).fee, Fee::Legacy { gas_price_wei: 0 });
        assert_eq!(p.replacement(Fee::Legacy { gas_price_wei: 0 }, &suggested), None);
    }

    #[test]
    fn replacements_are_minimal_or_at_the_market() {
        let p = policy(FeeProfile::Eip1559, 10_000);
        assert_eq!(p.replacement(dynamic(203, 3), &hint(100, 3)), Some(dynamic(224, 4)));
        assert_eq!(p.replacement(dynamic(203, 3), &hint(1000, 50)), Some(dynamic(2050, 50)));
        assert_eq!(p.replacement(dynamic(9_999, 3), &hint(100, 3)), None, "the cap stands");
        let legacy = policy(FeeProfile::Legacy, 200);
        assert_eq!(
            legacy.replacement(Fee::Legacy { gas_price_wei: 101 }, &hint(0, 7)),
            Some(Fee::Legacy { gas_price_wei: 112 })
        );
        assert_eq!(legacy.replacement(Fee::Legacy { gas_price_wei: 190 }, &hint(0, 7)), None);
        assert_eq!(
            legacy.replacement(Fee::Legacy { gas_price_wei: 101 }, &hint(0, 900)),
            Some(Fee::Legacy { gas_price_wei: 200 }),
            "a market above the cap is met as far as the cap allows"
        );
    }

    proptest! {
        /// geth's rule holds, the cap holds, and nothing overflows.
        #[test]
        fn every_replacement_is_accepted_by_the_strictest_node(
            fee in 0u128..u128::MAX, tip in 0u128..u128::MAX, base in any::<u128>(),
            market_tip in any::<u128>(), cap in any::<u128>(), percent in 0u32..200,
        ) {
            let p = FeePolicy { profile: FeeProfile::Eip1559, max_fee_wei: cap, min_tip_wei: 0, bump_percent: percent };
            let old = dynamic(fee, tip.min(fee));
            let h = FeeHint { base_fee_wei: Some(base), tip_wei: market_tip, gas_price_wei: 0 };
            let first = p.first(&h).fee;
            prop_assert!(first.cap_wei() <= cap && first.tip_wei() <= first.cap_wei());
            if let Some(new) = p.replacement(old, &h) {
                prop_assert!(new.cap_wei() <= cap && new.tip_wei() <= new.cap_wei());
                for (old, new) in [(old.cap_wei(), new.cap_wei()), (old.tip_wei(), new.tip_wei())] {
                    prop_assert!(new > old);
                    prop_assert!(new - old >= old / 10);
                }
            }
        }
    }
}
