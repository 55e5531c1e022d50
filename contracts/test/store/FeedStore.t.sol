// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Storing} from "./Storing.sol";
import {FeedStoreFixture} from "./FeedStoreFixture.sol";

contract FeedStoreConstructorTest is Storing {
    function test_constructor() public {
        FeedStore store = new FeedStore(60, OWNER, TRANSMITTER);
        vm.assertEq(store.maxAgeSeconds(), 60);
        vm.assertEq(store.owner(), OWNER);
        vm.assertTrue(store.isTransmitter(TRANSMITTER));
        vm.assertFalse(store.isTransmitter(OWNER));
        vm.assertEq(store.typeAndVersion(), "FeedStore 1.0.0");
        (uint256 sequence, uint256 feeds, bool paused, bool authorised,) = store.storeState(TRANSMITTER);
        vm.assertEq(abi.encode(sequence, feeds, paused, authorised), abi.encode(0, 0, false, true));
        (address[] memory signers, uint8 f) = store.signers();
        vm.assertEq(abi.encode(signers, f), abi.encode(new address[](0), 0));
        vm.assertFalse(new FeedStore(60, OWNER, address(0)).isTransmitter(address(0)));
    }

    function test_constructor_refusesNoAgeAtAll() public {
        vm.expectRevert(IFeedStore.InvalidMaxAge.selector);
        new FeedStore(0, OWNER, TRANSMITTER);
    }
}

