//! The signer's keys, and what it does to a signature.

use alloy::primitives::{Address, B256, Signature, U256, hex, keccak256, uint};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;

use super::mode::Tamper;

/// Order of the curve's group.
const CURVE_ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// A private key with its two names.
#[derive(Debug)]
pub(crate) struct Key {
    signer: PrivateKeySigner,
    /// The key of [`Tamper::OtherKey`].
    other: PrivateKeySigner,
    public_key: String,
}

impl Key {
    pub(crate) fn new(secret: &[u8; 32]) -> Result<Self, alloy::signers::k256::ecdsa::Error> {
        let signer = PrivateKeySigner::from_bytes(&B256::from(*secret))?;
        let other = PrivateKeySigner::from_bytes(&keccak256(secret))?;
        let public_key = hex::encode_prefixed(signer.public_key());
        Ok(Self { signer, other, public_key })
    }

    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    /// `0x` and 128 lower-case digits.
    pub(crate) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs the hash; low-s, the same each time, unless tampered with. `None` when the curve refuses, which
    /// happens for no hash that can be found.
    pub(crate) fn sign(&self, hash: &B256, tamper: Option<Tamper>) -> Option<Signature> {
        let signer = if tamper == Some(Tamper::OtherKey) { &self.other } else { &self.signer };
        let signature = signer.sign_hash_sync(hash).ok()?.normalized_s();
        Some(if tamper == Some(Tamper::HighS) { mirrored(&signature) } else { signature })
    }
}

/// The other signature of the same key over the same hash.
fn mirrored(signature: &Signature) -> Signature {
    Signature::new(signature.r(), CURVE_ORDER - signature.s(), !signature.v())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_repeat_and_recover() {
        let key = Key::new(&[7; 32]).unwrap();
        let hash = keccak256("round 7");
        let good = key.sign(&hash, None).unwrap();
        assert_eq!(key.sign(&hash, None).unwrap(), good);
        assert!(good.normalize_s().is_none());
        assert_eq!(good.recover_address_from_prehash(&hash).unwrap(), key.address());

        let high = key.sign(&hash, Some(Tamper::HighS)).unwrap();
        assert_eq!(high.normalized_s(), good);
        assert_ne!(high, good);
        let foreign = key.sign(&hash, Some(Tamper::OtherKey)).unwrap();
        assert_ne!(foreign.recover_address_from_prehash(&hash).unwrap(), key.address());
        assert!(Key::new(&[0; 32]).is_err());
    }
}
