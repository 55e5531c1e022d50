//! The genesis files of the networks, as go-ethereum's family of clients reads them.

use super::{ALLOWANCE_WEI, GAS_LIMIT, Kind, RICH};
use alloy::primitives::{Address, hex};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The chain beneath a rollup.
const BENEATH_ID: u64 = 900;
/// So much older is the first block beneath than the rollup's, which may not come before it.
const BENEATH_AGE_S: u64 = 60;
/// The usual parameters of EIP-1559 on the OP Stack: what a base fee changes by at most, as its fraction, and how much
/// larger blocks may be than they should.
const DENOMINATOR: u32 = 250;
const ELASTICITY: u32 = 6;
/// The fork times of the OP Stack up to the one that these programs know best.
const OP_FORKS: [&str; 7] = ["regolith", "canyon", "ecotone", "fjord", "granite", "holocene", "isthmus"];

/// The genesis of a network whose blocks these accounts make.
pub(super) fn genesis(kind: Kind, makers: &[Address]) -> Result<Value> {
    let mut config = json!({ "chainId": 138 });
    let mut file = json!({
        "gasLimit": format!("{GAS_LIMIT:#x}"),
        "difficulty": "0x1",
        "alloc": RICH.iter().filter_map(|key| PrivateKeySigner::from_slice(key).ok())
            .map(|key| (key.address().to_string(), json!({ "balance": format!("{ALLOWANCE_WEI:#x}") })))
            .collect::<serde_json::Map<_, _>>(),
    });
    let forks =
        ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul"];
    for fork in forks {
        config[format!("{fork}Block")] = json!(0);
    }
    match kind {
        Kind::Hardhat => {}
        Kind::Geth | Kind::OpStack => {
            for fork in ["berlin", "london", "mergeNetsplit"] {
                config[format!("{fork}Block")] = json!(0);
            }
            config["terminalTotalDifficulty"] = json!(0);
            config["shanghaiTime"] = json!(0);
            config["cancunTime"] = json!(0);
            // Nobody has ever mined here.
            file["difficulty"] = json!("0x0");
            if kind == Kind::OpStack {
                op_stack(&mut config, &mut file)?;
            } else {
                config["blobSchedule"] =
                    json!({ "cancun": { "target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477 } });
            }
        }
        Kind::Clique => {
            config["berlinBlock"] = json!(0);
            config["londonBlock"] = json!(0);
            config["clique"] = json!({ "period": 1, "epoch": 30_000 });
            // EIP-225: 32 bytes of anything, the sealers, 65 bytes for the seal.
            let sealers: Vec<u8> = makers.iter().flat_map(|maker| maker.0).collect();
            file["extraData"] = json!(hex::encode_prefixed([&[0; 32][..], &sealers, &[0; 65]].concat()));
        }
        Kind::Qbft => {
            config["isQuorum"] = json!(true);
            config["qbft"] = json!({ "policy": 0, "ceil2Nby3Block": 0, "epochLength": 30_000,
                "blockPeriodSeconds": 1, "requestTimeoutSeconds": 2 });
            config["transitions"] =
                json!([{ "block": 0, "transactionSizeLimit": 64, "contractSizeLimit": 64 }]);
            file["extraData"] = json!(hex::encode_prefixed(qbft_extra_data(makers)));
            // Istanbul's digest, by which a header is known to be sealed by validators.
            file["mixHash"] = json!("0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365");
        }
    }
    file["config"] = config;
    Ok(file)
}

/// What a chain of the OP Stack has besides.
fn op_stack(config: &mut Value, file: &mut Value) -> Result<()> {
    for fork in OP_FORKS {
        config[format!("{fork}Time")] = json!(0);
    }
    config["bedrockBlock"] = json!(0);
    config["pragueTime"] = json!(0);
    config["optimism"] = fee_parameters();
    file["timestamp"] = json!(format!("{:#x}", now_s()?));
    // Since Holocene a header names the parameters of its base fee, after a version.
    file["extraData"] = json!(format!("0x00{DENOMINATOR:08x}{ELASTICITY:08x}"));
    // Since Isthmus a header commits to the storage of the contract that takes withdrawals, which may not be empty.
    file["alloc"]["0x4200000000000000000000000000000000000016"] =
        json!({ "balance": "0x0", "nonce": "0x1", "storage": { word(0): word(1) } });
    Ok(())
}

/// The genesis file of the chain beneath a rollup, which go-ethereum makes alone.
pub(super) fn beneath() -> Result<Value> {
    let mut file = genesis(Kind::Geth, &[])?;
    file["config"]["chainId"] = json!(BENEATH_ID);
    file["timestamp"] = json!(format!("{:#x}", now_s()? - BENEATH_AGE_S));
    Ok(file)
}

/// What the rollup's clients agree on, from the first blocks of both chains. No contract stands beneath, because nobody
/// deposits, and a sequencer may stay away for a day before others speak for it.
pub(super) fn rollup(beneath: &Value, first: &Value, batcher: Address) -> Result<Value> {
    let time =
        first["timestamp"].as_str().and_then(|text| text.strip_prefix("0x")).context("no timestamp")?;
    let mut config = json!({
        "genesis": {
            "l1": { "hash": beneath["hash"], "number": 0 },
            "l2": { "hash": first["hash"], "number": 0 },
            "l2_time": u64::from_str_radix(time, 16)?,
            "system_config": {
                "batcherAddr": batcher,
                "gasLimit": GAS_LIMIT,
                "overhead": word(0),
                // Version 1, and no share of the fees beneath.
                "scalar": format!("0x01{:062x}", 0),
                "eip1559Params": format!("0x{DENOMINATOR:08x}{ELASTICITY:08x}"),
                "operatorFeeParams": word(0),
            },
        },
        "block_time": 1,
        "max_sequencer_drift": 1800,
        "seq_window_size": 43_200,
        "channel_timeout": 300,
        "l1_chain_id": BENEATH_ID,
        "l2_chain_id": 138,
        "delta_time": 0,
        "batch_inbox_address": Address::repeat_byte(0xba),
        "deposit_contract_address": Address::repeat_byte(0xde),
        "l1_system_config_address": Address::repeat_byte(0x5c),
        "chain_op_config": fee_parameters(),
    });
    for fork in OP_FORKS {
        config[format!("{fork}_time")] = json!(0);
    }
    Ok(config)
}

fn fee_parameters() -> Value {
    json!({ "eip1559Elasticity": ELASTICITY, "eip1559Denominator": 50, "eip1559DenominatorCanyon": DENOMINATOR })
}

fn word(number: u8) -> String {
    format!("{:#066x}", number)
}

fn now_s() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// RLP of 32 bytes of anything, the validators, no votes, round 0 and no seals. With four validators the lengths
/// take one byte each.
fn qbft_extra_data(validators: &[Address]) -> Vec<u8> {
    let addresses: Vec<u8> = validators.iter().flat_map(|v| [&[0x94], v.as_slice()].concat()).collect();
    let validators = [&list_head(addresses.len())[..], &addresses].concat();
    let content = [&[0xa0][..], &[0; 32], &validators, &[0xc0, 0x80, 0xc0]].concat();
    [&list_head(content.len())[..], &content].concat()
}

/// The head of an RLP list of 56 to 255 bytes.
fn list_head(length: usize) -> [u8; 2] {
    assert!((56..256).contains(&length), "a list of {length} bytes has another head");
    [0xf8, u8::try_from(length).unwrap_or_default()]
}
