//! The transaction that a request describes: read with the signer's silent defaults, tampered with, signed.

use alloy::consensus::{SignableTransaction, TxEip1559, TxLegacy};
use alloy::eips::Encodable2718;
use alloy::primitives::{Address, Bytes, TxKind, U256, hex, keccak256};
use alloy::rlp::Decodable;
use serde_json::{Map, Value};

use super::Dialect;
use super::keys::Key;
use super::mode::Tamper;
use super::refusal::Refusal;

/// Web3Signer's gas limit for a request that names none.
const GAS_DEFAULT: u64 = 90_000;

/// EIP-2718 type byte of a fee-market transaction.
const TYPE_1559: u8 = 2;

/// An unsigned transaction of a type the signer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unsigned {
    Legacy(TxLegacy),
    FeeMarket(TxEip1559),
}

impl Unsigned {
    /// Reads the argument of `eth_signTransaction`. Its `chainId`, `type` and `accessList` count for nothing.
    pub(crate) fn from_request(
        fields: &Map<String, Value>,
        dialect: Dialect,
        chain_id: u64,
    ) -> Result<Self, Refusal> {
        let nonce = quantity(fields, "nonce")?.ok_or(Refusal::InvalidParams)?;
        let gas_limit = quantity(fields, "gas")?.unwrap_or(GAS_DEFAULT);
        let to = recipient(fields)?;
        let value = quantity(fields, "value")?.unwrap_or(U256::ZERO);
        let fee_market = match dialect {
            Dialect::EthSigner => None,
            Dialect::Web3Signer => {
                quantity(fields, "maxFeePerGas")?.zip(quantity(fields, "maxPriorityFeePerGas")?)
            }
        };
        if fee_market.is_some() && present(fields, "maxFeePerBlobGas").is_some() {
            return Err(Refusal::InvalidParams);
        }
        let input = input(fields, dialect)?;
        Ok(match fee_market {
            Some((max_fee_per_gas, max_priority_fee_per_gas)) => Self::FeeMarket(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                input,
                ..TxEip1559::default()
            }),
            None => Self::Legacy(TxLegacy {
                chain_id: Some(chain_id),
                nonce,
                gas_price: quantity(fields, "gasPrice")?.unwrap_or(0),
                gas_limit,
                to,
                value,
                input,
            }),
        })
    }

    /// Reads the bytes that would be hashed for signing; `None` when they are no transaction known here.
    pub(crate) fn from_signing_payload(payload: &[u8]) -> Option<Self> {
        let (first, mut rest) = payload.split_first()?;
        let unsigned = if *first == TYPE_1559 {
            let transaction = TxEip1559::decode(&mut rest).ok()?;
            return rest.is_empty().then_some(Self::FeeMarket(transaction));
        } else {
            let mut whole = payload;
            Self::Legacy(TxLegacy::decode(&mut whole).ok()?)
        };
        (unsigned.signing_payload() == payload).then_some(unsigned)
    }

    fn signing_payload(&self) -> Vec<u8> {
        match self {
            Self::Legacy(transaction) => transaction.encoded_for_signing(),
            Self::FeeMarket(transaction) => transaction.encoded_for_signing(),
        }
    }

    /// The transaction that is signed instead.
    pub(crate) fn tampered(self, tamper: Option<Tamper>) -> Self {
        match (tamper, self) {
            (Some(Tamper::LegacyInsteadOf1559), Self::FeeMarket(asked)) => Self::Legacy(TxLegacy {
                chain_id: Some(asked.chain_id),
                nonce: asked.nonce,
                gas_price: asked.max_fee_per_gas,
                gas_limit: asked.gas_limit,
                to: asked.to,
                value: asked.value,
                input: asked.input,
            }),
            (Some(tamper), Self::Legacy(mut transaction)) => {
                match tamper {
                    Tamper::OtherTo => transaction.to = other_recipient(transaction.to),
                    Tamper::OtherValue => transaction.value = transaction.value.wrapping_add(U256::ONE),
                    Tamper::OtherNonce => transaction.nonce ^= 1,
                    Tamper::OtherChainId => {
                        transaction.chain_id = transaction.chain_id.map(|id| id.wrapping_add(1));
                    }
                    Tamper::LegacyInsteadOf1559 | Tamper::HighS | Tamper::OtherKey => {}
                }
                Self::Legacy(transaction)
            }
            (Some(tamper), Self::FeeMarket(mut transaction)) => {
                match tamper {
                    Tamper::OtherTo => transaction.to = other_recipient(transaction.to),
                    Tamper::OtherValue => transaction.value = transaction.value.wrapping_add(U256::ONE),
                    Tamper::OtherNonce => transaction.nonce ^= 1,
                    Tamper::OtherChainId => transaction.chain_id = transaction.chain_id.wrapping_add(1),
                    Tamper::LegacyInsteadOf1559 | Tamper::HighS | Tamper::OtherKey => {}
                }
                Self::FeeMarket(transaction)
            }
            (None, untouched) => untouched,
        }
    }

    /// The signed raw transaction.
    pub(crate) fn signed(self, key: &Key, tamper: Option<Tamper>) -> Option<Vec<u8>> {
        Some(match self {
            Self::Legacy(transaction) => {
                let signature = key.sign(&transaction.signature_hash(), tamper)?;
                transaction.into_signed(signature).encoded_2718()
            }
            Self::FeeMarket(transaction) => {
                let signature = key.sign(&transaction.signature_hash(), tamper)?;
                transaction.into_signed(signature).encoded_2718()
            }
        })
    }
}

