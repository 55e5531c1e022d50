//! The proxy in front of a tiny node that remembers what reached it.

use std::time::Instant;

use axum::Json;

use super::*;

type Seen = Arc<Mutex<Vec<Value>>>;

/// The node's head.
const HEAD: u64 = 20;

struct World {
    client: reqwest::Client,
    seen: Seen,
    proxy: RpcProxy,
    node: Server,
}

fn block(number: u64) -> Value {
    json!({"number": format!("{number:#x}"), "hash": keccak256(number.to_be_bytes())})
}

fn height(hash: &Value) -> u64 {
    (0..=HEAD).find(|number| block(*number)["hash"] == *hash).unwrap()
}

async fn node(State(seen): State<Seen>, Json(call): Json<Value>) -> Json<Value> {
    seen.lock().unwrap().push(call.clone());
    let parameter = |position: usize| call["params"][position].as_str().unwrap_or_default().to_owned();
    let number = |text: &str| match text {
        "latest" | "pending" => HEAD,
        hex => u64::from_str_radix(hex.trim_start_matches("0x"), 16).unwrap(),
    };
    let result = match call["method"].as_str().unwrap() {
        "eth_chainId" => json!("0x7a69"),
        "eth_blockNumber" => json!(format!("{HEAD:#x}")),
        "eth_getBlockByNumber" => block(number(&parameter(0))),
        // The account's nonce grows by one each block.
        "eth_getTransactionCount" => match &call["params"][1] {
            Value::Object(block) => json!(format!("{:#x}", height(&block["blockHash"]))),
            _ => json!(format!("{:#x}", number(&parameter(1)))),
        },
        "eth_getBlockByHash" => block(height(&call["params"][0])),
        "eth_sendRawTransaction" => json!(keccak256(hex(&parameter(0)))),
        "eth_getTransactionReceipt" => json!({"blockNumber": "0x14", "status": "0x1"}),
        other => panic!("the node was asked for {other}"),
    };
    Json(json!({"jsonrpc": "2.0", "id": call["id"], "result": result}))
}

fn hex(text: &str) -> Vec<u8> {
    alloy::primitives::hex::decode(text).unwrap()
}

async fn world() -> World {
    let seen = Seen::default();
    let router = Router::new().route("/", post(node)).with_state(Arc::clone(&seen));
    let node = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), router).await.unwrap();
    let proxy = RpcProxy::start(&format!("http://{}", node.address())).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    World { client, seen, proxy, node }
}

impl World {
    async fn post(&self, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.client.post(self.proxy.url()).json(body).send().await
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 9, "method": method, "params": params});
        self.post(&call).await.unwrap().json().await.unwrap()
    }

    async fn result(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
    }

    fn send(raw: &str) -> Value {
        json!({"jsonrpc": "2.0", "id": 9, "method": "eth_sendRawTransaction", "params": [raw]})
    }

    /// How often a method reached the node.
    fn reached(&self, method: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|call| call["method"] == method).count()
    }
}

#[tokio::test]
async fn without_rules_everything_passes() {
    let world = world().await;
    assert_eq!(
        world.ask("eth_chainId", json!([])).await,
        json!({"jsonrpc": "2.0", "id": 9, "result": "0x7a69"})
    );
    let raw = "0x02c0ffee";
    assert_eq!(world.result("eth_sendRawTransaction", json!([raw])).await, json!(keccak256(hex(raw))));
    let forwarded = world.proxy.forwarded();
    assert_eq!(forwarded, [Forwarded { hash: keccak256(hex(raw)), raw: hex(raw).into() }]);
    assert_eq!(world.proxy.calls("eth_chainId"), 1);
    let broken = world.client.post(world.proxy.url()).body("{").send().await.unwrap();
    assert!(broken.text().await.unwrap().contains("-32700"));
}

