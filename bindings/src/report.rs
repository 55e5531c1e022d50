//! Signed reports in bytes: what signers sign, and the call data that carries it to a
//! [`ReportAggregator`](crate::ReportAggregator) or a [`FeedStore`](crate::FeedStore).
//!
//! The wire format is that of the contracts' interfaces (`ISignerSet`, `IReportAggregator`, `IFeedStore`); numbers are
//! big-endian. It signs nothing and knows no keys; the vectors of the contracts' tests are its judge.

use std::collections::BTreeMap;

use alloy::hex;
use alloy::primitives::{Address, B256, Signature, U256, keccak256};
use alloy::sol_types::SolValue;

/// The order of secp256k1 (SEC 2, 2.4.1).
const ORDER: U256 =
    U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
/// A set has at most so many signers, which is what the bitmap of an attestation has bits for.
const SIGNERS_MAX: u32 = 32;

/// The digest of the `config_count`-th configuration (from 1): `configCount2 | f1 | n x signer20`.
pub fn config_digest(config_count: u16, f: u8, signers: &[Address]) -> B256 {
    let mut bytes = config_count.to_be_bytes().to_vec();
    bytes.push(f);
    signers.iter().for_each(|signer| bytes.extend(signer));
    keccak256(bytes)
}

/// What binds a report to one chain, one contract and one configuration.
pub fn domain(chain_id: u64, contract: Address, config_digest: B256) -> B256 {
    keccak256((U256::from(chain_id), contract, config_digest).abi_encode())
}

/// What a signer signs, as it is, without any prefix.
pub fn digest(domain: B256, report: &[u8]) -> B256 {
    keccak256([domain.as_slice(), report].concat())
}

/// One feed's report, `roundId4 | observedAt4 | count1 | count x answer8`. Answers have the feed's decimal places;
/// `observed_at` is in unix seconds. None when there are more than 255 answers, or they do not rise.
pub fn one_feed(round_id: u32, observed_at: u32, answers: &[i64]) -> Option<Vec<u8>> {
    if !answers.is_sorted() {
        return None;
    }
    let mut report = [round_id.to_be_bytes(), observed_at.to_be_bytes()].concat();
    report.push(u8::try_from(answers.len()).ok()?);
    answers.iter().for_each(|answer| report.extend(answer.to_be_bytes()));
    Some(report)
}

/// A report of many feeds, `sequence4 | observedAt4 | count x (feed2 | answer8)`. None when there is no entry, or the
/// feeds do not rise strictly.
pub fn many_feeds(sequence: u32, observed_at: u32, entries: &[(u16, i64)]) -> Option<Vec<u8>> {
    let rises = entries.is_sorted_by(|(one, _), (next, _)| one < next);
    if entries.is_empty() || !rises {
        return None;
    }
    let mut report = [sequence.to_be_bytes(), observed_at.to_be_bytes()].concat();
    for (feed, answer) in entries {
        report.extend(feed.to_be_bytes());
        report.extend(answer.to_be_bytes());
    }
    Some(report)
}

/// The signatures by the signers' numbers, `bitmap4 | (f + 1) x (r32 | s32)`. Each carries the one of its two forms
/// whose recovery byte is 27. None when a signer's number is 32 or more.
pub fn attestation(signatures: &BTreeMap<u32, Signature>) -> Option<Vec<u8>> {
    let mut bitmap = 0u32;
    let mut words = Vec::new();
    for (signer, signature) in signatures {
        if *signer >= SIGNERS_MAX {
            return None;
        }
        bitmap |= 1 << signer;
        let s = if signature.v() { ORDER.wrapping_sub(signature.s()) } else { signature.s() };
        words.extend(signature.r().to_be_bytes::<32>());
        words.extend(s.to_be_bytes::<32>());
    }
    Some([bitmap.to_be_bytes().as_slice(), &words].concat())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Bytes;
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    use alloy::sol_types::SolCall;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    fn get<T: DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    fn number(value: &Value) -> i64 {
        value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap()
    }

    /// Everything but the report's own bytes, from the keys on.
    fn check(vector: &Value, report: &[u8], selector: [u8; 4]) {
        assert_eq!(Bytes::from(report.to_vec()), get::<Bytes>(&vector["report"]));
        let keys: Vec<PrivateKeySigner> = get::<Vec<B256>>(&vector["signerKeys"])
            .iter()
            .map(|key| PrivateKeySigner::from_bytes(key).unwrap())
            .collect();
        let signers: Vec<Address> = keys.iter().map(PrivateKeySigner::address).collect();
        assert_eq!(signers, get::<Vec<Address>>(&vector["signers"]));
        let config = config_digest(get(&vector["configCount"]), get(&vector["f"]), &signers);
        assert_eq!(config, get::<B256>(&vector["configDigest"]));
        let chain_id = u64::try_from(number(&vector["chainId"])).unwrap();
        let domain = domain(chain_id, get(&vector["contract"]), config);
        assert_eq!(domain, get::<B256>(&vector["domain"]));
        let digest = digest(domain, report);
        assert_eq!(digest, get::<B256>(&vector["digest"]));
        let signed_by: Vec<u32> = get(&vector["signedBy"]);
        let signatures =
            signed_by.iter().map(|i| (*i, keys[*i as usize].sign_hash_sync(&digest).unwrap())).collect();
        let attestation = attestation(&signatures).unwrap();
        assert_eq!(Bytes::from(attestation.clone()), get::<Bytes>(&vector["attestation"]));
        let calldata = [&selector, report, &attestation].concat();
        assert_eq!(Bytes::from(calldata), get::<Bytes>(&vector["transmitCalldata"]));
    }

    /// An encoder that differs by a bit signs what no contract accepts. The signatures are those of RFC 6979, so that
    /// they repeat.
    #[test]
    fn the_contracts_vectors_are_reproduced() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../contracts/test/vectors/report.json")).unwrap();
        let (reports, batches) =
            (vectors["reports"].as_array().unwrap(), vectors["batches"].as_array().unwrap());
        assert!(reports.len() > 2 && batches.len() > 1);
        for vector in reports {
            let answers: Vec<i64> = vector["answers"].as_array().unwrap().iter().map(number).collect();
            let report = one_feed(get(&vector["roundId"]), get(&vector["observedAt"]), &answers).unwrap();
            check(vector, &report, crate::ReportAggregator::transmitCall::SELECTOR);
        }
        for vector in batches {
            let entries = vector["entries"].as_array().unwrap().iter();
            let entries: Vec<(u16, i64)> =
                entries.map(|entry| (get(&entry["feed"]), number(&entry["answer"]))).collect();
            let report = many_feeds(get(&vector["sequence"]), get(&vector["observedAt"]), &entries).unwrap();
            check(vector, &report, crate::FeedStore::transmitCall::SELECTOR);
        }
    }

    #[test]
    fn what_no_contract_takes_is_not_encoded() {
        assert_eq!(one_feed(1, 1, &[2, 1]), None);
        assert_eq!(one_feed(1, 1, &[0; 256]), None);
        assert!(one_feed(1, 1, &[0; 255]).is_some());
        assert_eq!(many_feeds(1, 1, &[]), None);
        assert_eq!(many_feeds(1, 1, &[(3, 1), (3, 2)]), None);
        assert_eq!(many_feeds(1, 1, &[(3, 1), (2, 2)]), None);
        let signature = Signature::new(U256::ONE, U256::ONE, false);
        assert_eq!(attestation(&BTreeMap::from([(32, signature)])), None);
    }
}
