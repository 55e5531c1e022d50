//! Typed bindings of the contracts, made from the committed ABI and bytecode in `artifacts/`.
//!
//! Each contract's module offers `deploy`, typed calls, errors and events. [`Rejection`] says why an aggregator or a
//! proxy refused a call, [`Refusal`] the same of any contract; [`report`] is what signers of reports sign. The artifacts
//! are written by `contracts-compile` and proved fresh by its test; building this crate needs no Solidity compiler. It
//! holds no policy and does no I/O of its own.

pub mod deployed;
mod generated;
mod refusal;
mod rejection;
pub mod report;

pub use generated::*;
pub use refusal::Refusal;
pub use rejection::Rejection;

/// The text that v3 reads revert with when there is no such round.
pub const NO_DATA_PRESENT: &str = "No data present";

/// What `typeAndVersion()` of a deployed [`Aggregator`] must say.
pub const AGGREGATOR_VERSION: &str = "Aggregator 1.0.0";

/// What `typeAndVersion()` of contracts says that take `submit(uint256,int256)` from one transmitter and answer
/// `feedState(address)`.
pub const SUBMITTED_VERSIONS: [&str; 3] =
    [AGGREGATOR_VERSION, "OracleWithCCIP 1.0.0", "UpgradeableAggregator 1.0.0"];

/// What `typeAndVersion()` of a deployed [`AggregatorProxy`] must say.
pub const AGGREGATOR_PROXY_VERSION: &str = "AggregatorProxy 1.0.0";

/// What `typeAndVersion()` of a deployed [`FeedStore`] must say.
pub const FEED_STORE_VERSION: &str = "FeedStore 1.0.0";

/// What `typeAndVersion()` of a deployed [`FeedFacade`] must say.
pub const FEED_FACADE_VERSION: &str = "FeedFacade 1.0.0";

/// A bound on the gas of any `submit` that succeeds, calldata and 21,000 among it: the round that opens a new group
/// and does not fit the packed word. Consecutive rounds differ by up to 44,000, so an estimate made for one of them is
/// no limit for the next.
pub const SUBMIT_GAS_MAX: u64 = 80_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use alloy::json_abi::JsonAbi;
    use serde_json::Value;

    use super::*;

    fn artifacts() -> impl Iterator<Item = (String, JsonAbi)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
        std::fs::read_dir(folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let artifact: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_value(artifact["abi"].clone()).unwrap())
        })
    }

    /// A contract without a binding could be deployed by nobody; an error or event without one would be bytes in a log.
    #[test]
    fn every_artifact_is_bound_with_its_errors_and_events() {
        let mut bound = generated::interfaces();
        for (name, abi) in artifacts() {
            let (errors, events) =
                bound.remove(name.as_str()).unwrap_or_else(|| panic!("{name} is not bound"));
            let declared: BTreeSet<[u8; 4]> = abi.errors().map(|error| error.selector().0).collect();
            assert_eq!(errors.iter().copied().collect::<BTreeSet<_>>(), declared, "errors of {name}");
            let declared: BTreeSet<[u8; 32]> = abi.events().map(|event| event.selector().0).collect();
            assert_eq!(events.iter().copied().collect::<BTreeSet<_>>(), declared, "events of {name}");
        }
        assert!(bound.is_empty(), "bound without an artifact: {:?}", bound.keys());
    }

    /// A limit below the dearest round would let that round run out of gas, once in three or once in a storm.
    #[test]
    fn the_bound_on_gas_covers_the_snapshot() {
        let snapshot: Value = serde_json::from_str(include_str!("../../contracts/gas.json")).unwrap();
        let worst = snapshot["submit"]["worstWithEscape"].as_u64().unwrap();
        // A round id of four bytes instead of one costs a little more calldata.
        assert!(worst + 3 * 12 <= SUBMIT_GAS_MAX, "the dearest round costs {worst}");
        assert!(SUBMIT_GAS_MAX < worst + worst / 10, "the bound is far above {worst}");
    }

    #[test]
    fn versions_are_those_of_the_code() {
        for (version, code) in [
            (AGGREGATOR_VERSION, &Aggregator::DEPLOYED_BYTECODE),
            (SUBMITTED_VERSIONS[1], &OracleWithCCIP::DEPLOYED_BYTECODE),
            (SUBMITTED_VERSIONS[2], &UpgradeableAggregator::DEPLOYED_BYTECODE),
            (AGGREGATOR_PROXY_VERSION, &AggregatorProxy::DEPLOYED_BYTECODE),
            (FEED_STORE_VERSION, &FeedStore::DEPLOYED_BYTECODE),
            (FEED_FACADE_VERSION, &FeedFacade::DEPLOYED_BYTECODE),
        ] {
            assert!(code.windows(version.len()).any(|window| window == version.as_bytes()), "{version}");
        }
        let text = NO_DATA_PRESENT.as_bytes();
        assert!(Aggregator::DEPLOYED_BYTECODE.windows(text.len()).any(|window| window == text));
    }
}