contract FeedStoreAdminTest is FeedStoreFixture {
    function test_addFeed() public {
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.FeedAdded(FEEDS, 6, "SOL / USD", -5, 1e15);
        vm.prank(OWNER);
        uint256 feed = store.addFeed(6, "SOL / USD", -5, 1e15);
        vm.assertEq(feed, FEEDS);
        (uint8 decimals, string memory text, int256 min, int256 max, bool paused, address announcer) =
            store.feedInfo(feed);
        vm.assertEq(
            abi.encode(decimals, text, min, max, paused, announcer),
            abi.encode(6, "SOL / USD", int256(-5), int256(1e15), false, address(0))
        );
        (, uint256 feeds,,,) = store.storeState(OWNER);
        vm.assertEq(feeds, FEEDS + 1);
    }

    /// Over the edges of pages: every feed keeps its own bounds.
    function test_addFeed_manyPages() public {
        FeedStore big = new FeedStore(MAX_AGE, OWNER, TRANSMITTER);
        for (uint256 i = 0; i < 131; ++i) {
            vm.assertEq(_addFeed(big, -int256(i), int256(i)), i);
        }
        for (uint256 i = 0; i < 131; ++i) {
            (,, int256 min, int256 max,,) = big.feedInfo(i);
            vm.assertEq(abi.encode(min, max), abi.encode(-int256(i), int256(i)));
        }
        bytes memory inside;
        bytes memory outside;
        for (uint256 i = 0; i < 131; ++i) {
            inside = bytes.concat(inside, _entry(i, i % 2 == 0 ? int256(i) : -int256(i)));
            outside = bytes.concat(outside, _entry(i, i % 2 == 0 ? int256(i) + 1 : -int256(i) - 1));
        }
        // The feeds after the last one, on its page and on the next.
        _update(big, bytes.concat(inside, _entry(131, 0), _entry(191, 0), _entry(192, 0), _entry(4000, 0)));
        _update(big, outside);
        for (uint256 i = 0; i < 131; ++i) {
            (uint256 round, int256 answer,) = big.latestRoundOf(i);
            vm.assertEq(abi.encode(round, answer), abi.encode(1, i % 2 == 0 ? int256(i) : -int256(i)));
        }
        (uint256 none,,) = big.latestRoundOf(131);
        vm.assertEq(none, 0);
    }

    function test_addFeed_refusesBounds() public {
        int256[2][4] memory bounds = [
            [int256(1), int256(0)],
            [int256(type(int64).min) - 1, int256(0)],
            [int256(0), int256(type(int64).max) + 1],
            [type(int256).max, type(int256).min]
        ];
        for (uint256 i = 0; i < bounds.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IFeedStore.InvalidBounds.selector, bounds[i][0], bounds[i][1])
            );
            vm.prank(OWNER);
            store.addFeed(8, "", bounds[i][0], bounds[i][1]);
        }
    }

    function test_owner_alone() public {
        bytes[6] memory calls = [
            abi.encodeCall(store.addFeed, (8, "", 0, 1)),
            abi.encodeCall(store.setAnnouncer, (0, address(0))),
            abi.encodeCall(store.setTransmitter, (STRANGER, true)),
            abi.encodeCall(store.pause, ()),
            abi.encodeCall(store.unpause, ()),
            abi.encodeCall(store.setFeedPaused, (0, true))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(TRANSMITTER);
            _refused(address(store), calls[i], ONLY_OWNER);
            vm.prank(OWNER);
            _send(address(store), calls[i]);
        }
    }

    function test_unknownFeeds() public {
        uint256[3] memory unknown = [FEEDS, 65_536, type(uint256).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IFeedStore.UnknownFeed.selector, unknown[i]);
            vm.expectRevert(reason);
            store.feedInfo(unknown[i]);
            vm.expectRevert(reason);
            vm.prank(OWNER);
            store.setFeedPaused(unknown[i], true);
            vm.expectRevert(reason);
            vm.prank(OWNER);
            store.setAnnouncer(unknown[i], address(0));
            vm.expectRevert(reason);
            new FeedFacade(store, unknown[i]);
        }
    }

    /// A feed's number is compared in full width: one that is cut would show another feed's rounds.
    function testFuzz_unknownFeeds_haveNoRounds(uint256 feed, uint256 round) public {
        for (uint256 i = 0; i < 4; ++i) {
            _update(store, _entries(FEEDS, 7));
        }
        vm.assume(feed >= FEEDS);
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 roundId, int256 answer, uint256 updatedAt) = store.latestRoundOf(feed);
            vm.assertEq(abi.encode(roundId, answer, updatedAt), abi.encode(0, 0, 0));
            (answer, updatedAt) = store.roundOf(feed, i == 0 ? round : i);
            vm.assertEq(abi.encode(answer, updatedAt), abi.encode(0, 0));
        }
    }

    function test_setTransmitter_rotates() public {
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.TransmitterChanged(STRANGER, true);
        vm.prank(OWNER);
        store.setTransmitter(STRANGER, true);
        vm.prank(OWNER);
        store.setTransmitter(TRANSMITTER, false);
        bytes memory data = _updated(_next(_entries(1, 1)));
        vm.prank(TRANSMITTER);
        _refused(
            address(store), data, abi.encodeWithSelector(IFeedStore.NotTransmitter.selector, TRANSMITTER)
        );
        vm.prank(STRANGER);
        _send(address(store), data);
        vm.expectRevert(abi.encodeWithSelector(IFeedStore.InvalidTransmitter.selector, address(0)));
        vm.prank(OWNER);
        store.setTransmitter(address(0), true);
        vm.recordLogs();
        vm.prank(OWNER);
        store.setTransmitter(STRANGER, true);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_pause_stopsReportsAndKeepsReads() public {
        _update(store, _entries(FEEDS, 1));
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.PauseChanged(true, OWNER);
        vm.prank(OWNER);
        store.pause();
        bytes memory report = _next(_entries(FEEDS, 2));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.Paused.selector));
        vm.recordLogs();
        vm.prank(OWNER);
        store.pause();
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.prank(OWNER);
        store.unpause();
        _send(address(store), _transmitted(report));
        _assertLatest(3, 2, 5, block.timestamp);
    }

    function test_setFeedPaused_touchesNoCounter() public {
        for (uint256 i = 0; i < 4; ++i) {
            _update(store, _entries(FEEDS, int256(i)));
        }
        bytes memory before = _state();
        for (uint256 feed = 0; feed < FEEDS; feed += 5) {
            vm.expectEmit(true, true, true, true, address(store));
            emit IFeedStore.FeedPauseChanged(feed, true, OWNER);
            vm.prank(OWNER);
            store.setFeedPaused(feed, true);
            vm.recordLogs();
            vm.prank(OWNER);
            store.setFeedPaused(feed, true);
            vm.assertEq(vm.getRecordedLogs().length, 0);
        }
        vm.assertEq(_state(), before);
        _update(store, _entries(FEEDS, 100));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (uint256 round,,) = store.latestRoundOf(feed);
            vm.assertEq(round, feed % 5 == 0 ? 4 : 5);
            if (feed % 5 != 0) continue;
            vm.prank(OWNER);
            store.setFeedPaused(feed, false);
        }
        _update(store, _entries(FEEDS, 200));
        _assertLatest(5, 5, 205, block.timestamp);
        _assertLatest(6, 6, 206, block.timestamp);
    }
}
