// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Who is told of every answer, such as a flag for sudden moves.
/// @notice Chainlink's interface of the same name (selector 0xbeed9b51).
interface IAggregatorValidator {
    /// @notice Called after the round is stored, with the gas that the feed's owner configured. What it returns or
    /// reverts with is ignored by the feed.
    /// @param previousRoundId the round before, 0 when there is none
    /// @param previousAnswer its answer, 0 when there is none
    /// @param currentRoundId the round that was just stored
    /// @param currentAnswer its answer
    function validate(
        uint256 previousRoundId,
        int256 previousAnswer,
        uint256 currentRoundId,
        int256 currentAnswer
    ) external returns (bool);
}