#[tokio::test]
async fn lost_answers_differ_in_whether_the_node_acted() {
    let world = world().await;
    for (fault, acts) in [
        (RpcFault::DropBefore, 0),
        (RpcFault::Html502, 0),
        (RpcFault::RateLimited429 { retry_after_s: Some(3) }, 0),
        (RpcFault::FalseSuccess, 0),
        (RpcFault::UnknownError { forwarded: false }, 0),
        (RpcFault::UnknownError { forwarded: true }, 1),
        (RpcFault::DropAfterForward, 1),
        (RpcFault::EmptyBody, 1),
        (RpcFault::Truncate, 1),
        (RpcFault::ForeignHash, 1),
        (RpcFault::WrongId, 1),
        (RpcFault::Delay { ms: 1 }, 1),
        (RpcFault::Duplicate, 2),
    ] {
        world.proxy.clear();
        world.proxy.fault(Rule::new(fault.clone()).on("eth_sendRawTransaction").times(1));
        let before = (world.reached("eth_sendRawTransaction"), world.proxy.forwarded().len());
        let outcome = world.post(&World::send("0x01")).await;
        let after = (world.reached("eth_sendRawTransaction"), world.proxy.forwarded().len());
        assert_eq!((after.0 - before.0, after.1 - before.1), (acts, acts), "{fault:?}");

        let hash = keccak256(hex("0x01")).to_string();
        match fault {
            RpcFault::DropBefore | RpcFault::DropAfterForward => assert!(outcome.is_err()),
            RpcFault::Html502 => {
                let response = outcome.unwrap();
                assert_eq!(response.status(), 502);
                assert!(response.text().await.unwrap().starts_with("<html>"));
            }
            RpcFault::RateLimited429 { .. } => {
                let response = outcome.unwrap();
                assert_eq!(response.status(), 429);
                assert_eq!(response.headers()["retry-after"], "3");
            }
            RpcFault::EmptyBody => {
                let response = outcome.unwrap();
                assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, ""));
            }
            RpcFault::Truncate => assert!(outcome.unwrap().text().await.is_err()),
            RpcFault::UnknownError { .. } => {
                let answer: Value = outcome.unwrap().json().await.unwrap();
                assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(-32_099)));
            }
            RpcFault::ForeignHash => {
                let answer: Value = outcome.unwrap().json().await.unwrap();
                let told = answer["result"].as_str().unwrap();
                assert!(told.len() == 66 && told != hash, "{told}");
            }
            RpcFault::WrongId => {
                let answer: Value = outcome.unwrap().json().await.unwrap();
                assert_eq!((&answer["id"], &answer["result"]), (&json!(10), &json!(hash)));
            }
            _ => assert_eq!(outcome.unwrap().json::<Value>().await.unwrap()["result"], hash),
        }
        // The rule is spent.
        assert_eq!(
            world.result("eth_sendRawTransaction", json!(["0x02"])).await,
            json!(keccak256(hex("0x02")))
        );
    }
}

#[tokio::test]
async fn receipts_and_chain_ids_lie() {
    let world = world().await;
    let receipt = json!([keccak256("x")]);
    world.proxy.fault(Rule::new(RpcFault::HideReceipt).times(1));
    assert_eq!(world.result("eth_getTransactionReceipt", receipt.clone()).await, Value::Null);
    world.proxy.fault(Rule::new(RpcFault::ReceiptIndexing).times(1));
    let answer = world.ask("eth_getTransactionReceipt", receipt.clone()).await;
    assert_eq!(answer["error"], json!({"code": -32_000, "message": "transaction indexing is in progress"}));
    assert_eq!(world.result("eth_getTransactionReceipt", receipt).await["status"], "0x1");

    world.proxy.fault(Rule::new(RpcFault::ChainId(139)));
    assert_eq!(world.result("eth_chainId", json!([])).await, "0x8b");
    assert_eq!(world.result("net_version", json!([])).await, "139");
    assert_eq!(world.result("eth_blockNumber", json!([])).await, "0x14", "another method was touched");
}

#[tokio::test]
async fn receipts_nonces_and_words_are_made_up() {
    let world = world().await;
    let hash = keccak256("x");
    world.proxy.fault(Rule::new(RpcFault::ForgedReceipt));
    assert_eq!(
        world.result("eth_getTransactionReceipt", json!([hash])).await,
        json!({"blockNumber": "0x14", "status": "0x1"}),
        "a receipt that there is was replaced"
    );
    world.proxy.fault(Rule::new(RpcFault::HideReceipt));
    let forged = world.result("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&forged["transactionHash"], &forged["blockNumber"]), (&json!(hash), &json!("0x14")));
    assert_eq!(forged["blockHash"], block(HEAD)["hash"]);
    world.proxy.fault(Rule::new(RpcFault::Nonce(99)));
    assert_eq!(world.result("eth_getTransactionCount", json!([hash, "latest"])).await, "0x63");
    world.proxy.fault(Rule::new(RpcFault::Estimate(450_000)));
    assert_eq!(world.result("eth_estimateGas", json!([{}])).await, "0x6ddd0");
    let refusal = RpcFault::Refusal { code: -32_003, message: "no" };
    world.proxy.fault(Rule::new(refusal).on("eth_sendRawTransaction"));
    let answer: Value = world.post(&World::send("0x02c0ffee")).await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], json!({"code": -32_003, "message": "no"}));
    assert!(world.proxy.forwarded().is_empty() && world.reached("eth_sendRawTransaction") == 0);
}

