// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IFeedFacade} from "../../src/interfaces/store/IFeedFacade.sol";
import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {Vm} from "../base/Vm.sol";
import {FeedStoreFixture} from "./FeedStoreFixture.sol";

/// @dev Says it is a facade, and does with an announcement whatever harms most.
contract HostileFacade {
    address public immutable store;
    uint256 public immutable feedId;
    uint256 private immutable kind;
    bytes22 private immutable report;

    constructor(address store_, uint256 feedId_, uint256 kind_, bytes22 report_) {
        store = store_;
        feedId = feedId_;
        kind = kind_;
        report = report_;
    }

    function announce(uint256, int256) external {
        if (kind == 0) revert("no");
        if (kind == 1) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (kind == 2) {
            assembly ("memory-safe") {
                revert(0, 1000000)
            }
        }
        // The report that is next, from within the one before it.
        (bool ok,) = store.call(abi.encodePacked(report));
        require(ok, "refused");
    }
}

contract FeedFacadeTest is FeedStoreFixture {
    FeedFacade private facade;

    function setUp() public override {
        super.setUp();
        facade = _facade(store, 4);
        vm.prank(OWNER);
        store.setAnnouncer(4, address(facade));
    }

    function test_facade_isOneFeed() public {
        vm.assertEq(facade.store(), address(store));
        vm.assertEq(facade.feedId(), 4);
        vm.assertEq(facade.typeAndVersion(), "FeedFacade 1.0.0");
        vm.prank(OWNER);
        uint256 feed = store.addFeed(18, "BTC / USD", 0, 1);
        vm.assertEq(_facade(store, feed).decimals(), 18);
        vm.assertEq(_facade(store, feed).description(), "BTC / USD");
    }

    /// The events are the facade's own, `NewRound` first, and say what its reads say.
    function test_announce_emitsBothEvents() public {
        _update(store, _entries(FEEDS, 1));
        vm.warp(block.timestamp + 60);
        bytes memory report = _batch(2, block.timestamp - 9, _entries(FEEDS, -42));
        vm.recordLogs();
        _send(address(store), _transmitted(report));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
        vm.assertEq(logs[1].emitter, address(facade));
        vm.assertEq(logs[1].topics[0], IAggregatorV2V3.NewRound.selector);
        vm.assertEq(logs[1].topics[1], bytes32(uint256(2)));
        vm.assertEq(logs[1].topics[2], bytes32(0));
        vm.assertEq(logs[1].data, abi.encode(block.timestamp));
        vm.assertEq(logs[2].emitter, address(facade));
        vm.assertEq(logs[2].topics[0], IAggregatorV2V3.AnswerUpdated.selector);
        vm.assertEq(logs[2].topics[1], bytes32(type(uint256).max - 37));
        vm.assertEq(logs[2].topics[2], bytes32(uint256(2)));
        vm.assertEq(logs[2].data, abi.encode(block.timestamp));
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt,) = facade.latestRoundData();
        vm.assertEq(abi.encode(roundId, answer), abi.encode(2, int256(-38)));
        vm.assertEq(abi.encode(startedAt, updatedAt), abi.encode(block.timestamp, block.timestamp));
    }

    function test_announce_onlyWhatWasWritten() public {
        vm.prank(OWNER);
        store.setFeedPaused(4, true);
        vm.recordLogs();
        _update(store, _entry(4, 1));
        // Accepted, and skipped: nothing of the facade's.
        vm.assertEq(vm.getRecordedLogs().length, 2);
    }

    function test_announce_onlyByTheStore() public {
        address[3] memory others = [OWNER, TRANSMITTER, STRANGER];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFeedFacade.OnlyStore.selector, others[i]));
            vm.prank(others[i]);
            facade.announce(1, 1);
        }
    }

    function test_setAnnouncer() public {
        FeedFacade fifth = _facade(store, 5);
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.AnnouncerChanged(5, address(fifth));
        vm.prank(OWNER);
        store.setAnnouncer(5, address(fifth));
        vm.prank(OWNER);
        store.setAnnouncer(4, address(0));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (,, int256 min, int256 max,, address announcer) = store.feedInfo(feed);
            vm.assertEq(announcer, feed == 5 ? address(fifth) : address(0));
            vm.assertEq(abi.encode(min, max), abi.encode(int256(type(int64).min), int256(type(int64).max)));
        }
        vm.recordLogs();
        _update(store, _entries(FEEDS, 1));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
        vm.assertEq(logs[1].emitter, address(fifth));
    }

    /// The facade of another feed or another store would announce what its reads do not show.
    function test_setAnnouncer_refusesOthers() public {
        address[4] memory others =
            [address(_facade(store, 3)), address(_facade(_store(5), 4)), STRANGER, address(vm)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFeedStore.InvalidFacade.selector, others[i]));
            vm.prank(OWNER);
            store.setAnnouncer(4, others[i]);
        }
    }

    /// A facade that fails, burns its gas or returns a bomb keeps nobody from anything.
    function test_hostileFacade_stopsNothing() public {
        for (uint256 kind = 0; kind < 3; ++kind) {
            address hostile = address(new HostileFacade(address(store), 2, kind, 0));
            vm.prank(OWNER);
            store.setAnnouncer(2, hostile);
            vm.recordLogs();
            _update(store, _entries(FEEDS, int256(kind)));
            // The honest facade after it is heard.
            vm.assertEq(vm.getRecordedLogs().length, 3);
            _assertLatest(2, kind + 1, int256(kind) + 2, block.timestamp);
            _assertLatest(11, kind + 1, int256(kind) + 11, block.timestamp);
        }
    }

    /// A facade that sends the next report from within finds everything of this one written: each is accepted as if it
    /// had come alone, and no round is doubled or lost.
    function test_hostileFacade_reenters() public {
        _update(store, _entries(FEEDS, 1));
        bytes memory next = _updated(_batch(3, block.timestamp, _entry(6, 77)));
        address hostile = address(new HostileFacade(address(store), 2, 3, bytes22(next)));
        vm.prank(OWNER);
        store.setTransmitter(hostile, true);
        vm.prank(OWNER);
        store.setAnnouncer(2, hostile);
        // Sent by the same account, so that all it touches is warm and its gas lasts.
        bytes memory data = _updated(_next(_entries(FEEDS, 10)));
        vm.prank(hostile);
        _send(address(store), data);
        vm.assertEq(_nextSequence(store), 4);
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (uint256 round,,) = store.latestRoundOf(feed);
            vm.assertEq(round, feed == 6 ? 3 : 2);
            (int256 answer,) = store.roundOf(feed, 2);
            vm.assertEq(answer, int256(10 + feed));
        }
        _assertLatest(6, 3, 77, block.timestamp);
    }

    /// With too little gas for the announcement the report is refused, never accepted in silence: over the whole range
    /// of limits, either both events are there or nothing happened.
    function test_announce_isNeverStarved() public {
        _update(store, _entry(4, 1));
        _update(store, _entry(4, 1));
        bytes memory data = _updated(_batch(3, block.timestamp, _entry(4, 2)));
        uint256 refused;
        uint256 accepted;
        for (uint256 limit = 20_000; limit < 120_000; limit += 500) {
            uint256 id = vm.snapshotState();
            vm.recordLogs();
            vm.prank(TRANSMITTER);
            (bool ok,) = address(store).call{gas: limit}(data);
            uint256 logs = vm.getRecordedLogs().length;
            if (ok) ++accepted;
            else ++refused;
            if (ok) vm.assertEq(logs, 3);
            vm.revertToState(id);
        }
        vm.assertTrue(refused > 10 && accepted > 10);
    }
}
