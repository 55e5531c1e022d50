//! The transaction pool of a client that the node behind the proxy is not.
//!
//! It stands before the node's own pool, which is laxer than any client's: it refuses what the client refuses, in its
//! words, takes what the client replaces out of the node's pool, and gives back what a reorg took. While it is held,
//! nothing that it takes reaches a block.
//!
//! Invariants: at most one transaction waits for each nonce of an account; the node is given none that the client would
//! have refused.

use std::collections::{BTreeMap, HashMap, HashSet};

use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, keccak256};
use serde_json::{Value, json};

use super::element::{hex_number, raw_transaction};
use super::personality::{Offer, Personality, Refused, Tags};
use super::{Shared, rpc_error};

/// No reorg of a test is deeper.
const REORG_MAX: usize = 64;

/// What the node says, and which refusal of a client that is. Its other words pass as they are.
const UPSTREAM_WORDS: [(&str, Refused); 4] = [
    ("already imported", Refused::Known),
    ("nonce too low", Refused::NonceUsed),
    ("nsufficient funds", Refused::Funds),
    ("replacement transaction underpriced", Refused::Replacement),
];

/// A transaction and who made it.
#[derive(Clone, Debug)]
struct Waiting {
    hash: B256,
    raw: Bytes,
    account: Address,
    nonce: u64,
    offer: Offer,
}

/// A block of the node as it was when it was met.
#[derive(Debug)]
struct Met {
    hash: B256,
    transactions: Vec<B256>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Pool {
    client: &'static Personality,
    held: bool,
    waiting: BTreeMap<(Address, u64), Waiting>,
    /// Everything that was ever taken.
    taken: HashMap<B256, Waiting>,
    /// The canonical chain, its newest block last.
    met: Vec<Met>,
}

impl Pool {
    pub(crate) fn new(client: &'static Personality) -> Self {
        Self { client, held: false, waiting: BTreeMap::new(), taken: HashMap::new(), met: Vec::new() }
    }

    /// Nothing that is taken from now on reaches the node.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Gives the node all that waits.
    pub(crate) async fn release(&mut self, shared: &Shared) {
        self.held = false;
        for waiting in self.waiting.values() {
            give(shared, &waiting.raw).await;
        }
    }

    /// Takes a transaction that nobody sent through the proxy, and keeps it from the node.
    pub(crate) fn plant(&mut self, raw: &Bytes) -> Option<()> {
        let waiting = Waiting::of(raw)?;
        self.waiting.insert((waiting.account, waiting.nonce), waiting);
        Some(())
    }

    /// The answer of this client to a call; `None` when the node gave none.
    pub(crate) async fn answer(&mut self, shared: &Shared, call: &Value) -> Option<Value> {
        let id = call.get("id").unwrap_or(&Value::Null);
        match call.get("method").and_then(Value::as_str) {
            Some("web3_clientVersion") => {
                Some(json!({"jsonrpc": "2.0", "id": id, "result": self.client.version}))
            }
            Some("eth_sendRawTransaction") => match raw_transaction(call).as_ref().and_then(Waiting::of) {
                Some(sent) => self.send(shared, call, sent).await,
                None => Some(self.refusal(id, Refused::Undecodable, 0, 0)),
            },
            _ => {
                let call = match self.named_blocks(shared, call).await? {
                    Ok(call) => call,
                    Err(answer) => return Some(answer),
                };
                let answer = shared.forward(&call).await?;
                // Afterwards, so that whoever learns of a reorg here meets a pool that knows of it.
                if call.pointer("/params/0") == Some(&json!("latest")) {
                    self.follow(shared).await?;
                }
                Some(answer)
            }
        }
    }

    async fn send(&mut self, shared: &Shared, call: &Value, sent: Waiting) -> Option<Value> {
        let id = call.get("id").unwrap_or(&Value::Null);
        let asked = [json!(sent.account), json!("latest")];
        let next = hex_number(&result(shared, "eth_getTransactionCount", &asked).await?)?;
        let refused = |refused| Some(self.refusal(id, refused, next, sent.nonce));
        if sent.nonce < next {
            return refused(Refused::NonceUsed);
        }
        let place = (sent.account, sent.nonce);
        if let Some(old) = self.waiting.get(&place) {
            if old.hash == sent.hash {
                return refused(Refused::Known);
            }
            let head = result(shared, "eth_getBlockByNumber", &[json!("latest"), json!(false)]).await?;
            let base_fee_wei = head.get("baseFeePerGas").and_then(hex_number).unwrap_or_default();
            if !self.client.replacement.takes(old.offer, sent.offer, base_fee_wei.into()) {
                return refused(Refused::Replacement);
            }
            if sent.offer.cap_wei <= old.offer.cap_wei {
                // The node would not take it, whatever the client thinks of it.
                result(shared, "anvil_dropTransaction", &[json!(old.hash)]).await?;
            }
        }
        let answer = match self.held {
            true => json!({"jsonrpc": "2.0", "id": id, "result": sent.hash}),
            false => shared.forward(call).await?,
        };
        if let Some(error) = answer.pointer("/error/message").and_then(Value::as_str) {
            let known = UPSTREAM_WORDS.iter().find(|(words, _)| error.contains(words));
            return Some(
                known.map_or(answer.clone(), |(_, reason)| self.refusal(id, *reason, next, sent.nonce)),
            );
        }
        self.taken.insert(sent.hash, sent.clone());
        self.waiting.insert(place, sent);
        Some(answer)
    }