#[tokio::test]
async fn a_stale_node_lives_in_the_past_in_every_respect() {
    let world = world().await;
    assert_eq!(world.proxy.head().await.unwrap(), block(HEAD));
    world.proxy.fault(Rule::new(RpcFault::StaleHead { block: block(15) }));
    assert_eq!(world.result("eth_blockNumber", json!([])).await, "0xf");
    assert_eq!(world.result("eth_getBlockByNumber", json!(["latest", false])).await, block(15));
    assert_eq!(world.result("eth_getBlockByNumber", json!(["0xe", false])).await, block(14));
    assert_eq!(world.result("eth_getBlockByNumber", json!(["0x10", false])).await, Value::Null);
    let account = "0x1111111111111111111111111111111111111111";
    assert_eq!(world.result("eth_getTransactionCount", json!([account, "latest"])).await, "0xf");
    assert_eq!(world.result("eth_getTransactionCount", json!([account])).await, "0xf");
    assert_eq!(world.result("eth_getTransactionCount", json!([account, "0x3"])).await, "0x3");
    assert_eq!(world.result("eth_getTransactionReceipt", json!([keccak256("x")])).await, Value::Null);
    let at = |number: u64| json!([account, {"blockHash": keccak256(number.to_be_bytes())}]);
    assert_eq!(world.ask("eth_getTransactionCount", at(16)).await["error"]["message"], "header not found");
    assert_eq!(world.result("eth_getTransactionCount", at(15)).await, "0xf");
    world.proxy.clear();
    assert_eq!(world.result("eth_blockNumber", json!([])).await, "0x14");
}

#[tokio::test]
async fn a_batch_is_answered_by_one_node() {
    let world = world().await;
    let call = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "eth_blockNumber", "params": []});
    let batch = Value::Array((0..6).map(call).collect());
    world.proxy.fault(Rule::new(RpcFault::StaleHead { block: block(15) }).at_random(50, 3));
    let mut heads = Vec::new();
    for _ in 0..12 {
        let answers: Value = world.post(&batch).await.unwrap().json().await.unwrap();
        let mut told: Vec<_> =
            answers.as_array().unwrap().iter().map(|one| one["result"].to_string()).collect();
        told.dedup();
        assert_eq!(told.len(), 1, "{answers}");
        heads.append(&mut told);
    }
    heads.sort();
    heads.dedup();
    assert_eq!(heads.len(), 2, "both nodes were met");
}

#[tokio::test]
async fn batches_are_treated_call_by_call() {
    let world = world().await;
    let call = |id: u64, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let batch = json!([
        call(1, "eth_chainId", json!([])),
        call(2, "eth_getTransactionReceipt", json!([keccak256("x")])),
        call(3, "eth_blockNumber", json!([])),
    ]);
    world.proxy.fault(Rule::new(RpcFault::HideReceipt).on("eth_getTransactionReceipt"));
    let answers: Value = world.post(&batch).await.unwrap().json().await.unwrap();
    let results: Vec<_> =
        answers.as_array().unwrap().iter().map(|one| (&one["id"], &one["result"])).collect();
    assert_eq!(
        results,
        [(&json!(1), &json!("0x7a69")), (&json!(2), &Value::Null), (&json!(3), &json!("0x14"))]
    );

    // One call's closed connection is everybody's, and nothing may have gone through.
    let before = world.seen.lock().unwrap().len();
    world.proxy.fault(Rule::new(RpcFault::DropBefore).on("eth_blockNumber"));
    assert!(world.post(&batch).await.is_err());
    assert_eq!(world.seen.lock().unwrap().len(), before);
}

#[tokio::test]
async fn chance_is_seeded_and_delays_delay() {
    let draw = async |seed: u64| {
        let world = world().await;
        world.proxy.fault(Rule::new(RpcFault::ChainId(1)).on("eth_chainId").at_random(30, seed));
        let mut drawn = Vec::new();
        for _ in 0..60 {
            drawn.push(world.result("eth_chainId", json!([])).await == "0x1");
        }
        drawn
    };
    let first = draw(4).await;
    assert_eq!(first, draw(4).await);
    assert_ne!(first, draw(5).await);
    let hits = first.iter().filter(|hit| **hit).count();
    assert!((6..=32).contains(&hits), "{hits} of 60 at 30 percent");

    let world = world().await;
    world.proxy.fault(Rule::new(RpcFault::Delay { ms: 150 }).times(1));
    let began = Instant::now();
    world.result("eth_chainId", json!([])).await;
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn another_node_can_take_the_place() {
    let (first, second) = (world().await, world().await);
    first.result("eth_chainId", json!([])).await;
    first.proxy.set_upstream(&format!("http://{}", second.node.address()));
    first.result("eth_chainId", json!([])).await;
    assert_eq!((first.reached("eth_chainId"), second.reached("eth_chainId")), (1, 1));
    first.proxy.set_upstream("http://127.0.0.1:1");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []});
    assert_eq!(first.post(&call).await.unwrap().status(), 502);
}
