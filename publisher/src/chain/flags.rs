//! What a contract of flags says of a feed: `getFlags`, of Chainlink's `Flags` and of ours.

use super::ChainError;
use super::contract::next;
use super::node::{Node, call_params};
use super::wire::Raw;
use alloy::primitives::{Address, Bytes};
use alloy::sol_types::SolCall;
use publisher_bindings::Flags;
use publisher_core::tx::Flag;
use serde_json::{Value, json};

/// Where a feed's flag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagWire {
    /// The contract of flags.
    pub flags: Address,
    /// What the flag is raised for: the feed's aggregator; of a feed in a store its facade, or the store where it has
    /// none. The zero address stands for all.
    pub subject: Address,
}

impl FlagWire {
    /// The flags of all and of the feed.
    fn call(self) -> Flags::getFlagsCall {
        Flags::getFlagsCall { subjects: vec![Address::ZERO, self.subject] }
    }

    /// The question for both at a block.
    pub(super) fn question(self, block: &Value) -> (&'static str, Value) {
        ("eth_call", call_params(self.flags, &Bytes::from(self.call().abi_encode()), block))
    }
}

impl Node {
    /// What a feed's flag says at the latest block.
    ///
    /// # Errors
    /// If the contract does not answer, or with another number of flags than it was asked for.
    pub async fn flag(&self, at: FlagWire) -> Result<Flag, ChainError> {
        let (_, question) = at.question(&json!("latest"));
        let mut answers = self.wire.batch(&[("eth_call", question)]).await.into_iter();
        read(&mut answers)
    }
}

/// The next answer of a batch as a flag. What is wrong with it is nobody's fault but the flags': the feed's own contract
/// may be read all the same.
pub(super) fn told(answers: &mut impl Iterator<Item = Raw>) -> Flag {
    read(answers).unwrap_or(Flag::Unreadable)
}

fn read(answers: &mut impl Iterator<Item = Raw>) -> Result<Flag, ChainError> {
    match next::<Flags::getFlagsCall>(answers)?[..] {
        [true, true] => Ok(Flag::Raised),
        [_, _] => Ok(Flag::Lowered),
        _ => Err(ChainError::Contract("another number of flags than was asked for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::double::Double;
    use alloy::primitives::{B256, I256, U256};
    use alloy::sol_types::SolValue;
    use publisher_core::time::Wall;
    use publisher_core::tx::BlockRef;

    const FLAGS: Address = Address::repeat_byte(0xf1);
    const FEED: Address = Address::repeat_byte(0xfe);

    /// What is read of a feed whose contract of flags answers this, or with an error.
    async fn read_with(flags: Option<Bytes>) -> Flag {
        let double = Double::rpc(move |_, params| {
            assert_eq!(params[1], json!({ "blockHash": B256::repeat_byte(9) }));
            if params[0]["to"] == json!(FLAGS) {
                let asked = Flags::getFlagsCall { subjects: vec![Address::ZERO, FEED] }.abi_encode();
                assert_eq!(params[0]["data"], json!(Bytes::from(asked)));
                return flags.clone().map(|data| json!(data)).ok_or((3, "execution reverted", json!("0x")));
            }
            let state = (U256::from(4), I256::ONE, U256::from(1_700_000_000), false, true);
            Ok(json!(Bytes::from(state.abi_encode())))
        })
        .await;
        let at =
            BlockRef { number: 9, hash: B256::repeat_byte(9), parent: B256::ZERO, time: Wall::default() };
        let wire = FlagWire { flags: FLAGS, subject: FEED };
        let view = double.node().round_view(FEED, FEED, Some(wire), &at).await.unwrap();
        assert_eq!(view.round, 4, "the feed's own contract is read whatever the flags say");
        view.flag
    }

    /// Without this a wrong address, or a node that lies about one, stops the feed or wakes it.
    #[tokio::test]
    async fn only_two_flags_that_are_both_raised_put_a_feed_to_sleep() {
        let flags = |raised: &[bool]| Some(Bytes::from(raised.to_vec().abi_encode()));
        for (answer, flag) in [
            (flags(&[true, true]), Flag::Raised),
            (flags(&[true, false]), Flag::Lowered),
            (flags(&[false, true]), Flag::Lowered),
            (flags(&[false, false]), Flag::Lowered),
            (flags(&[true]), Flag::Unreadable),
            (flags(&[]), Flag::Unreadable),
            (flags(&[true, true, true]), Flag::Unreadable),
            (Some(Bytes::new()), Flag::Unreadable),
            (Some(true.abi_encode().into()), Flag::Unreadable),
            (Some(vec![0xff; 128].into()), Flag::Unreadable),
            (None, Flag::Unreadable),
        ] {
            assert_eq!(read_with(answer.clone()).await, flag, "{answer:?}");
        }
    }
}