    /// A refusal in this client's words.
    fn refusal(&self, id: &Value, refused: Refused, next: u64, nonce: u64) -> Value {
        match self.client.words(refused) {
            Some((code, words)) => {
                let words = words.replace("{next}", &next.to_string()).replace("{nonce}", &nonce.to_string());
                rpc_error(id, code, &words)
            }
            None => rpc_error(id, -32_603, &format!("{} knows no {refused:?}", self.client.name)),
        }
    }

    /// The call with blocks by names that the node understands as this client does, or this client's answer.
    async fn named_blocks(&self, shared: &Shared, call: &Value) -> Option<Result<Value, Value>> {
        let mut call = call.clone();
        let id = call.get("id").cloned().unwrap_or_default();
        let params = call.get_mut("params").and_then(Value::as_array_mut);
        for param in params.into_iter().flatten() {
            match (param.as_str(), self.client.tags) {
                (Some("pending"), _) if self.client.pending_is_latest => *param = json!("latest"),
                (Some("safe" | "finalized"), Tags::Unknown(code, words)) => {
                    return Some(Err(rpc_error(&id, code, words)));
                }
                (Some(name @ ("safe" | "finalized")), Tags::Behind { safe, finalized }) => {
                    let behind = if name == "safe" { safe } else { finalized };
                    let height = hex_number(&result(shared, "eth_blockNumber", &[]).await?)?;
                    *param = json!(format!("{:#x}", height.saturating_sub(behind)));
                }
                _ => {}
            }
        }
        Some(Ok(call))
    }

    /// Follows the node's chain: what was mined waits no longer, what was taken back waits again.
    async fn follow(&mut self, shared: &Shared) -> Option<()> {
        let mut block = result(shared, "eth_getBlockByNumber", &[json!("latest"), json!(false)]).await?;
        let mut new = Vec::new();
        let fork = loop {
            let hash: B256 = block.get("hash")?.as_str()?.parse().ok()?;
            if let Some(place) = self.met.iter().rposition(|met| met.hash == hash) {
                break place + 1;
            }
            let transactions = block.get("transactions")?.as_array()?;
            let transactions = transactions.iter().filter_map(|hash| hash.as_str()?.parse().ok()).collect();
            new.push(Met { hash, transactions });
            if new.len() == REORG_MAX || self.met.is_empty() {
                break 0;
            }
            block = result(shared, "eth_getBlockByHash", &[block.get("parentHash")?.clone(), json!(false)])
                .await?;
            if block.is_null() {
                break 0;
            }
        };
        let mined: HashSet<B256> = new.iter().flat_map(|met| &met.transactions).copied().collect();
        let orphans: Vec<Met> = self.met.drain(fork..).collect();
        self.met.extend(new.into_iter().rev());
        let orphaned =
            orphans.into_iter().flat_map(|met| met.transactions).filter(|hash| !mined.contains(hash));
        let orphaned: Vec<Waiting> = orphaned.filter_map(|hash| self.taken.get(&hash).cloned()).collect();
        for hash in mined {
            if let Some(mined) = self.taken.get(&hash) {
                self.waiting.remove(&(mined.account, mined.nonce));
            }
        }
        if self.client.repools {
            for orphan in orphaned {
                give(shared, &orphan.raw).await;
                self.waiting.entry((orphan.account, orphan.nonce)).or_insert(orphan);
            }
        }
        Some(())
    }
}

impl Waiting {
    fn of(raw: &Bytes) -> Option<Self> {
        let transaction = TxEnvelope::decode_2718_exact(raw).ok()?;
        Some(Self {
            hash: keccak256(raw),
            raw: raw.clone(),
            account: transaction.recover_signer().ok()?,
            nonce: transaction.nonce(),
            offer: Offer::of(&transaction),
        })
    }
}

/// Puts a transaction into the node's pool; a node that has it already says so.
async fn give(shared: &Shared, raw: &Bytes) {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]});
    shared.forward(&call).await;
}

/// The node's answer to a question of the pool's own.
async fn result(shared: &Shared, method: &str, params: &[Value]) -> Option<Value> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    shared.forward(&call).await?.get("result").cloned()
}
