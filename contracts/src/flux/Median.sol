// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The median of a few numbers.
/// @notice Exact over all of int256. The median of an even count is the mean of the middle two, cut toward zero: that of
/// -3 and -4 is -3. An empty list has none; its caller has to see to that.
library Median {
    /// @dev The list comes back in another order.
    function calculate(int256[] memory list) internal pure returns (int256) {
        uint256 middle = list.length / 2;
        _select(list, middle);
        int256 upper = list[middle];
        if (list.length % 2 == 1) return upper;
        // All that is left of the upper middle is at most as large: its largest is the lower middle.
        int256 lower = list[0];
        unchecked {
            for (uint256 i = 1; i < middle; ++i) {
                if (list[i] > lower) lower = list[i];
            }
        }
        return mean(lower, upper);
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

    /// @dev Hoare's FIND: orders the list so far that `list[k]` stands where it would in the sorted list, with
    /// nothing larger before it and nothing smaller after it.
    function _select(int256[] memory list, uint256 k) private pure {
        assembly ("memory-safe") {
            let first := add(list, 0x20)
            let low := first
            let high := add(list, shl(5, mload(list)))
            k := add(first, shl(5, k))
            for {} lt(low, high) {} {
                let pivot := mload(k)
                let i := low
                let j := high
                // Both ends move inward and swap what stands on the wrong side. One of them passes `k` at last.
                for {} iszero(gt(i, j)) {} {
                    let left := mload(i)
                    for {} slt(left, pivot) {} {
                        i := add(i, 0x20)
                        left := mload(i)
                    }
                    let right := mload(j)
                    for {} sgt(right, pivot) {} {
                        j := sub(j, 0x20)
                        right := mload(j)
                    }
                    if iszero(gt(i, j)) {
                        mstore(i, right)
                        mstore(j, left)
                        i := add(i, 0x20)
                        j := sub(j, 0x20)
                    }
                }
                if lt(j, k) { low := i }
                if gt(i, k) { high := j }
            }
        }
    }
}
