// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "./Owned.sol";
import {IFeedPolicy} from "./interfaces/IFeedPolicy.sol";

/// @title Heartbeat and deviation of a feed, kept where its consumers can read them.
/// @notice One slot, which no submission and no read of a round touches.
abstract contract FeedPolicy is IFeedPolicy, Owned {
    /// @dev deviationPpm32 [63:32] | heartbeatSeconds32 [31:0].
    uint256 private _policy;

    /// @inheritdoc IFeedPolicy
    function setPolicy(uint32 heartbeatSeconds, uint32 deviationPpm) external override onlyOwner {
        _policy = uint256(deviationPpm) << 32 | heartbeatSeconds;
        emit PolicyChanged(heartbeatSeconds, deviationPpm);
    }

    /// @inheritdoc IFeedPolicy
    function policy() external view override returns (uint32 heartbeatSeconds, uint32 deviationPpm) {
        uint256 stated = _policy;
        return (uint32(stated), uint32(stated >> 32));
    }
}
