//! Which fee an attempt carries: the first one, and each replacement. Integers only, capped, checked.
//!
//! A replacement offers exactly what the nodes at hand ask of one, or the market's fee if that is higher. What they ask
//! is a [`ReplacementRule`]; a node that refuses what its rule allows is answered by the strictest of all.

use crate::tx::{Fee, FeeHint, FeeMinimum};

/// How a chain charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeProfile {
    /// Base fee and tip.
    Eip1559,
    /// One gas price.
    Legacy,
    /// Gas costs nothing: a replacement is taken for its content where an equal price replaces, and for one wei more
    /// elsewhere, if the cap allows that.
    ZeroGas,
}

/// What a client's pool asks of a transaction that is to take the place of another of the same nonce: how many percent
/// more, of each thing that it compares. `None`: it does not look at that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacementRule {
    /// Of the most that is paid for a unit of gas, or the legacy price.
    pub cap_percent: Option<u32>,
    /// Of the tip, or the legacy price.
    pub tip_percent: Option<u32>,
    /// Of what would be paid at the head's base fee.
    pub paid_percent: Option<u32>,
    /// An equal fee never replaces, not even one of zero.
    pub strictly: bool,
}

impl ReplacementRule {
    /// go-ethereum, reth, Erigon, Nethermind, and whoever is not known: 10% on both fields (`core/txpool`).
    pub const GETH: Self =
        Self { cap_percent: Some(10), tip_percent: Some(10), paid_percent: None, strictly: true };
    /// Besu: 10% on the effective price (`TransactionReplacementByFeeMarketRule`); nothing where nothing is paid.
    pub const BESU: Self =
        Self { cap_percent: None, tip_percent: None, paid_percent: Some(10), strictly: false };
    /// anvil 1.7.1: any higher maximum, measured.
    pub const ANVIL: Self =
        Self { cap_percent: Some(0), tip_percent: None, paid_percent: None, strictly: true };
    /// hardhat 2.29.1: go-ethereum's, but an equal price of zero replaces, measured.
    pub const HARDHAT: Self = Self { strictly: false, ..Self::GETH };
    /// What satisfies every one of them.
    pub const STRICTEST: Self = Self { paid_percent: Self::BESU.paid_percent, ..Self::GETH };

    /// The rule of a client, by what it answers to `web3_clientVersion`.
    pub fn of_client(version: &str) -> Self {
        let version = version.to_lowercase();
        let known = [("besu", Self::BESU), ("anvil", Self::ANVIL), ("hardhat", Self::HARDHAT)];
        known.iter().find(|(name, _)| version.starts_with(name)).map_or(Self::GETH, |(_, rule)| *rule)
    }

    /// The rule that satisfies both: a transaction goes to every node.
    pub fn and(self, other: Self) -> Self {
        Self {
            cap_percent: self.cap_percent.max(other.cap_percent),
            tip_percent: self.tip_percent.max(other.tip_percent),
            paid_percent: self.paid_percent.max(other.paid_percent),
            strictly: self.strictly || other.strictly,
        }
    }

    /// The least that replaces `wei` where so many percent more are asked for; `None`: more than can be written.
    fn raised(self, wei: u128, percent: u32) -> Option<u128> {
        let added = wei.checked_mul(u128::from(percent))?.div_ceil(100);
        wei.checked_add(added.max(u128::from(self.strictly)))
    }
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
    /// How much a replacement adds at least, in percent, whatever the nodes ask for.
    pub bump_percent: u32,
    /// What the nodes ask for.
    pub rule: ReplacementRule,
}

/// A fee, and what it would have been without the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What to offer.
    pub fee: Fee,
    /// What the market asks for, where the cap forbids it, in wei per gas.
    pub wanted_wei: Option<u128>,
}

/// What nodes said to the attempt that is to be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// One did not take it for what its pool has, so that its rule is not the one we believe in.
    pub is_underpriced: bool,
    /// The fee it named.
    pub minimum: Option<FeeMinimum>,
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
                let base = hint.next_base_fee_wei.or(hint.base_fee_wei).unwrap_or(0);
                let tip = hint.tip_wei.max(self.min_tip_wei);
                let needed = base.saturating_add(tip);
                let max_fee_wei = base.saturating_mul(2).saturating_add(tip).min(self.max_fee_wei);
                let fee = Fee::Eip1559 { max_fee_wei, max_priority_wei: tip.min(max_fee_wei) };
                Offer { fee, wanted_wei: over(needed, self.max_fee_wei) }
            }
        }
    }

    /// The fee of an attempt in the place of one that no pool holds: what the market asks for, and no less than before.
    pub fn anew(&self, highest: Fee, hint: &FeeHint) -> Fee {
        let market = self.first(hint).fee;
        let cap = highest.cap_wei().max(market.cap_wei());
        match highest {
            Fee::Legacy { .. } => Fee::Legacy { gas_price_wei: cap },
            Fee::Eip1559 { .. } => {
                let max_priority_wei = highest.tip_wei().max(market.tip_wei());
                Fee::Eip1559 { max_fee_wei: cap, max_priority_wei }
            }
        }
    }

    /// The smallest fee that replaces `highest`, meets the market and satisfies who refused it; `None` if the cap
    /// forbids it. A market above the cap is met as far as the cap allows; a rule, or a minimum that a node named, has
    /// to be met.
    pub fn replacement(&self, highest: Fee, hint: &FeeHint, refusal: Refusal) -> Option<Fee> {
        let rule = match refusal.is_underpriced {
            true => self.rule.and(ReplacementRule::STRICTEST),
            false => self.rule,
        };
        let (cap, tip) = (highest.cap_wei(), highest.tip_wei());
        let bumped = |wei: u128, percent: Option<u32>| {
            let asked = percent.map_or(Some(wei), |percent| rule.raised(wei, percent))?;
            let own = wei.checked_mul(u128::from(self.bump_percent))?.div_ceil(100).checked_add(wei)?;
            Some(asked.max(own))
        };
        let (mut least_cap, mut least_tip) = (bumped(cap, rule.cap_percent)?, bumped(tip, rule.tip_percent)?);
        // Besu compares what would be paid in the head, not in the block that is to come.
        let base = match highest {
            Fee::Legacy { .. } => 0,
            Fee::Eip1559 { .. } => hint.base_fee_wei.unwrap_or(0),
        };
        if let Some(percent) = rule.paid_percent {
            let paid = rule.raised(cap.min(base.saturating_add(tip)), percent)?;
            (least_cap, least_tip) = (least_cap.max(paid), least_tip.max(paid.saturating_sub(base)));
        }
        match refusal.minimum {
            Some(FeeMinimum::Price(wei)) => least_cap = least_cap.max(wei),
            Some(FeeMinimum::Tip(wei)) => least_tip = least_tip.max(wei),
            None => {}
        }
        least_cap = least_cap.max(least_tip);
        if least_cap > self.max_fee_wei {
            return None;
        }
        let market = self.first(hint).fee;
        let cap = least_cap.max(market.cap_wei()).min(self.max_fee_wei);
        Some(match highest {
            Fee::Legacy { .. } => Fee::Legacy { gas_price_wei: cap },
            Fee::Eip1559 { .. } => {
                Fee::Eip1559 { max_fee_wei: cap, max_priority_wei: least_tip.max(market.tip_wei().min(cap)) }
            }
        })
    }
}

fn over(wanted: u128, cap: u128) -> Option<u128> {
    (wanted > cap).then_some(wanted)
}

#[cfg(test)]
mod tests;
