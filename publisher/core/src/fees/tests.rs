use super::*;
use proptest::prelude::*;

fn policy(profile: FeeProfile, max_fee_wei: u128) -> FeePolicy {
    FeePolicy { profile, max_fee_wei, min_tip_wei: 1, bump_percent: 0, rule: ReplacementRule::GETH }
}

fn hint(base: u128, tip: u128) -> FeeHint {
    FeeHint { base_fee_wei: Some(base), tip_wei: tip, gas_price_wei: base + tip, ..FeeHint::default() }
}

fn dynamic(max_fee_wei: u128, max_priority_wei: u128) -> Fee {
    Fee::Eip1559 { max_fee_wei, max_priority_wei }
}

fn legacy(gas_price_wei: u128) -> Fee {
    Fee::Legacy { gas_price_wei }
}

const QUIET: Refusal = Refusal { is_underpriced: false, minimum: None };

#[test]
fn first_offers_follow_the_market_up_to_the_cap() {
    let p = policy(FeeProfile::Eip1559, 1000);
    assert_eq!(p.first(&hint(100, 3)), Offer { fee: dynamic(203, 3), wanted_wei: None });
    assert_eq!(p.first(&hint(600, 3)), Offer { fee: dynamic(1000, 3), wanted_wei: None });
    assert_eq!(p.first(&hint(1200, 3)), Offer { fee: dynamic(1000, 3), wanted_wei: Some(1203) });
    assert_eq!(p.first(&hint(0, 0)), Offer { fee: dynamic(1, 1), wanted_wei: None });
    assert_eq!(policy(FeeProfile::Legacy, 1000).first(&hint(100, 3)).fee, legacy(103));
}

#[test]
fn f36_a_zero_gas_chain_pays_nothing_whatever_the_node_suggests() {
    let suggested = FeeHint { tip_wei: 1_000_000_000, ..hint(0, 1_000_000_000) };
    // The rule, the cap, and what replaces a price of zero.
    for (rule, cap, expected) in [
        (ReplacementRule::BESU, 0, Some(0)),
        (ReplacementRule::HARDHAT, 0, Some(0)),
        (ReplacementRule::GETH, 0, None),
        (ReplacementRule::ANVIL, 0, None),
        (ReplacementRule::BESU, 5, Some(0)),
        (ReplacementRule::GETH, 5, Some(1)),
        (ReplacementRule::ANVIL, 5, Some(1)),
    ] {
        let p = FeePolicy { rule, ..policy(FeeProfile::ZeroGas, cap) };
        assert_eq!(p.first(&suggested).fee, legacy(0));
        assert_eq!(p.replacement(legacy(0), &suggested, QUIET), expected.map(legacy), "{rule:?} {cap}");
    }
    let besu = FeePolicy { rule: ReplacementRule::BESU, ..policy(FeeProfile::ZeroGas, 0) };
    let refused = Refusal { is_underpriced: true, minimum: None };
    assert_eq!(besu.replacement(legacy(0), &suggested, refused), None, "its word is not believed twice");
}

#[test]
fn replacements_are_minimal_or_at_the_market() {
    let p = policy(FeeProfile::Eip1559, 10_000);
    assert_eq!(p.replacement(dynamic(203, 3), &hint(100, 3), QUIET), Some(dynamic(224, 4)));
    assert_eq!(p.replacement(dynamic(203, 3), &hint(1000, 50), QUIET), Some(dynamic(2050, 50)));
    assert_eq!(p.replacement(dynamic(9_999, 3), &hint(100, 3), QUIET), None, "the cap stands");
    let old = policy(FeeProfile::Legacy, 200);
    assert_eq!(old.replacement(legacy(101), &hint(0, 7), QUIET), Some(legacy(112)));
    assert_eq!(old.replacement(legacy(190), &hint(0, 7), QUIET), None);
    let met = old.replacement(legacy(101), &hint(0, 900), QUIET);
    assert_eq!(met, Some(legacy(200)), "a market above the cap is met as far as the cap allows");
    let steep = FeePolicy { bump_percent: 50, ..p };
    assert_eq!(steep.replacement(dynamic(203, 3), &hint(100, 3), QUIET), Some(dynamic(305, 5)));
}

