//! Whether a source on the chain shows what a feed writes, be it through proxies.

use super::{Check, Verdict};
use crate::chain::{ChainError, Node};
use crate::config::{Config, circles};
use alloy::primitives::Address;
use std::collections::BTreeMap;

alloy::sol! {
    function aggregator() external view returns (address);
}

/// Proxies that may stand before one another.
const PROXIES_MAX: usize = 8;

/// Asks each source on the chain itself what it passes reads on to, and refuses feeds that rest on what they write.
pub(super) async fn examine(config: &Config, node: &Node, checks: &mut Vec<Check>) {
    let (chain_id, networks) = (config.chain.id, &config.networks);
    let own = networks.values().filter(|network| network.chain_id == chain_id).flat_map(|n| &n.sources);
    let mut behind = BTreeMap::new();
    for source in own {
        match read_on(node, source.address).await {
            Ok(further) => drop(behind.insert(source.address, further)),
            Err(error) => {
                let what = format!("source {}", source.id);
                checks.push(Check::new(what, Verdict::Unavailable, error.to_string(), ""));
            }
        }
    }
    for circle in circles::find(chain_id, &config.rates, &config.feeds, networks, &behind) {
        let what = format!("source {}", circle.source);
        checks.push(Check::new(what, Verdict::Wrong, circle.to_string(), circles::ADVICE));
    }
}

/// The contracts that answer in place of this one.
async fn read_on(node: &Node, contract: Address) -> Result<Vec<Address>, ChainError> {
    let mut chain = vec![contract];
    for _ in 0..PROXIES_MAX {
        let Some(last) = chain.last() else { break };
        match node.view(*last, &aggregatorCall {}).await {
            Ok(next) if !chain.contains(&next) => chain.push(next),
            Ok(_) => break,
            // A contract that is no proxy fails at this call, each in its own way.
            Err(ChainError::Rpc { .. } | ChainError::Contract(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(chain.split_off(1))
}
