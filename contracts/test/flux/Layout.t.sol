// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FluxCompatibleAggregator} from "../../src/flux/FluxCompatibleAggregator.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @title What the storage of rounds looks like: as `FluxRounds` says, and not a slot more.
contract FluxLayoutTest is FluxFixture {
    uint256 private constant LATEST = 0;
    uint256 private constant LEFT_OPEN = 1;
    uint256 private constant HISTORY = 2;
    uint256 private constant TIMES = 3;
    uint256 private constant WIDE = 4;
    uint256 private constant SUBMISSIONS = 5;
    uint256 private constant WORDS = 19;

    FluxCompatibleAggregator private feed;

    function setUp() public {
        feed = _flux(TIMEOUT, IFluxAggregator.MedianMode.EverySubmission);
    }

    function test_layout_ofTheLatestRound() public {
        _addOracles(feed, 0, 5, 3, 4);
        _take(0, 1, 7);
        vm.assertEq(_slot(LATEST), _round(1, 0, TIMEOUT, 3, 4, 1, 0, 7, 0));
        vm.warp(block.timestamp + 5);
        _take(1, 1, 8);
        vm.assertEq(_slot(LATEST), _round(1, 0, TIMEOUT, 3, 4, 2, 0, 7, 0) - (5 << 24));
        _take(2, 1, 9);
        vm.assertEq(_slot(LATEST), _round(1, 1, TIMEOUT, 3, 4, 3, 0, 8, 5) - (5 << 24));
        _take(3, 1, -9);
        vm.assertEq(_slot(LATEST), _round(1, 1, 0, 0, 0, 0, 0, 7, 5) - (5 << 24));
        // The first two are in one word, with the third; the fourth closed the round and is nowhere.
        vm.assertEq(_slot(SUBMISSIONS + WORDS), uint256(9) << 128 | uint256(8) << 64 | 7);
        vm.assertEq(_slot(LEFT_OPEN), 0);
        vm.assertEq(_at(HISTORY, 0), 0);
        vm.prank(OWNER);
        feed.setValidator(STRANGER);
        vm.assertEq(_slot(LATEST), _round(1, 1, 0, 0, 0, 0, 1, 7, 5) - (5 << 24));
        vm.prank(OWNER);
        feed.setValidator(address(0));
        vm.assertEq(_slot(LATEST), _round(1, 1, 0, 0, 0, 0, 0, 7, 5) - (5 << 24));
    }

    /// Two rounds to a slot; a round that was left open is kept whole beside it.
    function test_layout_ofTheHistory() public {
        _addOracles(feed, 0, 3, 1, 2);
        uint256[6] memory entries;
        for (uint256 round = 1; round <= 5; ++round) {
            vm.warp(block.timestamp + 60);
            _take(0, round, -int256(round));
            if (round != 4) _take(1, round, -int256(round));
            entries[round] = uint128(_slot(LATEST));
            vm.assertEq(uint64(entries[round] >> 64), uint64(-int64(uint64(round))));
            vm.assertEq(uint40(entries[round] >> 24), block.timestamp);
        }
        vm.assertEq(_at(HISTORY, 0), entries[1] << 128);
        vm.assertEq(_at(HISTORY, 1), entries[3] << 128 | entries[2]);
        vm.assertEq(_at(HISTORY, 2), entries[4]);
        vm.assertEq(_slot(LEFT_OPEN) >> 224, 4);
        vm.assertEq(uint128(_slot(LEFT_OPEN)), entries[4]);
        for (uint256 round = 1; round <= 5; ++round) {
            vm.assertEq(_at(TIMES, round), 0);
            vm.assertEq(_at(WIDE, round), 0);
        }
    }

    /// A number is kept outside its cell exactly where 64 bits cannot hold it, or hold the mark.
    function testFuzz_layout_wideExactlyWhereItMust(int256 value, uint256 shift) public {
        value >>= 170 + shift % 50;
        _addOracles(feed, 0, 1, 1, 1);
        _take(0, 1, value);
        bool fits = value == int64(value) && value != type(int64).min;
        vm.assertEq(_at(WIDE, 1), fits ? 0 : uint256(value));
        vm.assertEq(_at(WIDE, uint256(uint160(_oracle(0))) << 96), fits ? 0 : uint256(value));
        uint64 cell = fits ? uint64(int64(value)) : uint64(1 << 63);
        vm.assertEq(uint64(_slot(LATEST) >> 64), cell);
        vm.assertEq(feed.latestAnswer(), value);
    }

    function test_layout_wideAroundTheLimits() public {
        _addOracles(feed, 0, 1, 1, 1);
        int256[5] memory values = [
            int256(type(int64).max),
            int256(type(int64).min) + 1,
            int256(type(int64).max) + 1,
            int256(type(int64).min),
            int256(type(int64).min) - 1
        ];
        for (uint256 i = 0; i < values.length; ++i) {
            _take(0, i + 1, values[i]);
            vm.assertEq(_at(WIDE, i + 1), i < 2 ? 0 : uint256(values[i]));
            vm.assertEq(feed.latestAnswer(), values[i]);
        }
    }

    /// A time is kept outside its entry exactly where the answer is 194 days late or not the round's own.
    function test_layout_timesExactlyWhereTheyMust() public {
        uint256 mark = type(uint24).max;
        _addOracles(feed, 0, 3, 2, 2);
        vm.prank(OWNER);
        feed.updateFutureRounds(0, 2, 2, 0, 0);
        uint256[3] memory gaps = [mark - 1, mark, mark + 1];
        for (uint256 i = 0; i < gaps.length; ++i) {
            _take(0, i + 1, 7);
            vm.warp(block.timestamp + gaps[i]);
            _take(1, i + 1, 7);
            vm.assertEq(uint24(_slot(LATEST)), i == 0 ? mark - 1 : mark);
            vm.assertEq(_at(TIMES, i + 1), i == 0 ? 0 : block.timestamp << 32 | (i + 1));
            vm.assertEq(feed.latestTimestamp(), block.timestamp);
        }
        vm.prank(OWNER);
        feed.updateFutureRounds(0, 2, 2, 0, TIMEOUT);
        _take(0, 4, 7);
        vm.warp(block.timestamp + TIMEOUT + 1);
        _take(1, 5, 7);
        vm.assertEq(_at(TIMES, 4), block.timestamp << 32 | 3);
        vm.assertEq(_at(TIMES, 5), 0);
    }

    // ------------------------------------------------------------------ helpers

    /// @dev A round's word, opened at the present time.
    function _round(
        uint256 id,
        uint256 answered,
        uint256 timeout,
        uint256 min,
        uint256 max,
        uint256 count,
        uint256 flag,
        uint256 value,
        uint256 elapsed
    ) private view returns (uint256 word) {
        word = id << 224 | answered << 192 | timeout << 160;
        word |= min << 152 | max << 144 | count << 136 | flag << 128;
        word |= value << 64 | block.timestamp << 24 | elapsed;
    }

    function _take(uint256 i, uint256 round, int256 value) private {
        vm.prank(_oracle(i));
        feed.submit(round, value);
    }

    function _slot(uint256 slot) private view returns (uint256) {
        return uint256(vm.load(address(feed), bytes32(slot)));
    }

    function _at(uint256 mapping_, uint256 key) private view returns (uint256) {
        return uint256(vm.load(address(feed), keccak256(abi.encode(key, mapping_))));
    }
}
