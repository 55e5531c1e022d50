//! Recognises a contract by the code at an address.
//!
//! The constructor writes the feed's constants (decimals, bounds) into the code in place of 32 zero bytes behind a
//! `PUSH32`; everything else must be equal byte by byte. What the constants are is to be read from the contract.

use crate::generated::{Aggregator, AggregatorProxy, FeedFacade, FeedStore};

const PUSH32: u8 = 0x7f;
const WORD: usize = 32;

/// Whether `code` is an [`Aggregator`] of this version, whatever its constructor was given.
pub fn is_aggregator(code: &[u8]) -> bool {
    is_instance(&Aggregator::DEPLOYED_BYTECODE, code)
}

/// Whether `code` is an [`AggregatorProxy`] of this version, whatever its constructor was given.
pub fn is_aggregator_proxy(code: &[u8]) -> bool {
    is_instance(&AggregatorProxy::DEPLOYED_BYTECODE, code)
}

/// Whether `code` is a [`FeedStore`] of this version, whatever its constructor was given.
pub fn is_feed_store(code: &[u8]) -> bool {
    is_instance(&FeedStore::DEPLOYED_BYTECODE, code)
}

/// Whether `code` is a [`FeedFacade`] of this version, whatever its constructor was given.
pub fn is_feed_facade(code: &[u8]) -> bool {
    is_instance(&FeedFacade::DEPLOYED_BYTECODE, code)
}

fn is_instance(template: &[u8], code: &[u8]) -> bool {
    if template.len() != code.len() {
        return false;
    }
    let mut constant_bytes_left = 0;
    for (position, (expected, found)) in template.iter().zip(code).enumerate() {
        if constant_bytes_left > 0 {
            constant_bytes_left -= 1;
        } else if expected != found {
            return false;
        } else if begins_constant(template, position) {
            constant_bytes_left = WORD;
        }
    }
    true
}

fn begins_constant(template: &[u8], position: usize) -> bool {
    let push = template.get(position..).and_then(|rest| rest.split_first_chunk::<{ WORD + 1 }>());
    push.is_some_and(|(push, _)| matches!(push, [PUSH32, word @ ..] if *word == [0; WORD]))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The compiler's own list of the places is the judge of the rule above.
    #[test]
    fn constants_are_where_the_compiler_says() {
        for (artifact, template) in [
            (include_str!("../artifacts/Aggregator.json"), &Aggregator::DEPLOYED_BYTECODE),
            (include_str!("../artifacts/AggregatorProxy.json"), &AggregatorProxy::DEPLOYED_BYTECODE),
            (include_str!("../artifacts/FeedStore.json"), &FeedStore::DEPLOYED_BYTECODE),
            (include_str!("../artifacts/FeedFacade.json"), &FeedFacade::DEPLOYED_BYTECODE),
        ] {
            let artifact: Value = serde_json::from_str(artifact).unwrap();
            let listed: Vec<(usize, usize)> = serde_json::from_value(artifact["immutables"].clone()).unwrap();
            let found: Vec<(usize, usize)> = (0..template.len())
                .filter(|&position| begins_constant(template, position))
                .map(|position| (position + 1, WORD))
                .collect();
            assert!(!listed.is_empty());
            assert_eq!(found, listed);
        }
    }

    #[test]
    fn constants_may_differ_and_nothing_else() {
        let template = &Aggregator::DEPLOYED_BYTECODE;
        assert!(is_aggregator(template));
        let constant = (0..template.len()).find(|&position| begins_constant(template, position)).unwrap() + 1;
        let mut code = template.to_vec();
        code[constant + 31] = 8;
        assert!(is_aggregator(&code));
        assert!(!is_aggregator_proxy(&code));
        for position in [0, constant - 1, constant + WORD, code.len() - 1] {
            let mut other = code.clone();
            other[position] ^= 1;
            assert!(!is_aggregator(&other), "a change at byte {position} went unseen");
        }
    }

    #[test]
    fn no_code_is_no_instance() {
        let template = &Aggregator::DEPLOYED_BYTECODE;
        assert!(!is_aggregator(&[]));
        assert!(!is_aggregator(&template[..template.len() - 1]));
        assert!(!is_aggregator(&[template.as_ref(), &[0]].concat()));
    }
}
