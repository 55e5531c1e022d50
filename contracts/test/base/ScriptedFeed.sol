// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title An aggregator that somebody else wrote: it says whatever the test tells it to.
/// @notice Its rounds are wide words, so that it can also say what no feed of ours could.
contract ScriptedFeed {
    struct Round {
        uint256 roundId;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint256 answeredInRound;
    }

    uint8 public decimals = 8;
    uint256 public latestRound;
    bool public broken;
    mapping(uint256 roundId => Round) private rounds;

    function setDecimals(uint8 decimals_) external {
        decimals = decimals_;
    }

    function setBroken(bool broken_) external {
        broken = broken_;
    }

    function setLatestRound(uint256 roundId) external {
        latestRound = roundId;
    }

    /// @dev What a question for `asked` is answered with.
    function setRound(uint256 asked, Round calldata round) external {
        rounds[asked] = round;
    }

    /// @dev Three ordinary rounds, the latest of them with that answer and time.
    function setRounds(int256 answer, uint256 updatedAt) external {
        latestRound = 3;
        for (uint256 id = 1; id <= 3; ++id) {
            rounds[id] = Round(id, answer, updatedAt, updatedAt, id);
        }
    }

    function latestRoundData() external view returns (uint256, int256, uint256, uint256, uint256) {
        return _say(latestRound);
    }

    function getRoundData(uint80 roundId) external view returns (uint256, int256, uint256, uint256, uint256) {
        return _say(roundId);
    }

    function _say(uint256 asked) private view returns (uint256, int256, uint256, uint256, uint256) {
        require(!broken, "broken");
        Round memory round = rounds[asked];
        return (round.roundId, round.answer, round.startedAt, round.updatedAt, round.answeredInRound);
    }
}
