//! Web3Signer's REST interface: it is given the bytes to hash and gives back a bare signature.

use super::http::{BODY_LIMIT, Client, Http};
use super::transaction::Unsigned;
use super::{Offered, SignError};
use alloy::primitives::{Address, B512, Signature, hex};
use publisher_core::tx::SignFault;
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::OnceCell;
use url::Url;

/// What the list of public keys may take: some 7,000 keys.
const LIST_LIMIT: usize = 1024 * 1024;
const SIGN: [&str; 4] = ["api", "v1", "eth1", "sign"];
const PUBLIC_KEYS: [&str; 4] = ["api", "v1", "eth1", "publicKeys"];

/// A Web3Signer behind REST.
#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    /// Configured, or found by address when first needed: an address has one key for ever.
    public_key: OnceCell<B512>,
}

impl Rest {
    pub(super) fn new(
        url: &Url,
        public_key: Option<B512>,
        account: Address,
        client: &Client,
    ) -> Result<Self, SignError> {
        if let Some(key) = public_key
            && address_of(&key) != account
        {
            let detail = format!("public key {key}: it belongs to {}, not to {account}", address_of(&key));
            return Err(SignError::new(SignFault::Policy, detail));
        }
        Ok(Self { http: Http::new(url, client)?, public_key: OnceCell::new_with(public_key) })
    }

    /// The signature over our own encoding.
    pub(super) async fn signature(&self, unsigned: &Unsigned, from: Address) -> Result<Offered, SignError> {
        let key = self.public_key.get_or_try_init(async || match self.look_up(from).await? {
            Some(key) => Ok(key),
            None => Err(SignError::new(SignFault::Refused, format!("it has no key of {from}; load the key"))),
        });
        let key = key.await?.to_string();
        let [api, version, chain, sign] = SIGN;
        let request = self
            .http
            .post_to(&[api, version, chain, sign, &key])
            .json(&json!({ "data": hex::encode_prefixed(unsigned.payload()) }));
        let answer = self.http.exchange(request, BODY_LIMIT).await?;
        let text = String::from_utf8_lossy(&answer.body);
        match answer.status {
            StatusCode::OK => Ok(Offered { signature: signature_of(text.trim())?, within: None }),
            StatusCode::NOT_FOUND => Err(SignError::new(
                SignFault::Refused,
                format!(
                    "it does not know the key of {from} (HTTP 404): {}; load the key",
                    self.http.quoted(&text)
                ),
            )),
            status => Err(SignError::new(
                SignFault::Refused,
                format!("it does not sign (HTTP {}): {}", status.as_u16(), self.http.quoted(&text)),
            )),
        }
    }

    /// The public key of an account among those that are loaded.
    pub(super) async fn look_up(&self, account: Address) -> Result<Option<B512>, SignError> {
        let answer = self.http.exchange(self.http.get(&PUBLIC_KEYS), LIST_LIMIT).await?;
        let keys: Option<Vec<String>> =
            serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == StatusCode::OK);
        let keys = keys.ok_or_else(|| {
            SignError::new(
                SignFault::BadAnswer,
                format!(
                    "HTTP {} without a list of public keys; does Web3Signer run as `eth1` here?",
                    answer.status.as_u16()
                ),
            )
        })?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).find(|key| address_of(key) == account))
    }
}

/// The account of an uncompressed public key without its leading 04.
fn address_of(key: &B512) -> Address {
    Address::from_raw_public_key(key.as_slice())
}

/// `0x`, r, s and a v of 27 or 28; some versions say 0 or 1.
fn signature_of(text: &str) -> Result<Signature, SignError> {
    let refuse = || SignError::new(SignFault::BadAnswer, "its answer is no signature of 65 bytes".into());
    let bytes: [u8; 65] =
        hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(refuse)?;
    let [.., v] = bytes;
    if !matches!(v, 0 | 1 | 27 | 28) {
        return Err(refuse());
    }
    Signature::from_raw_array(&bytes).map_err(|_| refuse())
}
