//! One call with the faults that befall it.

use alloy::primitives::{Bytes, hex, keccak256};
use serde_json::{Value, json};

use super::fault::RpcFault;
use super::personality::Personality;
use super::{Shared, rpc_error};

/// What becomes of the whole HTTP answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spoiled {
    HangUp,
    Html502,
    RateLimited { retry_after_s: Option<u64> },
    Empty,
    Truncated,
}

/// A call of a batch, or the only one.
#[derive(Debug)]
pub(crate) struct Element {
    call: Value,
    method: String,
    faults: Vec<RpcFault>,
}

impl Element {
    /// Draws the faults of the call.
    pub(crate) fn new(shared: &Shared, call: Value) -> Self {
        let method = call.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let faults = shared.befall(&method);
        Self { call, method, faults }
    }

    pub(crate) fn delay_ms(&self) -> u64 {
        let delay = |fault: &RpcFault| if let RpcFault::Delay { ms } = fault { *ms } else { 0 };
        self.faults.iter().map(delay).fold(0, u64::saturating_add)
    }

    /// A fault that leaves nothing to forward.
    pub(crate) fn spoiled_before(&self) -> Option<Spoiled> {
        self.faults.iter().find_map(|fault| match fault {
            RpcFault::DropBefore => Some(Spoiled::HangUp),
            RpcFault::Html502 => Some(Spoiled::Html502),
            RpcFault::RateLimited429 { retry_after_s } => {
                Some(Spoiled::RateLimited { retry_after_s: *retry_after_s })
            }
            _ => None,
        })
    }

    /// A fault that lets the node act and loses its answer.
    pub(crate) fn spoiled_after(&self) -> Option<Spoiled> {
        self.faults.iter().find_map(|fault| match fault {
            RpcFault::DropAfterForward => Some(Spoiled::HangUp),
            RpcFault::EmptyBody => Some(Spoiled::Empty),
            RpcFault::Truncate => Some(Spoiled::Truncated),
            _ => None,
        })
    }

    fn stale_head(&self) -> Option<&RpcFault> {
        self.faults.iter().find(|fault| matches!(fault, RpcFault::StaleHead { .. }))
    }

    /// Whether the call is about a block that a node which lags has not seen yet.
    async fn is_of_the_future(&self, shared: &Shared) -> bool {
        let Some(RpcFault::StaleHead { block }) = self.stale_head() else { return false };
        let params = self.call.get("params").and_then(Value::as_array).into_iter().flatten();
        let Some(hash) = params.filter_map(|param| param.get("blockHash")).next() else { return false };
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByHash", "params": [hash, false]});
        let found = shared.forward(&ask).await;
        let number = found.as_ref().and_then(|answer| answer.pointer("/result/number")).and_then(hex_number);
        number > block.get("number").and_then(hex_number)
    }

    /// The answer to this call; `None` when the upstream gave none.
    pub(crate) async fn answer(mut self, shared: &Shared) -> Option<Value> {
        if self.is_of_the_future(shared).await {
            return Some(rpc_error(self.id(), -32_000, "header not found"));
        }
        if let Some(answer) = self.invented(shared).await {
            return Some(answer);
        }
        for fault in &self.faults {
            if let RpcFault::StaleHead { block } = fault {
                live_in_the_past(&mut self.call, &self.method, block);
            }
        }
        let client = shared.memory().client;
        let instead = self.faults.iter().find_map(|fault| self.instead_of_forwarding(fault, client));
        let mut answer = match instead {
            Some(answer) => answer,
            None => {
                if self.faults.contains(&RpcFault::Duplicate) {
                    shared.ask(&self.call).await;
                }
                shared.ask(&self.call).await?
            }
        };
        for fault in &self.faults {
            self.falsify(fault, &mut answer);
        }
        if self.faults.contains(&RpcFault::ForgedReceipt)
            && self.method == "eth_getTransactionReceipt"
            && answer.get("result").is_some_and(Value::is_null)
        {
            put(&mut answer, "result", self.forged_receipt(shared).await?);
        }
        Some(answer)
    }

