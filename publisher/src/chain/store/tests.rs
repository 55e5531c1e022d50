use super::super::contract::target_and_data;
use super::super::double::Double;
use super::*;
use alloy::primitives::{I256, hex};
use alloy::sol_types::SolValue;
use publisher_core::time::Wall;
use publisher_core::tx::Call;
use serde_json::json;

const STORE: Address = Address::repeat_byte(0x57);
const FLAGS: Address = Address::repeat_byte(0xf1);
const OURS: Address = Address::repeat_byte(0x0a);

fn head() -> BlockRef {
    BlockRef { number: 9, hash: B256::repeat_byte(9), parent: B256::ZERO, time: Wall::default() }
}

/// A store with feed 3 at round 4, paused.
fn answered(data: &str) -> Bytes {
    let selector = |call: [u8; 4]| data.starts_with(&format!("0x{}", hex::encode(call)));
    if selector(FeedStore::storeStateCall::SELECTOR) {
        assert!(data.ends_with(&hex::encode(OURS)), "{data}");
        (U256::from(8), U256::from(5), false, true, B256::ZERO).abi_encode().into()
    } else if selector(FeedStore::latestRoundOfCall::SELECTOR) {
        assert!(data.ends_with("03"), "{data}");
        (U256::from(4), I256::MINUS_ONE, U256::from(1_700_000_000)).abi_encode().into()
    } else {
        assert!(selector(FeedStore::feedInfoCall::SELECTOR), "{data}");
        let low = I256::try_from(-5).unwrap();
        (U256::from(8), "X".to_owned(), low, I256::ONE, true, Address::ZERO).abi_encode_params().into()
    }
}

#[tokio::test]
async fn a_store_and_its_feeds_are_read_at_the_asked_block_in_one_request() {
    let double = Double::rpc(|method, params| {
        assert_eq!((method, &params[1]), ("eth_call", &json!({ "blockHash": B256::repeat_byte(9) })));
        if params[0]["to"] == json!(FLAGS) {
            return Ok(json!(Bytes::from(vec![true, true].abi_encode())));
        }
        assert_eq!(params[0]["to"], json!(STORE));
        Ok(json!(answered(params[0]["data"].as_str().unwrap())))
    })
    .await;
    let feeds = [(FeedId::new("X"), 3), (FeedId::new("Y"), 3)];
    // Only one of them may be put to sleep.
    let flags = BTreeMap::from([(FeedId::new("X"), FlagWire { flags: FLAGS, subject: STORE })]);
    let view = double.node().store_view(STORE, OURS, &feeds, &flags, &head()).await.unwrap();
    let entry = EntryView {
        round: 4,
        answer: Answer::from(-1),
        updated_at: Wall::from_s(1_700_000_000),
        paused: true,
        flag: Flag::Raised,
    };
    assert_eq!((view.sequence, view.paused, view.authorised), (8, false, true));
    let other = EntryView { flag: Flag::Unwatched, ..entry };
    assert_eq!(view.feeds, [(FeedId::new("X"), entry), (FeedId::new("Y"), other)]);
}

#[test]
fn a_batch_is_the_interfaces_packed_report() {
    let call = Call::Update {
        store: STORE,
        sequence: 7,
        observed_at_s: 0x0102_0304,
        entries: vec![(1, -1), (0x0203, 5)],
    };
    let (to, data) = target_and_data(&call, OURS);
    assert_eq!(to, Some(STORE));
    let report = hex!("00000007 01020304 0001ffffffffffffffff 02030000000000000005");
    assert_eq!(data[..4], FeedStore::updateCall::SELECTOR);
    assert_eq!(data[4..], report);
}

#[test]
fn only_the_stores_own_event_says_that_an_entry_was_skipped() {
    let event =
        FeedStore::FeedSkipped { feed: U256::from(3), sequence: U256::from(7), answer: I256::ONE, reason: 2 };
    let data = event.encode_log_data();
    let log = |address, topics: &[B256]| Log { address, topics: topics.to_vec(), data: data.data.clone() };
    let hash = B256::repeat_byte(1);
    let found = skipped(hash, STORE, &log(STORE, data.topics()));
    assert_eq!(found, Some(Skip { hash, entry: 3, reason: SkipReason::OutOfBounds }));
    assert_eq!(skipped(hash, STORE, &log(OURS, data.topics())), None, "another contract's");
    assert_eq!(skipped(hash, STORE, &log(STORE, &data.topics()[1..])), None, "another event");
    assert_eq!(skipped(hash, STORE, &log(STORE, &data.topics()[..2])), None, "a mutilated one");
    let none = Log { address: STORE, topics: Vec::new(), data: Bytes::new() };
    assert_eq!(skipped(hash, STORE, &none), None);
}
