// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "./AggregatorProxy.sol";
import {ReadAccess} from "./ReadAccess.sol";
import {IAggregatorProxy} from "./interfaces/IAggregatorProxy.sol";
import {IAggregatorV2V3} from "./interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "./interfaces/ITypeAndVersion.sol";

/// @title The phase proxy, for listed readers only.
/// @notice A variant of its own, so that nobody else pays for the list. What is no price (decimals, description,
/// version, phases) is read by anyone, and so is the aggregator at its own address: the list guards this address.
contract AccessControlledAggregatorProxy is AggregatorProxy, ReadAccess {
    /// @param first the first aggregator; nobody depends on it yet, so it may be without rounds
    /// @param owner_ who administers the proxy and its list
    constructor(address first, address owner_) AggregatorProxy(first, owner_) {}

    /// @inheritdoc ITypeAndVersion
    function typeAndVersion() external pure override returns (string memory) {
        return "AccessControlledAggregatorProxy 1.0.0";
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        public
        view
        override
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return super.latestRoundData();
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        public
        view
        override
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return super.getRoundData(roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() public view override checkAccess returns (int256) {
        return super.latestAnswer();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() public view override checkAccess returns (uint256) {
        return super.latestTimestamp();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() public view override checkAccess returns (uint256) {
        return super.latestRound();
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) public view override checkAccess returns (int256) {
        return super.getAnswer(roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) public view override checkAccess returns (uint256) {
        return super.getTimestamp(roundId);
    }

    /// @inheritdoc IAggregatorProxy
    function proposedGetRoundData(uint80 roundId_)
        public
        view
        override
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return super.proposedGetRoundData(roundId_);
    }

    /// @inheritdoc IAggregatorProxy
    function proposedLatestRoundData()
        public
        view
        override
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return super.proposedLatestRoundData();
    }
}
