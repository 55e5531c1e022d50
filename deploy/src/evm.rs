//! Whether a chain's EVM can run the committed contracts: probes as data, the verdict as a pure function.
//!
//! A probe is init code that runs to its end only where an opcode exists. It is run by `eth_call` without a recipient,
//! which creates nothing. What the contracts need is read from their own code, so that a change of compiler settings
//! cannot outrun this table. Paris has no probe of its own: its opcodes are those of London.

use alloy::primitives::hex;
use publisher_bindings::{Aggregator, AggregatorProxy, FeedFacade, FeedStore};
use serde::Serialize;
use std::fmt;

/// The most bytes of code an account may have (EIP-170). A network of one's own may allow more.
pub const RUNTIME_LIMIT: usize = 24_576;
/// The most bytes of init code, from Shanghai on (EIP-3860).
pub const INIT_LIMIT: usize = 49_152;

/// A set of opcodes, each including the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evm {
    /// Berlin or earlier.
    Berlin,
    /// London, up to Paris.
    London,
    /// Shanghai.
    Shanghai,
    /// Cancun, up to Prague.
    Cancun,
    /// Osaka or later.
    Osaka,
}

impl Evm {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Berlin => "berlin",
            Self::London => "london",
            Self::Shanghai => "shanghai",
            Self::Cancun => "cancun",
            Self::Osaka => "osaka",
        }
    }
}

impl fmt::Display for Evm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Init code that ends well only where its opcode exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The opcode it uses.
    pub opcode: &'static str,
    /// The set of opcodes that brought it.
    pub since: Evm,
    /// The init code.
    pub init_code: &'static [u8],
}

/// Init code that ends well on every EVM. Where it does not, the node does not run init code by `eth_call`, and its
/// other answers say nothing.
pub const CONTROL: &[u8] = &hex!("60006000f3");

/// The probes, oldest opcode first.
pub const PROBES: [Probe; 5] = [
    Probe { opcode: "BASEFEE", since: Evm::London, init_code: &hex!("4860005260206000f3") },
    Probe { opcode: "PUSH0", since: Evm::Shanghai, init_code: &hex!("5f5ff3") },
    Probe { opcode: "TLOAD", since: Evm::Cancun, init_code: &hex!("60005c60005260206000f3") },
    Probe { opcode: "MCOPY", since: Evm::Cancun, init_code: &hex!("6000600060005e60006000f3") },
    Probe { opcode: "CLZ", since: Evm::Osaka, init_code: &hex!("60011e60005260206000f3") },
];

/// Opcodes that not every EVM has.
const NEWER: [(u8, &str, Evm); 8] = [
    (0x48, "BASEFEE", Evm::London),
    (0x5f, "PUSH0", Evm::Shanghai),
    (0x49, "BLOBHASH", Evm::Cancun),
    (0x4a, "BLOBBASEFEE", Evm::Cancun),
    (0x5c, "TLOAD", Evm::Cancun),
    (0x5d, "TSTORE", Evm::Cancun),
    (0x5e, "MCOPY", Evm::Cancun),
    (0x1e, "CLZ", Evm::Osaka),
];

const PUSH1: u8 = 0x60;
const PUSH32: u8 = 0x7f;

/// Which EVM a chain has, from whether each of [`PROBES`] ended well. A set counts only if every older one is there.
pub fn evm_of(ended_well: [bool; PROBES.len()]) -> Evm {
    let mut evm = Evm::Berlin;
    for (probe, _) in PROBES.iter().zip(ended_well).take_while(|(_, well)| *well) {
        let complete =
            PROBES.iter().zip(ended_well).filter(|(other, _)| other.since == probe.since).all(|(_, w)| w);
        if complete {
            evm = probe.since;
        }
    }
    evm
}