/// Without it go-ethereum's minimum would be offered to Besu, which compares what is paid, and refused for ever.
#[test]
fn besu_is_offered_a_tenth_more_of_what_is_paid() {
    let p = FeePolicy { rule: ReplacementRule::BESU, ..policy(FeeProfile::Eip1559, 10_000) };
    // 103 are paid, 114 have to be: the tip carries it alone. That the next block is cheaper changes nothing.
    let falling = FeeHint { next_base_fee_wei: Some(88), ..hint(100, 3) };
    assert_eq!(p.replacement(dynamic(203, 3), &falling, QUIET), Some(dynamic(203, 14)));
    assert_eq!(p.replacement(dynamic(203, 3), &hint(100, 3), QUIET), Some(dynamic(203, 14)));
    let anvil = FeePolicy { rule: ReplacementRule::ANVIL, ..p };
    assert_eq!(anvil.replacement(dynamic(203, 3), &hint(100, 3), QUIET), Some(dynamic(204, 3)));
    let refused = Refusal { is_underpriced: true, minimum: None };
    assert_eq!(anvil.replacement(dynamic(203, 3), &hint(100, 3), refused), Some(dynamic(224, 14)));
}

#[test]
fn a_minimum_that_a_node_names_is_met_up_to_the_cap() {
    let p = policy(FeeProfile::Eip1559, 1_000);
    let named = |minimum| Refusal { is_underpriced: true, minimum: Some(minimum) };
    for (minimum, expected) in [
        (FeeMinimum::Price(500), Some(dynamic(500, 14))),
        (FeeMinimum::Price(10), Some(dynamic(224, 14))),
        (FeeMinimum::Price(1_000), Some(dynamic(1_000, 14))),
        (FeeMinimum::Price(1_001), None),
        (FeeMinimum::Tip(30), Some(dynamic(224, 30))),
        (FeeMinimum::Tip(300), Some(dynamic(300, 300))),
        (FeeMinimum::Tip(1_001), None),
    ] {
        assert_eq!(p.replacement(dynamic(203, 3), &hint(100, 3), named(minimum)), expected, "{minimum:?}");
    }
    let old = policy(FeeProfile::Legacy, 1_000);
    assert_eq!(old.replacement(legacy(7), &hint(0, 7), named(FeeMinimum::Tip(30))), Some(legacy(30)));
}

#[test]
fn clients_are_known_by_their_names() {
    for (version, rule) in [
        ("besu/v24.12.0/linux-x86_64/openjdk-java-21", ReplacementRule::BESU),
        ("anvil/v1.7.1", ReplacementRule::ANVIL),
        ("HardhatNetwork/2.29.1/@ethereumjs/vm/5.9.3", ReplacementRule::HARDHAT),
        ("Geth/v1.17.0-stable/linux-amd64/go1.24", ReplacementRule::GETH),
        ("reth/v1.9.0", ReplacementRule::GETH),
        ("", ReplacementRule::GETH),
        ("not besu", ReplacementRule::GETH),
    ] {
        assert_eq!(ReplacementRule::of_client(version), rule, "{version}");
    }
    let all = [ReplacementRule::BESU, ReplacementRule::ANVIL, ReplacementRule::HARDHAT];
    assert_eq!(all.into_iter().fold(ReplacementRule::GETH, ReplacementRule::and), ReplacementRule::STRICTEST);
}

/// Each pool's own rule, written down a second time.
fn takes(client: &str, old: Fee, new: Fee, base: u128) -> bool {
    let tenth = |old: u128, new: u128| new.saturating_mul(10) >= old.saturating_mul(11);
    let paid = |fee: Fee| fee.cap_wei().min(base + fee.tip_wei());
    let priority = |fee: Fee| fee.tip_wei().min(fee.cap_wei().saturating_sub(base));
    let cap = |fee: Fee| fee.cap_wei();
    match client {
        "geth" => {
            let (caps, tips) = ((cap(old), cap(new)), (old.tip_wei(), new.tip_wei()));
            caps.1 > caps.0 && tips.1 > tips.0 && tenth(caps.0, caps.1) && tenth(tips.0, tips.1)
        }
        "anvil" => cap(new) > cap(old),
        _ => tenth(paid(old), paid(new)) && priority(new) >= priority(old),
    }
}

const CLIENTS: [(&str, ReplacementRule); 3] =
    [("geth", ReplacementRule::GETH), ("besu", ReplacementRule::BESU), ("anvil", ReplacementRule::ANVIL)];

