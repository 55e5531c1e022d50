// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The same reads over the plainest storage there is: every number in a word of its own.
/// @notice The packed history is compared with it byte by byte.
contract ReferenceFeed {
    struct Round {
        int256 answer;
        uint256 time;
    }

    uint256 public latestRound;
    /// @dev How many groups of three rounds are kept behind the latest one; 0 for all.
    uint256 public archivedGroups;
    mapping(uint256 roundId => Round) private rounds;

    function setArchivedGroups(uint256 groups) external {
        archivedGroups = groups;
    }

    function append(int256 answer) external {
        rounds[++latestRound] = Round(answer, block.timestamp);
    }

    function latestAnswer() external view returns (int256) {
        return rounds[latestRound].answer;
    }

    function latestTimestamp() external view returns (uint256) {
        return rounds[latestRound].time;
    }

    function getAnswer(uint256 roundId) external view returns (int256) {
        return roundId < oldestRound() ? int256(0) : rounds[roundId].answer;
    }

    function getTimestamp(uint256 roundId) external view returns (uint256) {
        return roundId < oldestRound() ? 0 : rounds[roundId].time;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(uint80(latestRound));
    }

    function getRoundData(uint80 roundId) public view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = rounds[roundId];
        require(roundId >= oldestRound() && round.time != 0, "No data present");
        return (roundId, round.answer, round.time, round.time, roundId);
    }

    /// @dev The first round that is kept: rounds leave by groups of three.
    function oldestRound() public view returns (uint256) {
        uint256 group = latestRound == 0 ? 0 : (latestRound - 1) / 3;
        if (archivedGroups == 0 || group <= archivedGroups) return 1;
        return (group - archivedGroups) * 3 + 1;
    }
}
