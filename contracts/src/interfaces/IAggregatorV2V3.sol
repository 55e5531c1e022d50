// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title What consumers of a Chainlink feed read, with Chainlink's semantics.
/// @notice An answer is an integer with `decimals()` decimal places. Times are unix seconds.
/// Rounds are numbered without gaps; a stored round never changes; `updatedAt` never lies in the future and
/// never falls from one round to the next. Round ids are compared in their full width, never cut.
///
/// Without data nothing looks like data: the v3 reads (`latestRoundData`, `getRoundData`) revert with the
/// string error "No data present", the v2 reads (all others) return 0.
interface IAggregatorV2V3 {
    /// @notice A round was opened.
    /// @param roundId the round's number
    /// @param startedBy the account that opened it
    /// @param startedAt when it was opened; the same value that `getRoundData` gives
    event NewRound(uint256 indexed roundId, address indexed startedBy, uint256 startedAt);

    /// @notice A round received its answer. Follows its `NewRound`.
    /// @param current the answer
    /// @param roundId the round's number
    /// @param updatedAt when it was answered; the same value that `getRoundData` gives
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    /// @notice Decimal places of every answer. Constant for the life of the address.
    function decimals() external view returns (uint8);

    /// @notice What the feed prices, such as "ETH / USD".
    function description() external view returns (string memory);

    /// @notice Version of the aggregator's implementation.
    function version() external view returns (uint256);

    /// @notice The latest answer, 0 when there is none.
    function latestAnswer() external view returns (int256);

    /// @notice When the latest answer was written, 0 when there is none.
    function latestTimestamp() external view returns (uint256);

    /// @notice The latest answered round, 0 when there is none.
    function latestRound() external view returns (uint256);

    /// @notice The answer of a round, 0 when there is no such round.
    function getAnswer(uint256 roundId) external view returns (int256);

    /// @notice When a round was answered, 0 when there is no such round.
    function getTimestamp(uint256 roundId) external view returns (uint256);

    /// @notice One round in full. Reverts "No data present" for a round that does not exist.
    /// @return roundId the round asked for
    /// @return answer its answer
    /// @return startedAt when it was opened
    /// @return updatedAt when it was answered
    /// @return answeredInRound the round the answer was found in
    function getRoundData(uint80 roundId_)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The latest round in full. Reverts "No data present" when there is none.
    /// @return roundId the latest round
    /// @return answer its answer
    /// @return startedAt when it was opened
    /// @return updatedAt when it was answered
    /// @return answeredInRound the round the answer was found in
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
