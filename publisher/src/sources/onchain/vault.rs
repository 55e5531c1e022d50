//! An ERC-4626 vault: what one share is worth in the vault's asset.

use super::growth::{Growth, Share};
use super::{Call, Heard, Reader, Returned, Trouble, call, exact, positive, returned, sane_decimals};
use alloy::primitives::{Address, U256};
use publisher_core::tx::BlockRef;

alloy::sol! {
    function asset() external view returns (address);
    function decimals() external view returns (uint256);
    function convertToAssets(uint256 shares) external view returns (uint256 assets);
}

/// The vault.
pub(super) struct Vault {
    address: Address,
    share: Share,
    known: Known,
}

/// What is known of it; none of it ever changes.
#[derive(Clone, Copy)]
enum Known {
    Nothing,
    /// Its asset and the decimals of its shares.
    Asset(Address, u8),
    /// The decimals of its shares and of its asset.
    Decimals(u8, u8),
}

impl Vault {
    pub(super) fn new(address: Address, limits: Growth) -> Self {
        Self { address, share: Share::new(limits), known: Known::Nothing }
    }
}

impl Reader for Vault {
    fn share(&mut self) -> Option<&mut Share> {
        Some(&mut self.share)
    }

    fn questions(&self) -> Vec<Call> {
        match self.known {
            Known::Nothing => vec![call(self.address, &assetCall {}), call(self.address, &decimalsCall {})],
            Known::Asset(asset, _) => vec![call(asset, &decimalsCall {})],
            Known::Decimals(shares, _) => {
                let shares = U256::from(10).pow(U256::from(shares));
                vec![call(self.address, &convertToAssetsCall { shares })]
            }
        }
    }

    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        match self.known {
            Known::Nothing => {
                let asset = returned::<assetCall>(answers, 0)?;
                let shares = sane_decimals(returned::<decimalsCall>(answers, 1)?)?;
                self.known = Known::Asset(asset, shares);
                Ok(Heard::More)
            }
            Known::Asset(_, shares) => {
                let asset = sane_decimals(returned::<decimalsCall>(answers, 0)?)?;
                self.known = Known::Decimals(shares, asset);
                Ok(Heard::More)
            }
            Known::Decimals(_, asset) => {
                let assets = exact::wide(returned::<convertToAssetsCall>(answers, 0)?);
                let price = exact::quotient(assets, exact::wide(U256::from(1)), -i32::from(asset));
                let price = self.share.take(positive(price)?, at.time)?;
                Ok(Heard::Price(price, at.time))
            }
        }
    }
}
