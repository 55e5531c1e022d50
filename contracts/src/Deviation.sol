// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title How far one answer is from another.
library Deviation {
    /// @dev Whether `|answer - reference| <= |reference| * parts / whole`, without rounding. A difference that cannot be
    /// multiplied by `whole`, which no price has, is too far from anything; of 0 every share is 0.
    function within(int256 answer, int256 reference_, uint256 parts, uint256 whole)
        internal
        pure
        returns (bool)
    {
        unchecked {
            uint256 difference = answer > reference_
                ? uint256(answer) - uint256(reference_)
                : uint256(reference_) - uint256(answer);
            uint256 magnitude = reference_ < 0 ? 0 - uint256(reference_) : uint256(reference_);
            if (difference > type(uint256).max / whole) return false;
            if (parts != 0 && magnitude > type(uint256).max / parts) return true;
            return difference * whole <= magnitude * parts;
        }
    }
}
