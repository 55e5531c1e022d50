use super::*;
use crate::chain::double::Double;
use crate::chain::{NodeSetup, Tag};
use alloy::primitives::{Address, B256, Bytes, keccak256};
use publisher_core::time::{Span, Wall};
use publisher_core::tx::{AccountView, BlockRef, FeeMinimum, ReceiptAnswer};
use serde_json::{Value, json};
use std::time::Duration;

type Refusal = (i64, &'static str, Value);

/// What one scripted node says beyond its identity.
#[derive(Clone)]
struct Says {
    chain_id: &'static str,
    genesis: u8,
    nonce: Result<u64, Refusal>,
    /// The block that its receipt names; none means an explicit null.
    receipt: Option<u8>,
    /// Whether its blocks hold the transaction.
    holds: bool,
    sent: Result<B256, Refusal>,
    block: Option<u8>,
}

fn transaction() -> (Bytes, B256) {
    let raw = Bytes::from_static(&[0xf8, 1, 2]);
    let hash = keccak256(&raw);
    (raw, hash)
}

fn honest() -> Says {
    let sent = Ok(transaction().1);
    Says { chain_id: "0x8a", genesis: 1, nonce: Ok(7), receipt: Some(5), holds: true, sent, block: Some(9) }
}

fn block(number: u64, hash: u8) -> Value {
    json!({ "number": format!("{number:#x}"), "hash": B256::repeat_byte(hash), "parentHash": B256::ZERO, "timestamp": "0x1" })
}

async fn node(says: Says) -> Double {
    let (_, hash) = transaction();
    Double::rpc(move |method, params| match method {
        "eth_chainId" => Ok(json!(says.chain_id)),
        "eth_getBlockByNumber" if params[0] == "0x0" => Ok(block(0, says.genesis)),
        "eth_getBlockByNumber" => Ok(says.block.map_or(Value::Null, |hash| block(9, hash))),
        "eth_getTransactionCount" => says.nonce.clone().map(|nonce| json!(format!("{nonce:#x}"))),
        "eth_getTransactionReceipt" => Ok(says.receipt.map_or(Value::Null, |block| {
            json!({ "transactionHash": hash, "blockNumber": "0x5", "blockHash": B256::repeat_byte(block),
                "status": "0x1", "gasUsed": "0x1" })
        })),
        "eth_getBlockByHash" => {
            let mut block = says.block.map_or_else(|| block(9, 0), |hash| block(9, hash));
            block["transactions"] = json!(if says.holds { vec![hash] } else { vec![] });
            Ok(block)
        }
        "eth_sendRawTransaction" => says.sent.clone().map(|hash| json!(hash)),
        other => panic!("{other} was not expected"),
    })
    .await
}

fn setup(double: &Double) -> NodeSetup {
    NodeSetup { timeout: Span::from_ms(3000), ..NodeSetup::new(double.url.parse().unwrap()) }
}

async fn met(doubles: &[Double]) -> Met {
    let setups: Vec<_> = doubles.iter().map(setup).collect();
    meet(&setups, 138, None, Span::from_s(1)).await.unwrap()
}

async fn nodes(says: Vec<Says>) -> Arc<Nodes> {
    let mut doubles = Vec::new();
    for says in says {
        doubles.push(node(says).await);
    }
    Arc::new(met(&doubles).await.nodes.unwrap())
}

fn heard(double: &Double, method: &str) -> usize {
    let bodies = double.heard.lock().unwrap();
    let all = bodies.iter().flat_map(|body| match body {
        Value::Array(questions) => questions.clone(),
        question => vec![question.clone()],
    });
    all.filter(|question| question["method"] == method).count()
}

async fn view(says: Vec<Says>) -> Option<AccountView> {
    let at = BlockRef { number: 9, hash: B256::repeat_byte(9), parent: B256::ZERO, time: Wall::from_s(1) };
    nodes(says).await.account_view(Address::ZERO, vec![transaction().1], at).await
}

async fn receipt(says: Vec<Says>) -> Option<ReceiptAnswer> {
    view(says).await.map(|view| view.receipts[0].1)
}

fn is_found(answer: Option<ReceiptAnswer>) -> bool {
    matches!(answer, Some(ReceiptAnswer::Found(_)))
}

#[tokio::test]
async fn another_chain_is_named_and_keeps_all_from_starting() {
    let doubles = [node(honest()).await, node(Says { chain_id: "0x8b", ..honest() }).await];
    let found = met(&doubles).await;
    assert!(found.nodes.is_none());
    assert!(found.answers[0].1.is_ok());
    assert_eq!(
        found.answers[1],
        (doubles[1].url.clone(), Err(VerifyError::ChainId { expected: 138, found: 139 }))
    );

    let doubles = [node(honest()).await, node(Says { genesis: 2, ..honest() }).await];
    let found = met(&doubles).await;
    assert!(found.nodes.is_none() && matches!(found.answers[1].1, Err(VerifyError::Genesis { .. })));
}

#[tokio::test]
async fn a_node_that_is_away_keeps_nobody_from_starting_and_gets_nothing() {
    let doubles = [Double::at("127.0.0.1:1".parse().unwrap()), node(honest()).await];
    let nodes = Arc::new(met(&doubles).await.nodes.unwrap());
    assert!(!nodes.is_reader(0) && nodes.is_reader(1) && nodes.is_up());
    let (raw, hash) = transaction();
    assert_eq!(nodes.broadcast(&raw, hash).await.outcome, SendOutcome::Accepted);
    assert!(met(&doubles[..1]).await.nodes.is_none());
}

#[tokio::test]
async fn a_node_that_is_only_sent_to_is_asked_its_chain_id_and_nothing_else() {
    let doubles = [node(honest()).await, node(honest()).await];
    let mut setups: Vec<_> = doubles.iter().map(setup).collect();
    setups[0].send_only = true;
    let nodes = Arc::new(meet(&setups, 138, None, Span::from_s(1)).await.unwrap().nodes.unwrap());
    nodes.identify(0).await.unwrap();
    let (raw, hash) = transaction();
    assert_eq!(nodes.broadcast(&raw, hash).await.outcome, SendOutcome::Accepted);
    assert_eq!(nodes.block_hash(9).await, Some(B256::repeat_byte(9)));
    let sends = heard(&doubles[0], "eth_sendRawTransaction");
    assert_eq!((sends, heard(&doubles[0], "eth_chainId"), doubles[0].requests()), (1, 2, 3));
}

#[tokio::test]
async fn a_refusal_by_one_node_does_not_undo_what_another_took() {
    let (raw, hash) = transaction();
    let fatal = Says { sent: Err((-32000, "intrinsic gas too low", Value::Null)), ..honest() };
    let unclear = Says { sent: Err((-32099, "the flux capacitor is out of phase", Value::Null)), ..honest() };
    for (says, expected) in [
        (vec![fatal.clone(), honest()], SendOutcome::Accepted),
        (vec![honest(), fatal.clone()], SendOutcome::Accepted),
        (vec![fatal.clone(), unclear.clone()], SendOutcome::Ambiguous),
        (vec![fatal.clone(), fatal.clone()], SendOutcome::Rejected),
    ] {
        let nodes = nodes(says).await;
        assert_eq!(nodes.broadcast(&raw, hash).await.outcome, expected);
    }
}

/// Without it the dearest node would set the price, although one that takes the bytes is enough.
#[tokio::test]
async fn the_least_fee_that_any_node_names_is_enough() {
    let (raw, hash) = transaction();
    let names = |minimum: &'static str| Says { sent: Err((-32000, minimum, Value::Null)), ..honest() };
    let dear = names("transaction underpriced: minimum needed 90 gwei");
    let cheap = names("transaction underpriced: minimum needed 7 gwei");
    for (says, expected) in [
        (vec![dear.clone(), cheap.clone()], Some(7)),
        (vec![cheap.clone(), names("already known")], None),
        (vec![cheap, names("transaction underpriced")], None),
    ] {
        let answered = nodes(says).await.broadcast(&raw, hash).await;
        assert_eq!(answered.minimum, expected.map(|gwei: u128| FeeMinimum::Price(gwei * 1_000_000_000)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_node_that_is_silent_is_not_waited_for_and_counts_as_unclear() {
    let (raw, hash) = transaction();
    let fatal = Says { sent: Err((-32000, "intrinsic gas too low", Value::Null)), ..honest() };
    let slow = Double::http(|question| {
        let result = match question["method"].as_str() {
            Some("eth_chainId") => json!("0x8a"),
            Some("eth_getBlockByNumber") => block(0, 1),
            _ => {
                std::thread::sleep(Duration::from_millis(2500));
                json!(transaction().1)
            }
        };
        crate::chain::double::json_body(&crate::chain::double::result(question, result))
    });
    let doubles = [slow.await, node(fatal).await];
    let nodes = Arc::new(met(&doubles).await.nodes.unwrap());
    let began = Instant::now();
    let outcome = nodes.broadcast(&raw, hash).await.outcome;
    assert_eq!(outcome, SendOutcome::Ambiguous);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(heard(&doubles[0], "eth_sendRawTransaction"), 1);
}

#[tokio::test]
async fn a_node_with_another_hash_or_a_closed_pool_is_left_out_from_then_on() {
    let (raw, hash) = transaction();
    for (sent, standing) in [
        (Ok(B256::repeat_byte(3)), Standing::Quarantined),
        (Err((-32000, "node is syncing", Value::Null)), Standing::Unready),
    ] {
        let doubles = [node(Says { sent, ..honest() }).await, node(honest()).await];
        let nodes = Arc::new(met(&doubles).await.nodes.unwrap());
        assert_eq!(nodes.broadcast(&raw, hash).await.outcome, SendOutcome::Accepted);
        assert_eq!(nodes.overview()[0].standing, standing);
        assert!(nodes.is_reader(1));
        nodes.broadcast(&raw, hash).await;
        let sends = [0, 1].map(|node: usize| heard(&doubles[node], "eth_sendRawTransaction"));
        assert_eq!(sends, [1, 2]);
    }
}

#[tokio::test]
async fn a_nonce_that_only_one_node_claims_is_no_view() {
    assert_eq!(view(vec![honest(), honest()]).await.unwrap().mined_nonce, 7);
    assert_eq!(view(vec![honest(), Says { nonce: Ok(8), ..honest() }]).await, None);
    // Who does not know the block has no vote, and one vote is too few where there could be two.
    let unknown = Says { nonce: Err((-32000, "header not found", Value::Null)), receipt: None, ..honest() };
    assert_eq!(view(vec![unknown.clone(), honest()]).await, None);
    let seen = view(vec![unknown.clone(), honest(), honest()]).await.unwrap();
    assert_eq!(seen.mined_nonce, 7);
    assert!(matches!(seen.receipts[0].1, ReceiptAnswer::Found(_)));
    assert_eq!(view(vec![unknown.clone(), unknown]).await, None);
}

#[tokio::test]
async fn a_receipt_is_believed_if_the_blocks_of_those_who_have_none_hold_the_transaction() {
    let hides = Says { receipt: None, ..honest() };
    let lacks = Says { receipt: None, holds: false, ..honest() };
    assert!(is_found(receipt(vec![honest(), honest()]).await));
    assert!(is_found(receipt(vec![hides.clone(), honest()]).await));
    assert_eq!(receipt(vec![lacks.clone(), honest()]).await, Some(ReceiptAnswer::Unknown));
    assert_eq!(
        receipt(vec![honest(), Says { receipt: Some(6), ..honest() }]).await,
        Some(ReceiptAnswer::Unknown)
    );
    assert_eq!(receipt(vec![lacks.clone(), lacks.clone()]).await, Some(ReceiptAnswer::Absent));
    assert_eq!(receipt(vec![lacks]).await, Some(ReceiptAnswer::Absent));
}

#[tokio::test]
async fn a_block_is_told_only_if_no_node_has_another() {
    let at = |block| Says { block, ..honest() };
    for (says, expected) in [
        (vec![at(Some(9))], Some(9)),
        (vec![at(Some(9)), at(Some(9))], Some(9)),
        (vec![at(None), at(Some(9))], None),
        (vec![at(None), at(Some(9)), at(Some(9))], Some(9)),
        (vec![at(Some(9)), at(Some(8))], None),
        (vec![at(None), at(None)], None),
    ] {
        assert_eq!(nodes(says).await.block_hash(9).await, expected.map(B256::repeat_byte));
    }
}

/// Without this a node that makes blocks up is believed.
#[tokio::test]
async fn a_block_is_shared_if_another_node_has_the_very_same() {
    let nine = BlockRef { number: 9, hash: B256::repeat_byte(9), parent: B256::ZERO, time: Wall::from_s(1) };
    let others = |blocks: &[Option<u8>]| {
        let others = blocks.iter().map(|block| Says { block: *block, ..honest() });
        std::iter::once(honest()).chain(others).collect::<Vec<_>>()
    };
    for (blocks, expected) in [
        (&[][..], true),
        (&[Some(9)], true),
        (&[Some(8)], false),
        (&[None], false),
        (&[Some(8), Some(9)], true),
    ] {
        assert_eq!(nodes(others(blocks)).await.is_shared(0, &[nine]).await, expected, "{blocks:?}");
    }
    let nodes = nodes(others(&[Some(9)])).await;
    for lie in [
        BlockRef { number: 10, ..nine },
        BlockRef { parent: nine.hash, ..nine },
        BlockRef { time: Wall::from_s(2), ..nine },
    ] {
        assert!(!nodes.is_shared(0, &[nine, lie]).await, "{lie:?}");
    }
}

#[tokio::test]
async fn a_block_is_as_final_as_the_most_cautious_node_says() {
    let says = |block| Says { block, ..honest() };
    let (seven, twelve) = ((7, B256::repeat_byte(7)), (12, B256::repeat_byte(12)));
    for (other, own, expected) in [
        (Some(9), Some(twelve), Some((9, B256::repeat_byte(9)))),
        (Some(9), Some(seven), Some(seven)),
        (None, Some(twelve), None),
        (Some(9), None, None),
    ] {
        let nodes = nodes(vec![honest(), says(other)]).await;
        assert_eq!(nodes.tagged(0, Tag::Finalized, own).await, expected);
    }
    assert_eq!(nodes(vec![honest()]).await.tagged(0, Tag::Finalized, Some(twelve)).await, Some(twelve));
}

#[tokio::test]
async fn nodes_at_one_address_are_told_apart() {
    let double = node(honest()).await;
    let one = setup(&double);
    let other = NodeSetup { url: format!("{}/key", double.url).parse().unwrap(), ..one.clone() };
    let met = meet(&[one, other], 138, None, Span::from_s(1)).await.unwrap();
    let names: Vec<_> = met.answers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [format!("{} (rpc[0])", double.url), format!("{} (rpc[1])", double.url)]);
}
