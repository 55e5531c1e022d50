// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../Aggregator.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {CcipLanes} from "./CcipLanes.sol";

/// @title An aggregator that also sends its rounds to other chains.
/// @notice Transmitters submit, and publish what was submitted; a submission costs what it costs without lanes. While
/// the feed is paused nothing is published either: a round that gave the reason must not travel.
contract OracleWithCCIP is Aggregator, CcipLanes {
    /// @param decimals_ decimal places of every answer
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param minAnswer_ the smallest answer accepted
    /// @param maxAnswer_ the largest answer accepted
    /// @param owner_ who administers the feed and its lanes
    /// @param transmitter who may submit and publish from the start; zero for nobody
    /// @param archivedGroups_ as the aggregator's; 0 for every round, for ever
    /// @param router_ the CCIP router of this chain
    /// @param feedId_ what receivers know the feed by
    constructor(
        uint8 decimals_,
        string memory description_,
        int256 minAnswer_,
        int256 maxAnswer_,
        address owner_,
        address transmitter,
        uint32 archivedGroups_,
        address router_,
        bytes32 feedId_
    )
        Aggregator(decimals_, description_, minAnswer_, maxAnswer_, owner_, transmitter, archivedGroups_)
        CcipLanes(router_, feedId_)
    {}

    /// @inheritdoc ITypeAndVersion
    function typeAndVersion() external pure override returns (string memory) {
        return "OracleWithCCIP 1.0.0";
    }

    /// @inheritdoc CcipLanes
    function _authorise(address sender) internal view override {
        if (!isTransmitter(sender)) revert NotTransmitter(sender);
        if (_isPaused(_load())) revert Paused();
    }

    /// @inheritdoc CcipLanes
    function _feed() internal view override returns (IAggregatorV2V3) {
        return this;
    }
}
