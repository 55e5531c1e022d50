//! Shares of vaults and pools.

use super::*;
use crate::sources::onchain::curve::get_virtual_priceCall;
use crate::sources::onchain::vault::{assetCall, convertToAssetsCall, decimalsCall};

const ASSET: Address = address!("0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0");

fn vault(chain: &Chain, shares: u64, asset: u64) {
    chain.returns::<assetCall>(AT, ASSET).returns::<decimalsCall>(AT, U256::from(shares));
    chain.returns::<decimalsCall>(ASSET, U256::from(asset));
}

/// Without this, a share of other decimals than its asset is wrong by powers of ten.
#[tokio::test]
async fn a_share_is_worth_what_its_vault_converts_one_to_whatever_decimals_both_have() {
    for (shares, asset, assets, expected) in [
        (18, 18, "1050000000000000001", Ok("1.050000000000000001")),
        (18, 6, "1050000", Ok("1.05")),
        (24, 6, "1050000", Ok("1.05")),
        (6, 18, "1050000000000000000", Ok("1.05")),
        (0, 0, "3", Ok("3")),
        (18, 18, "0", Err("bad_value")),
        (37, 18, "1050000000000000000", Err("bad_value")),
        (18, 200, "1050000000000000000", Err("bad_value")),
    ] {
        let chain = Chain::new();
        vault(&chain, shares, asset);
        chain.returns::<convertToAssetsCall>(AT, assets.parse::<U256>().unwrap());
        let (network, _node) = chain.network(vec![("vault", AT, ContractKind::Erc4626(growth()))]).await;
        let found = price(&network).await;
        assert_eq!(found.as_deref().map_err(|fault| *fault), expected, "{shares} {asset} {assets}");
    }
}

/// Without this, a gift to a vault, or an error in its books, is income.
#[tokio::test]
async fn f44_a_share_that_jumps_or_falls_is_not_believed_and_comes_back_by_itself() {
    for kind in [ContractKind::Erc4626(growth()), ContractKind::CurveLp(growth())] {
        let chain = Chain::new();
        vault(&chain, 18, 18);
        let (network, _node) = chain.network(vec![("share", AT, kind.clone())]).await;
        let one = 1_000_000_000_000_000_000u64;
        for (per_mille, expected) in [
            (1050, Ok("1.05")),
            (1051, Ok("1.051")),
            (2000, Err("venue_error")),
            (1052, Ok("1.052")),
            (900, Err("venue_error")),
            (1053, Ok("1.053")),
        ] {
            let worth = U256::from(one) * U256::from(per_mille) / U256::from(1000);
            chain.returns::<convertToAssetsCall>(AT, worth).returns::<get_virtual_priceCall>(AT, worth);
            chain.next(12);
            let found = price(&network).await;
            assert_eq!(found.as_deref().map_err(|fault| *fault), expected, "{} {per_mille}", kind.name());
        }
    }
}
