// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title What an aggregator behind an upgradeable proxy has beside an aggregator.
/// @notice Decimals, bounds and the length of the history belong to the implementation's code; description, owner,
/// transmitters and rounds to the proxy's storage. Upgrading is the owner's, through
/// `upgradeToAndCall(address,bytes)` of the proxy.
///
/// Upgrading changes the code under consumers without any of the phase proxy's guards, and costs 4,900 gas on every
/// write and every read: the phase proxy is the ordinary way to replace an aggregator.
interface IUpgradeableAggregator {
    /// @notice The new implementation has other decimal places, or keeps its rounds in other slots; what is stored
    /// would read as something else.
    error IncompatibleImplementation(address implementation);

    /// @notice Makes the proxy a feed. Belongs into the transaction that deploys it; refused ever after, and in the
    /// implementation itself. Refusals: the text "Cannot set owner to zero", `InvalidInitialization()`.
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param owner_ who administers and upgrades the feed
    /// @param transmitter who may submit from the start; zero for nobody
    function initialize(string calldata description_, address owner_, address transmitter) external;
}
