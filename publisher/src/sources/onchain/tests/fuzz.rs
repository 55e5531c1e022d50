//! Contracts that return anything.

use super::super::curve::Ema;
use super::super::growth::Growth;
use super::super::pair::Twap;
use super::*;
use crate::fuzz::fuzz;

/// A call of each line of hex after the other, until the contract has said a price or what is wrong.
fn read(kind: &ContractKind, bytes: &[u8]) -> bool {
    let mut reader = kind.reader(AT);
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let at = BlockRef { number: 9, hash: B256::ZERO, parent: B256::ZERO, time: Wall::from_s(NOW_S) };
    for _ in 0..4 {
        let returned = |line: &str| match line {
            "reverts" => Err(ChainError::Rpc { code: 3, message: "execution reverted".into(), data: None }),
            hex => Ok(alloy::primitives::hex::decode(hex).unwrap_or_default().into()),
        };
        let answers: Vec<Returned> =
            reader.questions().iter().map(|_| returned(lines.next().unwrap_or_default())).collect();
        match reader.hear(&at, &answers) {
            Ok(Heard::More) => {}
            Ok(Heard::Price(price, as_of)) => {
                assert!(price.is_positive() && as_of <= at.time, "{kind:?}: {price} {as_of:?}");
                return true;
            }
            Err(trouble) => {
                assert!(!trouble.detail.is_empty());
                return false;
            }
        }
    }
    false
}

#[test]
fn f47_fuzz_contracts() {
    let growth = Growth { max_decrease: Ratio::from_bps(10), max_growth: Ratio::from_bps(100) };
    let twap = Twap {
        base: AT,
        quote: OTHER,
        window: Span::from_s(1800),
        min_manipulation_cost: "0.000001".parse().unwrap(),
    };
    let kinds = [
        ContractKind::Chainlink { heartbeat: Span::from_s(3600), sequencer: None },
        ContractKind::Chainlink { heartbeat: Span::from_s(3600), sequencer: Some(OTHER) },
        ContractKind::Erc4626(growth),
        ContractKind::CurveLp(growth),
        ContractKind::UniswapV2(twap.clone()),
        ContractKind::UniswapV3(twap),
        ContractKind::Curve(Ema {
            base: AT,
            quote: OTHER,
            min_manipulation_cost: "0.000001".parse().unwrap(),
        }),
    ];
    let said = std::cell::RefCell::new([0; 7]);
    fuzz("returned", [], |bytes| {
        for (kind, said) in kinds.iter().zip(said.borrow_mut().iter_mut()) {
            *said += u32::from(read(kind, bytes));
        }
    });
    // A v2 pair has no price before it was watched for long; each of the others has one in the corpus.
    let said = said.into_inner();
    assert!([0, 1, 2, 3, 5, 6].iter().all(|kind| said[*kind] > 0) && said[4] == 0, "{said:?}");
}
