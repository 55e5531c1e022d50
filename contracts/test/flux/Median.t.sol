// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Median} from "../../src/flux/Median.sol";
import {Fixture} from "../base/Fixture.sol";

/// @title The median against the plainest way to it: sort everything and look at the middle.
contract MedianTest is Fixture {
    function testFuzz_median_isTheSortedMiddle(int256[] memory list) public view {
        vm.assume(list.length != 0);
        _check(list);
    }

    /// Few different values, so that many are equal, in every length up to that of the largest round.
    function testFuzz_median_ofManyEqualOnes(uint256 seed, uint256 length) public view {
        int256[] memory list = new int256[](1 + length % 77);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = int256(uint256(keccak256(abi.encode(seed, i))) % 7) - 3;
        }
        _check(list);
    }

    /// Every order of up to six numbers: 873 lists.
    function test_median_ofEveryOrder() public view {
        for (uint256 length = 1; length <= 6; ++length) {
            int256[] memory list = new int256[](length);
            for (uint256 i = 0; i < length; ++i) {
                list[i] = int256(i * i) - 5;
            }
            _permute(list, 0);
        }
    }

    function test_median_ofOrderedOnes() public view {
        for (uint256 length = 1; length <= 77; ++length) {
            int256[] memory up = new int256[](length);
            int256[] memory down = new int256[](length);
            for (uint256 i = 0; i < length; ++i) {
                up[i] = int256(i);
                down[i] = -int256(i);
            }
            _check(up);
            _check(down);
        }
    }

    function test_median_atTheEndsOfTheNumbers() public pure {
        int256[] memory list = new int256[](4);
        list[0] = type(int256).min;
        list[1] = type(int256).max;
        list[2] = type(int256).min;
        list[3] = type(int256).max;
        vm.assertEq(Median.calculate(list), int256(0));
        list[3] = type(int256).min;
        vm.assertEq(Median.calculate(list), type(int256).min);
    }

    /// An empty list has no median.
    function test_median_ofNothingReverts() public {
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x32));
        this.median(new int256[](0));
    }

    /// The memory around the list is left alone, and so is its length.
    function testFuzz_median_keepsToItsMemory(int256[] memory list) public pure {
        vm.assume(list.length != 0);
        uint256 length = list.length;
        bytes memory behind = abi.encode(length, "behind");
        bytes32 hash = keccak256(behind);
        Median.calculate(list);
        vm.assertEq(list.length, length);
        vm.assertEq(keccak256(behind), hash);
    }

    function test_mean_isCutTowardZero() public pure {
        vm.assertEq(Median.mean(-3, -4), int256(-3));
        vm.assertEq(Median.mean(-4, -3), int256(-3));
        vm.assertEq(Median.mean(3, 4), int256(3));
        vm.assertEq(Median.mean(-3, 4), int256(0));
        vm.assertEq(Median.mean(3, -4), int256(0));
        vm.assertEq(Median.mean(-5, 2), int256(-1));
        vm.assertEq(Median.mean(0, -1), int256(0));
        vm.assertEq(Median.mean(type(int256).max, type(int256).max), type(int256).max);
        vm.assertEq(Median.mean(type(int256).min, type(int256).min), type(int256).min);
        vm.assertEq(Median.mean(type(int256).min, type(int256).max), int256(0));
    }

    function testFuzz_mean_equalsTheSumHalved(int128 a, int128 b) public pure {
        vm.assertEq(Median.mean(a, b), (int256(a) + int256(b)) / 2);
    }

    /// In the whole range: halves and their remainders, with numbers of one sign; else the sum cannot overflow.
    function testFuzz_mean_ofAnything(int256 a, int256 b) public pure {
        int256 expected = (a < 0) == (b < 0) ? a / 2 + b / 2 + (a % 2 + b % 2) / 2 : (a + b) / 2;
        vm.assertEq(Median.mean(a, b), expected);
    }

    function median(int256[] memory list) external pure returns (int256) {
        return Median.calculate(list);
    }

    /// @dev Checks every order of what is behind the first `fixed_`.
    function _permute(int256[] memory list, uint256 fixed_) private view {
        if (fixed_ == list.length) return _check(list);
        for (uint256 i = fixed_; i < list.length; ++i) {
            (list[fixed_], list[i]) = (list[i], list[fixed_]);
            _permute(list, fixed_ + 1);
            (list[fixed_], list[i]) = (list[i], list[fixed_]);
        }
    }

    function _check(int256[] memory list) private view {
        int256 given = this.median(list);
        int256[] memory sorted = new int256[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 place = i;
            for (; place > 0 && sorted[place - 1] > list[i]; --place) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = list[i];
        }
        int256 upper = sorted[list.length / 2];
        int256 lower = sorted[(list.length - 1) / 2];
        int256 sum;
        unchecked {
            sum = lower + upper;
        }
        bool overflows = (lower < 0) == (upper < 0) && (sum < 0) != (lower < 0);
        vm.assertEq(given, overflows ? Median.mean(lower, upper) : sum / 2);
    }
}
