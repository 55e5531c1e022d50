// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A round on its way to another chain.
/// @notice Every field is a whole word, so that decoding can refuse nothing: the receiver refuses each field by name.
library CcipRound {
    /// @dev The form of the payload; a receiver takes no other.
    uint256 internal constant VERSION = 1;
    /// @dev Seven words.
    uint256 internal constant LENGTH = 224;

    struct Round {
        bytes32 feedId;
        uint256 roundId;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint256 decimals;
    }

    function encode(Round memory round) internal pure returns (bytes memory) {
        return abi.encode(VERSION, round);
    }

    /// @dev `payload` must have `LENGTH` bytes.
    function decode(bytes calldata payload) internal pure returns (uint256 version, Round memory round) {
        return abi.decode(payload, (uint256, Round));
    }
}