/// Amounts up to ten times those of any chain.
const WEI: std::ops::Range<u128> = 0..100_000_000_000_000_000_000;

proptest! {
    /// Every client takes what is made for it, a wei less in any field it looks at is refused, and the strictest
    /// satisfies all.
    #[test]
    fn f35_every_client_takes_its_own_replacement_and_nothing_smaller(
        cap in WEI, tip in WEI, base in WEI, falls_percent in 0u128..13, is_legacy in any::<bool>(),
    ) {
        // Besu's base fee of a legacy chain is none.
        let (old, base) = if is_legacy { (legacy(cap.max(1)), 0) } else { (dynamic(cap.max(1), tip.min(cap)), base) };
        // A market that asks for nothing, so that only the rule does, also where the next block is cheaper.
        let next = base / 100 * (100 - falls_percent);
        let market = FeeHint { base_fee_wei: Some(base), next_base_fee_wei: Some(next), ..FeeHint::default() };
        for (client, rule) in CLIENTS {
            let p = FeePolicy { rule, min_tip_wei: 0, ..policy(FeeProfile::Legacy, u128::MAX) };
            let new = p.replacement(old, &market, QUIET).unwrap();
            prop_assert!(takes(client, old, new, base), "{client}: {old:?} -> {new:?} at {base}");
            let cheaper = match new {
                Fee::Legacy { gas_price_wei } => vec![legacy(gas_price_wei - 1)],
                Fee::Eip1559 { max_fee_wei, max_priority_wei } => {
                    let mut less = Vec::new();
                    if max_fee_wei > old.cap_wei() {
                        less.push(dynamic(max_fee_wei - 1, max_priority_wei.min(max_fee_wei - 1)));
                    }
                    if max_priority_wei > old.tip_wei() {
                        less.push(dynamic(max_fee_wei, max_priority_wei - 1));
                    }
                    less
                }
            };
            prop_assert!(!cheaper.is_empty());
            for less in cheaper {
                prop_assert!(!takes(client, old, less, base), "{client}: {less:?} would do for {old:?} at {base}");
            }
            let refused = Refusal { is_underpriced: true, minimum: None };
            let strictest = p.replacement(old, &market, refused).unwrap();
            for (client, _) in CLIENTS {
                prop_assert!(takes(client, old, strictest, base), "{client}: {old:?} -> {strictest:?} at {base}");
            }
        }
    }

    /// Whatever the numbers are: the cap holds, a tip is never above its cap, no fee falls, and nothing overflows.
    #[test]
    fn f40_no_fee_passes_the_cap_or_contradicts_itself(
        fee in any::<u128>(), tip in any::<u128>(), base in any::<u128>(), market_tip in any::<u128>(),
        price in any::<u128>(), cap in any::<u128>(), percent in any::<u32>(), told in any::<Option<u128>>(),
        is_tip in any::<bool>(), is_underpriced in any::<bool>(), kind in 0usize..3, client in 0usize..3,
    ) {
        let profile = [FeeProfile::Eip1559, FeeProfile::Legacy, FeeProfile::ZeroGas][kind];
        let p = FeePolicy { rule: CLIENTS[client].1, bump_percent: percent, ..policy(profile, cap) };
        let old = if profile == FeeProfile::Eip1559 { dynamic(fee, tip.min(fee)) } else { legacy(fee) };
        let market = FeeHint { base_fee_wei: Some(base), tip_wei: market_tip, gas_price_wei: price, ..FeeHint::default() };
        let first = p.first(&market).fee;
        prop_assert!(first.cap_wei() <= cap && first.tip_wei() <= first.cap_wei());
        let minimum = told.map(|wei| if is_tip { FeeMinimum::Tip(wei) } else { FeeMinimum::Price(wei) });
        if let Some(new) = p.replacement(old, &market, Refusal { is_underpriced, minimum }) {
            prop_assert!(new.cap_wei() <= cap && new.tip_wei() <= new.cap_wei());
            prop_assert!(new.cap_wei() >= old.cap_wei() && new.tip_wei() >= old.tip_wei());
            if let Some(minimum) = minimum {
                let met = match minimum {
                    FeeMinimum::Price(wei) => new.cap_wei() >= wei,
                    FeeMinimum::Tip(wei) => new.tip_wei() >= wei,
                };
                prop_assert!(met, "{new:?} after {minimum:?}");
            }
        }
    }
}
