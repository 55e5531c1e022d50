// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";

/// @title Storage and reads of rounds that were made elsewhere: each has times of its own, and one slot.
/// @notice A round's word:
///
///     int176 answer [255:80] | startedAt40 [79:40] | updatedAt40 [39:0]
///
/// A word of zero is no round, because a round has a time. Rounds are looked up by their whole id.
abstract contract SourceHistory is IAggregatorV2V3 {
    uint256 private constant ANSWER_SHIFT = 80;
    uint256 private constant STARTED_SHIFT = 40;

    /// @dev What the next round must not fall behind, in one slot.
    struct Head {
        uint64 latest;
        uint80 source;
        uint40 startedAt;
        uint40 updatedAt;
    }

    Head private _head;
    mapping(uint256 roundId => uint256 word) private _rounds;

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _read(_head.latest);
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _read(roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() external view override returns (int256) {
        return _answerOf(_rounds[_head.latest]);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() external view override returns (uint256) {
        return _head.updatedAt;
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() external view override returns (uint256) {
        return _head.latest;
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) external view override returns (int256) {
        return _answerOf(_rounds[roundId]);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) external view override returns (uint256) {
        return uint40(_rounds[roundId]);
    }

    /// @dev The latest round as its source numbers it, 0 when there is none.
    function _latestSource() internal view returns (uint80) {
        return _head.source;
    }

    /// @dev Stores the next round and says so. `answer` must fit 176 bits; `source` must be above `_latestSource`.
    /// A time that lies in the future here becomes the present, one before the last round's becomes that.
    function _append(uint80 source, int256 answer, uint256 startedAt, uint256 updatedAt)
        internal
        returns (uint256 roundId)
    {
        Head memory head = _head;
        updatedAt = _within(updatedAt, head.updatedAt, block.timestamp);
        startedAt = _within(startedAt, head.startedAt, updatedAt);
        roundId = uint256(head.latest) + 1;
        // No time is later than the block's, and 40 bits of seconds last longer than any chain.
        _head = Head(uint64(roundId), source, uint40(startedAt), uint40(updatedAt));
        _rounds[roundId] = (uint256(answer) << ANSWER_SHIFT) | (startedAt << STARTED_SHIFT) | updatedAt;
        emit NewRound(roundId, address(0), startedAt);
        emit AnswerUpdated(answer, roundId, updatedAt);
    }

    function _read(uint80 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        uint256 word = _rounds[roundId];
        require(word != 0, "No data present");
        return (roundId, _answerOf(word), uint40(word >> STARTED_SHIFT), uint40(word), roundId);
    }

    /// @dev The shift keeps the sign.
    function _answerOf(uint256 word) private pure returns (int256) {
        return int256(word) >> ANSWER_SHIFT;
    }

    function _within(uint256 time, uint256 earliest, uint256 latest) private pure returns (uint256) {
        if (time < earliest) return earliest;
        return time < latest ? time : latest;
    }
}
