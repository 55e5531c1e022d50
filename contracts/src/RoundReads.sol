// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RoundHistory} from "./RoundHistory.sol";
import {IAggregatorV2V3} from "./interfaces/IAggregatorV2V3.sol";

/// @title What consumers read, over the rounds of `RoundHistory`; a round's two times are one.
abstract contract RoundReads is IAggregatorV2V3, RoundHistory {
    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 hot = _load();
        uint256 latest = _latestOf(hot);
        _demand(latest);
        (answer, updatedAt) = _entry(hot, latest);
        return (uint80(latest), answer, updatedAt, updatedAt, uint80(latest));
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (answer, updatedAt) = _round(_load(), roundId_);
        _demand(updatedAt);
        return (roundId_, answer, updatedAt, updatedAt, roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() external view override returns (int256 answer) {
        (, answer,) = _latest(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() external view override returns (uint256 updatedAt) {
        (,, updatedAt) = _latest(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() external view override returns (uint256) {
        return _latestOf(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) external view override returns (int256 answer) {
        (answer,) = _round(_load(), roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) external view override returns (uint256 updatedAt) {
        (, updatedAt) = _round(_load(), roundId);
    }

    /// @dev The latest round of a hot word, zeros when there is none.
    function _latest(uint256 hot) internal view returns (uint256 roundId, int256 answer, uint256 updatedAt) {
        roundId = _latestOf(hot);
        if (roundId != 0) (answer, updatedAt) = _entry(hot, roundId);
    }

    /// @dev What is 0 only without a round.
    function _demand(uint256 number) private pure {
        require(number != 0, "No data present");
    }
}
