//! A double of a contract: it answers each function as a test says, on a real node.
//!
//! Its code is assembled here and put at an address, so that no compiler is needed and every misbehaviour can be had:
//! reverts, invalid opcodes, loops, wrong shapes.

use alloy::primitives::{Address, Bytes};
use alloy::providers::DynProvider;
use alloy::providers::ext::AnvilApi;
use alloy::sol_types::SolCall;
use anyhow::Result;
use std::collections::BTreeMap;

/// What a call of a function ends with.
#[derive(Clone, Debug)]
pub enum End {
    /// These bytes.
    Returns(Vec<u8>),
    /// A revert without data.
    Reverts,
    /// An opcode that does not exist.
    Breaks,
    /// A loop that ends with the gas.
    Spins,
}

/// A contract that a test writes.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// Where it is.
    pub address: Address,
    ends: BTreeMap<[u8; 4], End>,
}

impl Scripted {
    /// A contract that reverts, whatever is called.
    pub const fn at(address: Address) -> Self {
        Self { address, ends: BTreeMap::new() }
    }

    /// What this function ends with, from the next [`Self::put`] on.
    pub fn set<C: SolCall>(&mut self, end: End) -> &mut Self {
        self.ends.insert(C::SELECTOR, end);
        self
    }

    /// Puts it where it belongs, in place of what is there.
    pub async fn put(&self, chain: &DynProvider) -> Result<()> {
        Ok(chain.anvil_set_code(self.address, self.code()).await?)
    }

    fn code(&self) -> Bytes {
        // The selector: the first four bytes of the calldata.
        let mut code = vec![0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c];
        // One comparison and jump for each function, and a revert where none fits.
        const CASE: usize = 11;
        const REVERT: [u8; 5] = [0x60, 0x00, 0x60, 0x00, 0xfd];
        // JUMPDEST, then the longest end; shorter ones are filled up.
        const BODY: usize = 18;
        let bodies = code.len() + self.ends.len() * CASE + REVERT.len();
        let mut data_at = bodies + self.ends.len() * BODY;
        let short = |number: usize| u16::try_from(number).map_or([0xff; 2], u16::to_be_bytes);
        let (mut tail, mut data) = (Vec::new(), Vec::new());
        for (index, (selector, end)) in self.ends.iter().enumerate() {
            code.extend([0x80, 0x63]);
            code.extend(selector);
            code.extend([0x14, 0x61]);
            code.extend(short(bodies + index * BODY));
            code.push(0x57);
            let mut body = vec![0x5b];
            match end {
                End::Returns(bytes) => {
                    let (length, from) = (short(bytes.len()), short(data_at));
                    body.extend([0x61, length[0], length[1], 0x61, from[0], from[1], 0x60, 0x00, 0x39]);
                    body.extend([0x61, length[0], length[1], 0x60, 0x00, 0xf3]);
                    data.extend(bytes);
                    data_at += bytes.len();
                }
                End::Reverts => body.extend(REVERT),
                End::Breaks => body.push(0xfe),
                End::Spins => {
                    let back = short(bodies + index * BODY);
                    body.extend([0x61, back[0], back[1], 0x56]);
                }
            }
            body.resize(BODY, 0xfe);
            tail.extend(body);
        }
        code.extend(REVERT);
        [code, tail, data].concat().into()
    }
}