/// Why a contract cannot live on a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It uses an opcode that the chain does not have.
    #[error(
        "{contract} uses {opcode}, which came with {since}; the chain's EVM is {evm} (use a chain whose genesis \
         activates {since}, or compile the contracts for {evm})"
    )]
    Opcode {
        /// The contract.
        contract: &'static str,
        /// The opcode.
        opcode: &'static str,
        /// The set of opcodes that brought it.
        since: Evm,
        /// What the chain has.
        evm: Evm,
    },
    /// Its code is too large.
    #[error("{contract} has {bytes} bytes of code, a chain takes {limit} (compile it for size)")]
    Runtime {
        /// The contract.
        contract: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Its init code is too large.
    #[error("{contract} has {bytes} bytes of init code, a chain takes {limit} (compile it for size)")]
    Init {
        /// The contract.
        contract: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why the committed contracts cannot live on a chain with this EVM; empty if they can.
pub fn misfits(evm: Evm) -> Vec<Misfit> {
    [
        ("Aggregator", &Aggregator::BYTECODE, &Aggregator::DEPLOYED_BYTECODE),
        ("AggregatorProxy", &AggregatorProxy::BYTECODE, &AggregatorProxy::DEPLOYED_BYTECODE),
        ("FeedStore", &FeedStore::BYTECODE, &FeedStore::DEPLOYED_BYTECODE),
        ("FeedFacade", &FeedFacade::BYTECODE, &FeedFacade::DEPLOYED_BYTECODE),
    ]
    .into_iter()
    .flat_map(|(contract, init, runtime)| misfits_of(contract, init, runtime, evm))
    .collect()
}

/// The same for any contract. `init` contains `runtime`, so its opcodes are all that are used.
pub fn misfits_of(contract: &'static str, init: &[u8], runtime: &[u8], evm: Evm) -> Vec<Misfit> {
    let mut found = Vec::new();
    if let Some((opcode, since)) = newest_opcode(init).filter(|(_, since)| *since > evm) {
        found.push(Misfit::Opcode { contract, opcode, since, evm });
    }
    if runtime.len() > RUNTIME_LIMIT {
        found.push(Misfit::Runtime { contract, bytes: runtime.len(), limit: RUNTIME_LIMIT });
    }
    if init.len() > INIT_LIMIT {
        found.push(Misfit::Init { contract, bytes: init.len(), limit: INIT_LIMIT });
    }
    found
}

/// The newest opcode that the code uses and not every EVM has. Walks the instructions; what a push carries is data.
/// Data behind the code could be taken for instructions, which errs on the safe side.
fn newest_opcode(code: &[u8]) -> Option<(&'static str, Evm)> {
    let mut newest: Option<(&'static str, Evm)> = None;
    let mut bytes = code.iter();
    while let Some(&byte) = bytes.next() {
        if let PUSH1..=PUSH32 = byte {
            bytes.nth(usize::from(byte - PUSH1));
        } else if let Some((_, name, since)) = NEWER.iter().find(|(opcode, ..)| *opcode == byte)
            && newest.is_none_or(|(_, old)| old < *since)
        {
            newest = Some((name, *since));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_set_with_everything_below_it_counts() {
        let cases = [
            ([false; 5], Evm::Berlin),
            ([true, false, false, false, false], Evm::London),
            ([true, true, false, false, false], Evm::Shanghai),
            // Half of Cancun is not Cancun.
            ([true, true, true, false, false], Evm::Shanghai),
            ([true, true, false, true, false], Evm::Shanghai),
            ([true, true, true, true, false], Evm::Cancun),
            ([true; 5], Evm::Osaka),
            // An EVM of its own kind: what is newer than a gap is not relied on.
            ([false, true, true, true, true], Evm::Berlin),
            ([true, false, true, true, true], Evm::London),
            ([true, true, true, false, true], Evm::Shanghai),
        ];
        for (answers, expected) in cases {
            assert_eq!(evm_of(answers), expected, "{answers:?}");
        }
    }

    /// The walk must find each probe's opcode, or the table and the probes disagree.
    #[test]
    fn a_probe_uses_the_opcode_it_names() {
        for probe in PROBES {
            assert_eq!(newest_opcode(probe.init_code), Some((probe.opcode, probe.since)));
        }
        assert_eq!(newest_opcode(CONTROL), None);
    }

    #[test]
    fn what_a_push_carries_is_no_instruction() {
        assert_eq!(newest_opcode(&hex!("605f")), None);
        assert_eq!(newest_opcode(&hex!("61485f50")), None);
        assert_eq!(newest_opcode(&hex!("60485f")), Some(("PUSH0", Evm::Shanghai)));
        let mut push32 = vec![PUSH32];
        push32.extend([0x5f; 32]);
        assert_eq!(newest_opcode(&push32), None);
        push32.push(0x48);
        assert_eq!(newest_opcode(&push32), Some(("BASEFEE", Evm::London)));
        // A push at the very end carries zeros.
        assert_eq!(newest_opcode(&hex!("7f5f5f")), None);
    }

    /// The contracts are built for Paris so that they run on networks of one's own, which often stop there.
    #[test]
    fn the_committed_contracts_live_on_a_chain_that_stops_at_paris() {
        assert_eq!(misfits(Evm::London), []);
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let found = misfits_of("C", &hex!("5f5c"), &[0; RUNTIME_LIMIT + 1], Evm::London);
        let opcode = Misfit::Opcode { contract: "C", opcode: "TLOAD", since: Evm::Cancun, evm: Evm::London };
        let runtime = Misfit::Runtime { contract: "C", bytes: RUNTIME_LIMIT + 1, limit: RUNTIME_LIMIT };
        assert_eq!(found, [opcode, runtime]);
        assert_eq!(misfits_of("C", &hex!("5f5c"), &[0; RUNTIME_LIMIT], Evm::Cancun), []);
        let init = Misfit::Init { contract: "C", bytes: INIT_LIMIT + 1, limit: INIT_LIMIT };
        assert_eq!(misfits_of("C", &[0; INIT_LIMIT + 1], &[], Evm::Berlin), [init]);
    }
}
