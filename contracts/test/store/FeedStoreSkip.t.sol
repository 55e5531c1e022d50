// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Vm} from "../base/Vm.sol";
import {FeedStoreFixture} from "./FeedStoreFixture.sol";

contract FeedStoreSkipTest is FeedStoreFixture {
    /// One bad feed of every kind among good ones: each is skipped by name, and the good ones are written.
    function test_skips_eachBadFeedAlone() public {
        uint256 bounded = _addFeed(store, 10, 20);
        vm.prank(OWNER);
        store.setFeedPaused(5, true);
        _update(store, _entries(4, 1));
        vm.warp(block.timestamp + 60);
        // Observed before feed 0 to 3 were last written, after all others.
        _update(store, _entry(3, 9));
        bytes memory report = _batch(
            _nextSequence(store),
            block.timestamp - 60,
            bytes.concat(
                _entry(2, 50),
                _entry(3, 51),
                _entry(5, 52),
                _entry(6, 53),
                _entry(bounded, 21),
                _entry(13, 54),
                _entry(65_535, 55)
            )
        );
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(report));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 6);
        vm.assertEq(logs[0].topics[0], IFeedStore.ReportAccepted.selector);
        _assertSkipped(logs[1], 3, 51, IFeedStore.SkipReason.Stale);
        _assertSkipped(logs[2], 5, 52, IFeedStore.SkipReason.FeedPaused);
        _assertSkipped(logs[3], bounded, 21, IFeedStore.SkipReason.OutOfBounds);
        _assertSkipped(logs[4], 13, 54, IFeedStore.SkipReason.UnknownFeed);
        _assertSkipped(logs[5], 65_535, 55, IFeedStore.SkipReason.UnknownFeed);
        _assertLatest(2, 2, 50, block.timestamp);
        _assertLatest(3, 2, 9, block.timestamp);
        _assertLatest(6, 1, 53, block.timestamp);
        _assertNone(5);
        _assertNone(bounded);
        _assertNone(13);
        _assertNone(65_535);
    }

    function _assertSkipped(Vm.Log memory log, uint256 feed, int256 answer, IFeedStore.SkipReason reason)
        private
        view
    {
        vm.assertEq(log.emitter, address(store));
        vm.assertEq(log.topics.length, 3);
        vm.assertEq(log.topics[0], IFeedStore.FeedSkipped.selector);
        vm.assertEq(log.topics[1], bytes32(feed));
        vm.assertEq(log.topics[2], bytes32(_nextSequence(store) - 1));
        vm.assertEq(log.data, abi.encode(answer, reason));
    }

    /// Whatever is bad about one feed, its neighbours in the slot of counters and on the page are written.
    function testFuzz_skips_anyOneBadFeed(uint256 bad, uint8 kind, int64 answer) public {
        FeedStore other = new FeedStore(MAX_AGE, OWNER, TRANSMITTER);
        bad %= 10;
        for (uint256 feed = 0; feed < 10; ++feed) {
            _addFeed(other, feed == bad && kind % 2 == 0 ? int256(1) : type(int64).min, type(int64).max);
        }
        if (kind % 2 == 1) {
            vm.prank(OWNER);
            other.setFeedPaused(bad, true);
        } else if (answer > 0) {
            answer = -answer;
        }
        bytes memory entries;
        for (uint256 feed = 0; feed < 10; ++feed) {
            entries = bytes.concat(entries, _entry(feed, answer));
        }
        for (uint256 i = 1; i <= 4; ++i) {
            _update(other, entries);
            for (uint256 feed = 0; feed < 10; ++feed) {
                (uint256 round, int256 latest,) = other.latestRoundOf(feed);
                vm.assertEq(round, feed == bad ? 0 : i);
                vm.assertEq(latest, feed == bad ? int256(0) : answer);
            }
        }
    }

    /// Every entry skipped: the sequence is used up all the same, or the report could come back.
    function test_skips_wholeReports() public {
        bytes memory report = _next(bytes.concat(_entry(FEEDS, 1), _entry(FEEDS + 1, 1)));
        _send(address(store), _transmitted(report));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 1, 2));
    }

    function test_skips_outsideBoundsOnly() public {
        uint256 feed = _addFeed(store, -3, 9);
        int64[6] memory answers = [int64(-4), -3, 9, 10, type(int64).min, type(int64).max];
        for (uint256 i = 0; i < answers.length; ++i) {
            _update(store, _entry(feed, answers[i]));
        }
        (uint256 roundId, int256 answer,) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, answer), abi.encode(2, int256(9)));
        (answer,) = store.roundOf(feed, 1);
        vm.assertEq(answer, int256(-3));
    }

    /// Observed in the second in which the feed was last written is not before it.
    function test_skips_staleOnly() public {
        _update(store, _entries(2, 1));
        uint256 written = block.timestamp;
        vm.warp(written + 60);
        _update(store, _entry(0, 2));
        // Feed 1 was not written since; feed 2 never.
        bytes memory entries = bytes.concat(_entry(0, 3), _entry(1, 4), _entry(2, 5));
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(3, written, entries)));
        _assertLatest(0, 2, 2, block.timestamp);
        _assertLatest(1, 2, 4, block.timestamp);
        _assertLatest(2, 1, 5, block.timestamp);
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(4, block.timestamp - 1, entries)));
        _assertLatest(1, 2, 4, block.timestamp);
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(5, block.timestamp, entries)));
        _assertLatest(0, 3, 3, block.timestamp);
        _assertLatest(1, 3, 4, block.timestamp);
    }

    /// The last round there is, and the one after it: neither the pause bit nor the neighbours are touched.
    function test_skips_exhaustedFeeds() public {
        _update(store, _entries(8, 1));
        bytes32 slot = keccak256(abi.encode(uint256(0), _countersSlot()));
        uint256 word = uint256(vm.load(address(store), slot));
        vm.assertEq(word, uint256(0x0000000100000001000000010000000100000001000000010000000100000001));
        vm.store(address(store), slot, bytes32(word ^ (uint256(0x7ffffffe ^ 1) << 96)));
        _update(store, _entries(8, 70));
        _assertLatest(3, 0x7fffffff, 73, block.timestamp);
        vm.recordLogs();
        _update(store, _entries(8, 80));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
        _assertSkipped(logs[1], 3, 83, IFeedStore.SkipReason.Exhausted);
        _assertLatest(3, 0x7fffffff, 73, block.timestamp);
        _assertLatest(2, 3, 82, block.timestamp);
        _assertLatest(4, 3, 84, block.timestamp);
        (,,,, bool paused,) = store.feedInfo(3);
        vm.assertFalse(paused);
    }

    /// @dev The mapping of counters is the one under which a word for feeds 0 to 7 is found.
    function _countersSlot() private view returns (uint256 slot) {
        for (slot = 0; slot < 16; ++slot) {
            bytes32 word = vm.load(address(store), keccak256(abi.encode(uint256(0), slot)));
            if (uint256(word) & 0xffffffff == 1) return slot;
        }
        vm.assertTrue(false, "no counters");
    }

    function _assertNone(uint256 feed) private view {
        (uint256 roundId, int256 answer, uint256 updatedAt) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, answer, updatedAt), abi.encode(0, 0, 0));
    }
}
