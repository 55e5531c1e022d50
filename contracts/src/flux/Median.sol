// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The median of a few numbers.
/// @notice Exact over all of int256. The median of an even count is the mean of the middle two, cut toward zero: that of
/// -3 and -4 is -3. Cheap for the few dozen numbers that a round has; the cost grows with the square of their count.
library Median {
    /// @dev Reverts on an empty list, which has none. The list is left in another order, some of it overwritten.
    function calculate(int256[] memory list) internal pure returns (int256) {
        uint256 middle = list.length / 2;
        _sortSmallerHalf(list);
        int256 upper = list[middle];
        return list.length % 2 == 1 ? upper : mean(list[middle - 1], upper);
    }

    /// @dev The mean, cut toward zero. No intermediate value overflows.
    function mean(int256 a, int256 b) internal pure returns (int256 result) {
        unchecked {
            int256 difference = a ^ b;
            // What both have in common and half of what they have not: the mean, rounded down.
            result = (a & b) + (difference >> 1);
            if (result < 0) result += difference & 1;
        }
    }

    /// @dev Puts the smaller half of the list and the middle in order at its beginning, by insertion. What is too large
    /// for that is looked at once and dropped.
    function _sortSmallerHalf(int256[] memory list) private pure {
        assembly ("memory-safe") {
            let length := mload(list)
            let end := add(add(list, 0x20), shl(5, length))
            let middle := add(add(list, 0x20), shl(5, shr(1, length)))
            // The place before the first holds the smallest value there is: no insertion goes beyond it.
            mstore(list, shl(255, 1))
            for { let next := add(list, 0x20) } lt(next, end) { next := add(next, 0x20) } {
                let value := mload(next)
                let place := next
                if gt(next, middle) {
                    if iszero(slt(value, mload(middle))) { continue }
                    place := middle
                }
                for {} 1 {} {
                    let before := mload(sub(place, 0x20))
                    if iszero(sgt(before, value)) { break }
                    mstore(place, before)
                    place := sub(place, 0x20)
                }
                mstore(place, value)
            }
            mstore(list, length)
        }
    }
}