/// The bytes that a tampering signer hashes instead of `payload`.
pub(crate) fn tampered_payload(payload: &[u8], tamper: Option<Tamper>) -> Vec<u8> {
    let field = tamper.filter(|tamper| !matches!(tamper, Tamper::HighS | Tamper::OtherKey));
    match (field, Unsigned::from_signing_payload(payload)) {
        (None, _) => payload.to_vec(),
        (Some(_), Some(transaction)) => transaction.tampered(field).signing_payload(),
        (Some(_), None) => {
            let mut other = payload.to_vec();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
            }
            other
        }
    }
}

fn other_recipient(to: TxKind) -> TxKind {
    let seen = to.to().map_or_else(Address::default, |address| *address);
    TxKind::Call(Address::from_word(keccak256(seen)))
}

/// A field that is there and not null.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn hex_text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = present(fields, name) else { return Ok(None) };
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    digits.map(Some).ok_or(Refusal::InvalidParams)
}

fn quantity<N: TryFrom<U256>>(fields: &Map<String, Value>, name: &str) -> Result<Option<N>, Refusal> {
    let Some(digits) = hex_text(fields, name)? else { return Ok(None) };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = U256::from_str_radix(digits, 16).ok().filter(|_| is_number);
    number.and_then(|number| N::try_from(number).ok()).map(Some).ok_or(Refusal::InvalidParams)
}

/// A missing or empty recipient silently creates a contract.
fn recipient(fields: &Map<String, Value>) -> Result<TxKind, Refusal> {
    match present(fields, "to") {
        None => Ok(TxKind::Create),
        Some(Value::String(text)) if text.is_empty() || text == "0x" => Ok(TxKind::Create),
        Some(_) => address(fields, "to").map(TxKind::Call),
    }
}

/// A mandatory address.
pub(crate) fn address(fields: &Map<String, Value>, name: &str) -> Result<Address, Refusal> {
    let digits = hex_text(fields, name)?.ok_or(Refusal::InvalidParams)?;
    digits.parse().map_err(|_| Refusal::InvalidParams)
}

/// `data` wins over `input`, which EthSigner has never heard of.
fn input(fields: &Map<String, Value>, dialect: Dialect) -> Result<Bytes, Refusal> {
    let data = hex_text(fields, "data")?;
    let digits = match (data, dialect) {
        (None, Dialect::Web3Signer) => hex_text(fields, "input")?,
        (data, _) => data,
    };
    hex::decode(digits.unwrap_or_default()).map(Bytes::from).map_err(|_| Refusal::InvalidParams)
}
