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
    mapping(uint256 roundId => Round) private rounds;

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
        return rounds[roundId].answer;
    }

    function getTimestamp(uint256 roundId) external view returns (uint256) {
        return rounds[roundId].time;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(uint80(latestRound));
    }

    function getRoundData(uint80 roundId) public view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = rounds[roundId];
        require(round.time != 0, "No data present");
        return (roundId, round.answer, round.time, round.time, roundId);
    }
}
