// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A call that gets all of its gas, or does not happen and reverts.
/// @notice A call hands over at most 63/64 of the gas that is left. Without this check a transaction whose limit is an
/// estimate would starve the inner call and succeed: the watchdog would be off, and nobody would know.
/// The outcome and the data of the call are ignored, so that a callee can neither stop its caller nor make it pay for
/// copying what it returns. A target without code is called as any other and does nothing.
library ExactGas {
    /// @dev Covers what happens between the check and the call: the access to a cold account and the stack.
    uint256 private constant CUSHION = 5000;

    /// @dev Reverts "insufficient gas" unless `gasLimit` gas can be handed over.
    function callWithExactGas(address target, uint256 gasLimit, bytes memory data) internal {
        require(reaches(gasleft(), gasLimit), "insufficient gas");
        assembly ("memory-safe") {
            pop(call(gasLimit, target, 0, add(data, 0x20), mload(data), 0, 0))
        }
    }

    /// @dev Whether a call out of `left` gas can be given `gasLimit`, when at most the cushion is spent until then.
    function reaches(uint256 left, uint256 gasLimit) internal pure returns (bool) {
        unchecked {
            if (left <= CUSHION) return false;
            left -= CUSHION;
            return left - left / 64 > gasLimit;
        }
    }
}