    /// The answer of a node that makes blocks up, where the call is about one of them.
    async fn invented(&mut self, shared: &Shared) -> Option<Value> {
        let (fork, ahead) = self.faults.iter().find_map(|fault| match fault {
            RpcFault::Invents { fork, ahead } => Some((fork.clone(), *ahead)),
            _ => None,
        })?;
        let real = fork.get("number").and_then(hex_number)?;
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []});
        let top = shared.forward(&ask).await?.get("result").and_then(hex_number)? + ahead;
        let hash = |number: u64| keccak256(format!("invented {number}"));
        let is_invented = |said: &Value| (real + 1..=top).find(|number| json!(hash(*number)) == *said);
        let block = |number: u64| {
            let time = fork.get("timestamp").and_then(hex_number).unwrap_or_default() + (number - real);
            let mut block = fork.clone();
            put(&mut block, "number", json!(format!("{number:#x}")));
            put(&mut block, "hash", json!(hash(number)));
            put(&mut block, "timestamp", json!(format!("{time:#x}")));
            put(&mut block, "transactions", json!([]));
            let parent =
                if number == real + 1 { fork.get("hash").cloned() } else { Some(json!(hash(number - 1))) };
            put(&mut block, "parentHash", parent.unwrap_or_default());
            block
        };
        let asked = |place: usize| self.call.get("params").and_then(|params| params.get(place));
        match self.method.as_str() {
            "eth_blockNumber" => Some(self.result(format!("{top:#x}"))),
            "eth_getBlockByNumber" => {
                let number = match asked(0)?.as_str()? {
                    "latest" | "pending" => top,
                    _ => hex_number(asked(0)?)?,
                };
                (real < number && number <= top).then(|| self.result(block(number)))
            }
            "eth_getBlockByHash" => is_invented(asked(0)?).map(|number| self.result(block(number))),
            "eth_getTransactionCount" => {
                is_invented(asked(1)?.get("blockHash")?).map(|_| self.result("0x63"))
            }
            "eth_call" => {
                is_invented(asked(1)?.get("blockHash")?)?;
                *self.call.get_mut("params")?.get_mut(1)? = json!("latest");
                None
            }
            _ => None,
        }
    }

    /// A receipt for the transaction asked about, in the newest block, which does not hold it.
    async fn forged_receipt(&self, shared: &Shared) -> Option<Value> {
        let ask =
            json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", false]});
        let block = shared.forward(&ask).await?;
        let of = |field: &str| block.pointer(&format!("/result/{field}")).cloned();
        Some(json!({
            "transactionHash": self.call.pointer("/params/0")?, "blockHash": of("hash")?,
            "blockNumber": of("number")?, "status": "0x1", "gasUsed": "0x5208",
        }))
    }

    fn id(&self) -> &Value {
        self.call.get("id").unwrap_or(&Value::Null)
    }

    fn result(&self, result: impl Into<Value>) -> Value {
        json!({"jsonrpc": "2.0", "id": self.id(), "result": result.into()})
    }

    /// The answer of a proxy that keeps the call to itself.
    fn instead_of_forwarding(&self, fault: &RpcFault, client: Option<&'static Personality>) -> Option<Value> {
        match (fault, self.method.as_str()) {
            (RpcFault::Refuses(refused), "eth_sendRawTransaction") => {
                let (code, words) = client?.words(*refused)?;
                Some(rpc_error(self.id(), code, words))
            }
            (RpcFault::FalseSuccess, "eth_sendRawTransaction") => {
                let raw = raw_transaction(&self.call)?;
                Some(self.result(keccak256(raw).to_string()))
            }
            (RpcFault::HideReceipt, "eth_getTransactionReceipt" | "eth_getBlockReceipts") => {
                Some(self.result(Value::Null))
            }
            (RpcFault::ReceiptIndexing, "eth_getTransactionReceipt") => {
                Some(rpc_error(self.id(), -32_000, "transaction indexing is in progress"))
            }
            (RpcFault::ChainId(id), "eth_chainId") => Some(self.result(format!("{id:#x}"))),
            (RpcFault::ChainId(id), "net_version") => Some(self.result(id.to_string())),
            (RpcFault::Nonce(nonce), "eth_getTransactionCount") => Some(self.result(format!("{nonce:#x}"))),
            (RpcFault::Estimate(gas), "eth_estimateGas") => Some(self.result(format!("{gas:#x}"))),
            (RpcFault::Refusal { code, message }, _) => Some(rpc_error(self.id(), *code, message)),
            (RpcFault::UnknownError { forwarded: false }, _) => Some(unknown_error(self.id())),
            (RpcFault::StaleHead { block }, "eth_blockNumber") => {
                Some(self.result(block.get("number").cloned().unwrap_or_default()))
            }
            (RpcFault::StaleHead { block }, "eth_getBlockByNumber") => {
                let wanted = self.call.pointer("/params/0").and_then(hex_number);
                let newest = block.get("number").and_then(hex_number)?;
                match wanted {
                    Some(number) if number == newest => Some(self.result(block.clone())),
                    Some(number) if number > newest => Some(self.result(Value::Null)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What the proxy changes in an answer.
    fn falsify(&self, fault: &RpcFault, answer: &mut Value) {
        match (fault, self.method.as_str()) {
            (RpcFault::WrongId, _) => {
                let wrong = self.id().as_u64().map_or(json!("another"), |id| json!(id.wrapping_add(1)));
                put(answer, "id", wrong);
            }
            (RpcFault::ForeignHash, "eth_sendRawTransaction") => {
                if let Some(hash) = answer.get("result").and_then(Value::as_str) {
                    let foreign = keccak256(hash).to_string();
                    put(answer, "result", foreign.into());
                }
            }
            (RpcFault::UnknownError { forwarded: true }, _) => *answer = unknown_error(self.id()),
            (RpcFault::StaleHead { block }, "eth_getTransactionReceipt" | "eth_getBlockByHash") => {
                let later =
                    answer.pointer("/result/blockNumber").or_else(|| answer.pointer("/result/number"));
                if later.and_then(hex_number) > block.get("number").and_then(hex_number) {
                    put(answer, "result", Value::Null);
                }
            }
            _ => {}
        }
    }
}

/// The calls of one request reach one node: if it lags for the first of them, it does for all.
pub(crate) fn answer_from_one_node(elements: &mut [Element]) {
    let stale = elements.first().and_then(Element::stale_head).cloned();
    for element in elements.iter_mut().skip(1) {
        element.faults.retain(|fault| !matches!(fault, RpcFault::StaleHead { .. }));
        element.faults.extend(stale.clone());
    }
}

fn put(answer: &mut Value, field: &str, value: Value) {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn unknown_error(id: &Value) -> Value {
    rpc_error(id, -32_099, "the flux capacitor is out of phase")
}

pub(crate) fn hex_number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// The first parameter of a call as bytes.
pub(crate) fn raw_transaction(call: &Value) -> Option<Bytes> {
    let text = call.pointer("/params/0")?.as_str()?;
    hex::decode(text).ok().map(Bytes::from)
}

/// Lets a call about the newest state ask about the state of the remembered block.
fn live_in_the_past(call: &mut Value, method: &str, block: &Value) {
    let position = match method {
        "eth_getBlockByNumber" => 0,
        "eth_call"
        | "eth_estimateGas"
        | "eth_getTransactionCount"
        | "eth_getBalance"
        | "eth_getCode"
        | "eth_feeHistory" => 1,
        "eth_getStorageAt" => 2,
        _ => return,
    };
    let Some(number) = block.get("number").cloned() else { return };
    let Some(parameters) = call.get_mut("params").and_then(Value::as_array_mut) else { return };
    if parameters.len() == position {
        parameters.push(number);
    } else if let Some(tag) = parameters.get_mut(position)
        && (tag == "latest" || tag == "pending")
    {
        *tag = number;
    }
}
