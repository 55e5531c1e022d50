// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Exact comparison of products that do not fit a word.
library LongMath {
    /// @dev The definition of nearness, by long multiplication: `|answer - reference| * whole <= |reference| * parts`.
    /// A difference whose left product does not fit a word is never near.
    function near(int256 reference_, int256 answer, uint256 parts, uint256 whole)
        internal
        pure
        returns (bool)
    {
        uint256 difference;
        uint256 magnitude;
        unchecked {
            difference = answer > reference_
                ? uint256(answer) - uint256(reference_)
                : uint256(reference_) - uint256(answer);
            magnitude = reference_ < 0 ? uint256(-reference_) : uint256(reference_);
        }
        (uint256 leftHigh, uint256 leftLow) = multiply(difference, whole);
        (uint256 rightHigh, uint256 rightLow) = multiply(magnitude, parts);
        if (leftHigh != 0) return false;
        return rightHigh != 0 || leftLow <= rightLow;
    }

    /// @dev `a * b` in two words, for a `b` below 2^128.
    function multiply(uint256 a, uint256 b) internal pure returns (uint256 high, uint256 low) {
        uint256 lower = (a & type(uint128).max) * b;
        uint256 upper = (a >> 128) * b + (lower >> 128);
        return (upper >> 128, (upper << 128) | (lower & type(uint128).max));
    }
}
