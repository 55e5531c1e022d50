// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {ReferenceFeed} from "../base/ReferenceFeed.sol";
import {Storing} from "./Storing.sol";

/// @title The packed history of many feeds against one word per number: the same bytes from every read.
contract FeedHistoryTest is Storing {
    uint256 private constant FEEDS = 11;
    uint256 private constant COUNTERS_SLOT = 3;
    uint256 private constant GROUPS_SLOT = 4;
    uint256 private constant WIDE_SLOT = 5;
    uint256 private constant MARK = 0x3ffff;
    uint256 private constant SECONDS_MAX = 262_142;

    FeedStore private store;
    FeedFacade[FEEDS] private packed;
    ReferenceFeed[FEEDS] private plain;

    function setUp() public {
        store = _store(FEEDS);
        for (uint256 i = 0; i < FEEDS; ++i) {
            packed[i] = _facade(store, i);
            plain[i] = new ReferenceFeed();
        }
    }

    /// Reports of some of the feeds, answers of every size and gaps from nothing to years.
    function testFuzz_history_equalsTheReference(uint256 seed) public {
        for (uint256 i = 0; i < 8; ++i) {
            _writeSome(_draw(seed, i), _draw(seed, i) % 3 == 0 ? 12 * 365 days : 200_000);
        }
        for (uint256 i = 0; i < FEEDS; ++i) {
            _assertSame(i);
        }
    }

    /// Thousands of rounds, each read back at the end.
    function test_history_readBackOfThousands() public {
        for (uint256 i = 0; i < 600; ++i) {
            _writeSome(_draw(11, i), i % 50 == 49 ? 5 * 365 days : i % 5 == 0 ? 300_000 : 600);
        }
        uint256 rounds;
        for (uint256 i = 0; i < FEEDS; ++i) {
            rounds += plain[i].latestRound();
            _assertSame(i);
        }
        vm.assertTrue(rounds > 3000);
    }

    /// The last second and the last answer that fit, and the first ones that do not, in every position of a group.
    function test_history_escapesExactlyWhereItMust() public {
        for (uint256 feed = 0; feed < 3; ++feed) {
            // The rounds up to the end of the first group, so that every feed starts one afresh.
            for (uint256 i = feed; i < 3; ++i) {
                _write(feed, int256(i), 60);
            }
            _expect(feed, 1, 60, false);
            _expect(feed, type(int56).max, SECONDS_MAX, false);
            _expect(feed, 1, 1, true);
            _expect(feed, type(int56).min, 1, false);
            _expect(feed, int256(type(int56).max) + 1, 1, true);
            _expect(feed, int256(type(int56).min) - 1, 1, true);
            // Whatever the first of a group is, its time is the base of the others.
            _expect(feed, type(int64).min, 10 * 365 days, true);
            _expect(feed, 7, SECONDS_MAX + 1, true);
            _expect(feed, 7, 1000 days, true);
            _expect(feed, type(int64).max, 0, true);
            _expect(feed, 0, 0, false);
            _expect(feed, 0, 0, false);
            _assertSame(feed);
        }
    }

    /// Feeds that are always written together take turns in opening a fresh group.
    function test_history_staggersTheGroups() public {
        for (uint256 round = 1; round <= 9; ++round) {
            _update(store, _entries(3, 1));
            for (uint256 feed = 0; feed < 3; ++feed) {
                uint256 position = round - 1 + feed;
                vm.assertTrue(_group(feed, position / 3) != 0);
                vm.assertEq(_group(feed, position / 3 + 1), 0);
            }
        }
    }

    /// A group is written as the comment of the layout says.
    function test_history_layout() public {
        uint256 start = block.timestamp;
        _write(0, -1, 0);
        _write(0, 5, 10);
        _write(0, type(int64).max, 10);
        uint256 minusOne = type(uint56).max;
        vm.assertEq(_group(0, 0), start << 224 | MARK << 148 | (5 << 18 | 10) << 74 | minusOne << 18);
        vm.assertEq(_wide(0, 3), uint256(uint64(type(int64).max)) << 40 | (start + 20));
        _write(10, 3, 0);
        // Feed 10 starts in the middle of its group: 10 mod 3 = 1.
        vm.assertEq(_group(10, 0), (start + 20) << 224 | (3 << 18) << 74);
        vm.assertEq(_counters(0), 3);
        vm.assertEq(_counters(1), 1 << 64);
    }

    // --------------------------------------------------------------- drawing

    /// @dev Each feed with an even chance, at the same time.
    function _writeSome(uint256 random, uint256 gapMax) private {
        vm.warp(block.timestamp + (random >> 32) % gapMax);
        // Four bytes of seconds are the report's; the years of a run must not outlast them.
        if (block.timestamp > 4_100_000_000) vm.warp(4_100_000_000);
        bytes memory entries;
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            if (random >> feed & 1 == 0) continue;
            int256 answer = _answer(_draw(random, feed));
            entries = bytes.concat(entries, _entry(feed, answer));
            plain[feed].append(answer);
        }
        if (entries.length != 0) _update(store, entries);
    }

    function _answer(uint256 random) private pure returns (int256) {
        uint256 kind = random % 6;
        int256 small = int256((random >> 8) % 5) - 2;
        if (kind == 0) return int256(type(int56).max) + small;
        if (kind == 1) return int256(type(int56).min) + small;
        if (kind == 2) return int256((random >> 8) % 1e13);
        if (kind == 3) return small;
        if (kind == 4) return small < 0 ? type(int64).min - small - 1 : type(int64).max - small;
        return int64(uint64(random >> 64));
    }

    // ------------------------------------------------------------- comparing

    function _write(uint256 feed, int256 answer, uint256 gap) private {
        vm.warp(block.timestamp + gap);
        _update(store, _entry(feed, answer));
        plain[feed].append(answer);
    }

    function _expect(uint256 feed, int256 answer, uint256 gap, bool wide) private {
        if (block.timestamp + gap > type(uint32).max) gap = 1000 days;
        _write(feed, answer, gap);
        vm.assertEq(_wide(feed, plain[feed].latestRound()) != 0, wide);
    }

    /// @dev Every round, the ids around them, and where the escape was taken.
    function _assertSame(uint256 feed) private view {
        uint256 latest = plain[feed].latestRound();
        _same(feed, abi.encodeCall(ReferenceFeed.latestRoundData, ()));
        for (uint256 round = 0; round <= latest + 4; ++round) {
            _same(feed, abi.encodeCall(ReferenceFeed.getRoundData, (uint80(round))));
            bool exists = round != 0 && round <= latest;
            uint256 position = exists ? round - 1 + feed % 3 : 0;
            uint256 entry = exists ? _group(feed, position / 3) >> (position % 3 * 74) : 0;
            vm.assertEq(_wide(feed, round) != 0, entry & MARK == MARK);
            if (entry & MARK == MARK) vm.assertEq(entry % (1 << 74), MARK);
        }
        for (uint256 round = latest; round <= latest + 1; ++round) {
            _same(feed, abi.encodeCall(ReferenceFeed.getAnswer, (round)));
            _same(feed, abi.encodeCall(ReferenceFeed.getTimestamp, (round)));
        }
        _same(feed, abi.encodeCall(ReferenceFeed.latestAnswer, ()));
        _same(feed, abi.encodeCall(ReferenceFeed.latestTimestamp, ()));
        _same(feed, abi.encodeCall(plain[feed].latestRound, ()));
    }

    function _same(uint256 feed, bytes memory call) private view {
        vm.assertEq(_outcome(address(packed[feed]), call), _outcome(address(plain[feed]), call));
    }

    function _counters(uint256 lanes) private view returns (uint256) {
        return _slot(COUNTERS_SLOT, lanes);
    }

    function _group(uint256 feed, uint256 group) private view returns (uint256) {
        return _slot(GROUPS_SLOT, feed << 32 | group);
    }

    function _wide(uint256 feed, uint256 round) private view returns (uint256) {
        return _slot(WIDE_SLOT, feed << 32 | round);
    }

    function _slot(uint256 mapping_, uint256 key) private view returns (uint256) {
        return uint256(vm.load(address(store), keccak256(abi.encode(key, mapping_))));
    }
}
