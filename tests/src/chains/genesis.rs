//! The genesis files of the networks, as go-ethereum's family of clients reads them.

use super::{ALLOWANCE_WEI, GAS_LIMIT, Kind, RICH};
use alloy::primitives::{Address, hex};
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};

/// The genesis of a network whose blocks these accounts make.
pub(super) fn genesis(kind: Kind, makers: &[Address]) -> Value {
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
        Kind::Geth => {
            for fork in ["berlin", "london", "mergeNetsplit"] {
                config[format!("{fork}Block")] = json!(0);
            }
            config["terminalTotalDifficulty"] = json!(0);
            config["shanghaiTime"] = json!(0);
            config["cancunTime"] = json!(0);
            config["blobSchedule"] =
                json!({ "cancun": { "target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477 } });
            // Nobody has ever mined here.
            file["difficulty"] = json!("0x0");
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
    file
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
